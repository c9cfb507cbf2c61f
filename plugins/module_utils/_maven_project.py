# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Maven project is and needs: its pom, its wrapper, a JDK.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

NAMESPACE = re.compile(r"^\{[^}]*\}")
OLDEST_JDK = 17
WRAPPER_HINT = "Make it once with 'mvn org.apache.maven.plugins:maven-wrapper-plugin:3.3.4:wrapper -Dmaven=3.9.16 -Dtype=only-script'."
UNPINNED = re.compile(r"-SNAPSHOT$|^LATEST$|^RELEASE$|^[\[(]")


@dataclass(frozen=True)
class Pom:
    """What a pom says.

    :param version: the project's version.
    :param java: release of Java that it compiles for, 0 when it does not say.
    :param unpinned: versions of dependencies, plugins or parent that may change without the pom changing.
    :param files: the pom and its parents on disk.
    """

    version: str
    java: int
    unpinned: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Jdk:
    """A JDK: its ``home``, the major ``version``, and the text of its ``release`` file (vendor and build)."""

    home: str
    version: int
    release: str


def _parse(path: str) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as exc:
        raise DeployError(
            f"The pom '{path}' does not parse: {exc}.", hint="Mend it; './mvnw validate' shows the same place."
        ) from exc
    for element in root.iter():
        element.tag = NAMESPACE.sub("", element.tag) if isinstance(element.tag, str) else element.tag
    if root.tag != "project":
        raise DeployError(
            f"The pom '{path}' does not parse: its root is '{root.tag}', not 'project'.", hint="Is it a pom?"
        )
    return root


def _text(root: ElementTree.Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _unpinned(root: ElementTree.Element, properties: t.Mapping[str, str]) -> t.Iterator[str]:
    for tag in ("dependency", "plugin", "parent", "extension"):
        for element in root.iter(tag):
            version = re.sub(
                r"\$\{([^}]+)\}", lambda match: properties.get(match.group(1), ""), _text(element, "version")
            )
            if UNPINNED.search(version):
                yield f"{_text(element, 'artifactId')} {version}"


def read_pom(project: str) -> Pom:
    """Read the pom of a project and its parents on disk.

    :raises DeployError: there is none, or one does not parse.
    """
    path = os.path.join(project, "pom.xml")
    if not os.path.isfile(path):
        raise DeployError(
            f"Option project is '{project}': there is no pom.xml.",
            hint="Set project (j4c_source) to the Maven project.",
        )
    files: list[str] = []
    properties: dict[str, str] = {}
    roots = []
    while os.path.isfile(path) and path not in files:
        root = _parse(path)
        files.append(path)
        roots.append(root)
        for item in root.findall("properties/*"):
            properties.setdefault(str(item.tag), (item.text or "").strip())
        parent = root.find("parent")
        if parent is None:
            break
        relative = parent.findtext("relativePath")
        relative = "../pom.xml" if relative is None else relative.strip()
        path = os.path.normpath(os.path.join(os.path.dirname(path), relative)) if relative else ""
        path = os.path.join(path, "pom.xml") if os.path.isdir(path) else path
    version = next(
        (text for text in (_text(item, "version") or _text(item, "parent/version") for item in roots) if text), ""
    )
    java = next(
        (
            properties[key]
            for key in ("maven.compiler.release", "maven.compiler.target", "java.version")
            if properties.get(key)
        ),
        "",
    )
    number = java.rpartition(".")[2] if java.startswith("1.") else java
    return Pom(
        re.sub(r"\$\{([^}]+)\}", lambda match: properties.get(match.group(1), ""), version),
        int(number) if number.isdigit() else 0,
        tuple(sorted({item for root in roots for item in _unpinned(root, properties)})),
        tuple(files),
    )


def require_wrapper(project: str) -> str:
    """Return the path of the Maven wrapper.

    :raises DeployError: it is missing or not executable.
    """
    path = os.path.join(project, "mvnw")
    if not os.path.isfile(path):
        raise DeployError(f"The project '{project}' has no Maven wrapper (mvnw).", hint=WRAPPER_HINT)
    if not os.access(path, os.X_OK):
        raise DeployError(f"'{path}' is not executable.", hint=f"Run 'chmod +x {path}'.")
    return path


def read_jdk(home: str) -> Jdk | None:
    """Return the JDK in a directory, or ``None`` when there is none (a runtime without compiler is none)."""
    try:
        with open(os.path.join(home, "release"), encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return None
    match = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)
    if match is None or not os.access(os.path.join(home, "bin", "javac"), os.X_OK):
        return None
    return Jdk(os.path.realpath(home), int(match.group(1)), text)


def find_jdk(
    option: str, environment: str, needed: int, places: t.Sequence[str] = ("/usr/lib/jvm/*", "/opt/java/*")
) -> Jdk:
    """Return the JDK to build with: the option's, the environment's when it is new enough, or the newest of ``places``.

    :param needed: the least major version.
    :raises DeployError: there is none, or the option's is too old.
    """
    needed = max(needed, OLDEST_JDK)
    if option:
        jdk = read_jdk(option)
        if jdk is None:
            raise DeployError(
                f"Option java_home is '{option}': there is no JDK.",
                hint="Set java_home (j4c_java_home) to the directory of a JDK.",
            )
        if jdk.version < needed:
            raise DeployError(
                f"Option java_home is '{option}': that is JDK {jdk.version}, the project needs {needed}.",
                hint=f"Install JDK {needed} or newer.",
            )
        return jdk
    found = [
        item for item in [read_jdk(environment) if environment else None] if item is not None and item.version >= needed
    ]
    if found:
        return found[0]
    homes = sorted({os.path.realpath(path) for place in places for path in glob.glob(place)})
    candidates = [item for item in map(read_jdk, homes) if item is not None]
    good = [item for item in candidates if item.version >= needed]
    if not good:
        seen = ", ".join(f"JDK {item.version}" for item in candidates) or "none"
        raise DeployError(
            f"There is no JDK {needed} or newer on the builder (found: {seen}).",
            hint=f"Install one (Debian: openjdk-{max(needed, 21)}-jdk-headless) and set java_home (j4c_java_home) if it is in an unusual place.",
        )
    return max(good, key=lambda item: item.version)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Maven project is and needs: its pom, its wrapper, a JDK.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import typing as t
from dataclasses import dataclass
from xml.etree import ElementTree

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._fingerprint import EVERYTHING
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import BY_CODE

NAMESPACE = re.compile(r"^\{[^}]*\}")
WORD = re.compile(r"[^\s/\\*?,;:<>\"'(){}$]+")
# a directory element that means all of the project
WHOLE = frozenset({".", "./", "${basedir}", "${basedir}/", "${project.basedir}", "${project.basedir}/"})
ASSEMBLIES = ("src/assembly/*.xml", "src/main/assembly/*.xml")
REFERENCE = re.compile(r"\$\{([^}]+)\}")
WRAPPER_HINT = (
    "Make it once with 'mvn org.apache.maven.plugins:maven-wrapper-plugin:3.3.4:wrapper "
    "-Dmaven=3.9.16 -Dtype=only-script'."
)
# -Dname=value, as one argument or in a line of .mvn/maven.config
DEFINITION = re.compile(r"(?:^|(?<=\s))(?:-D|--define[= \n])\s*([\w.-]+)=(\S*)")
# options that name a file which Maven reads
FILE_OPTION = re.compile(
    r"(?:^|(?<=\s))(?:-s|-gs|-t|-gt|--settings|--global-settings|--toolchains|--global-toolchains)[= \n]\s*(\S+)"
)
# what a version may be is looked at no further than this
MAX_VALUES = 64
UNPINNED = re.compile(r"-SNAPSHOT$|^LATEST$|^RELEASE$|^[\[(]")
JAVA_PROPERTIES = ("maven.compiler.release", "maven.compiler.target", "java.version")
# plugins that write the commit into the artifact
COMMIT_PLUGINS = frozenset({"git-commit-id-maven-plugin", "git-commit-id-plugin", "buildnumber-maven-plugin"})
LOCAL_REPOSITORY = "~/.m2/repository"
JDK_PLACES = ("/usr/lib/jvm/*", "/opt/java/*")


@dataclass(frozen=True)
class Pom:
    """What a pom says.

    :param version: the project's version.
    :param java: release of Java that it compiles for, 0 when it does not say.
    :param unpinned: versions of dependencies, plugins or parent that may change without the pom changing.
    :param files: the pom and its parents on disk.
    :param inherited: parents that Maven has fetched, in the local repository.
    :param environment: names of the environment variables that they read.
    :param tells_commit: whether a plugin writes the commit into the artifact.
    :param modules: directories of the project's modules.
    :param outputs: directories that the build writes to, ``target`` unless a pom says otherwise.
    :param words: words of the poms and of assembly descriptors, to see which documents they mention; with
        ``_fingerprint.EVERYTHING`` when the whole directory is packaged.
    """

    version: str
    java: int
    unpinned: tuple[str, ...]
    files: tuple[str, ...]
    environment: tuple[str, ...] = ()
    tells_commit: bool = False
    modules: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Jdk:
    """A JDK: its ``home``, the major ``version``, and the text of its ``release`` file (vendor and build)."""

    home: str
    version: int
    release: str


def _parse(path: str) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    # text that is not in the encoding that it names raises a ValueError
    except (ElementTree.ParseError, ValueError) as exc:
        raise _bad_pom(f"The pom '{path}' does not parse: {exc}.", " ".join(BY_CODE["pom"].remedies)) from exc
    except OSError as exc:
        raise _bad_pom(f"The pom '{path}' cannot be read: {exc.strerror}.", "Check its owner and mode.") from exc
    _plain(root)
    if root.tag != "project":
        raise _bad_pom(f"The pom '{path}' does not parse: its root is '{root.tag}', not 'project'.", "Is it a pom?")
    return root


def _plain(root: ElementTree.Element) -> None:
    for element in root.iter():
        element.tag = NAMESPACE.sub("", element.tag) if isinstance(element.tag, str) else element.tag


def _extensions(project: str) -> t.Iterator[ElementTree.Element]:
    # one that does not parse is Maven's to complain about
    with contextlib.suppress(ElementTree.ParseError, ValueError, OSError):
        root = ElementTree.parse(os.path.join(project, ".mvn", "extensions.xml")).getroot()
        _plain(root)
        yield root


def _bad_pom(msg: str, hint: str) -> DeployError:
    return DeployError(msg, hint=hint, failure=BY_CODE["pom"].result())


def _text(root: ElementTree.Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _resolve(text: str, properties: t.Mapping[str, str]) -> str:
    # properties may name each other, and a circle must end
    for _round in range(8):
        resolved = REFERENCE.sub(lambda match: properties.get(match.group(1), match.group(0)), text)
        if resolved == text:
            break
        text = resolved
    return text


def _values(text: str, properties: t.Mapping[str, t.Collection[str]]) -> set[str]:
    """Return all that a text may be: a module, a profile or an argument may set a property to something else."""
    values = {text}
    for _round in range(8):
        expanded: set[str] = set()
        for value in values:
            found = next((match for match in REFERENCE.finditer(value) if match.group(1) in properties), None)
            if found is None:
                expanded.add(value)
            else:
                expanded |= {value.replace(found.group(), item) for item in properties[found.group(1)]}
        if expanded == values or len(expanded) > MAX_VALUES:
            break
        values = expanded
    return values


def _unpinned(
    root: ElementTree.Element, properties: t.Mapping[str, t.Collection[str]], own: t.Collection[str]
) -> t.Iterator[str]:
    for tag in ("dependency", "plugin", "parent", "extension"):
        for element in root.iter(tag):
            # another module of the same project is an input as source
            if _text(element, "artifactId") not in own:
                for version in sorted(_values(_text(element, "version"), properties)):
                    if UNPINNED.search(version):
                        yield f"{_text(element, 'artifactId')} {version}"


def _possible(poms: t.Iterable[ElementTree.Element], version: str, arguments: t.Iterable[str]) -> dict[str, set[str]]:
    """Return all values that each property may have: of any pom, any profile, or an argument."""
    found: dict[str, set[str]] = {"project.version": {version}, "version": {version}}
    for root in poms:
        for place in (root, *root.iterfind("profiles/profile")):
            for item in place.iterfind("properties/*"):
                found.setdefault(str(item.tag), set()).add((item.text or "").strip())
    for name, value in DEFINITION.findall("\n".join(arguments)):
        found.setdefault(name, set()).add(value)
    return found


def told_arguments(project: str, arguments: t.Sequence[str], environment: t.Mapping[str, str]) -> list[str]:
    """Return all that Maven is told: the arguments, those of the project, and those of the environment."""
    texts = list(arguments)
    config = os.path.join(project, ".mvn", "maven.config")
    with contextlib.suppress(OSError, ValueError), open(config, encoding="utf-8") as file:
        texts.append(file.read())
    return [*texts, environment.get("MAVEN_ARGS", "")]


def named_files(project: str, arguments: t.Sequence[str]) -> list[str]:
    """Return the settings and toolchains that Maven is told to read, as absolute paths.

    :param arguments: see ``told_arguments``; an option and its value may be two of them.
    """
    found = FILE_OPTION.findall("\n".join(arguments))
    return [os.path.normpath(os.path.join(project, os.path.expanduser(item))) for item in found]


def _output(root: ElementTree.Element, path: str, properties: t.Mapping[str, str]) -> str:
    """Return the directory that the build of a pom writes to, ``""`` when it is not below the pom's own."""
    home = os.path.dirname(path)
    told = _resolve(
        _text(root, "build/directory") or "target", {**properties, "basedir": home, "project.basedir": home}
    )
    place = os.path.normpath(os.path.join(home, told))
    return place if place.startswith(home + os.sep) and "${" not in place else ""


def _parent(root: ElementTree.Element, path: str) -> str:
    """Return where the pom's parent is on disk, ``""`` when it is not."""
    parent = root.find("parent")
    if parent is None:
        return ""
    given = parent.findtext("relativePath")
    relative = "../pom.xml" if given is None else given.strip()
    if not relative:
        return ""
    found = os.path.normpath(os.path.join(os.path.dirname(path), relative))
    found = os.path.join(found, "pom.xml") if os.path.isdir(found) else found
    if not os.path.isfile(found):
        return ""
    # Maven takes the file only when it is the parent that is named
    return found if _text(_parse(found), "artifactId") == _text(parent, "artifactId") else ""


def _fetched(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """Return the parents of a pom that are in the local repository, by path; they never change."""
    found: dict[str, ElementTree.Element] = {}
    while True:
        group, name, version = (_text(root, f"parent/{key}") for key in ("groupId", "artifactId", "version"))
        place = os.path.join(os.path.expanduser(LOCAL_REPOSITORY), *group.split("."), name, version)
        path = os.path.join(place, f"{name}-{version}.pom")
        if not name or path in found or not os.path.isfile(path):
            return found
        try:
            root = _parse(path)
        except DeployError:
            # what Maven fetched is Maven's to complain about
            return found
        found[path] = root


def _modules(root: ElementTree.Element, path: str, seen: set[str]) -> t.Iterator[tuple[str, ElementTree.Element]]:
    """Yield the poms of the modules below a pom, however deep."""
    for item in root.iter("module"):
        found = os.path.normpath(os.path.join(os.path.dirname(path), (item.text or "").strip()))
        found = os.path.join(found, "pom.xml") if os.path.isdir(found) else found
        if os.path.isfile(found) and found not in seen:
            seen.add(found)
            module = _parse(found)
            yield found, module
            yield from _modules(module, found, seen)


def _java(roots: t.Sequence[ElementTree.Element], properties: t.Mapping[str, str]) -> int:
    told = [properties.get(key, "") for key in JAVA_PROPERTIES]
    for root in roots:
        for plugin in root.iter("plugin"):
            if _text(plugin, "artifactId") == "maven-compiler-plugin":
                told += [_text(plugin, f"configuration/{key}") for key in ("release", "target")]
    for text in told:
        number = re.match(r"(?:1\.)?(\d+)$", _resolve(text, properties))
        if number:
            return int(number.group(1))
    return 0


def read_pom(project: str, arguments: t.Sequence[str] = ()) -> Pom:
    """Read the pom of a project, its parents on disk and its modules.

    :param arguments: all that Maven is told, see ``told_arguments``.
    :raises DeployError: there is none, or one does not parse.
    """
    path = os.path.join(project, "pom.xml")
    if not os.path.isfile(path):
        raise DeployError(
            f"Option project is '{project}': there is no pom.xml.",
            hint="Set project (j4c_source) to the Maven project.",
        )
    line: dict[str, ElementTree.Element] = {}
    while path and path not in line:
        line[path] = _parse(path)
        path = _parent(line[path], path)
    roots = list(line.values())
    first = next(iter(line))
    modules = dict(_modules(roots[0], first, set(line)))
    poms = {**line, **modules}
    properties: dict[str, str] = {}
    for root in roots:
        for item in root.findall("properties/*"):
            properties.setdefault(str(item.tag), (item.text or "").strip())
    told = (_text(root, "version") or _text(root, "parent/version") for root in roots)
    version = _resolve(next((text for text in told if text), ""), properties)
    properties.setdefault("project.version", version)
    fetched = _fetched(roots[-1])
    known = [*poms.values(), *fetched.values(), *_extensions(project)]
    possible = _possible(known, version, arguments)
    own = {_text(root, "artifactId") for root in poms.values()}
    texts = [ElementTree.tostring(root, encoding="unicode") for root in poms.values()]
    return Pom(
        version=version,
        java=_java(roots, properties),
        unpinned=tuple(sorted({item for root in known for item in _unpinned(root, possible, own)})),
        files=tuple(poms),
        environment=tuple(sorted({name for text in texts for name in re.findall(r"\$\{env\.([^}]+)\}", text)})),
        tells_commit=any(
            _text(plugin, "artifactId") in COMMIT_PLUGINS for root in poms.values() for plugin in root.iter("plugin")
        ),
        modules=tuple(os.path.dirname(path) for path in modules),
        inherited=tuple(fetched),
        outputs=tuple(filter(None, (_output(poms[item], item, properties) for item in (first, *modules)))),
        words=frozenset(_words([*poms.values(), *_assemblies([first, *modules])])),
    )


def _assemblies(poms: t.Iterable[str]) -> t.Iterator[ElementTree.Element]:
    for path in poms:
        for pattern in ASSEMBLIES:
            for found in glob.glob(os.path.join(glob.escape(os.path.dirname(path)), pattern)):
                # one that does not parse is Maven's to complain about
                with contextlib.suppress(ElementTree.ParseError, OSError):
                    yield ElementTree.parse(found).getroot()


def _words(roots: t.Iterable[ElementTree.Element]) -> t.Iterator[str]:
    for root in roots:
        for element in root.iter():
            text = (element.text or "").strip()
            if str(element.tag).rpartition("}")[2].lower().endswith("directory") and text in WHOLE:
                yield EVERYTHING
            for value in (text, *element.attrib.values()):
                # a full stop at the end of a sentence is no name of a directory
                yield from filter(None, (word.rstrip(".") for word in WORD.findall(value)))


def require_wrapper(project: str) -> str:
    """Return the path of the Maven wrapper.

    :raises DeployError: it is missing or not executable.
    """
    path = os.path.join(project, "mvnw")
    if not os.path.isfile(path):
        raise _no_wrapper(f"The project '{project}' has no Maven wrapper (mvnw).", WRAPPER_HINT)
    if not os.access(path, os.X_OK):
        raise _no_wrapper(
            f"'{path}' is not executable.", f"Run 'chmod +x {path}', and 'git update-index --chmod=+x mvnw' in it."
        )
    return path


def _no_wrapper(msg: str, hint: str) -> DeployError:
    return DeployError(msg, hint=hint, failure=BY_CODE["wrapper"].result())


def read_jdk(home: str) -> Jdk | None:
    """Return the JDK in a directory, or ``None`` when there is none (a runtime without compiler is none)."""
    try:
        with open(os.path.join(home, "release"), encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return None
    match = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)
    if match is None or not os.access(os.path.join(home, "bin", "javac"), os.X_OK):
        return None
    return Jdk(os.path.realpath(home), int(match.group(1)), text)


def _mismatch(msg: str, hint: str) -> DeployError:
    return DeployError(msg, hint=hint, failure=BY_CODE["jdk_mismatch"].result())


def find_jdk(option: str, environment: str, needed: int, places: t.Sequence[str] = JDK_PLACES) -> Jdk:
    """Return the JDK to build with: the option's, the environment's when it is new enough, or the newest of ``places``.

    :param needed: the least major version.
    :raises DeployError: there is none, or the option's is too old.
    """
    if option:
        jdk = read_jdk(option)
        if jdk is None:
            raise _mismatch(
                f"Option java_home is '{option}': there is no JDK.",
                "Set java_home (j4c_java_home) to the directory of a JDK, or leave it empty to have one found.",
            )
        if jdk.version < needed:
            raise _mismatch(
                f"Option java_home is '{option}': that is JDK {jdk.version}, the project needs {needed}.",
                f"Set java_home (j4c_java_home) to a JDK {needed} or newer, or leave it empty to have one found.",
            )
        return jdk
    given = read_jdk(environment) if environment else None
    if given is not None and given.version >= needed:
        return given
    homes = sorted({os.path.realpath(path) for place in places for path in glob.glob(place)})
    candidates = [item for item in map(read_jdk, homes) if item is not None]
    good = [item for item in candidates if item.version >= needed]
    if not good:
        seen = ", ".join(f"JDK {version}" for version in sorted({item.version for item in candidates})) or "none"
        raise _mismatch(
            f"There is no JDK {needed or ''}{' or newer ' if needed else ''}on the builder (found: {seen}).",
            f"Install one (Debian: openjdk-{max(needed, 21)}-jdk-headless), and set java_home (j4c_java_home) "
            "if it is in an unusual place.",
        )
    return max(good, key=lambda item: item.version)

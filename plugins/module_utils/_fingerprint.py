# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprint of a build: everything that decides its artifact, and nothing else.

Inputs are hashed, not outputs: two builds of one source differ (Quarkus numbers its proxies anew each time).

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

VERSION = "1"
# read by people or by Docker, not by Maven
NO_INPUT = (
    "*.adoc",
    "*.md",
    ".dockerignore",
    ".env*",
    ".git*",
    "CHANGELOG*",
    "Dockerfile*",
    "LICENSE*",
    "README*",
    "compose*.y*ml",
    "docker-compose*.y*ml",
    "docs/*",
)
ENVIRONMENT = ("MAVEN_OPTS", "MAVEN_ARGS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")


def is_input(path: str) -> bool:
    """Tell whether a file of the project (path relative to it) can decide the artifact."""
    # everything below src is packaged or compiled, whatever it is called
    return path.startswith("src/") or "/src/" in path or not any(fnmatch.fnmatch(path, pattern) for pattern in NO_INPUT)


def project_files(runner: Runner, project: str) -> list[str]:
    """Return the relative paths of the project's files: tracked and untracked ones for a clone, without ignored ones."""
    done = runner.run(["git", "-C", project, "ls-files", "-co", "--exclude-standard", "-z"], check=False)
    if done.rc == 0:
        return sorted(
            {path for path in done.stdout.split("\0") if path and os.path.isfile(os.path.join(project, path))}
        )
    found = []
    for folder, folders, names in os.walk(project):
        folders[:] = [name for name in folders if name not in (".git", "target")]
        found += [os.path.relpath(os.path.join(folder, name), project) for name in names]
    return sorted(found)


def hash_files(root: str, paths: t.Iterable[str]) -> str:
    """Return the sha256 over names, executable bits and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        full = os.path.join(root, path)
        mode = "x" if os.access(full, os.X_OK) else "-"
        digest.update(
            f"{os.path.relpath(path, root) if os.path.isabs(path) else path}\0{mode}{sha256_file(full)}\n".encode()
        )
    return digest.hexdigest()


def hash_text(*parts: str) -> str:
    """Return the sha256 over texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def groups(
    runner: Runner,
    project: str,
    *,
    poms: t.Sequence[str],
    jdk: str,
    options: t.Sequence[str],
    settings: str,
    environment: t.Mapping[str, str],
) -> dict[str, str]:
    """Return a hash for each group of inputs, so that a difference can be named.

    :param poms: paths of the pom and its parents on disk.
    :param jdk: text of the JDK's ``release`` file.
    :param options: goals, profile and properties.
    :param settings: path of the user's settings.xml; a missing file is fine.
    """
    files = [path for path in project_files(runner, project) if is_input(path)]
    pom_files = {path for path in files if os.path.basename(path) == "pom.xml"}
    wrapper = [
        os.path.join(folder, name)
        for folder, _folders, names in os.walk(os.path.join(project, ".mvn"))
        for name in names
    ]
    wrapper = [os.path.relpath(path, project) for path in wrapper]
    wrapper += ["mvnw"] if os.path.isfile(os.path.join(project, "mvnw")) else []
    return {
        "src": hash_files(project, set(files) - pom_files - set(wrapper)),
        "pom": hash_files(project, pom_files | {os.path.relpath(path, project) for path in poms}),
        "mvn": hash_files(project, wrapper),
        "settings": sha256_file(settings) if os.path.isfile(settings) else "none",
        "jdk": hash_text(jdk),
        "options": hash_text(VERSION, *options),
        "environment": hash_text(*(f"{key}={environment.get(key, '')}" for key in ENVIRONMENT)),
    }


def fingerprint(parts: t.Mapping[str, str]) -> str:
    """Return the fingerprint of a build from the hashes of its groups."""
    return hash_text(*(f"{key}={parts[key]}" for key in sorted(parts)))[:40]

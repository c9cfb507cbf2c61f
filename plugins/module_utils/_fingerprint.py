# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprint of a build: everything that decides its artifact, and nothing else.

Inputs are hashed, not outputs: two builds of one source differ (Quarkus numbers its proxies anew each time). Neither
times nor absolute paths nor the commit are inputs, so a commit that changes only a document builds nothing.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

VERSION = "4"
# read by people or by Docker, not by Maven
NO_INPUT = (
    "*.adoc",
    "*.md",
    ".dockerignore",
    ".editorconfig",
    ".env.*",
    ".git*",
    "CHANGELOG*",
    "Dockerfile*",
    "LICENSE*",
    "README*",
    "compose*.y*ml",
    "docker-compose*.y*ml",
    "docs/*",
)
# Quarkus and Maven read these of the project whether git knows them or not
ALWAYS = (".env", "config", "src")
SKIPPED_FOLDERS = (".git", "node_modules", "target")
ENVIRONMENT = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "MAVEN_ARGS", "MAVEN_CONFIG", "MAVEN_OPTS", "SOURCE_DATE_EPOCH")
ENVIRONMENT_PREFIX = "QUARKUS_"
USER_SETTINGS = ("~/.m2/settings.xml", "~/.m2/settings-security.xml", "~/.m2/toolchains.xml", "~/.mavenrc")
LENGTH = 40
# among the words of a pom: it packages the whole directory
EVERYTHING = "."


def is_input(path: str, words: t.Collection[str] = ()) -> bool:
    """Tell whether a file of the project (path relative to it) can decide the artifact.

    :param words: words of the poms (see ``_maven_project.Pom``); a document that they mention may be packaged.
    """
    # everything below src is packaged or compiled, whatever it is called
    if path.startswith("src/") or "/src/" in path or not any(fnmatch.fnmatch(path, pattern) for pattern in NO_INPUT):
        return True
    # a word too many costs a build, one too few would serve an old artifact
    stem, suffix = os.path.splitext(os.path.basename(path))
    return not {*path.split("/"), stem, suffix, EVERYTHING}.isdisjoint(words)


def _walk(project: str, below: str) -> t.Iterator[str]:
    for folder, folders, names in os.walk(os.path.join(project, below)):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), project)


def project_files(runner: Runner, project: str, always: t.Collection[str] = ALWAYS) -> list[str]:
    """Return the relative paths of the project's files, sorted.

    Of a clone these are the tracked and untracked ones, without those that git ignores.

    :param always: files and directories that are listed whether git ignores them or not.
    """
    done = runner.run(["git", "-C", project, "ls-files", "-co", "--exclude-standard", "-z"], check=False)
    found: set[str] = set()
    if done.rc != 0:
        return sorted(path for path in _walk(project, "") if os.path.isfile(os.path.join(project, path)))
    for path in {*done.stdout.split("\0"), *always} - {""}:
        full = os.path.join(project, path)
        if os.path.isfile(full):
            found.add(path)
        elif os.path.isdir(full):
            # a submodule, a link to a directory, or one of those that are always read
            found.update(item for item in _walk(project, path) if os.path.isfile(os.path.join(project, item)))
    return sorted(found)


def hash_files(root: str, paths: t.Iterable[str]) -> str:
    """Return the sha256 over names, executable bits and contents of files.

    :raises DeployError: one cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        full = os.path.join(root, path)
        try:
            mode = "x" if os.stat(full).st_mode & 0o100 else "-"
            digest.update(f"{path}\0{mode}{sha256_file(full)}\n".encode("utf-8", "surrogateescape"))
        except OSError as exc:
            raise DeployError(
                f"The file '{full}' of the project cannot be read: {exc.strerror}.",
                hint="Give the builder's user the right to read the whole project.",
            ) from exc
    return digest.hexdigest()


def hash_text(*parts: str) -> str:
    """Return the sha256 over texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def chosen_environment(environment: t.Mapping[str, str], named: t.Collection[str] = ()) -> list[str]:
    """Return ``name=value`` of the variables that can decide a build, sorted.

    :param named: further variables, those that the pom reads.
    """
    names = {*ENVIRONMENT, *named} | {name for name in environment if name.startswith(ENVIRONMENT_PREFIX)}
    return [f"{name}={environment[name]}" for name in sorted(names) if name in environment]


def groups(
    runner: Runner,
    project: str,
    *,
    poms: t.Sequence[str],
    jdk: str,
    options: t.Sequence[str],
    environment: t.Mapping[str, str],
    named: t.Collection[str] = (),
    settings: t.Sequence[str] = USER_SETTINGS,
    modules: t.Sequence[str] = (),
    words: t.Collection[str] = (),
    extra: t.Sequence[str] = (),
    outputs: t.Sequence[str] = (),
) -> dict[str, str]:
    """Return a hash for each group of inputs, so that a difference can be named.

    :param poms: paths of the pom and its parents on disk.
    :param jdk: text of the JDK's ``release`` file.
    :param options: goals, profile and properties.
    :param environment: variables of the build.
    :param named: names of variables that the pom reads.
    :param settings: the files beside the project that Maven reads; missing ones are fine.
    :param modules: directories of the project's modules.
    :param words: words of the poms.
    :param extra: further files and directories that decide, relative to the project.
    :param outputs: directories that the build writes to.
    :raises DeployError: a file cannot be read, or one of ``extra`` is not there.
    """
    files = {path for path in all_files(runner, project, modules, outputs) if is_input(path, words)}
    pom_files = {path for path in files if os.path.basename(path) == "pom.xml"}
    wrapper = set(_walk(project, ".mvn")) | ({"mvnw"} if os.path.isfile(os.path.join(project, "mvnw")) else set())
    present = [path for path in map(os.path.expanduser, settings) if os.path.isfile(path)]
    return {
        "src": hash_files(project, files - pom_files - wrapper),
        "pom": hash_files(project, pom_files | {os.path.relpath(path, project) for path in poms}),
        "mvn": hash_files(project, wrapper),
        "settings": hash_text(*(hash_files(os.path.dirname(path), [os.path.basename(path)]) for path in present)),
        "jdk": hash_text(jdk),
        "options": hash_text(VERSION, *options),
        "environment": hash_text(*chosen_environment(environment, named)),
        **({"extra": _hash_extra(project, extra)} if extra else {}),
    }


def _hash_extra(project: str, paths: t.Sequence[str]) -> str:
    files: set[str] = set()
    for path in paths:
        full = os.path.join(project, path)
        if os.path.isdir(full):
            files.update(item for item in _walk(project, path) if os.path.isfile(os.path.join(project, item)))
        elif os.path.isfile(full):
            files.add(path)
        else:
            raise DeployError(
                f"Option inputs names '{path}': there is no '{full}'.",
                hint="Name files and directories relative to the project in inputs (j4c_build_inputs).",
            )
    return hash_files(project, files)


def all_files(
    runner: Runner, project: str, modules: t.Sequence[str], outputs: t.Sequence[str], ignored: bool = True
) -> set[str]:
    """Return the paths, relative to the project, of its files and of those of modules beside it.

    :param outputs: directories that the build writes to; what is in them is no source, whatever they are called.
    :param ignored: with those that Maven reads though git ignores them.
    """
    inside: list[str] = []
    outside: list[str] = []
    for module in modules:
        relative = os.path.relpath(module, project)
        (outside if relative.split(os.sep)[0] == os.pardir else inside).append(relative)
    always = [*ALWAYS, *(os.path.join(module, name) for module in inside for name in ALWAYS)] if ignored else []
    found = set(project_files(runner, project, always))
    for module in outside:
        listed = project_files(runner, os.path.join(project, module), ALWAYS if ignored else ())
        found.update(os.path.join(module, path) for path in listed)
    made = tuple(os.path.relpath(output, project) + os.sep for output in outputs)
    return {path for path in found if not path.startswith(made)} if made else found


def tree_hash(runner: Runner, project: str, modules: t.Sequence[str] = (), outputs: t.Sequence[str] = ()) -> str:
    """Return a hash of the files that a build must not change: those that git does not ignore.

    :raises DeployError: a file cannot be read.
    """
    return hash_files(project, all_files(runner, project, modules, outputs, ignored=False))


def fingerprint(parts: t.Mapping[str, str]) -> str:
    """Return the fingerprint of a build from the hashes of its groups."""
    return hash_text(*(f"{key}={parts[key]}" for key in sorted(parts)))[:LENGTH]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a native build needs, and what makes it fail, looked at before minutes are spent on one that must fail.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import typing as t
import zipfile
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import BY_CODE
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

BUILDER_IMAGE_PROPERTY = "quarkus.native.builder-image"
CONTAINER_PROPERTY = "quarkus.native.container-build"
CONTAINER_ARGUMENT = f"-D{CONTAINER_PROPERTY}=true"
BUILDER_IMAGE = re.compile(r"quarkus[\w.-]*builder-image|(mandrel|graalvm)[\w.-]*builder")
# the flag alone, for the class, for its package, or for one above it
FORKJOINPOOL_FLAG = re.compile(
    r"--initialize-at-run-time(?:"
    r"=\S*?\bjava(?:\.util(?:\.concurrent(?:\.ForkJoinPool)?)?)?(?=[\s,;:<\"']|$)"
    r"|(?=[\s,;<\"']|$))"
)
FLAG_FILES = (".java", ".json", ".kt", ".mvn/maven.config", ".pom", ".properties", ".scala", ".xml", ".yaml", ".yml")
SOURCE_FILES = (".java", ".kt", ".scala")
NATIVE_PROPERTIES = re.compile(r"META-INF/native-image/.*native-image\.properties$")
JARS = ("target/*-native-image-source-jar/lib/*.jar", "target/quarkus-app/lib/*/*.jar")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
COMMON_POOL = re.compile(r"\bForkJoinPool\s*\.\s*commonPool\s*\(|\.\s*parallelStream\s*\(\s*\)|\.\s*parallel\s*\(\s*\)")
# methods of CompletableFuture, and how many arguments they have when none of them is an executor
ASYNC = re.compile(
    r"\b(?P<two>thenCombineAsync|thenAcceptBothAsync|runAfterBothAsync|applyToEitherAsync|acceptEitherAsync|"
    r"runAfterEitherAsync)\s*\(|\b(?P<one>supplyAsync|runAsync|thenApplyAsync|thenAcceptAsync|thenRunAsync|"
    r"thenComposeAsync|handleAsync|whenCompleteAsync|exceptionallyAsync)\s*\("
)
TOLD_PLACES = 20
LITERAL = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')


@dataclass(frozen=True)
class NativeBuilder:
    """What compiles: ``identity`` names it exactly, ``arguments`` make Maven use it."""

    identity: str
    arguments: tuple[str, ...]


def find_builder(
    runner: Runner, profile: str, properties: t.Mapping[str, t.Any], arguments: t.Collection[str] = ()
) -> NativeBuilder:
    """Return GraalVM's or Mandrel's ``native-image`` of this machine, or the builder image that its engine has.

    :param properties: properties of the build.
    :param arguments: Maven's arguments of the profile.
    :raises DeployError: there is neither.
    """
    usual = CONTAINER_ARGUMENT in arguments
    wants_container = str(properties.get(CONTAINER_PROPERTY, usual)).lower() == "true"
    local = None if wants_container else _local()
    if local:
        version = runner.run([local, "--version"], check=False).stdout.strip()
        return NativeBuilder(version or local, ())
    wanted = str(properties.get(BUILDER_IMAGE_PROPERTY, ""))
    listed = ""
    if shutil.which("docker"):
        asked = [wanted] if wanted else []
        form = "{{.Repository}}:{{.Tag}} {{.ID}}"
        listed = runner.run(["docker", "image", "ls", "--no-trunc", "--format", form, *asked], check=False).stdout
    images = [line for line in listed.splitlines() if wanted or BUILDER_IMAGE.search(line)]
    if images:
        return NativeBuilder(" ".join(sorted(images)), () if wants_container else (CONTAINER_ARGUMENT,))
    raise DeployError(
        f"Profile '{profile}' needs native-image, and the builder has neither it nor a builder image.",
        hint=" ".join(BY_CODE["native_missing"].remedies),
        failure=BY_CODE["native_missing"].result(),
    )


def _local() -> str | None:
    for variable in ("GRAALVM_HOME", "JAVA_HOME"):
        home = os.environ.get(variable)
        found = shutil.which("native-image", path=os.path.join(home, "bin")) if home else None
        if found:
            return found
    return shutil.which("native-image")


def flag_lines(lines: t.Iterable[str]) -> list[int]:
    """Return the numbers of the lines that have ForkJoinPool initialised at run time. Pure."""
    return [number for number, line in enumerate(lines, 1) if FORKJOINPOOL_FLAG.search(line)]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def find_flag(
    project: str, files: t.Iterable[str], properties: t.Mapping[str, t.Any], goals: t.Iterable[str]
) -> list[str]:
    """Return where ForkJoinPool is initialised at run time, as ``file:line``, ``-Dname`` or ``jar: entry``.

    :param files: paths of sources, poms and configuration, relative to the project; what an earlier build left in
        ``target`` (the jars of its dependencies) is looked at as well.
    :param properties: properties of the build.
    :param goals: goals and arguments of Maven.
    """
    found = [f"-D{key}" for key, value in properties.items() if flag_lines([str(value)])]
    found += [f"goals: {item}" for item in goals if flag_lines([item])]
    for path in sorted(files):
        if path.endswith(FLAG_FILES):
            found += [f"{path}:{number}" for number in flag_lines(_read(os.path.join(project, path)).splitlines())]
    for pattern in JARS:
        for jar in sorted(glob.glob(os.path.join(glob.escape(project), pattern))):
            found += [f"{os.path.basename(jar)}: {entry}" for entry in _flagged_entries(jar)]
    return found[:TOLD_PLACES]


def _flagged_entries(jar: str) -> list[str]:
    try:
        with zipfile.ZipFile(jar) as archive:
            names = [name for name in archive.namelist() if NATIVE_PROPERTIES.search(name)]
            return [name for name in names if flag_lines(archive.read(name).decode("utf-8", "replace").splitlines())]
    except (OSError, ValueError, zipfile.BadZipFile):
        return []


def refuse_flag(found: t.Sequence[str]) -> None:
    """Refuse a project that has ForkJoinPool initialised at run time: its native build always fails, after minutes.

    :param found: places of the flag, see ``find_flag``.
    :raises DeployError: there is one.
    """
    if found:
        failure = BY_CODE["native_forkjoinpool"]
        raise DeployError(
            f"The native build would fail: {', '.join(found)} has ForkJoinPool initialised at run time.",
            hint=" ".join(failure.remedies),
            failure=failure.result(found, ["java.util.concurrent.ForkJoinPool.common"]),
        )


def pool_lines(text: str) -> list[int]:
    """Return the numbers of the lines of a Java, Kotlin or Scala source that use the common ForkJoinPool. Pure.

    These are ``ForkJoinPool.commonPool()``, parallel streams, and CompletableFuture's asynchronous methods without an
    executor.
    """
    text = LITERAL.sub(_blank, COMMENT.sub(_blank, LITERAL.sub(_blank_slashes, text)))
    places = [match.start() for match in COMMON_POOL.finditer(text)]
    for match in ASYNC.finditer(text):
        if _count_arguments(text, match.end()) <= (2 if match["two"] else 1):
            places.append(match.start())
    return sorted({text.count("\n", 0, place) + 1 for place in places})


def _blank(match: re.Match[str]) -> str:
    # lines and columns stay where they are
    return re.sub(r"[^\n]", " ", match.group())


def _blank_slashes(match: re.Match[str]) -> str:
    # a literal may hold what looks like the beginning of a comment
    return match.group().replace("/", " ").replace("*", " ")


def _count_arguments(text: str, start: int) -> int:
    """Return the number of arguments of a call whose bracket is open at ``start``."""
    depth, count, something = 1, 1, False
    for character in text[start:]:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return count if something else 0
        elif character == "," and depth == 1:
            count += 1
        something = something or not character.isspace()
    return count


def pool_users(project: str, files: t.Iterable[str]) -> list[str]:
    """Return the places in sources that use the common ForkJoinPool, as ``file:line``.

    :param files: paths relative to the project.
    """
    found: list[str] = []
    for path in sorted(files):
        if path.endswith(SOURCE_FILES):
            found += [f"{path}:{number}" for number in pool_lines(_read(os.path.join(project, path)))]
    return found[:TOLD_PLACES]

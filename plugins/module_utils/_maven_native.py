# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a native build needs, looked at before minutes are spent on one that must fail.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._fingerprint import project_files
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import NATIVE_REMEDY
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

BUILDER_IMAGE_PROPERTY = "quarkus.native.builder-image"
CONTAINER_PROPERTY = "quarkus.native.container-build"
BUILDER_IMAGE = re.compile(r"quarkus[\w.-]*builder-image|(mandrel|graalvm)[\w.-]*builder")
# the flag alone, for the class, for its package, or for one above it
FORKJOINPOOL_FLAG = re.compile(
    r"--initialize-at-run-time(?:"
    r"=\S*?\bjava(?:\.util(?:\.concurrent(?:\.ForkJoinPool)?)?)?(?=[\s,;:<\"']|$)"
    r"|(?=[\s,;<\"']|$))"
)
FLAG_FILES = (".properties", ".xml", ".yaml", ".yml")


@dataclass(frozen=True)
class NativeBuilder:
    """What compiles: ``identity`` names it exactly, ``arguments`` make Maven use it."""

    identity: str
    arguments: tuple[str, ...]


def find_builder(runner: Runner, profile: str, properties: t.Mapping[str, t.Any]) -> NativeBuilder:
    """Return GraalVM's or Mandrel's ``native-image`` of this machine, or the builder image that its engine has.

    :param properties: properties of the build.
    :raises DeployError: there is neither.
    """
    wants_container = str(properties.get(CONTAINER_PROPERTY, "")).lower() == "true"
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
        return NativeBuilder(" ".join(sorted(images)), () if wants_container else (f"-D{CONTAINER_PROPERTY}=true",))
    remedy = (
        "Build with profile jvm (j4c_build_profile), or install GraalVM or Mandrel and set GRAALVM_HOME, "
        "or pull Quarkus' builder image."
    )
    raise DeployError(
        f"Profile '{profile}' needs native-image, and the builder has neither it nor a builder image.",
        hint=remedy,
        failure={"code": "native_missing", "evidence": [], "remedy": remedy, "retry": False},
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


def refuse_forkjoinpool_flag(runner: Runner, project: str, properties: t.Mapping[str, t.Any]) -> None:
    """Refuse a project that has ForkJoinPool initialised at run time: its native build always fails, after minutes.

    :raises DeployError: the flag is there; names the places.
    """
    found = [f"-D{key}" for key, value in properties.items() if flag_lines([str(value)])]
    for path in project_files(runner, project):
        if path.endswith(FLAG_FILES):
            with open(os.path.join(project, path), encoding="utf-8", errors="replace") as file:
                found += [f"{path}:{number}" for number in flag_lines(file)]
    if found:
        raise DeployError(
            f"The native build would fail: {', '.join(found)} has ForkJoinPool initialised at run time.",
            hint=NATIVE_REMEDY,
            failure={"code": "native_forkjoinpool", "evidence": found, "remedy": NATIVE_REMEDY, "retry": False},
        )

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a Maven build failed: a table of signs, causes and remedies.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

EVIDENCE_LINES = 12
LAST_ERRORS = 40
NATIVE_REMEDY = (
    "Take --initialize-at-run-time=java.util.concurrent.ForkJoinPool (or its package) out of the pom, the application's properties and "
    "native-image.properties: it makes GraalVM compile the class initialiser that writes the field. Until then build with profile jvm. "
    "Advice to add that flag is wrong."
)


@dataclass(frozen=True)
class Failure:
    """A class of failures.

    :param code: its name.
    :param signs: expressions, one of which is found in a line of the log.
    :param remedy: what to do.
    :param retry: whether the same build may succeed when it is tried again.
    """

    code: str
    signs: tuple[str, ...]
    remedy: str
    retry: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What a failed build died of: ``code``, ``evidence`` as ``line: text``, ``errors`` as Maven tells them, ``remedy``, ``retry``."""

    code: str
    evidence: tuple[str, ...]
    errors: tuple[str, ...]
    remedy: str
    retry: bool


# the first that matches wins: what explains more stands before what it causes
FAILURES: tuple[Failure, ...] = (
    Failure(
        "disk",
        (r"No space left on device", r"Disk quota exceeded"),
        "Free some space on the builder: see 'df -h' and 'docker system df'.",
        True,
    ),
    Failure(
        "native_forkjoinpool",
        (r"Error in @InjectAccessors handling of field .*found no method named set",),
        NATIVE_REMEDY,
    ),
    Failure(
        "native_missing",
        (
            r"Cannot find the `?.?native-image",
            r"native-image.*(not found|No such file)",
            r"Unable to find a container runtime",
        ),
        "Install GraalVM or Mandrel, or Docker for a container build, or build with profile jvm.",
    ),
    Failure(
        "native_oom",
        (
            r"native-image.*OutOfMemory",
            r"Image build.* (exit|return) code:? 137",
            r"The Native Image build process ran out of memory",
        ),
        "Give the builder more memory and set quarkus.native.native-image-xmx below it.",
    ),
    Failure(
        "oom",
        (r"java\.lang\.OutOfMemoryError", r"There is insufficient memory for the Java Runtime"),
        "Give Maven more memory with MAVEN_OPTS=-Xmx2g.",
    ),
    Failure(
        "jdk_mismatch",
        (
            r"release version \d+ not supported",
            r"invalid (target|source) release",
            r"class file has wrong version",
            r"UnsupportedClassVersionError",
        ),
        "Set java_home (j4c_java_home) to a JDK that the pom's maven.compiler.release asks for.",
    ),
    Failure(
        "maven_too_old",
        (r"requires Maven version", r"RequireMavenVersion", r"prerequisite.* Maven"),
        "Make the Maven wrapper anew with -Dmaven=3.9.16.",
    ),
    Failure("compile", (r"COMPILATION ERROR", r"maven-compiler-plugin.*Compilation failure"), "Mend the named lines."),
    Failure(
        "test",
        (
            r"There (are|were) test failures",
            r"Tests run: .*(Failures|Errors): [1-9]",
            r"There was a timeout.* in the fork",
        ),
        "Mend the named tests, or look at target/surefire-reports.",
    ),
    Failure(
        "network",
        (
            r"Could not transfer artifact",
            r"Connection (reset|timed out|refused)",
            r"UnknownHostException",
            r"status code: (5\d\d|429)",
            r"Temporary failure in name resolution",
        ),
        "Check the builder's network, proxy and mirror, then try again; -o in goals builds with what is cached.",
        True,
    ),
    Failure(
        "dependency",
        (
            r"Could not resolve dependencies",
            r"Could not find artifact",
            r"was not found in .* during a previous attempt",
            r"Non-resolvable parent POM",
        ),
        "Check the coordinates of the named artifact and that its repository has it.",
    ),
    Failure(
        "project",
        (
            r"The projects in the reactor contain a cyclic reference",
            r"Non-parseable POM",
            r"The build could not read",
            r"Malformed POM",
        ),
        "Mend the pom.",
    ),
    Failure(
        "wrapper",
        (
            r"cannot find .*unzip",
            r"Failed to (validate|fetch|download|install) Maven",
            r"wrapperUrl|distributionUrl is not valid",
            r"MavenWrapperDownloader",
            r"mvnw: .*not found",
        ),
        "The wrapper needs unzip, and curl or wget, and must reach its download place: './mvnw --version' shows its message.",
        True,
    ),
    Failure(
        "permission",
        (r"Permission denied", r"AccessDenied", r"Read-only file system"),
        "Give the builder's user the right to write there.",
    ),
    Failure("augmentation", (r"Build step .* threw an exception",), "Look at the cause that Quarkus names."),
)
_BY_CODE = {item.code: item for item in FAILURES}
TIMEOUT = Failure(
    "timeout", (), "Give it more time (timeout, j4c_build_timeout), or look in the log at what it was doing.", True
)
KILLED = Failure(
    "killed",
    (),
    "The kernel or somebody ended it: look at 'dmesg' for out-of-memory kills and give the builder more memory.",
)
UNKNOWN = Failure("unknown", (), "Read the log.")

_COMPILE_ERROR = re.compile(
    r"^\[ERROR\] (?:COMPILATION ERROR.*|(?P<file>\S+\.(?:java|kt|scala)):\[(?P<line>\d+),(?P<column>\d+)\] (?P<text>.*))$"
)
_TEST_ERROR = re.compile(r"^\[ERROR\]\s+(?P<test>[\w.$]+\.[\w$\[\]]+(?::\d+)?) (?P<text>.*)$")


def diagnose(rc: int | None, log: str, project: str = "") -> Diagnosis:
    """Tell what a failed build died of. Pure.

    :param rc: exit status of Maven, negative for a signal, ``None`` when its time was over.
    :param log: its output.
    :param project: directory to leave out of file names.
    """
    lines = log.splitlines()
    if rc is None:
        return Diagnosis("timeout", tuple(lines[-EVIDENCE_LINES:]), (), TIMEOUT.remedy, TIMEOUT.retry)
    for failure in FAILURES:
        found = [
            f"{number}: {line.strip()}"
            for number, line in enumerate(lines, 1)
            if any(re.search(sign, line) for sign in failure.signs)
        ]
        if found:
            return Diagnosis(
                failure.code,
                tuple(found[:EVIDENCE_LINES]),
                _errors(failure.code, lines, project),
                failure.remedy,
                failure.retry,
            )
    chosen = KILLED if rc in (-9, 137) else UNKNOWN
    if chosen is UNKNOWN and not any("Scanning for projects" in line for line in lines):
        chosen = _BY_CODE["wrapper"]
    return Diagnosis(
        chosen.code, tuple(lines[-EVIDENCE_LINES:]), _errors(chosen.code, lines, project), chosen.remedy, chosen.retry
    )


def _errors(code: str, lines: t.Sequence[str], project: str) -> tuple[str, ...]:
    """Return Maven's own errors, as short as they can be told."""
    prefix = project.rstrip("/") + "/" if project else ""
    errors: dict[str, None] = {}
    for line in lines:
        if code == "compile":
            match = _COMPILE_ERROR.match(line)
            if match and match["file"]:
                file = match["file"][len(prefix) :] if prefix and match["file"].startswith(prefix) else match["file"]
                errors[f"{file}:{match['line']}: {match['text']}"] = None
        elif code == "test":
            match = _TEST_ERROR.match(line)
            if match and not match["test"].startswith("org.apache."):
                errors[f"{match['test']} {match['text']}".strip()] = None
        elif line.startswith("[ERROR]") and len(line) > 8 and "[Help" not in line and "re-run Maven" not in line:
            errors[line[8:].strip().replace(prefix, "") if prefix else line[8:].strip()] = None
    return tuple(list(errors)[:LAST_ERRORS])

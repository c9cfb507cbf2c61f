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
EVIDENCE_WIDTH = 400
LAST_ERRORS = 40
# below this a build has failed for lack of space, whatever it says
FULL_BYTES = 8 << 20
FLAG = "--initialize-at-run-time=java.util.concurrent.ForkJoinPool"
NATIVE_REMEDY = (
    f"Take the flag {FLAG} (or its package) out of the pom, the application's properties and native-image.properties: "
    "it is the cause, not the cure, for it makes GraalVM compile the class initialiser that writes the field. "
    "Until then build with profile jvm."
)
PERMISSION_REMEDY = (
    "Give the builder's user the right to write there, target/ above all: "
    "a build in a container may have left it to root."
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
class Facts:
    """What is known of a failed build beside its log.

    :param project: directory to leave out of file names.
    :param timeout: seconds that it was given.
    :param free_bytes: free space where it wrote, ``None`` when unknown.
    :param oom_kills: processes that the kernel ended on this machine during the build, for lack of memory.
    :param peak_memory_bytes: the most that the build held at a time.
    :param first_line: number of the first line of the log that is looked at.
    """

    project: str = ""
    timeout: float = 0.0
    free_bytes: int | None = None
    oom_kills: int = 0
    peak_memory_bytes: int = 0
    first_line: int = 1


@dataclass(frozen=True)
class Diagnosis:
    """What a failed build died of.

    :param code: class of the failure.
    :param evidence: the lines that show it, as ``number: text``.
    :param errors: the errors as Maven tells them, as short as they can be told.
    :param remedy: what to do.
    :param retry: whether the same build may succeed when it is tried again.
    """

    code: str
    evidence: tuple[str, ...]
    errors: tuple[str, ...]
    remedy: str
    retry: bool

    def as_result(self) -> dict[str, t.Any]:
        """Return the ``failure`` of the module's result."""
        return {"code": self.code, "evidence": list(self.evidence), "remedy": self.remedy, "retry": self.retry}


# the first that matches wins: what explains more stands before what it causes
FAILURES: tuple[Failure, ...] = (
    Failure(
        "disk",
        (r"No space left on device", r"Disk quota exceeded"),
        "Free some space on the builder: see 'df -h', 'df -i' and 'docker system df'.",
        True,
    ),
    Failure(
        "native_forkjoinpool",
        (r"handling of field java\.util\.concurrent\.ForkJoinPool\.\w+.*found no method named set",),
        NATIVE_REMEDY,
    ),
    Failure(
        "native_missing",
        (
            r"Cannot find the `?.?native-image",
            r"native-image.*(not found|No such file)",
            r"Unable to find a container runtime",
            r"No container (runtime|CLI) was found",
        ),
        "Install GraalVM or Mandrel and set GRAALVM_HOME, or Docker and a builder image, or build with profile jvm.",
    ),
    Failure(
        "native_oom",
        (
            r"native-image.*OutOfMemory",
            r"Image build.* exit (status|code):? 137",
            r"Image generation failed\. Exit code was 137",
            r"The Native Image build process ran out of memory",
            r"Native Image.*[Gg]arbage.collect.*GC overhead",
        ),
        "Give the builder (or its Docker engine) more memory, and set quarkus.native.native-image-xmx below it.",
    ),
    Failure(
        "native_init",
        (
            r"[Cc]lasses that should be initialized at run ?time got initialized",
            r"found in the image heap",
            r"Error in @InjectAccessors handling of field",
        ),
        "Initialise the named class when the code that uses it is: see the class and the trace that Maven names. "
        "Until then build with profile jvm.",
    ),
    Failure(
        "jdk_mismatch",
        (
            r"release version \d+ not supported",
            r"invalid (target|source) release",
            r"class file has wrong version",
            r"UnsupportedClassVersionError",
            r"RequireJavaVersion failed",
            r"Required Java version \S+ is not met",
        ),
        "Set java_home (j4c_java_home) to a JDK that the pom's maven.compiler.release and its plugins ask for.",
    ),
    Failure(
        "maven_too_old",
        (
            r"Required Maven version \S+ is not met",
            r"[Rr]equires Maven version",
            r"RequireMavenVersion",
            r"Detected Maven Version: \S+ is not",
        ),
        "Make the Maven wrapper anew with a later Maven, for example -Dmaven=3.9.16.",
    ),
    Failure(
        "test",
        (
            r"There (are|were) test failures",
            r"Tests run: .*(Failures|Errors): [1-9]",
            r"There was a timeout.* in the fork",
            r"The forked VM terminated without properly saying goodbye",
        ),
        "Mend the named tests; target/surefire-reports has more.",
    ),
    Failure(
        "oom",
        (r"java\.lang\.OutOfMemoryError", r"There is insufficient memory for the Java Runtime"),
        "Give Maven more memory with MAVEN_OPTS=-Xmx2g in the builder's environment, or in .mvn/jvm.config.",
    ),
    Failure("permission", (r"error while writing \S+: (could not create|.*Permission denied)",), PERMISSION_REMEDY),
    Failure("compile", (r"COMPILATION ERROR", r"maven-compiler-plugin.*Compilation failure"), "Mend the named lines."),
    Failure(
        "wrapper",
        (
            r"cannot find .*unzip",
            r"(wget|curl): Failed to fetch",
            r"Failed to (validate|fetch|download|install) Maven",
            r"cannot read distributionUrl",
            r"distributionUrl is not valid",
            r"cannot create temp dir",
            r"MavenWrapperDownloader",
            r"org\.apache\.maven\.wrapper",
        ),
        "The wrapper needs unzip, and curl or wget, and must reach its download place: "
        "'./mvnw --version' shows its message.",
        True,
    ),
    Failure(
        "network",
        (
            r"Could not transfer artifact",
            r"failed to transfer from .* during a previous attempt",
            r"Connection (reset|timed out|refused)",
            r"UnknownHostException",
            r"status code: (5\d\d|429)",
            r"Temporary failure in name resolution",
        ),
        "Check the builder's network, proxy and mirror, then try again with -U in goals; "
        "-o builds with what is cached.",
        True,
    ),
    Failure(
        "dependency",
        (
            r"Could not resolve dependencies",
            r"Could not find artifact",
            r"was not found in .* during a previous attempt",
            r"Non-resolvable (parent|import) POM",
        ),
        "Check the coordinates of the named artifact and that its repository has it; -U in goals asks again.",
    ),
    Failure(
        "project",
        (
            r"contain a cyclic reference",
            r"Non-parseable POM",
            r"The build could not read",
            r"Malformed POM",
            r"Some problems were encountered while processing the POMs",
        ),
        "Mend the pom.",
    ),
    Failure(
        "goals",
        (r"Unknown lifecycle phase", r"No goals have been specified", r"Unable to parse command line options"),
        "Mend goals (j4c_build_goals).",
    ),
    Failure(
        "jvm_options",
        (r"Could not create the Java Virtual Machine", r"Unrecognized (VM )?option"),
        "Mend MAVEN_OPTS in the builder's environment, or .mvn/jvm.config.",
    ),
    Failure(
        "permission",
        (r"Permission denied", r"AccessDenied", r"Read-only file system", r"Operation not permitted"),
        PERMISSION_REMEDY,
    ),
    Failure("augmentation", (r"Build step .* threw an exception",), "Look at the cause that Quarkus names."),
)
_BY_CODE = {item.code: item for item in FAILURES}
TIMEOUT = Failure("timeout", (), "Give it more time (timeout, j4c_build_timeout), or look at what hung.")
KILLED = Failure("killed", (), "Find out who ended it: a person, a time limit of another program, or the kernel.")
KILLED_BY_KERNEL = Failure(
    "killed", (), "The kernel ended it for lack of memory: give the builder more, or end what else needs it (dmesg)."
)
UNKNOWN = Failure("unknown", (), "Read the log.")

_SIGNS = [(failure, re.compile("|".join(failure.signs))) for failure in FAILURES]
_COMPILE_ERROR = re.compile(
    r"^\[ERROR\] (?P<file>/?\S.*?\.(?:java|kt|scala)):(?:\[(?P<line>\d+),(?P<column>\d+)\])? ?(?P<text>.*)$"
)
_SYMBOL = re.compile(r"\n(?:\[ERROR\])?\s+symbol:\s+")
_TEST_ERROR = re.compile(r"^\[ERROR\]\s+(?P<test>[\w.$]+\.[\w$\[\]]+(?::\d+)?) (?P<text>.*)$")
_TEST_CLASS = re.compile(r"^(org\.apache\.|Tests run)")
# the wrapper and the JVM do not mark their lines like this
_MAVEN = re.compile(r"^\[(DEBUG|INFO|WARNING|ERROR|FATAL)\]")
_GOAL = re.compile(r"^\[INFO\] --- (?P<goal>\S+:\S+(?: \([^)]*\))?)")
_TRACE = re.compile(r"^\s+at \S+\(.*\)$")
_HELP = re.compile(r"\s*(-> )?\[Help \d+\].*$")
_NOISE = ("re-run Maven", "Re-run Maven", "full stack trace", "For more information about the errors")


def diagnose(rc: int | None, log: str, facts: Facts) -> Diagnosis:
    """Tell what a failed build died of. Pure.

    :param rc: exit status of Maven, negative for a signal, ``None`` when its time was over.
    :param log: its output.
    """
    lines = log.splitlines()
    if rc is None:
        goal = next((match["goal"] for match in map(_GOAL.match, reversed(lines)) if match), "")
        where = f"It was at {goal} when its {facts.timeout:g} s were over. " if goal else ""
        return Diagnosis("timeout", _last(lines, facts.first_line), (), where + TIMEOUT.remedy, TIMEOUT.retry)
    if facts.free_bytes is not None and facts.free_bytes < FULL_BYTES:
        return _diagnosis(_BY_CODE["disk"], _last(lines, facts.first_line), lines, facts)
    for failure, signs in _SIGNS:
        found = [_numbered(number, line) for number, line in enumerate(lines, facts.first_line) if signs.search(line)]
        if found:
            return _diagnosis(failure, tuple(found[:EVIDENCE_LINES]), lines, facts)
    chosen = UNKNOWN
    if rc < 0 or rc in (137, 143):
        chosen = KILLED_BY_KERNEL if facts.oom_kills else KILLED
    elif not any(map(_MAVEN.match, lines)):
        chosen = _BY_CODE["wrapper"]
    return _diagnosis(chosen, _last(lines, facts.first_line), lines, facts)


def _diagnosis(failure: Failure, evidence: tuple[str, ...], lines: t.Sequence[str], facts: Facts) -> Diagnosis:
    remedy = failure.remedy
    if failure.code in ("oom", "killed", "native_oom") and facts.peak_memory_bytes:
        remedy += f" The build held {facts.peak_memory_bytes >> 20} MiB."
    errors = _errors(failure.code, lines, facts.project)
    if not errors and failure.code != "killed":
        # what fails before Maven runs does not mark its errors
        errors = tuple(item.partition(": ")[2] for item in evidence)
    return Diagnosis(failure.code, evidence, errors, remedy, failure.retry)


def _numbered(number: int, line: str) -> str:
    return f"{number}: {line.strip()[:EVIDENCE_WIDTH]}"


def _last(lines: t.Sequence[str], first: int) -> tuple[str, ...]:
    numbered = [_numbered(number, line) for number, line in enumerate(lines, first) if line.strip()]
    return tuple(numbered[-EVIDENCE_LINES:])


def _errors(code: str, lines: t.Sequence[str], project: str) -> tuple[str, ...]:
    """Return Maven's own errors, each once."""
    prefix = project.rstrip("/") + "/" if project else ""
    text = "\n".join(lines)
    text = _SYMBOL.sub(": ", text.replace(prefix, "") if prefix else text)
    plain = text.splitlines()
    read = {"compile": _compile_error, "test": _test_error}.get(code, _plain_error)
    errors = [*filter(None, map(read, plain))] or [*filter(None, map(_plain_error, plain))]
    return tuple(error[:EVIDENCE_WIDTH] for error in list(dict.fromkeys(errors))[:LAST_ERRORS])


def _compile_error(line: str) -> str:
    match = _COMPILE_ERROR.match(line)
    if not match:
        return ""
    place = f"[{match['line']},{match['column']}]" if match["line"] else ""
    return f"{match['file']}:{place} {match['text']}".strip()


def _test_error(line: str) -> str:
    match = _TEST_ERROR.match(line)
    if not match or _TEST_CLASS.match(match["test"]) or "Time elapsed" in line:
        return ""
    return f"{match['test']} {match['text']}".strip()


def _plain_error(line: str) -> str:
    if not line.startswith(("[ERROR]", "[FATAL]")) or any(noise in line for noise in _NOISE) or _TRACE.match(line[8:]):
        return ""
    return _HELP.sub("", re.sub(r"^(\[(ERROR|FATAL)\] ?)+", "", line)).strip()

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a Maven build failed: the entry of the table of failures that its log and the facts beside it show.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.j4c.deploy.plugins.module_utils import _maven_failures as table
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import BY_CODE, FAILURES, Failure

EVIDENCE_LINES = 12
EVIDENCE_WIDTH = 400
LAST_ERRORS = 40
# below this a build has failed for lack of space, whatever it says
FULL_BYTES = 8 << 20

_COMPILE_ERROR = re.compile(
    r"^\[ERROR\] (?P<file>/?\S.*?\.(?:java|kt|scala)):(?:\[(?P<line>\d+),(?P<column>\d+)\])? ?(?P<text>.*)$"
)
_SYMBOL = re.compile(r"\n(?:\[ERROR\])?\s+symbol:\s+")
_TEST_ERROR = re.compile(r"^\[ERROR\]\s+(?P<test>[\w.$]+\.[\w$\[\]]+(?::\d+)?) (?P<text>.*)$")
_TEST_CLASS = re.compile(r"^(org\.apache\.|Tests run)")
_CRASHED = re.compile(r"^\[ERROR\] Crashed tests:\s*\n\[ERROR\] ([\w.$]+)", re.MULTILINE)
_COORDINATES = re.compile(
    r"\b[A-Za-z][\w.-]*:[\w.-]+:(?:jar|pom|war|aar|zip|maven-plugin|test-jar)(?::[\w.-]+)?:[\w.${}-]+(?<!\.)"
)
_MODULE = re.compile(r"'Vertex\{label='([^']+)'\}'")
_GOAL_NAME = re.compile(r"goal (\S+:\S+:\S+:\S+)")
_FIELD = re.compile(r"handling of field ([\w.$]+)")
_OOM_KIND = re.compile(
    r"(?:OutOfMemoryError: |^\[ERROR\] )(Metaspace|Compressed class space|Java heap space|GC overhead)", re.M
)
# the wrapper and the JVM do not mark their lines like this
_MAVEN = re.compile(r"^\[(DEBUG|INFO|WARNING|ERROR|FATAL)\]")
_GOAL = re.compile(r"^\[INFO\] --- (?P<goal>\S+:\S+(?: \([^)]*\))?)")
_TRACE = re.compile(r"^\s+at \S+\(.*\)$")
_HELP = re.compile(r"\s*(-> )?\[Help \d+\].*$")
_NOISE = ("Command was ", "re-run Maven", "Re-run Maven", "full stack trace", "For more information about the errors")
# what a process that the kernel ended leaves in the log of the one that started it
_ENDED = re.compile(r"(exit(ed)?( with)? (code|status|value)|Exit Code was|Process Exit Code):? ?137|^Killed$|SIGKILL")


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

    :param failure: the class of the failure, its remedies completed with what was measured.
    :param evidence: the lines that show it, as ``number: text``.
    :param errors: the errors as Maven tells them, as short as they can be told.
    :param subjects: what they are about: names of tests, places in sources, coordinates of artifacts.
    """

    failure: Failure
    evidence: tuple[str, ...]
    errors: tuple[str, ...]
    subjects: tuple[str, ...] = ()

    def as_result(self) -> dict[str, t.Any]:
        """Return the ``failure`` of the module's result."""
        return self.failure.result(self.evidence, self.subjects)


def diagnose(rc: int | None, log: str, facts: Facts) -> Diagnosis:
    """Tell what a failed build died of. Pure.

    :param rc: exit status of Maven, negative for a signal, ``None`` when its time was over.
    :param log: its output.
    """
    lines = log.splitlines()
    if rc is None:
        goal = next((match["goal"] for match in map(_GOAL.match, reversed(lines)) if match), "")
        where = (f"It was at {goal} when its {facts.timeout:g} s were over.",) if goal else ()
        found = replace(table.TIMEOUT, remedies=(*where, *table.TIMEOUT.remedies))
        return Diagnosis(found, _last(lines, facts.first_line), (), (goal,) if goal else ())
    if facts.free_bytes is not None and facts.free_bytes < FULL_BYTES:
        return _diagnosis(BY_CODE["disk"], _last(lines, facts.first_line), lines, facts)
    ended = _matching(_ENDED, lines, facts) if facts.oom_kills else ()
    for failure in FAILURES:
        shown = _matching(re.compile("|".join(failure.signs)), lines, facts)
        if shown and ended and failure.code != "native_oom":
            return _diagnosis(table.KILLED_MEMORY, ended, lines, facts)
        if shown:
            return _diagnosis(failure, shown, lines, facts)
    chosen = table.UNKNOWN
    if rc < 0 or rc in (137, 143):
        chosen = table.KILLED_MEMORY if facts.oom_kills else table.KILLED
    elif not any(map(_MAVEN.match, lines)):
        chosen = BY_CODE["wrapper"]
    return _diagnosis(chosen, _last(lines, facts.first_line), lines, facts)


def _matching(signs: re.Pattern[str], lines: t.Sequence[str], facts: Facts) -> tuple[str, ...]:
    found = (_numbered(number, line) for number, line in enumerate(lines, facts.first_line) if signs.search(line))
    return tuple(found)[:EVIDENCE_LINES]


def _diagnosis(failure: Failure, evidence: tuple[str, ...], lines: t.Sequence[str], facts: Facts) -> Diagnosis:
    if failure.code.startswith(("oom", "killed")) or failure.code == "native_oom":
        held = (f"The build held {facts.peak_memory_bytes >> 20} MiB.",) if facts.peak_memory_bytes else ()
        failure = replace(failure, remedies=(*failure.remedies, *held))
    errors = _errors(failure.code, lines, facts.project)
    if not errors and not failure.code.startswith("killed"):
        # what fails before Maven runs does not mark its errors
        errors = tuple(item.partition(": ")[2] for item in evidence)
    return Diagnosis(failure, evidence, errors, _subjects(failure.code, lines, errors))


def _subjects(code: str, lines: t.Sequence[str], errors: t.Sequence[str]) -> tuple[str, ...]:
    """Return what the errors are about."""
    text = "\n".join(line for line in lines if not line.startswith("[INFO]"))
    found: list[str] = []
    if code in ("dependency", "network", "offline", "parent"):
        # the artifact that is missing is named after the project that needs it
        lacking = re.findall(r"(?:find|transfer|access|artifact|dependency:) .*", text)
        found = [item for line in lacking for item in _COORDINATES.findall(line)]
    elif code == "compile":
        found = [item.partition(" ")[0] for item in errors]
    elif code == "test":
        found = [item.partition(" ")[0] for item in map(_test_error, lines) if item]
    elif code == "test_crash":
        found = _CRASHED.findall(text)
    elif code == "cyclic":
        found = _MODULE.findall(text)
    elif code == "plugin":
        found = _GOAL_NAME.findall(text)
    elif code in ("native_forkjoinpool", "native_injected"):
        found = _FIELD.findall(text)
    elif code.startswith("oom"):
        found = [item.strip() for item in _OOM_KIND.findall(text)]
    return tuple(dict.fromkeys(found))[:LAST_ERRORS]


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

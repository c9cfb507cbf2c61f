# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a running Maven build is: its goals and modules from its output, its share from the build before.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import re
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _events as events
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import TreeMeter

HEARTBEAT_SECONDS = 4.0
READ_BYTES = 1 << 20
KEPT_KEYS = 20
# a build that is not over is never told to be
MOST = 99
_GOAL = re.compile(
    r"^\[INFO\] --- (?:maven-)?(?P<plugin>[\w.-]+?)(?:-maven-plugin|-plugin)?:[\w.-]+:(?P<goal>[\w-]+)"
    r"(?: \((?P<id>[^)]*)\))? @ (?P<module>\S+) ---"
)
_MODULE = re.compile(r"^\[INFO\] Building (?P<name>.+?) +\[(?P<number>\d+)/(?P<count>\d+)\]$")
_NATIVE = re.compile(r"^\[(?P<step>\d)/(?P<steps>\d)\] (?P<what>[A-Z][a-z]+ [\w ]+)\.\.\.")


@dataclass(frozen=True)
class Goal:
    """A goal that began: its name with the module, ``jar:jar @ app``, and after how many seconds."""

    name: str
    started: float


class Timeline:
    """The goals of one build, as they begin.

    :param before: the goals of the build before, and its seconds (see ``History``).
    """

    def __init__(self, before: tuple[t.Sequence[Goal], float] = ((), 0.0)) -> None:
        self._before, self._total = before
        self._percentage = 0
        self._part = ""
        self.goals: list[Goal] = []
        self.module = (1, 1)

    def read(self, line: str, elapsed: float) -> bool:
        """Take one line of Maven's output; tell whether a goal, or a part of one, began with it.

        :param elapsed: seconds since the build began.
        """
        module = _MODULE.match(line)
        if module:
            self.module = (int(module["number"]), int(module["count"]))
        goal = _GOAL.match(line)
        if goal:
            self.goals.append(Goal(f"{goal['plugin']}:{goal['goal']} @ {goal['module']}", elapsed))
            self._part = ""
        part = _NATIVE.match(line)
        if part:
            self._part = f", {part['what']} ({part['step']}/{part['steps']})"
        return bool(goal or part)

    @property
    def name(self) -> str:
        """Return what is at work."""
        return (self.goals[-1].name if self.goals else "Scanning for projects") + self._part

    @property
    def steps(self) -> tuple[int, int]:
        """Return the number of the goal that is at work, and how many there are."""
        return max(1, len(self.goals)), max(1, len(self.goals), len(self._before))

    def percentage(self, elapsed: float) -> int:
        """Return how much is done: by the goals' times in the build before, or by the modules when there is none.

        It never goes back.
        """
        number, count = self.module
        share = (number - 1) / count
        place = len(self.goals) - 1
        if self._total > 0 and 0 <= place < len(self._before) and self._before[place].name == self.goals[place].name:
            began = self._before[place].started
            after = self._before[place + 1].started if place + 1 < len(self._before) else self._total
            share = (began + min(elapsed - self.goals[place].started, after - began)) / self._total
        self._percentage = max(self._percentage, min(MOST, int(share * 100)))
        return self._percentage


class History:
    """The goals of the last good build of each kind, in a file.

    :param path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def _read(self) -> dict[str, t.Any]:
        try:
            with open(self._path, encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def load(self, kind: str) -> tuple[list[Goal], float]:
        """Return the goals and the seconds of the last good build of a kind; nothing when there is none.

        :param kind: what builds have in common that take the same way: profile, goals, options.
        """
        try:
            found = self._read()[kind]
            return [Goal(str(name), float(started)) for name, started in found["goals"]], float(found["seconds"])
        except (KeyError, TypeError, ValueError):
            return [], 0.0

    def save(self, kind: str, goals: t.Sequence[Goal], seconds: float) -> None:
        """Remember a good build.

        :raises OSError: the file cannot be written.
        """
        told = {"goals": [[goal.name, round(goal.started, 2)] for goal in goals], "seconds": round(seconds, 2)}
        data = {key: value for key, value in self._read().items() if key != kind}
        write_json(self._path, dict([*data.items(), (kind, told)][-KEPT_KEYS:]), 0o644)


class Progress:
    """Reads a build's log while it grows, and sends a message for each goal and at least each heartbeat.

    :param log: the log that Maven writes.
    :param timeline: what was seen.
    :param meter: measures the build.
    :param send: takes ``(message, step, steps, percentage, name, metrics)``.
    :param profile: name of what is built.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        log: str,
        timeline: Timeline,
        meter: TreeMeter,
        send: t.Callable[[str, int, int, int, str, dict[str, t.Any]], None],
        profile: str,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._timeline, self._meter, self._send, self._profile = log, timeline, meter, send, profile
        self._clock = clock
        self._started, self._told = clock(), -HEARTBEAT_SECONDS
        self._begun = events.now()
        self._place, self._rest = 0, b""

    @property
    def seconds(self) -> float:
        """Return the seconds since the build began."""
        return self._clock() - self._started

    def look(self, pid: int) -> None:
        """Measure the process ``pid`` and all below it, read what Maven wrote since, and tell what is new."""
        self._meter.sample(pid)
        elapsed = self.seconds
        new = [self._timeline.read(line, elapsed) for line in self._lines()]
        if any(new) or elapsed - self._told >= HEARTBEAT_SECONDS:
            self._told = elapsed
            step, steps = self._timeline.steps
            percentage = self._timeline.percentage(elapsed)
            name = self._timeline.name
            number, count = self._timeline.module
            where = f", module {number} of {count}" if count > 1 else ""
            message = f"{name}{where}: {percentage} % after {elapsed:.0f} s."
            self._send(message, step, steps, percentage, name, self.metrics())

    def finish(self) -> None:
        """Read what Maven wrote last."""
        for line in self._lines():
            self._timeline.read(line, self.seconds)

    def _lines(self) -> list[str]:
        try:
            with open(self._log, "rb") as file:
                file.seek(self._place)
                data = file.read(READ_BYTES)
        except OSError:
            return []
        self._place += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        # a line without an end must not fill the memory
        self._rest = self._rest[-READ_BYTES:]
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole]

    def metrics(self) -> dict[str, t.Any]:
        """Return what was measured: times in seconds, memory of the process tree, its threads."""
        return {
            "build_start_time": self._begun,
            "elapsed_time": round(self.seconds, 1),
            "memory_usage": events.amount(self._meter.memory_bytes),
            "memory_bytes": self._meter.memory_bytes,
            "cpu_threads": self._meter.threads,
            "cpu_seconds": round(self._meter.cpu_seconds, 1),
            "build_profile": self._profile,
        }

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of Maven: watched, measured, told about while it goes on, ended at its limits, diagnosed when it fails.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import LOG, MARK, ArtifactStore
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._events import Events
from ansible_collections.j4c.deploy.plugins.module_utils._maven_diagnosis import Facts, diagnose
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import BY_CODE, MEMORY_LIMIT
from ansible_collections.j4c.deploy.plugins.module_utils._maven_profiles import Limits
from ansible_collections.j4c.deploy.plugins.module_utils._maven_progress import History, Progress, Timeline
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import Decision, verdict
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import TreeMeter, marked, oom_kills
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner, end_processes

EXECUTION = "build_execution"
HISTORY = "goals.json"
LOG_TAIL_BYTES = 4 << 20
TOLD_ERRORS = 5


@dataclass(frozen=True)
class Command:
    """What is run: argv, variables to add to the environment, and the name of the profile."""

    argv: tuple[str, ...]
    env: t.Mapping[str, str]
    profile: str

    @property
    def text(self) -> str:
        """Return the command as a person would type it in the project."""
        return shlex.join(["./mvnw", *self.argv[1:]])


class MavenRun:
    """A run of Maven.

    ``build`` is what it took, once it has ended: ``{seconds, peak_memory_bytes, cpu_seconds, profile, command, log}``.

    :param runner: starts Maven.
    :param project: the project's directory.
    :param store: where the log and the goals of the build before are.
    :param limits: what the run may take.
    :param events: where to tell about it.
    """

    def __init__(self, runner: Runner, project: str, store: ArtifactStore, limits: Limits, events: Events) -> None:
        self._runner, self._project, self._store = runner, project, store
        self._limits, self._events = limits, events
        self._rollback = store.latest() is not None
        self._history = History(store.path(HISTORY))
        self.build: dict[str, t.Any] | None = None

    def run(self, command: Command, handles: t.Collection[int]) -> str:
        """Run Maven to its end, and return what it took as a text.

        :param handles: descriptors of locks that are to last as long as Maven does.
        :raises DeployError: it failed, or was ended at a limit; says why and what to do.
        """
        log = self._store.path(LOG)
        meter, kills = TreeMeter(), oom_kills()
        timeline = Timeline(self._history.load(command.text))
        progress = Progress(log, timeline, meter, self._send, command.profile)
        over: list[int] = []

        def look(pid: int) -> None:
            progress.look(pid)
            if 0 < self._limits.memory_bytes < meter.memory_bytes:
                over.append(meter.memory_bytes)
                raise DeployError("memory")

        rc: int | None = None
        try:
            rc = self._runner.watch(
                command.argv,
                log=log,
                cwd=self._project,
                env={**command.env, MARK: self._store.mark},
                timeout=self._limits.seconds,
                look=look,
                keep_open=handles,
            )
        except DeployError as exc:
            if not over:
                exc.hint = "Look at the first line of mvnw: it names the program that runs it."
                exc.fields["failure"] = BY_CODE["wrapper"].result()
                raise
        finally:
            # what left the session of Maven is in no process group of ours
            end_processes(marked(MARK, self._store.mark))
            self.build = {
                "seconds": round(progress.seconds, 2),
                "peak_memory_bytes": meter.peak_memory_bytes,
                "cpu_seconds": round(meter.cpu_seconds, 2),
                "profile": command.profile,
                "command": command.text,
                "log": log,
            }
        if over:
            raise self._refused(over[0], timeline)
        if rc != 0:
            raise self._failed(rc, log, kills, meter)
        progress.finish()
        self._remember(command, timeline, progress.seconds)
        return f"{progress.seconds:.1f} s, peak memory {meter.peak_memory_bytes >> 20} MiB"

    def _send(
        self, message: str, step: int, steps: int, percentage: int, name: str, metrics: t.Mapping[str, t.Any]
    ) -> None:
        self._events.send(
            EXECUTION,
            "IN_PROGRESS",
            message,
            step=step,
            steps=steps,
            percentage=percentage,
            name=name,
            metrics=metrics,
            next_action="MONITOR_COMPILATION",
            rollback_available=self._rollback,
        )

    def _remember(self, command: Command, timeline: Timeline, seconds: float) -> None:
        try:
            self._history.save(command.text, timeline.goals, seconds)
        except OSError:
            # the next build tells its share less well, that is all
            return

    def _refused(self, held: int, timeline: Timeline) -> DeployError:
        return DeployError(
            f"Maven was ended at {timeline.name}: the build held {held >> 20} MiB, "
            f"its limit is {self._limits.memory_bytes >> 20}.",
            hint=" ".join(MEMORY_LIMIT.remedies),
            failure=MEMORY_LIMIT.result(),
            **verdict(EXECUTION, "ROLLBACK"),
        )

    def _failed(self, rc: int | None, log: str, kills: int, meter: TreeMeter) -> DeployError:
        facts = Facts(
            project=self._project,
            timeout=self._limits.seconds,
            free_bytes=min(shutil.disk_usage(place).free for place in (self._project, self._store.path())),
            oom_kills=oom_kills() - kills,
            peak_memory_bytes=meter.peak_memory_bytes,
        )
        with open(log, "rb") as file:
            skipped = max(0, os.path.getsize(log) - LOG_TAIL_BYTES)
            facts = replace(facts, first_line=1 + _count_lines(file, skipped))
            file.seek(skipped)
            text = file.read().decode("utf-8", "replace")
        found = diagnose(rc, text, facts)
        how = (
            f"did not end within {self._limits.seconds:g} s and was stopped"
            if rc is None
            else f"failed ({found.failure.code})"
        )
        told = "".join(f" {error};" for error in found.errors[:TOLD_ERRORS]).rstrip(";")
        more = f" and {len(found.errors) - TOLD_ERRORS} more errors" if len(found.errors) > TOLD_ERRORS else ""
        decision: Decision = "RETRY" if found.failure.retry else "ROLLBACK"
        return DeployError(
            f"Maven {how}{':' if told else ''}{told}{more}. The full log is '{log}'.",
            hint=" ".join(found.failure.remedies),
            rc=rc,
            failure=found.as_result(),
            evidence={"errors": list(found.errors), "lines": list(found.evidence)},
            **verdict(EXECUTION, decision),
        )


def _count_lines(file: t.BinaryIO, size: int) -> int:
    """Return how many lines end in the first ``size`` bytes of a file."""
    count = 0
    while size > 0:
        block = file.read(min(size, 1 << 20))
        if not block:
            break
        count += block.count(b"\n")
        size -= len(block)
    return count

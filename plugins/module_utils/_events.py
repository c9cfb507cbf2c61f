# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress messages of the agents: one JSON object a line, appended to a file that others follow while work goes on.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import datetime
import json
import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import PIPELINE

Status = t.Literal["IN_PROGRESS", "SUCCESS", "FAILED"]
_AGENTS = {phase.name: phase.agent for phase in PIPELINE}


def now() -> str:
    """Return the time in UTC, to the second, as messages tell it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def amount(size: int) -> str:
    """Return a number of bytes as messages tell it: ``612.00MB``, ``26.49GB``."""
    return f"{size / (1 << 30):.2f}GB" if size >= 1 << 30 else f"{size / (1 << 20):.2f}MB"


class Events:
    """Appends messages to a file; without one it does nothing.

    A message that cannot be written is left out: a report must never end the work that it is about.

    :param path: the file, ``""`` for none.
    :param task: names the work, the same in all of its messages.
    """

    def __init__(self, path: str, task: str) -> None:
        self._path = path
        self._task = task

    def prepare(self) -> None:
        """Make the file.

        :raises DeployError: it cannot be written.
        """
        try:
            self._append("")
        except OSError as exc:
            raise DeployError(
                f"Option events is '{self._path}': it cannot be written: {exc.strerror}.",
                hint="Give events a file in a directory that exists and that this user may write to.",
            ) from exc

    def send(
        self,
        phase: str,
        status: Status,
        message: str,
        *,
        step: int,
        steps: int,
        percentage: int,
        name: str,
        metrics: t.Mapping[str, t.Any],
        next_action: str,
        rollback_available: bool,
        critical_errors: t.Sequence[str] = (),
    ) -> None:
        """Append one message.

        :param phase: a phase of the pipeline; its agent sends the message.
        :param message: one sentence for people.
        :param step: number of the step that is at work, from 1, of ``steps``.
        :param percentage: how much of the work is done, 0 to 100.
        :param name: what the step does.
        :param metrics: what was measured.
        :param next_action: what the agent does next, in capitals.
        :param rollback_available: whether there is something to go back to.
        :param critical_errors: why the work failed.
        """
        agent = _AGENTS[phase]
        line = {
            "agent_id": f"{agent}-{os.getpid()}",
            "agent_type": agent,
            "timestamp": now(),
            "task_id": self._task,
            "phase": phase,
            "status": status,
            "progress": {"current_step": step, "total_steps": steps, "percentage": percentage, "step_name": name},
            "message": message,
            "metrics": dict(metrics),
            "next_action": next_action,
            "rollback_available": rollback_available,
            "critical_errors": list(critical_errors),
        }
        try:
            self._append(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError:
            return

    def _append(self, text: str) -> None:
        if not self._path:
            return
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            # one write: lines of several writers never mix
            os.write(handle, text.encode("utf-8"))
        finally:
            os.close(handle)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception family of the collection.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import shlex
import typing as t


class DeployError(Exception):
    """Something that a person has to know about, with what to do next.

    :param msg: one sentence: what failed, with the option and the value or the release, slot and host.
    :param hint: what to do next, as a sentence or a command.
    :param command: argv of the process that failed, if one did.
    :param rc: its exit status.
    :param stdout: its standard output (callers cut it to what is worth reading).
    :param stderr: its standard error.
    :param steps: results of the steps that were done before it broke (see ``_steps.StepLog.results``).
    :param fields: further result keys, for example ``phase``, ``decision``, ``evidence``.
    """

    def __init__(
        self,
        msg: str,
        *,
        hint: str | None = None,
        command: t.Sequence[str] | None = None,
        rc: int | None = None,
        stdout: str | None = None,
        stderr: str | None = None,
        steps: list[dict[str, t.Any]] | None = None,
        **fields: t.Any,
    ) -> None:
        super().__init__(msg)
        self.msg = msg
        self.hint = hint
        self.command = list(command) if command is not None else None
        self.rc = rc
        self.stdout = stdout
        self.stderr = stderr
        self.steps = steps
        self.fields = fields

    def result(self) -> dict[str, t.Any]:
        """Return the keys for ``fail_json``: only those that are set, ``msg`` ending with the hint."""
        data: dict[str, t.Any] = dict(self.fields)
        data["msg"] = f"{self.msg} {self.hint}" if self.hint else self.msg
        if self.hint:
            data["hint"] = self.hint
        if self.command is not None:
            data["cmd"] = shlex.join(self.command)
        for key in ("rc", "stdout", "stderr", "steps"):
            value = getattr(self, key)
            if value is not None:
                data[key] = value
        return data

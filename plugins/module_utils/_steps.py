# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step results: what a module did, how long each part took and how it ended.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

StepState = t.Literal["ok", "failed", "skipped", "planned"]


class StepLog:
    """Collects step results of the shape ``{name, seconds, result, detail}``.

    :param clock: monotonic seconds; tests pass their own.
    """

    def __init__(self, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.results: list[dict[str, t.Any]] = []

    def add(self, name: str, result: StepState, detail: str = "", seconds: float = 0.0) -> None:
        """Append one finished (or planned, or skipped) step; ``seconds`` is its duration."""
        self.results.append({"name": name, "seconds": round(seconds, 3), "result": result, "detail": detail})

    @contextlib.contextmanager
    def step(self, name: str) -> t.Iterator[dict[str, str]]:
        """Time a step. The body may set ``["detail"]`` of the yielded dict.

        A ``DeployError`` from the body is recorded as ``failed`` and gets the steps done so far, then goes on.
        """
        started = self._clock()
        note = {"detail": ""}
        try:
            yield note
        except DeployError as exc:
            self.add(name, "failed", exc.msg, self._clock() - started)
            exc.steps = self.results
            raise
        except BaseException as exc:
            self.add(name, "failed", repr(exc), self._clock() - started)
            raise
        self.add(name, "ok", note["detail"], self._clock() - started)

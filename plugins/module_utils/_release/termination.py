# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run may be ended by a signal: while it waits, never in the middle of a change.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import signal
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError


class NotItsFault(DeployError):
    """A release is taken back, but not because anything is wrong with it: it may be released again."""


class Termination:
    """Remembers that somebody asked the engine to end, and ends it where that does no harm."""

    def __init__(self) -> None:
        self._asked = 0
        self._waiting = False

    @property
    def asked(self) -> bool:
        """Whether the engine was asked to end."""
        return bool(self._asked)

    def listen(self) -> None:
        """Take TERM and INT of this process as the wish to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: t.Any) -> None:
        self._asked = number
        if self._waiting:
            # once: what follows is the way back, which is not cut short
            self._waiting = False
            raise self._error()

    def _error(self) -> NotItsFault:
        return NotItsFault(f"The engine was ended by signal {self._asked}.", hint="Run the same playbook again.")

    @contextlib.contextmanager
    def may_end(self) -> t.Iterator[None]:
        """Let a signal end what is done inside at once; one that came earlier ends it before it begins.

        :raises NotItsFault: a signal came.
        """
        if self._asked:
            raise self._error()
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

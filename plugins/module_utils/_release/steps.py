# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a run: each has an apply, and an undo where it changes something.

Every one may be repeated, and a process killed in the middle of any leaves a server that recovery.py brings to an end.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._release import candidate, standby, traffic
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.mend import mend
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Step


@dataclass(frozen=True)
class Action:
    """How a step is done and taken back.

    :param apply: does it and returns one line about it.
    :param undo: takes it back after a later step has failed.
    :param waits: it mostly waits, so that a signal may end it at any moment.
    """

    apply: t.Callable[[Context, Step], str]
    undo: t.Callable[[Context, Step], None] | None = None
    waits: bool = False


STEPS: dict[str, Action] = {
    "mend": Action(mend),
    "store": Action(candidate.store, candidate.unstore),
    "clear": Action(candidate.clear),
    "halt": Action(candidate.halt, candidate.unhalt),
    "start": Action(candidate.start, candidate.unstart, waits=True),
    "wake": Action(candidate.wake, candidate.unwake),
    "check": Action(candidate.check, waits=True),
    "prove": Action(candidate.prove, waits=True),
    "warm_up": Action(candidate.send_first_requests, waits=True),
    "switch": Action(traffic.switch, traffic.unswitch),
    "prove_gateway": Action(traffic.prove, waits=True),
    "watch": Action(traffic.watch, waits=True),
    "hold": Action(traffic.hold, waits=True),
    "seal": Action(traffic.seal),
    "drain": Action(standby.drain, waits=True),
    "park": Action(standby.park),
    "prune": Action(standby.prune),
}

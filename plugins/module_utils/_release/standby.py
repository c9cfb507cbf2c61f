# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a slot that has lost its traffic: drained, parked; and what is superseded removed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import time

from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.database import Sessions
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import SlotView
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Step
from ansible_collections.j4c.deploy.plugins.module_utils._release.prune import prune_releases

PARK_TRIES = 40


def drain(ctx: Context, step: Step) -> str:
    """Wait until nothing is open on the slot, or somebody wants the lock."""
    started = time.monotonic()
    ctx.drained = False
    first = ctx.open_connections = ctx.open_on(step.slot)

    def settled() -> bool:
        ctx.open_connections = ctx.open_on(step.slot)
        return ctx.open_connections == 0 or ctx.lock.wanted()

    ctx.wait(settled, ctx.settings.drain_timeout)
    ctx.drained = ctx.open_connections == 0
    took = f"{first} open connections, {time.monotonic() - started:.1f} s"
    if not ctx.drained:
        return f"{took}; {ctx.open_connections} still open"
    return took


def park(ctx: Context, step: Step) -> str:
    """Bring the slot to standby, unless something is open on it."""
    mode = retire(ctx, step.slot) if ctx.drained else "running"
    if not ctx.drained:
        stay_down(ctx, ctx.view(step.slot))
        ctx.warnings.append(
            f"Slot '{step.slot}' keeps running: {ctx.open_connections} connections are open on it. The next run parks it."
        )
    if mode == "none":
        ctx.save(standby=None)
    elif ctx.state.standby is not None:
        ctx.save(standby={**ctx.state.standby, "mode": mode})
    return mode


def wanted_mode(ctx: Context) -> str:
    """Return how a release stands by: as asked for, but stopped when two must never run at once."""
    mode = ctx.settings.standby
    return "stopped" if ctx.alone and mode in ("paused", "running") else mode


def retire(ctx: Context, slot: str) -> str:
    """Bring a slot without traffic into the standby mode that was asked for; return the mode it is in."""
    view = ctx.view(slot)
    mode = wanted_mode(ctx)
    if not view.container:
        return "none"
    if mode == "none":
        containers.remove(ctx.api, view)
        return mode
    stay_down(ctx, view)
    if mode == "stopped" or view.status != "running":
        if view.status == "running":
            containers.stop(ctx.api, view.container, containers.stop_grace(ctx.inspect(view.container)))
        return "stopped" if view.status != "paused" else "paused"
    return _pause(ctx, slot, view.container) if mode == "paused" else mode


def stay_down(ctx: Context, view: SlotView) -> None:
    """See to it that a reboot does not start a slot without traffic."""
    if view.container:
        containers.set_restart(ctx.api, view.container, "no")


def _pause(ctx: Context, slot: str, container: str) -> str:
    sessions = Sessions(ctx.api, ctx.settings.database, container)
    for _attempt in range(PARK_TRIES):
        try:
            containers.pause(ctx.api, container)
            if sessions.busy() == 0:
                sessions.end()
                return "paused"
        except Exception:
            # nobody knows what it is in the middle of
            containers.wake(ctx.api, ctx.view(slot))
            raise
        # frozen in a transaction it would keep its row locks: let it go on and try again
        containers.wake(ctx.api, ctx.view(slot))
        time.sleep(0.05)
    ctx.warnings.append("The old slot keeps running: it was always in a database transaction. The next run parks it.")
    return "running"


def prune(ctx: Context, step: Step) -> str:
    """Remove releases beyond those that are kept."""
    removed = prune_releases(ctx.api, ctx.store, ctx.state, ctx.settings.keep)
    return "removed " + ", ".join(removed) if removed else "nothing to remove"

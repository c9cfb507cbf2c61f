# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps around the switch: traffic moves, is watched, and the release is sealed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._health import probe
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.candidate import count_downtime
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.identity import prove_gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import TIDY_PATIENCE, UNDO_PATIENCE
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Step
from ansible_collections.j4c.deploy.plugins.module_utils._release.rejections import accept, reject
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now
from ansible_collections.j4c.deploy.plugins.module_utils._release.termination import NotItsFault

WATCH_INTERVAL = 0.5


def switch(ctx: Context, step: Step) -> str:
    """Move the traffic to the slot."""
    containers.set_restart(ctx.api, ctx.view(step.slot).container, ctx.release.restart)
    # said first: who is interrupted in the next line must find the way back
    ctx.switched = True
    ctx.gateway.switch(step.slot)
    count_downtime(ctx)
    return f"from {ctx.observed.flag} to {step.slot}"


def unswitch(ctx: Context, step: Step) -> None:
    """Move the traffic back."""
    ctx.gateway.switch(ctx.observed.flag)


def prove(ctx: Context, step: Step) -> str:
    """Ask through the gateway which release answers."""
    # a fresh connection for each answer: new requests are what counts
    with HttpClient(keep_alive=False) as client:
        return prove_gateway(client, ctx.judged(ctx.release), step.slot, ctx.release)


def watch(ctx: Context, step: Step) -> str:
    """Repeat the checks for a while."""
    target, checks = ctx.target(step.slot), ctx.judged(ctx.release).checks
    deadline = time.monotonic() + ctx.settings.watch_seconds
    rounds, bad = 0, 0
    while time.monotonic() < deadline:
        report = probe(checks, target, ctx.inspect)
        rounds += 1
        bad = 0 if report.healthy else bad + 1
        if bad > 1 or ctx.view(step.slot).status != "running":
            ctx.health = report
            # it goes back in any case: also when that cannot be written, or when the way back is cut short
            ctx.lenient = True
            ctx.mark(validated="ROLLBACK")
            raise DeployError(
                f"Release '{step.release}' failed its checks while it was watched in slot '{step.slot}'. {report.failures()}"
            )
        time.sleep(min(WATCH_INTERVAL, max(0.0, deadline - time.monotonic())))
    if not ctx.settings.hold_seconds:
        ctx.mark(validated="SUCCESS")
    return f"{rounds} rounds of checks in {ctx.settings.watch_seconds:g} s"


def hold(ctx: Context, step: Step) -> str:
    """Wait for the word to seal; without it in time the release is taken back."""
    ctx.mark(prepared=True)
    # when the controller has died, the next run finds it like this until the time is over
    ctx.lock.phase("prepared", ctx.settings.hold_seconds + UNDO_PATIENCE)
    ctx.report("prepared")
    path = ctx.store.verdict_path(ctx.run_id)
    try:
        ctx.wait(lambda: os.path.exists(path), ctx.settings.hold_seconds, 0.02)
        verdict, reason = ctx.store.verdict(ctx.run_id)
    finally:
        ctx.lock.phase("work", UNDO_PATIENCE)
    if not verdict:
        raise NotItsFault(
            f"Nobody sealed release '{step.release}' within {ctx.settings.hold_seconds:g} s, so it was taken back."
        )
    ctx.mark(validated=verdict)
    os.unlink(path)
    if verdict == "ROLLBACK":
        raise DeployError(f"Release '{step.release}' was not accepted by its validation. {reason}".strip())
    ctx.decision = verdict
    return verdict


def seal(ctx: Context, step: Step) -> str:
    """Write that the release serves: from the first line on disk on, it does, and the rest can be done by any later run."""
    old = ctx.previous
    standby = {"slot": old.name, "release": old.release, "since": now(), "mode": "running"} if old else None
    ctx.save(
        live={"slot": step.slot, "release": ctx.release.id, "since": now()},
        standby=standby,
        rejected=_rejected_now(ctx),
        run={**ctx.run, "sealed": True},
    )
    ctx.lenient = True
    ctx.lock.phase("tidy", TIDY_PATIENCE)
    # a rollback does not make a release younger
    ctx.release = ctx.store.seal_release(ctx.release, again=ctx.kind == "release")
    ctx.report("sealed")
    return f"'{ctx.release.id}' serves"


def _rejected_now(ctx: Context) -> t.Mapping[str, t.Mapping[str, str]]:
    """Return what is rejected from now on: without what serves, with what a rollback leaves."""
    left = ctx.observed.live_release
    rejected = accept(ctx.state.rejected, ctx.release)
    # going forward again does not condemn the older release
    if ctx.kind == "rollback" and left is not None and (left.sealed or "") > (ctx.release.sealed or ""):
        rejected = reject(rejected, left, ctx.reason or "rolled back", now())
    return rejected

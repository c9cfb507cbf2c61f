# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends a run that was killed: forward when its release is sealed or validated, back when that is better.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.candidate import (
    UNDO_DRAIN_SECONDS,
    check_slot,
    make_serve,
    silence,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, other
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import SEAL, Step, half_parked, plan_recovery
from ansible_collections.j4c.deploy.plugins.module_utils._release.rejections import reject
from ansible_collections.j4c.deploy.plugins.module_utils._release.restore import restore_standby
from ansible_collections.j4c.deploy.plugins.module_utils._release.standby import retire
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now
from ansible_collections.j4c.deploy.plugins.module_utils._release.wayback import attempt, do_step

MakeContext = t.Callable[[Observed, Release, str, "dict[str, t.Any]"], Context]


@dataclass(frozen=True)
class Recovered:
    """What was done about an interrupted run, and what a person should be told about it.

    :param left: the release that traffic was taken from, when that is what a rollback would have done.
    """

    done: str = ""
    told: tuple[str, ...] = ()
    left: Release | None = None


def recover(observed: Observed, make: MakeContext) -> Recovered:
    """End the run that state.json records as unfinished.

    :param make: makes the context of that run from what was seen before it began, its release, its slot and its record.
    :raises DeployError: the server does not let anything be done; the run stays recorded.
    """
    if observed.state.run is None:
        return Recovered()
    run = dict(observed.state.run)
    target, previous = str(run["target"]), str(run.get("previous") or "")
    release = observed.releases.get(str(run["release"])) or _stub(str(run["release"]), observed)
    before = observed if run.get("sealed") else replace(observed, flag=previous or other(target))
    ctx = make(before, release, target, run)
    ctx.lenient = True
    ctx.switched = observed.flag == target
    verdict, reason = ctx.store.verdict(ctx.run_id)
    if verdict:
        run["validated"] = verdict
    ways = plan_recovery(run, observed)
    ctx.record("recover", ways[0], of=ctx.run_id, slot=target, release=release.id)
    done = ""
    for way in ways:
        try:
            WAYS[way](ctx)
        except (DeployError, OSError) as exc:
            ctx.record("failed", way, slot=target, detail=str(exc))
            ctx.problems.append(f"Recovery of run {ctx.run_id} ({way}): {exc}")
            # what was sealed on the way is never taken back
            if not ctx.run.get("sealed"):
                continue
        done = way
        break
    if not done:
        raise DeployError(
            f"Run {ctx.run_id} was interrupted and cannot be ended: {' '.join(ctx.problems)}",
            hint="Look at the slots with 'docker ps -a' and at the engine, mend what is named here, and run the playbook again.",
        )
    back = done in ("revert", "keep")
    if back and run.get("validated") == "ROLLBACK":
        ctx.save(rejected=reject(ctx.state.rejected, release, reason or "not accepted by its validation", now()))
    ctx.decision = verdict or str(run.get("validated") or "SUCCESS")
    ctx.save(run=None)
    ctx.record("recovered", done, of=ctx.run_id, slot=target, rejected=ctx.state.rejected)
    _tell(ctx, done)
    left = None
    if ctx.kind == "rollback" and run.get("switches") and done in ("finish", "tidy"):
        left = observed.releases.get(str((run.get("live") or {}).get("release")))
    elif back and ctx.kind == "release" and ctx.switched and ctx.gateway.flag() != ctx.slot:
        left = release
    return Recovered(f"{done} of run {ctx.run_id}", (*ctx.problems, *ctx.warnings), left)


def _stub(release_id: str, observed: Observed) -> Release:
    """Return a release of which nothing was stored yet when the run was killed."""
    service = next((item.service for item in observed.releases.values()), "")
    return Release(release_id, service, "0", "", {"id": "", "name": ""}, "")


def _finish(ctx: Context) -> None:
    """Seal the release after all, when it passes its checks and answers through the gateway."""
    previous = ctx.observed.live
    if ctx.alone or ctx.view(ctx.slot).status != "running":
        make_serve(ctx, ctx.slot, ctx.release)
    else:
        containers.set_restart(ctx.api, ctx.view(ctx.slot).container, ctx.release.restart)
        check_slot(ctx, ctx.slot, ctx.release)
    ctx.gateway.switch(ctx.slot)
    for name in ("prove", "prove_gateway", SEAL):
        do_step(ctx, Step(name, ctx.slot, ctx.release.id), [])
    if previous is not None:
        _retire(ctx, previous.name)


def _revert(ctx: Context) -> None:
    """Go back to what served before, and only then remove what was to replace it."""
    former = ctx.observed.live_release
    slot = ctx.observed.flag
    if ctx.observed.live is None and former is None:
        # the first release of all: there is nothing to go back to
        ctx.gateway.switch(slot)
        _undo_candidate(ctx)
        return
    known = former or _stub(ctx.observed.live.release if ctx.observed.live else "", ctx.observed)
    if ctx.gateway.flag() != slot or ctx.alone or ctx.view(slot).status != "running":
        make_serve(ctx, slot, known)
    else:
        containers.set_restart(ctx.api, ctx.view(slot).container, known.restart)
    ctx.gateway.switch(slot)
    _undo_candidate(ctx)


def _keep(ctx: Context) -> None:
    """Go on although nothing is healthy: what served before gets the traffic when it runs at all. A release can mend it."""
    slot = ctx.observed.flag
    if ctx.alone and ctx.view(slot).container:
        with attempt(ctx, f"Waking slot '{slot}' alone"):
            silence(ctx, other(slot))
            containers.wake(ctx.api, ctx.view(slot))
    if ctx.view(slot).status == "running":
        ctx.gateway.switch(slot)
        _undo_candidate(ctx)


def _undo_candidate(ctx: Context) -> None:
    """Empty the slot that was to serve, or park what stood by in it; then make a standby that had to go ready again."""
    if ctx.gateway.flag() == ctx.slot:
        raise DeployError(f"Slot '{ctx.slot}' has the traffic, so nothing is removed from it.")
    view, standby = ctx.view(ctx.slot), ctx.state.standby
    with attempt(ctx, f"Taking release '{ctx.release.id}' out of slot '{ctx.slot}'"):
        if ctx.switched and view.container:
            ctx.wait(lambda: ctx.open_on(ctx.slot) == 0, UNDO_DRAIN_SECONDS)
        if standby and standby["slot"] == ctx.slot and standby["release"] == view.release:
            mode = retire(ctx, ctx.slot)
            ctx.save(standby={**standby, "mode": mode} if mode != "none" else None)
        else:
            containers.remove(ctx.api, view)
    if not ctx.release.sealed:
        ctx.store.remove_release(ctx.release.id)
    with attempt(ctx, "Making the standby ready again"):
        restore_standby(ctx)


def _tidy(ctx: Context) -> None:
    """Do what is left after a seal; the records are mended by the run that follows."""
    _retire(ctx, other(ctx.gateway.flag()))


def _retire(ctx: Context, slot: str) -> None:
    view = ctx.view(slot)
    if half_parked(view, ctx.state.standby) and not ctx.alone:
        with attempt(ctx, f"Waking slot '{slot}', which may be frozen in a transaction"):
            do_step(ctx, Step("wake", slot, view.release), [])
        view = ctx.view(slot)
    if view.status == "running" and (ctx.settings.standby != "running" or ctx.alone):
        with attempt(ctx, f"Parking slot '{slot}'"):
            for name in ("drain", "park"):
                do_step(ctx, Step(name, slot, view.release), [])


WAYS: dict[str, t.Callable[[Context], None]] = {"finish": _finish, "revert": _revert, "tidy": _tidy, "keep": _keep}


def _tell(ctx: Context, done: str) -> None:
    """Write the result of the run that was interrupted, for its history."""
    back = done in ("revert", "keep")
    outcome = "ROLLED_BACK" if ctx.kind == "rollback" else "REVIEW" if ctx.decision == "REVIEW" else "DEPLOYED"
    if back:
        outcome = "ROLLED_BACK" if ctx.switched and ctx.kind == "release" else "FAILED_SAFE"
    result = {
        "outcome": outcome,
        "run": ctx.run_id,
        "msg": " ".join([f"{outcome}: the run was interrupted; the next one ended it ({done}).", *ctx.problems]),
        "failed": back,
        "changed": True,
        "release": ctx.release.result(),
        "live": ctx.state.live,
        "standby": ctx.state.standby,
        "steps": ctx.log.results,
    }
    try:
        ctx.store.save_run(ctx.run_id, {"event": "end", "result": result})
    except OSError as exc:
        ctx.problems.append(f"The result of run {ctx.run_id} cannot be written: {exc.strerror}.")

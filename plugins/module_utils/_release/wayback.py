# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward step by step, and back again when one fails before the release is sealed: the traffic first.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.candidate import make_serve
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import UNDO_PATIENCE
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import SWITCH, Plan, Step
from ansible_collections.j4c.deploy.plugins.module_utils._release.rejections import reject
from ansible_collections.j4c.deploy.plugins.module_utils._release.restore import restore_standby
from ansible_collections.j4c.deploy.plugins.module_utils._release.steps import STEPS
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now
from ansible_collections.j4c.deploy.plugins.module_utils._release.termination import NotItsFault

# what fails in these is what people saw of the release
CONDEMNING = ("watch", "hold")


@dataclass(frozen=True)
class Failure:
    """Why a run was taken back: its ``error``, what the failed version left as ``evidence``, and whether users ``touched`` it."""

    error: DeployError
    evidence: dict[str, t.Any]
    touched: bool


def go_forward(ctx: Context, plan: Plan) -> Failure | None:
    """Do the steps of a plan; take them back when one fails before the release is sealed."""
    done: list[Step] = []
    for step in plan.steps:
        try:
            do_step(ctx, step, done)
        except Exception as exc:
            # the record decides: the step that seals may fail after it has sealed
            if not ctx.run.get("sealed"):
                return go_back(ctx, step, done, exc)
            # the release serves: what could not be tidied up is left to the next run
            ctx.warnings.append(f"Step '{step.name}' failed after the release was sealed: {exc}")
            ctx.lenient = True
            ctx.record("failed", step.name, slot=step.slot, detail=str(exc))
    return None


def do_step(ctx: Context, step: Step, done: list[Step]) -> None:
    """Do one step, with its intent before and its result after it in the journal.

    :param done: gets the step as soon as it is begun.
    """
    ctx.record("intent", step.name, slot=step.slot, release=step.release)
    action = STEPS[step.name]
    done.append(step)
    with ctx.log.step(step.name) as note:
        if action.waits:
            with ctx.termination.may_end():
                note["detail"] = action.apply(ctx, step)
        else:
            note["detail"] = action.apply(ctx, step)
    ctx.record("done", step.name, slot=step.slot, detail=note["detail"])


def go_back(ctx: Context, failed: Step, done: list[Step], exc: Exception) -> Failure:
    """Take back what was done, last step first; each part by itself, so that one that fails does not stop the rest."""
    ctx.lenient = True
    ctx.lock.phase("undo", UNDO_PATIENCE)
    ctx.record("failed", failed.name, slot=failed.slot, detail=str(exc))
    evidence: dict[str, t.Any] | None = None
    health = ctx.health.result() if ctx.health else None
    for step in reversed(done):
        undo = STEPS[step.name].undo
        if undo is None:
            continue
        if evidence is None and step.name != SWITCH:
            evidence = _evidence(ctx)
        ctx.record("undo", step.name, slot=step.slot)
        with attempt(ctx, f"Taking back step '{step.name}'"), ctx.log.step(f"undo_{step.name}"):
            undo(ctx, step)
    with attempt(ctx, "Bringing back what should serve"):
        _revive(ctx)
    if _condemned(ctx, failed, exc):
        ctx.save(rejected=reject(ctx.state.rejected, ctx.release, str(exc), now()))
    with attempt(ctx, "Making the standby ready again"):
        restore_standby(ctx)
    error = exc if isinstance(exc, DeployError) else DeployError(f"Step '{failed.name}' failed: {exc!r}")
    evidence = {"step": failed.name, **(evidence or _evidence(ctx)), "health": health}
    return Failure(error, evidence, ctx.switched or ctx.halted_at is not None)


@contextlib.contextmanager
def attempt(ctx: Context, doing: str) -> t.Iterator[None]:
    """Do a part of the way back; when it fails that is told, and the rest goes on.

    :param doing: what it does, as the subject of the message.
    """
    try:
        yield
    except Exception as problem:
        ctx.problems.append(f"{doing} failed: {problem}")


def _evidence(ctx: Context) -> dict[str, t.Any]:
    try:
        return containers.evidence(ctx.api, ctx.view(ctx.slot))
    except DeployError as lost:
        return {"lost": lost.msg}


def _condemned(ctx: Context, failed: Step, exc: Exception) -> bool:
    blame = isinstance(exc, DeployError) and not isinstance(exc, NotItsFault)
    return blame and ctx.kind == "release" and ctx.switched and failed.name in CONDEMNING


def _revive(ctx: Context) -> None:
    """Make what should serve serve: its container may have died or been removed before this run began."""
    release = ctx.observed.live_release
    if ctx.alone and ctx.gateway.flag() != ctx.observed.flag:
        # it would have to stop what has the traffic
        return
    if release is not None and ctx.view(ctx.observed.flag).status != "running":
        with ctx.log.step("revive"):
            make_serve(ctx, ctx.observed.flag, release)

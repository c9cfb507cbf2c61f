# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of runs: what was done, what serves now, and what a refusal tells.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Plan
from ansible_collections.j4c.deploy.plugins.module_utils._release.repairs import losses
from ansible_collections.j4c.deploy.plugins.module_utils._release.wayback import Failure

PHASE = "service_deployment"


def blank(run_id: str = "") -> dict[str, t.Any]:
    """Return every key that a result always has, with nothing in it."""
    return {
        "changed": False,
        "outcome": "UNCHANGED",
        "msg": "",
        "run": run_id,
        "release": None,
        "slot": "",
        "live": None,
        "standby": None,
        "steps": [],
        "health": None,
        "evidence": {},
        "seconds": 0.0,
        "downtime_seconds": 0.0,
        "recovered": "",
        **verdict(PHASE, "SUCCESS"),
    }


def refused(
    exc: DeployError, run_id: str = "", state: State | None = None, release: Release | None = None
) -> dict[str, t.Any]:
    """Return the result of a run that was refused: nothing was changed by it.

    :param state: what is recorded, as far as it is known.
    :param release: what was asked for, as far as it is known.
    """
    known = state or State()
    return {
        **blank(run_id),
        "failed": True,
        "outcome": "FAILED_SAFE",
        "release": release.result() if release else None,
        "live": known.live,
        "standby": known.standby,
        **verdict(PHASE, "ROLLBACK"),
        **exc.result(),
    }


def serving(observed: Observed) -> str:
    """Return what serves, for a sentence."""
    live = observed.live_release
    return f"'{live.id}' in slot '{observed.flag}' serves" if live else "nothing serves"


def _recorded(state: State) -> str:
    return f"'{state.live['release']}' in slot '{state.live['slot']}' serves" if state.live else "nothing serves"


def result_of(
    ctx: Context, plan: Plan, started: float, recovered: str, failure: Failure | None = None, event: str = "end"
) -> dict[str, t.Any]:
    """Return the module's result of a run so far.

    :param started: monotonic time when it began.
    :param recovered: what was done about an interrupted run before it.
    :param event: ``prepared``, ``sealed`` or ``end``.
    """
    state = ctx.state
    result = {
        **blank(ctx.run_id),
        "changed": bool(plan.steps or recovered),
        "release": ctx.release.result(),
        "slot": ctx.slot,
        "live": state.live,
        "standby": state.standby,
        "seconds": round(time.monotonic() - started, 3),
        "downtime_seconds": round(ctx.downtime, 3),
        "steps": ctx.log.results,
        "health": ctx.health.result() if ctx.health else None,
        "warnings": [*ctx.warnings, *([] if failure else ctx.problems)],
        "diff": {"before": diff_side(ctx.observed), "after": _state_side(state)},
        "recovered": recovered,
    }
    if failure is not None:
        return {**result, **_failed(ctx, failure)}
    told = _recorded(state)
    outcome = "ROLLED_BACK" if ctx.kind == "rollback" else "REVIEW" if ctx.decision == "REVIEW" else "DEPLOYED"
    if event == "prepared":
        outcome = "PREPARED"
        told = f"'{ctx.release.id}' in slot '{ctx.slot}' serves and waits for its seal"
    elif not plan.switches:
        outcome = "ROLLED_BACK" if ctx.gone_back else "UNCHANGED"
    return {**result, "outcome": outcome, "msg": f"{outcome}: {told}."}


def stuck(ctx: Context) -> str:
    """Return why a run that failed is not taken back, as the end of a sentence, ``''`` when it is."""
    try:
        lost = ctx.switched and ctx.gateway.flag() != ctx.observed.flag
    except DeployError as exc:
        return f"which slot has the traffic cannot be told: {exc.msg}"
    return f"'{ctx.release.id}' in slot '{ctx.slot}' still has the traffic." if lost else ""


def _failed(ctx: Context, failure: Failure) -> dict[str, t.Any]:
    still = stuck(ctx)
    outcome = "INTERRUPTED" if still else "ROLLED_BACK" if failure.touched else "FAILED_SAFE"
    told = "It was taken back" if failure.touched else "The live release was not touched"
    told = f"It could not be taken back; {still}" if still else f"{told}; {_recorded(ctx.state)}."
    parts = [f"{outcome}: {failure.error.msg} {told}", failure.error.hint or "", *ctx.problems]
    if still:
        parts.append("Mend what is named here and run the same playbook again: it ends this run first.")
    return {
        **failure.error.result(),
        "outcome": outcome,
        "failed": True,
        "evidence": failure.evidence,
        "problems": ctx.problems,
        "steps": ctx.log.results,
        "msg": " ".join(filter(None, parts)),
        **verdict(PHASE, "ROLLBACK"),
    }


def planned(plan: Plan, observed: Observed, holder: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of check mode, and of a run that has nothing to do.

    :param holder: the run that is at work now, empty when there is none.
    """
    before = diff_side(observed)
    interrupted = observed.state.run is not None and not holder
    steps = [{"name": step.name, "seconds": 0.0, "result": "planned", "detail": step.describe()} for step in plan.steps]
    release = plan.release or observed.live_release
    told = " ".join(losses(observed)) or f"{serving(observed)}."
    if plan.release is not None:
        msg = f"Would bring '{plan.release.id}' live in slot '{plan.slot}' in {len(steps)} steps; now {told}"
    elif steps:
        msg = f"Would tidy up slot '{plan.steps[0].slot}'; {told}"
    else:
        msg = f"UNCHANGED: {told}"
    if holder:
        msg += f" Now a {holder.get('kind')} of '{holder.get('release')}' is at work, since {holder.get('since')}."
    if interrupted:
        msg += " Before that, an interrupted run would be ended."
    lines = "".join(f"{step.describe()}\n" for step in plan.steps)
    return {
        **blank(),
        "changed": bool(steps) or interrupted,
        "outcome": "PLANNED" if steps or interrupted else "UNCHANGED",
        "msg": msg,
        "release": release.result() if release else None,
        "slot": plan.slot or observed.flag,
        "live": observed.state.live,
        "standby": observed.state.standby,
        "steps": steps,
        "diff": {
            "before": before,
            "after": f"live: {plan.release.id} in {plan.slot}\n{lines}" if plan.release else before + lines,
        },
    }


def diff_side(observed: Observed) -> str:
    """Return what is live and what stands by, as one side of a diff."""
    live, idle = observed.live, observed.idle
    lines = [f"live: {live.release} in {live.name}" if live else "live: none"]
    if idle.status != "absent":
        lines.append(f"standby: {idle.release} in {idle.name}")
    return "".join(f"{line}\n" for line in lines)


def _state_side(state: State) -> str:
    live, standby = state.live, state.standby
    lines = [f"live: {live['release']} in {live['slot']}" if live else "live: none"]
    if standby:
        lines.append(f"standby: {standby['release']} in {standby['slot']}")
    return "".join(f"{line}\n" for line in lines)

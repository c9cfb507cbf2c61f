# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the release engine: lock, recover, plan, preflight, steps, and the way back when a step fails.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import signal
import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context, Kind
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import slot_document
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import Journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import UNDO_PATIENCE, Lock
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, Settings, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import observe, unique_id
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import (
    SEAL,
    Plan,
    Step,
    plan_recovery,
    plan_release,
    plan_rollback,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.preflight import preflight
from ansible_collections.j4c.deploy.plugins.module_utils._release.steps import STEPS
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store, now
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

PHASE = "service_deployment"
Report = t.Callable[[str, "dict[str, t.Any]"], None]


@dataclass(frozen=True)
class Wanted:
    """What a run is asked for.

    :param kind: ``release`` brings ``release`` with the resolved compose file ``document`` live; ``rollback`` goes back to
        the kept release ``release_id``, or to the one before the live one when that is empty.
    :param reason: why a rollback is asked for.
    """

    kind: Kind
    release: Release | None = None
    document: t.Mapping[str, t.Any] | None = None
    release_id: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """Id of the release that is asked for, as far as it is known."""
        return self.release.id if self.release else self.release_id


class Engine:
    """Releases and rolls back one service on this server.

    :param api: client of the Docker engine.
    :param runner: starts ``docker compose``.
    """

    def __init__(self, api: t.Any, runner: Runner, settings: Settings) -> None:
        self._api = api
        self._runner = runner
        self._settings = settings
        self.store = Store(settings.state_dir, settings.service)
        self.gateway = Gateway(self.store.path("gateway"), settings.gateway_container)

    def observe(self) -> Observed:
        """Look at the server."""
        return observe(self._api, self.store, self.gateway, self._settings.service)

    def plan(self, wanted: Wanted, observed: Observed) -> Plan:
        """Decide what has to be done; changes nothing.

        :raises DeployError: it cannot be done as things are.
        """
        if wanted.kind == "rollback":
            return plan_rollback(wanted.release_id or None, observed, self._settings)
        if wanted.release is None:
            raise ValueError("a release run needs a release")
        release_id = unique_id(wanted.release, observed)
        release = observed.releases.get(release_id) or replace(wanted.release, id=release_id)
        return plan_release(release, observed, self._settings)

    def check(self, plan: Plan, wanted: Wanted, observed: Observed) -> dict[str, t.Any]:
        """Check everything that can be checked before the first change; return the compose document of the plan's release.

        :raises DeployError: with all findings.
        """
        if plan.release is None:
            return {}
        document = dict(wanted.document) if wanted.document is not None else self.store.load_document(plan.release.id)
        if any(step.name == "start" for step in plan.steps):
            preflight(
                self._api,
                self._settings,
                observed,
                plan.slot,
                slot_document(document, self._settings, plan.slot, plan.release),
            )
        return document

    def run(self, wanted: Wanted, run_id: str, report: Report) -> dict[str, t.Any]:
        """Do it, under the lock, after ending what an interrupted run left.

        :param report: called with ``prepared`` or ``sealed`` and the result so far, while the run goes on.
        :returns: the module's result; ``failed`` is set when the outcome is not the wanted one.
        :raises DeployError: nothing was changed.
        """
        started = time.monotonic()
        lock = Lock(self.store.root, {"run": run_id, "kind": wanted.kind, "release": wanted.name})
        lock.acquire(self._settings.lock_timeout)
        try:
            self.store.sweep()
            journal = Journal(self.store.path("journal.jsonl"), run_id)
            recovered = self._recover(lock, journal, run_id)
            # ending an interrupted run may have told that only tidying up is left
            lock.phase("work")
            observed = self.observe()
            plan = self.plan(wanted, observed)
            document = self.check(plan, wanted, observed)
            live = observed.live
            ctx = Context(
                self._api,
                self._runner,
                self._settings,
                self.store,
                self.gateway,
                lock,
                journal,
                run_id,
                wanted.kind,
                observed,
                plan.release or observed.live_release or _unknown(self._settings),
                plan.slot or observed.flag,
                document,
                wanted.reason,
                state=observed.state,
            )
            ctx.report = lambda event: report(event, self._result(ctx, plan, started, recovered, event=event))
            if not plan.steps:
                return self._result(ctx, plan, started, recovered)
            journal.write("start", wanted.kind, release=ctx.release.id, plan=[step.describe() for step in plan.steps])
            ctx.save(
                run={
                    "id": run_id,
                    "kind": wanted.kind,
                    "release": ctx.release.id,
                    "target": ctx.slot,
                    "previous": live.name if live else "",
                    "sealed": not plan.switches,
                    "since": now(),
                }
            )
            failure = self._apply(ctx, plan)
            ctx.save(run=None)
            result = self._result(ctx, plan, started, recovered, failure)
            journal.write("end", wanted.kind, outcome=result["outcome"], seconds=result["seconds"])
            return result
        finally:
            lock.release()

    def _apply(self, ctx: Context, plan: Plan) -> _Failure | None:
        """Do the steps; take them back when one fails before the release is sealed."""
        done: list[Step] = []
        for step in plan.steps:
            try:
                self._step(ctx, step, done)
            except Exception as exc:
                # the record decides: the step that seals may fail after it has sealed
                if (ctx.state.run or {}).get("sealed"):
                    # the release serves: what could not be tidied up is left to the next run
                    ctx.warnings.append(f"Step '{step.name}' failed after the release was sealed: {exc}")
                    ctx.journal.write("failed", step.name, slot=step.slot, detail=str(exc))
                    continue
                return self._undo(ctx, step, done, exc)
        return None

    def _step(self, ctx: Context, step: Step, done: list[Step]) -> None:
        ctx.journal.write("intent", step.name, slot=step.slot, release=step.release)
        done.append(step)
        with ctx.log.step(step.name) as note:
            note["detail"] = STEPS[step.name].apply(ctx, step)
        ctx.journal.write("done", step.name, slot=step.slot, detail=note["detail"])

    def _undo(self, ctx: Context, failed: Step, done: list[Step], exc: Exception) -> _Failure:
        # the way back must not be cut short by whatever ended the way forward
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ctx.lock.phase("undo", UNDO_PATIENCE)
        ctx.journal.write("failed", failed.name, slot=failed.slot, detail=str(exc))
        evidence: dict[str, t.Any] = {"step": failed.name, "health": ctx.health.result() if ctx.health else None}
        try:
            evidence.update(containers.evidence(self._api, ctx.view(ctx.slot)))
        except DeployError as lost:
            evidence["lost"] = lost.msg
        problems = []
        for step in reversed(done):
            undo = STEPS[step.name].undo
            if undo is None:
                continue
            ctx.journal.write("undo", step.name, slot=step.slot)
            try:
                with ctx.log.step(f"undo_{step.name}"):
                    undo(ctx, step)
            except Exception as problem:
                # the rest of the way back matters more than this part of it
                problems.append(f"Taking back step '{step.name}' failed: {problem}")
        error = exc if isinstance(exc, DeployError) else DeployError(f"Step '{failed.name}' failed: {exc!r}")
        return _Failure(error, evidence, problems, ctx.switched or ctx.halted_at is not None)

    def _recover(self, lock: Lock, journal: Journal, run_id: str) -> str:
        """End a run that was killed: take it back before its switch, finish it after; return what was done or ``''``."""
        observed = self.observe()
        run = observed.state.run
        if run is None:
            return ""
        action = plan_recovery(run, observed)
        release = observed.releases.get(str(run.get("release"))) or _unknown(self._settings)
        target = str(run.get("target"))
        journal.write("recover", action, of=run.get("id"), slot=target, release=release.id)
        before = replace(observed, flag=str(run.get("previous") or _other_of(target))) if action != "tidy" else observed
        ctx = Context(
            self._api,
            self._runner,
            self._settings,
            self.store,
            self.gateway,
            lock,
            journal,
            str(run.get("id")),
            t.cast(Kind, run.get("kind")),
            before,
            release,
            target,
            {},
            "the run that released it was interrupted",
            state=observed.state,
        )
        ctx.switched = observed.flag == target
        if action == "finish":
            try:
                ctx.health = None
                self._finish(ctx, target, release)
            except DeployError as exc:
                journal.write("failed", "finish", slot=target, detail=exc.msg)
                action = "revert"
        if action == "revert":
            self._revert(ctx, target, release)
        if action == "tidy":
            self._tidy(ctx, observed)
        ctx.save(run=None)
        journal.write("recovered", action, of=run.get("id"), slot=target)
        told = f"The run was interrupted; run {run_id} ended it ({action})."
        outcome = ("ROLLED_BACK" if ctx.switched else "FAILED_SAFE") if action == "revert" else "DEPLOYED"
        outcome = "ROLLED_BACK" if ctx.kind == "rollback" and action != "revert" else outcome
        self.store.save_run(
            ctx.run_id,
            {
                "event": "end",
                "result": {
                    "outcome": outcome,
                    "run": ctx.run_id,
                    "msg": told,
                    "failed": action == "revert",
                    "changed": True,
                    "release": release.result(),
                    "live": ctx.state.live,
                },
            },
        )
        return f"{action} of run {run.get('id')}"

    def _finish(self, ctx: Context, target: str, release: Release) -> None:
        for name in ("check", "prove_gateway", SEAL):
            self._step(ctx, Step(name, target, release.id), [])
        self._tidy(ctx, self.observe())

    def _revert(self, ctx: Context, target: str, release: Release) -> None:
        previous = ctx.observed.live
        if previous is not None:
            view = ctx.view(previous.name)
            containers.wake(self._api, view)
            old = ctx.observed.releases.get(view.release)
            containers.set_restart(self._api, view.container, old.restart if old else "unless-stopped")
            if ctx.gateway.flag() != previous.name:
                self._step(ctx, Step("check", previous.name, view.release), [])
                ctx.gateway.switch(previous.name)
        view = ctx.view(target)
        undo = STEPS["wake" if ctx.kind == "rollback" else "start"].undo
        # a standby that the interrupted run had not yet cleared stays
        if undo is not None and (view.release == release.id or view.strays):
            undo(ctx, Step("start", target, release.id))
            left = ctx.view(target)
            mode = left.status if left.status in ("paused", "running") else "stopped"
            ctx.save(
                standby={"slot": target, "release": left.release, "since": now(), "mode": mode}
                if left.container
                else None
            )
        if not release.sealed:
            self.store.remove_release(release.id)

    def _tidy(self, ctx: Context, observed: Observed) -> None:
        idle = observed.idle
        if idle.status == "running":
            for name in ("drain", "park"):
                self._step(ctx, Step(name, idle.name, idle.release), [])

    def _result(
        self,
        ctx: Context,
        plan: Plan,
        started: float,
        recovered: str,
        failure: _Failure | None = None,
        event: str = "end",
    ) -> dict[str, t.Any]:
        state = ctx.state
        result: dict[str, t.Any] = {
            "changed": bool(plan.steps or recovered),
            "run": ctx.run_id,
            "release": ctx.release.result(),
            "slot": ctx.slot,
            "live": state.live,
            "standby": state.standby,
            "seconds": round(time.monotonic() - started, 3),
            "downtime_seconds": round(ctx.downtime, 3),
            "steps": ctx.log.results,
            "health": ctx.health.result() if ctx.health else None,
            "warnings": ctx.warnings,
            "diff": {"before": diff_side(ctx.observed), "after": _state_side(state)},
            "recovered": recovered,
            "evidence": {},
        }
        serving = f"'{state.live['release']}' in slot '{state.live['slot']}' serves" if state.live else "nothing serves"
        if failure is not None:
            outcome = "ROLLED_BACK" if failure.touched else "FAILED_SAFE"
            told = "It was taken back" if failure.touched else "The live release was not touched"
            result.update(failure.error.result())
            result.update(
                outcome=outcome,
                failed=True,
                evidence=failure.evidence,
                problems=failure.problems,
                steps=ctx.log.results,
                msg=" ".join(
                    [f"{outcome}: {failure.error.msg} {told}; {serving}.", failure.error.hint or "", *failure.problems]
                ).strip(),
                **verdict(PHASE, "ROLLBACK"),
            )
            return result
        outcome = "ROLLED_BACK" if ctx.kind == "rollback" else "REVIEW" if ctx.decision == "REVIEW" else "DEPLOYED"
        if event == "prepared":
            outcome = "PREPARED"
            serving = f"'{ctx.release.id}' in slot '{ctx.slot}' serves and waits for its seal"
        elif not plan.switches:
            outcome = "UNCHANGED"
        result.update(outcome=outcome, msg=f"{outcome}: {serving}.", **verdict(PHASE, "SUCCESS"))
        return result


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


@dataclass(frozen=True)
class _Failure:
    error: DeployError
    evidence: dict[str, t.Any]
    problems: list[str]
    touched: bool


def _unknown(settings: Settings) -> Release:
    return Release("", settings.service, "0", "", {"id": "", "name": ""}, "")


def _other_of(slot: str) -> str:
    return "green" if slot == "blue" else "blue"

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the release engine: lock, recover, plan, preflight, and the steps forward or back.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context, Kind
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import slot_document
from ansible_collections.j4c.deploy.plugins.module_utils._release.freeze import refuse_frozen
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import Journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, Settings
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import observe, unique_id
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import (
    Plan,
    plan_nothing,
    plan_release,
    plan_rollback,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.preflight import preflight
from ansible_collections.j4c.deploy.plugins.module_utils._release.recovery import Recovered, recover
from ansible_collections.j4c.deploy.plugins.module_utils._release.rejections import reject
from ansible_collections.j4c.deploy.plugins.module_utils._release.repairs import losses
from ansible_collections.j4c.deploy.plugins.module_utils._release.result import result_of, stuck
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store, now
from ansible_collections.j4c.deploy.plugins.module_utils._release.termination import Termination
from ansible_collections.j4c.deploy.plugins.module_utils._release.wanted import Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._release.wayback import go_forward
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

Report = t.Callable[[str, "dict[str, t.Any]"], None]


class Engine:
    """Releases and rolls back one service on this server.

    :param api: client of the Docker engine.
    :param runner: starts ``docker compose``.
    :param termination: when a run may be ended by a signal.
    """

    def __init__(self, api: t.Any, runner: Runner, settings: Settings, termination: Termination | None = None) -> None:
        self._api = api
        self._runner = runner
        self._settings = settings
        self._termination = termination or Termination()
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
        plan = plan_release(release, observed, self._settings)
        if plan.switches:
            refuse_frozen(self.store.root)
        return plan

    def check(self, plan: Plan, wanted: Wanted, observed: Observed) -> tuple[dict[str, t.Any], list[str]]:
        """Check everything that can be checked before the first change.

        :returns: the compose document of the plan's release, and warnings.
        :raises DeployError: with all findings.
        """
        if plan.release is None:
            return {}, []
        warnings: list[str] = []
        document = dict(wanted.document) if wanted.document is not None else self.store.load_document(plan.release.id)
        if any(step.name == "start" for step in plan.steps):
            slot_file = slot_document(document, self._settings, plan.slot, plan.release)
            urgent = wanted.kind == "rollback"
            warnings = preflight(self._api, self._settings, observed, plan.slot, slot_file, urgent=urgent)
        return document, warnings

    def run(self, wanted: Wanted, run_id: str, report: Report) -> dict[str, t.Any]:
        """Do it, under the lock, after ending what an interrupted run left.

        :param report: called with ``prepared`` or ``sealed`` and the result so far, while the run goes on.
        :returns: the module's result; ``failed`` is set when the outcome is not the wanted one.
        :raises DeployError: nothing was changed.
        """
        started = time.monotonic()
        lock = Lock(self.store.root, {"run": run_id, "kind": wanted.kind, "release": wanted.name})
        with self._termination.may_end():
            lock.acquire(self._settings.lock_timeout)
        recovered = Recovered()
        try:
            self.store.put_aside()
            recovered = self._recover(lock, run_id)
            self.store.sweep()
            # ending an interrupted run may have told that only tidying up is left
            lock.phase("work")
            with self._termination.may_end():
                observed = self.observe()
                # who wants to leave what serves has got that already
                gone_back = wanted.kind == "rollback" and not wanted.release_id and recovered.left is not None
                plan = plan_nothing(observed) if gone_back else self.plan(wanted, observed)
                document, warnings = self.check(plan, wanted, observed)
            ctx = self._context(lock, run_id, wanted.kind, observed, plan.release, plan.slot, document)
            ctx.reason = wanted.reason
            # who goes back is in need: records that cannot be written must not keep him
            ctx.lenient = wanted.kind == "rollback"
            ctx.warnings = [*recovered.told, *losses(observed), *warnings]
            ctx.report = lambda event: report(event, result_of(ctx, plan, started, recovered.done, event=event))
            if gone_back and recovered.left is not None:
                ctx.gone_back = True
                ctx.save(rejected=reject(ctx.state.rejected, recovered.left, wanted.reason or "rolled back", now()))
            return self._work(ctx, plan, started, recovered.done)
        except DeployError as exc:
            exc.fields.update(recovered=recovered.done, changed=bool(recovered.done), **self._known(wanted))
            raise
        except OSError as exc:
            raise DeployError(
                f"The records below '{self.store.root}' cannot be used: {exc.strerror} ('{exc.filename}').",
                hint="Free space there, or make it writable.",
                **self._known(wanted),
            ) from exc
        finally:
            lock.release()

    def _known(self, wanted: Wanted) -> dict[str, t.Any]:
        """Return what the result of a run that is refused can tell besides the reason."""
        known: dict[str, t.Any] = {"release": wanted.release.result()} if wanted.release else {}
        with contextlib.suppress(DeployError):
            state = self.store.load_state()
            known.update(live=state.live, standby=state.standby)
        return known

    def _work(self, ctx: Context, plan: Plan, started: float, recovered: str) -> dict[str, t.Any]:
        if not plan.steps:
            return result_of(ctx, plan, started, recovered)
        before = ctx.observed
        run = {
            "id": ctx.run_id,
            "kind": ctx.kind,
            "release": ctx.release.id,
            "target": ctx.slot,
            "previous": before.live.name if before.live else "",
            "live": before.state.live,
            "standby": before.state.standby,
            "switches": plan.switches,
            "strategy": self._settings.strategy,
            "sealed": not plan.switches,
            "since": now(),
        }
        ctx.record("start", ctx.kind, release=ctx.release.id, plan=[step.describe() for step in plan.steps], record=run)
        ctx.save(run=run)
        failure = go_forward(ctx, plan)
        ctx.lenient = True
        result = result_of(ctx, plan, started, recovered, failure)
        # one that could not be taken back is left for the next run to end
        if failure is None or not stuck(ctx):
            ctx.save(run=None)
            ctx.record(
                "end", ctx.kind, outcome=result["outcome"], seconds=result["seconds"], rejected=ctx.state.rejected
            )
        self._forget(ctx)
        return result

    def _forget(self, ctx: Context) -> None:
        """Remove the traces of runs that are too old to be of interest."""
        try:
            ctx.journal.prune({*self.store.prune_runs(), ctx.run_id})
        except OSError as exc:
            ctx.warnings.append(f"Old runs below '{self.store.root}' cannot be removed: {exc.strerror}.")

    def _context(
        self,
        lock: Lock,
        run_id: str,
        kind: Kind,
        observed: Observed,
        release: Release | None,
        slot: str,
        document: dict[str, t.Any],
    ) -> Context:
        unknown = Release("", self._settings.service, "0", "", {"id": "", "name": ""}, "")
        return Context(
            self._api,
            self._runner,
            self._settings,
            self.store,
            self.gateway,
            lock,
            Journal(self.store.path("journal.jsonl"), run_id),
            run_id,
            kind,
            observed,
            release or observed.live_release or unknown,
            slot or observed.flag,
            document,
            termination=self._termination,
            state=observed.state,
        )

    def _recover(self, lock: Lock, run_id: str) -> Recovered:
        def make(before: Observed, release: Release, slot: str, run: dict[str, t.Any]) -> Context:
            kind: Kind = "rollback" if run["kind"] == "rollback" else "release"
            ctx = self._context(lock, str(run["id"]), kind, before, release, slot, {})
            ctx.journal = Journal(self.store.path("journal.jsonl"), run_id)
            ctx.reason = "the run that rolled back was interrupted"
            return ctx

        return recover(self.observe(), make)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module does for each of its states: look, decide, and hand over to the detached engine.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as docker_engine
from ansible_collections.j4c.deploy.plugins.module_utils._compose import STDIN, Compose
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_atomic
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._release import detach
from ansible_collections.j4c.deploy.plugins.module_utils._release import document as documents
from ansible_collections.j4c.deploy.plugins.module_utils._release.engine import PHASE, Engine, Wanted, diff_side
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Settings
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import describe_image
from ansible_collections.j4c.deploy.plugins.module_utils._release.options import (
    SETTINGS_SPEC,
    release_id_from,
    settings_from,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Plan
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store, now
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

ENGINE_TIMEOUT = 60.0
MODULE_SPEC: dict[str, t.Any] = {
    **SETTINGS_SPEC,
    "commit": {"type": "str", "default": ""},
    "compose": {"type": "str"},
    "decision": {"type": "str", "default": "SUCCESS", "choices": ["SUCCESS", "REVIEW", "ROLLBACK"]},
    "image": {"type": "str"},
    "reason": {"type": "str", "default": ""},
    "release": {"type": "str", "default": ""},
    "run": {"type": "str", "default": ""},
    "state": {"type": "str", "default": "released", "choices": ["released", "rolled_back", "sealed"]},
    "version": {"type": "str", "default": ""},
}
MARGIN_SECONDS = 120.0


class Commands:
    """The states of the module, on one server.

    :param check_mode: stop after the plan.
    """

    def __init__(self, settings: Settings, check_mode: bool) -> None:
        self._settings = settings
        self._check_mode = check_mode
        self._runner = Runner(timeout=ENGINE_TIMEOUT)
        self._store = Store(settings.state_dir, settings.service)

    @functools.cached_property
    def _api(self) -> t.Any:
        return docker_engine.connect(ENGINE_TIMEOUT)

    @functools.cached_property
    def _engine(self) -> Engine:
        return Engine(self._api, self._runner, self._settings)

    def released(self, image: str, compose: str, version: str, commit: str, release_id: str) -> dict[str, t.Any]:
        """Bring an image with a compose file live. See the module's documentation for the result."""
        if not image and self._check_mode:
            return {
                "changed": True,
                "outcome": "PLANNED",
                "msg": "Would release the image that would be built.",
                "run": "",
                "steps": [],
            }
        document = self._resolve(compose)
        release = describe_image(
            self._api,
            self._settings,
            image,
            config_hash=documents.config_hash(document, self._settings),
            restart=documents.owner_restart(document, self._settings),
            version=version,
            commit=commit,
            release_id=release_id,
        )
        until = ("prepared",) if self._settings.hold_seconds else ()
        result = self._do(Wanted("release", release, document), until)
        result["warnings"] = [*documents.notes(document, self._settings), *result.get("warnings", [])]
        return result

    def _resolve(self, text: str) -> dict[str, t.Any]:
        """Return the owner's compose file as ``docker compose`` reads it."""
        try:
            return Compose(self._runner, self._settings.service, [STDIN], self._settings.project_dir, text).config()
        except DeployError as exc:
            exc.hint = (
                exc.hint or "Mend the file (option compose, j4c_compose_file); 'docker compose config' tells the same."
            )
            raise

    def rolled_back(self, release_id: str, reason: str) -> dict[str, t.Any]:
        """Go back to an earlier release, or take back the one that waits for its seal."""
        holder = read_holder(self._store.root)
        if holder.get("phase") == "prepared" and not release_id:
            result = self._decide(str(holder["run"]), "ROLLBACK", reason)
            # the run tells a failure of the release; here taking it back is what was asked for
            return {**result, "failed": result["outcome"] not in ("ROLLED_BACK", "PLANNED")}
        return self._do(Wanted("rollback", release_id=release_id, reason=reason), ("sealed",))

    def sealed(self, run: str, decision: str, reason: str) -> dict[str, t.Any]:
        """Give a release that waits for its seal the final word."""
        return self._decide(run or str(read_holder(self._store.root).get("run", "")), decision, reason)

    def _decide(self, run: str, decision: str, reason: str) -> dict[str, t.Any]:
        data = self._store.load_run(run) if run else None
        if data is None:
            return {"changed": False, "outcome": "UNCHANGED", "msg": "No release waits for its seal."}
        if self._check_mode:
            return {
                "changed": data["event"] == "prepared",
                "outcome": "PLANNED",
                "msg": f"Would end run {run} with {decision}.",
            }
        if data["event"] == "prepared":
            write_atomic(self._store.path("runs", f"{run}.verdict"), f"{decision}\n{reason}\n")
        return detach.follow(self._store, run, (), self._limit())

    def _do(self, wanted: Wanted, until: t.Collection[str]) -> dict[str, t.Any]:
        # a rollback is in a hurry: the engine itself looks and checks before it changes anything
        if self._check_mode or wanted.kind == "release":
            observed = self._engine.observe()
            if self._check_mode or observed.state.run is None:
                plan = self._engine.plan(wanted, observed)
                self._engine.check(plan, wanted, observed)
                if self._check_mode or not plan.steps:
                    return self._planned(plan, observed)
        self._store.prepare()
        run_id = f"{now().replace(':', '').replace('-', '').replace('.', '')}-{os.urandom(3).hex()}"

        def work(report: detach.Report) -> dict[str, t.Any]:
            # sockets do not survive the fork in both processes
            engine = Engine(docker_engine.connect(ENGINE_TIMEOUT), self._runner, self._settings)
            return engine.run(wanted, run_id, report)

        pid = detach.start(self._store, run_id, work)
        return detach.follow(self._store, run_id, until, self._limit(), pid)

    def _limit(self) -> float:
        settings = self._settings
        return (
            settings.lock_timeout
            + 2 * settings.startup_timeout
            + settings.watch_seconds
            + settings.hold_seconds
            + settings.drain_timeout
            + MARGIN_SECONDS
        )

    def _planned(self, plan: Plan, observed: Observed) -> dict[str, t.Any]:
        before = diff_side(observed)
        holder = read_holder(self._store.root)
        interrupted = observed.state.run is not None and not holder
        steps = [
            {"name": step.name, "seconds": 0.0, "result": "planned", "detail": step.describe()} for step in plan.steps
        ]
        live = observed.live_release
        release = plan.release or live
        serving = f"'{live.id}' in slot '{observed.flag}' serves" if live else "nothing serves"
        if plan.release is not None:
            msg = f"Would bring '{plan.release.id}' live in slot '{plan.slot}' in {len(steps)} steps; now {serving}."
        elif steps:
            msg = f"Would tidy up slot '{plan.steps[0].slot}'; {serving}."
        else:
            msg = f"UNCHANGED: {serving}."
        if holder:
            msg += f" Now a {holder.get('kind')} of '{holder.get('release')}' is at work, since {holder.get('since')}."
        if interrupted:
            msg += " Before that, an interrupted run would be ended."
        lines = "".join(f"{step.describe()}\n" for step in plan.steps)
        return {
            "changed": bool(steps) or interrupted,
            "outcome": "PLANNED" if steps or interrupted else "UNCHANGED",
            "msg": msg,
            "release": release.result() if release else None,
            "slot": plan.slot or observed.flag,
            "live": observed.state.live,
            "standby": observed.state.standby,
            "steps": steps,
            "run": "",
            "health": None,
            "evidence": {},
            "seconds": 0.0,
            "downtime_seconds": 0.0,
            "diff": {
                "before": before,
                "after": f"live: {plan.release.id} in {plan.slot}\n{lines}" if plan.release else before + lines,
            },
            **verdict(PHASE, "SUCCESS"),
        }


def run_state(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Do what the option ``state`` asks for.

    :raises DeployError: an option makes no sense, or nothing could be started.
    """
    commands = Commands(settings_from(params), check_mode)
    state = params["state"]
    if state == "sealed":
        return commands.sealed(params["run"], params["decision"], params["reason"])
    release_id = release_id_from(params["release"], "release")
    if state == "rolled_back":
        return commands.rolled_back(release_id, params["reason"])
    return commands.released(params["image"], params["compose"], params["version"], params["commit"], release_id)

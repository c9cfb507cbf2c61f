# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module does for each of its states: look, decide, and hand over to the detached engine.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
import typing as t
from dataclasses import replace

from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils import _docker as docker_engine
from ansible_collections.j4c.deploy.plugins.module_utils._compose import STDIN, Compose
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_atomic
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._release import detach
from ansible_collections.j4c.deploy.plugins.module_utils._release import document as documents
from ansible_collections.j4c.deploy.plugins.module_utils._release.engine import Engine, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Settings, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import describe_image
from ansible_collections.j4c.deploy.plugins.module_utils._release.options import (
    SETTINGS_SPEC,
    release_id_from,
    settings_from,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.result import PHASE, blank, planned, refused
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store, now
from ansible_collections.j4c.deploy.plugins.module_utils._release.termination import Termination
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
LOOK_SECONDS = 0.05


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
        if not image and not self._check_mode:
            raise DeployError(
                "The builder built no image in this run.",
                hint="Does --limit leave the builder out? Use --limit <builder>,<host>.",
            )
        if not image or (self._check_mode and not compose):
            # before a first deploy neither the image nor, without its sources, the compose file is there
            told = "Would release the image that would be built."
            return {**blank(), "changed": True, "outcome": "PLANNED", "msg": told}
        document = self._resolve(compose)
        # the directory of the cache is the image's, so it does not count as configuration
        placed = self._with_cache(document, "")
        release = describe_image(
            self._api,
            self._settings,
            image,
            config_hash=documents.config_hash(placed, self._settings),
            restart=documents.owner_restart(document, self._settings),
            version=version,
            commit=commit,
            release_id=release_id,
        )
        until = ("prepared",) if self._settings.hold_seconds else ()
        document = self._with_cache(document, release.image["id"])
        result = self._do(Wanted("release", release, document), until)
        result["warnings"] = [*documents.notes(document, self._settings), *result.get("warnings", [])]
        return result

    def _with_cache(self, document: dict[str, t.Any], image: str) -> dict[str, t.Any]:
        """Return a resolved compose file with the start-up cache of an image, where one is wanted."""
        if not self._settings.aot:
            return document
        documents.owner_service(document, self._settings)
        return aot.mounted(document, self._settings.service, aot.directory_of(self._store.root, image))

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
        deadline = time.monotonic() + self._settings.lock_timeout
        holder = read_holder(self._store.root)
        # a release that will wait for its seal can be taken back as soon as it does
        while not (release_id or self._check_mode) and (holder.get("kind"), holder.get("phase")) == ("release", "work"):
            if time.monotonic() >= deadline:
                break
            time.sleep(LOOK_SECONDS)
            holder = read_holder(self._store.root)
        if holder.get("phase") == "prepared" and not release_id:
            result = self._decide(str(holder["run"]), "ROLLBACK", reason)
            # the run tells a failure of the release; here taking it back is what was asked for
            return {**result, "failed": result["outcome"] not in ("ROLLED_BACK", "PLANNED")}
        # what was waited here is not waited again
        self._settings = replace(self._settings, lock_timeout=max(0.0, deadline - time.monotonic()))
        return self._do(Wanted("rollback", release_id=release_id, reason=reason), ("sealed",))

    def sealed(self, run: str, decision: str, reason: str) -> dict[str, t.Any]:
        """Give a release that waits for its seal the final word."""
        return self._decide(run or str(read_holder(self._store.root).get("run", "")), decision, reason)

    def _decide(self, run: str, decision: str, reason: str) -> dict[str, t.Any]:
        data = self._store.load_run(run) if run else None
        if data is None:
            return {**blank(), "msg": "No release waits for its seal."}
        waits = data["event"] == "prepared"
        if self._check_mode:
            told = f"Would end run {run} with {decision}."
            return {**blank(run), "changed": waits, "outcome": "PLANNED", "msg": told}
        if waits:
            try:
                write_atomic(self._store.verdict_path(run), f"{decision}\n{reason}\n")
            except OSError as exc:
                holder = read_holder(self._store.root)
                if decision != "ROLLBACK" or holder.get("run") != run:
                    raise
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(holder["pid"]), signal.SIGTERM)
                return self._taken_back(run, data["result"], exc)
        return detach.follow(self._store, run, (), self._limit())

    def _taken_back(self, run: str, prepared: dict[str, t.Any], why: OSError) -> dict[str, t.Any]:
        """Follow a run that was told to end, because the word for it could not be written."""
        told = f"The word for run {run} could not be written ({why.strerror}), so its engine was told to end."
        try:
            result = detach.follow(self._store, run, (), self._limit())
        except DeployError as exc:
            # what ends without room for its result is judged by what it did
            if exc.fields.get("outcome") != "INTERRUPTED" or self._engine.gateway.flag() == prepared["slot"]:
                raise
            msg = f"ROLLED_BACK: '{prepared['release']['id']}' was taken back; slot '{self._engine.gateway.flag()}' serves."
            result = {**prepared, **verdict(PHASE, "ROLLBACK"), "failed": True, "outcome": "ROLLED_BACK", "msg": msg}
        return {**result, "warnings": [*result.get("warnings", []), told]}

    def _do(self, wanted: Wanted, until: t.Collection[str]) -> dict[str, t.Any]:
        run_id = f"{now().replace(':', '').replace('-', '').replace('.', '')}-{os.urandom(3).hex()}"
        try:
            # a rollback is in a hurry: the engine itself looks and checks before it changes anything
            if self._check_mode or wanted.kind == "release":
                observed = self._engine.observe()
                if self._check_mode or observed.state.run is None:
                    plan = self._engine.plan(wanted, observed)
                    _document, warnings = self._engine.check(plan, wanted, observed)
                    if self._check_mode or not plan.steps:
                        return {**planned(plan, observed, read_holder(self._store.root)), "warnings": warnings}
            self._store.prepare()
        except DeployError as exc:
            return self._refuse(wanted, run_id, exc)

        def work(report: detach.Report) -> dict[str, t.Any]:
            termination = Termination()
            termination.listen()
            # sockets do not survive the fork in both processes
            engine = Engine(docker_engine.connect(ENGINE_TIMEOUT), self._runner, self._settings, termination)
            return engine.run(wanted, run_id, report)

        child = detach.start(self._store, run_id, work)
        return detach.follow(self._store, run_id, until, self._limit(), child)

    def _refuse(self, wanted: Wanted, run_id: str, exc: DeployError) -> dict[str, t.Any]:
        """Return the result of a run that was refused before an engine was started; it has its place in the history, too."""
        state = State()
        with contextlib.suppress(DeployError):
            state = self._store.load_state()
        result = refused(exc, "" if self._check_mode else run_id, state, wanted.release)
        if not self._check_mode:
            # a server that was never set up has no place for it
            with contextlib.suppress(OSError):
                self._store.save_run(run_id, {"event": "end", "result": result})
        return result

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


def run_state(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Do what the option ``state`` asks for; a refusal is a result with ``failed``."""
    try:
        return _run_state(params, check_mode)
    except DeployError as exc:
        return refused(exc)
    except OSError as exc:
        if exc.errno is None:
            # not of a file
            raise
        place = exc.filename or os.path.join(params["state_dir"], params["service"])
        told = f"The records cannot be used: {exc.strerror} ('{place}')."
        return refused(DeployError(told, hint="Free space there, make it writable, or use become."))


def _run_state(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    commands = Commands(settings_from(params), check_mode)
    state = params["state"]
    if state == "sealed":
        return commands.sealed(params["run"], params["decision"], params["reason"])
    release_id = release_id_from(params["release"], "release")
    if state == "rolled_back":
        return commands.rolled_back(release_id, params["reason"])
    return commands.released(params["image"], params["compose"], params["version"], params["commit"], release_id)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the start-up cache of the live release on its own server, and proves that the JVM really uses it.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils import _aot_cache as caches
from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._aot_container import Rehearsal, java_of, uses_cache
from ansible_collections.j4c.deploy.plugins.module_utils._aot_plan import MIB, Observed, Wanted, plan
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file
from ansible_collections.j4c.deploy.plugins.module_utils._memory import available_memory
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import memory_limit
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import observe_slot
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store, now
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"
DEFAULT_MEMORY = 512 * MIB


class Trainer:
    """Gives the live release of a service its start-up cache.

    :param connect: returns a client of the engine's API whose calls may take that many seconds.
    """

    def __init__(self, connect: t.Callable[[float], t.Any], runner: Runner, wanted: Wanted) -> None:
        self._wanted = wanted
        self._api = connect(wanted.timeout)
        self._runner = runner
        self._store = Store(wanted.state_dir, wanted.service)
        self._log = StepLog()
        self._evidence: dict[str, t.Any] = {}

    def converge(self, check_mode: bool) -> dict[str, t.Any]:
        """Train what is missing. A training that fails is told as a warning: the release serves all the same.

        :returns: ``changed``, ``msg``, ``phase``, ``decision``, ``steps``, ``evidence``, ``warnings``.
        :raises DeployError: the records of the releases cannot be read, or the engine does not answer.
        """
        with self._log.step("observe") as note:
            observed = self._observe()
            steps, why = plan(observed, self._wanted.mode)
            note["detail"] = why
        cache = observed.cache.manifest if observed.cache.status in ("good", "failed") else {}
        self._evidence = {"image": observed.image, "java": observed.java, "used": observed.used, "cache": dict(cache)}
        warnings = self._look(observed, steps, why)
        if check_mode:
            for step in steps:
                self._log.add(step, "planned", why)
        elif steps:
            try:
                with self._alone(str(observed.directory)):
                    for step in steps:
                        self._apply(step, observed)
            except (DeployError, OSError) as exc:
                told = exc.msg if isinstance(exc, DeployError) else str(exc)
                warnings.append(f"No start-up cache was made, which delays only the next start: {told}")
                return self._result(False, warnings[-1], warnings)
            finally:
                shutil.rmtree(f"{observed.directory}.new", ignore_errors=True)
        return self._result(bool(steps), f"{', '.join(steps) or 'nothing to do'}: {why}.", warnings)

    def _result(self, changed: bool, msg: str, warnings: list[str]) -> dict[str, t.Any]:
        result = {"changed": changed, "msg": msg, "steps": self._log.results, "evidence": self._evidence}
        return {**result, "warnings": warnings, **verdict(PHASE, "PROCEED")}

    def _observe(self) -> Observed:
        service, live = self._wanted.service, self._store.load_state().live
        view = observe_slot(self._api, service, live["slot"]) if live else None
        if live is None or view is None or view.status != "running":
            return Observed()
        try:
            with open(self._store.path("slots", f"{view.name}.json"), encoding="utf-8") as file:
                slot_file = json.load(file)
        except (OSError, ValueError):
            # without what the slot was started with there is nothing to train by; the next release writes it anew
            slot_file = {}
        directory = aot.mount_of(slot_file, service)
        if directory is None:
            return Observed(view.name, view.container, view.image, slot_file)
        cache = caches.read_cache(directory, view.image)
        java = java_of(self._api, view.container)
        used = uses_cache(self._api, view.container)
        options = aot.read_options(directory)
        return Observed(view.name, view.container, view.image, slot_file, directory, java, cache, options, used)

    def _look(self, observed: Observed, steps: list[str], why: str) -> list[str]:
        """Return what a person should know although it stops nothing."""
        if observed.cache.status == "failed":
            path = os.path.join(str(observed.directory), caches.MANIFEST)
            return [f"{why}: {observed.cache.manifest['reason']} Remove {path} to try it again."]
        if observed.container and observed.directory and (observed.java or 0) < aot.FIRST_JDK:
            return [f"No start-up cache: {why}."]
        if steps or observed.used is not False or observed.cache.status != "good":
            return []
        inspected = engine.inspect_container(self._api, observed.container)
        if inspected and inspected["State"]["StartedAt"] > observed.cache.manifest["created"]:
            return [
                "The live JVM started after its cache was made and does not use it: a file of the class path changed, or an "
                f"agent is in use. Its log ('docker logs {observed.container[:12]}') says why."
            ]
        return []

    @contextlib.contextmanager
    def _alone(self, directory: str) -> t.Iterator[None]:
        with open(os.path.join(os.path.dirname(directory), "lock"), "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DeployError("Another run trains the cache of this service now.") from None
            yield

    def _apply(self, step: str, observed: Observed) -> None:
        directory, new = str(observed.directory), f"{observed.directory}.new"
        options = aot.options_text(self._wanted.mode)
        with self._log.step(step) as note:
            if step == "discard":
                caches.discard(directory)
            elif step == "set":
                aot.write_options(directory, options)
            elif step == "train":
                self._refuse_shortage(directory, observed)
                caches.start_training(directory)
                note["detail"] = self._lasting(directory, observed, lambda: self._rehearsal(observed, new).train())
            elif step == "verify":
                seconds = self._lasting(directory, observed, lambda: self._rehearsal(observed, new).verify())
                self._evidence["seconds"] = round(seconds, 2)
                note["detail"] = f"healthy after {seconds:.2f} s with the cache in use"
            else:
                path = os.path.join(new, aot.CACHE)
                manifest = {
                    "image": observed.image,
                    "java": observed.java,
                    "size": os.stat(path).st_size,
                    "sha256": sha256_file(path),
                    "created": now(),
                    "seconds": self._evidence["seconds"],
                }
                caches.publish(new, directory, manifest, options)
                self._evidence["cache"] = manifest
                note["detail"] = f"{manifest['size']} bytes; used from the next start on"

    def _rehearsal(self, observed: Observed, new: str) -> Rehearsal:
        wanted = self._wanted
        return Rehearsal(
            self._api, self._runner, wanted.service, observed.slot_file, new, wanted.environment, wanted.checks,
            wanted.warm_up, wanted.timeout, wanted.max_bytes,
        )  # fmt: skip

    def _lasting(self, directory: str, observed: Observed, work: t.Callable[[], t.Any]) -> t.Any:
        """Do what, when it fails, would fail again with this image."""
        try:
            return work()
        except DeployError as exc:
            caches.note_failure(directory, observed.image, exc.msg, now())
            self._evidence.update(exc.fields.get("evidence") or {})
            raise

    def _refuse_shortage(self, directory: str, observed: Observed) -> None:
        """Refuse to train where that could harm what serves; another time it may work."""
        wanted = self._wanted
        free = shutil.disk_usage(directory).free
        need = wanted.min_free_bytes + wanted.max_bytes
        if free < need:
            raise DeployError(f"Only {free // MIB} MiB are free at '{directory}', {need // MIB} MiB are needed.")
        section = observed.slot_file["services"][wanted.service]
        memory = (memory_limit(section) or DEFAULT_MEMORY) * 11 // 10
        available = available_memory()
        if available is not None and available < memory:
            raise DeployError(
                f"Only {available // MIB} MiB of memory are available, {memory // MIB} MiB are needed to train beside it."
            )

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-shot containers beside a slot, in which a start-up cache is trained and verified.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._compose import Compose
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._health import Check, Target, wait_healthy
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._release.identity import warm_up
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import WarmUp
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

LOG_LINES = 30


def java_of(api: t.Any, container: str) -> int | None:
    """Return the number of the JDK in a running container, ``None`` when it has no program ``java``.

    :raises DeployError: the engine does not answer.
    """
    with engine.engine_errors(f"Asking container '{container[:12]}' for its JDK"):
        try:
            # without the options of the service, which may ask for a log or an agent
            made = api.exec_create(
                container, ["java", "-version"], environment={aot.VARIABLE: "", "JAVA_TOOL_OPTIONS": ""}
            )
            said = api.exec_start(made["Id"]).decode("utf-8", "replace")
        except engine.docker.errors.APIError as exc:
            # how some engines tell that there is no such program
            said = str(exc.explanation)
    return aot.java_major(said)


def uses_cache(api: t.Any, container: str, proc: str = "/proc") -> bool | None:
    """Return whether a process of a container has the cache in its memory.

    That is the proof: a JVM that drops a cache has opened it, too.

    :param proc: where the kernel shows the memory of processes.
    :returns: ``None`` when that cannot be seen, for example because the engine is on another machine.
    """
    with engine.engine_errors(f"Listing the processes of container '{container[:12]}'"):
        top = api.top(container)
    column = top["Titles"].index("PID")
    seen = None
    for process in top["Processes"]:
        try:
            with open(os.path.join(proc, process[column], "maps"), encoding="utf-8", errors="replace") as file:
                seen = bool(seen) or f"{aot.MOUNT}/{aot.CACHE}" in file.read()
        except OSError:
            continue
    return seen


class Rehearsal:
    """One container beside a slot; it is gone afterwards, whatever happens.

    :param slot_file: what the live slot was started with.
    :param directory: where its JVM finds its options, and writes the cache.
    :param timeout: seconds for each part.
    :param max_bytes: of the cache.
    """

    def __init__(
        self,
        api: t.Any,
        runner: Runner,
        service: str,
        slot_file: t.Mapping[str, t.Any],
        directory: str,
        environment: t.Mapping[str, str],
        checks: t.Sequence[Check],
        plan: WarmUp,
        timeout: float,
        max_bytes: int,
    ) -> None:
        self._api = api
        self._runner = runner
        self._service = service
        self._slot_file = slot_file
        self._directory = directory
        self._environment = environment
        self._checks = checks
        self._plan = plan
        self._timeout = timeout
        self._max_bytes = max_bytes

    def train(self) -> str:
        """Let a JVM write down what it does from its start through the first requests; return one line about it.

        :raises DeployError: it did not become healthy, made no cache, or one that is too large; with the log's end.
        """
        try:
            container, port, seconds = self._start(aot.TRAINING, writable=True)
            with HttpClient() as client:
                sent = warm_up(client, f"http://127.0.0.1:{port}", self._plan)
            stopped = time.monotonic()
            with engine.engine_errors("Stopping the training"):
                # the JVM writes the cache when it ends, with a second one
                self._api.stop(container, timeout=int(self._timeout))
            path = os.path.join(self._directory, aot.CACHE)
            size = os.stat(path).st_size if os.path.isfile(path) else 0
            if not size:
                raise self._failure("The JVM made no cache when it ended.", container)
            if size > self._max_bytes:
                raise DeployError(f"The cache has {size >> 20} MiB, {self._max_bytes >> 20} MiB are allowed.")
            return f"healthy after {seconds:.1f} s; {sent}; written in {time.monotonic() - stopped:.1f} s, {size} bytes"
        finally:
            self._remove()

    def verify(self) -> float:
        """Start a JVM that must use the cache, and return the seconds until it was healthy.

        :raises DeployError: it cannot use it; with the log's end.
        """
        try:
            container, _port, seconds = self._start(aot.VERIFYING, writable=False)
            if uses_cache(self._api, container) is False:
                raise self._failure("The JVM started, but does not use its cache.", container)
            return seconds
        finally:
            self._remove()

    def _start(self, options: str, writable: bool) -> tuple[str, int, float]:
        """Start the container; return its id, its port on 127.0.0.1 and the seconds until it was healthy."""
        self._remove()
        aot.write_options(self._directory, options)
        document = aot.training_document(self._slot_file, self._service, self._directory, self._environment, writable)
        # beside the cache, not where the container could read it: it may hold secrets
        path = f"{self._directory}.json"
        write_json(path, document)
        try:
            compose = Compose(self._runner, document["name"], [path], os.path.dirname(path))
            compose.up([self._service], timeout=self._timeout)
        finally:
            os.unlink(path)
        started = time.monotonic()
        (container,) = self._containers()
        target = int(document["services"][self._service]["ports"][0]["target"])
        with engine.engine_errors("Looking for the port of the training"):
            inspected = self._api.inspect_container(container)
        bound = (inspected["NetworkSettings"]["Ports"] or {}).get(f"{target}/tcp")
        if not bound:
            raise self._failure("The container ended as soon as it was started.", container)
        port = int(bound[0]["HostPort"])

        def gone() -> str | None:
            state = (engine.inspect_container(self._api, container) or {}).get("State") or {}
            return None if state.get("Running") else f"the container ended with exit status {state.get('ExitCode')}"

        def inspect(name: str) -> dict[str, t.Any] | None:
            return engine.inspect_container(self._api, name)

        health = wait_healthy(
            self._checks, Target("127.0.0.1", port, container), inspect, timeout=self._timeout, give_up=gone
        )
        if not health.healthy:
            why = health.reason or f"not healthy after {health.elapsed:.0f} s"
            raise self._failure(f"The service did not become healthy: {why}. {health.failures()}", container)
        return container, port, time.monotonic() - started

    def _failure(self, msg: str, container: str) -> DeployError:
        with engine.engine_errors("Reading the log of the training"):
            log = self._api.logs(container, tail=LOG_LINES).decode("utf-8", "replace")
        return DeployError(msg, evidence={"logs": log.splitlines()})

    def _containers(self) -> list[str]:
        with engine.engine_errors("Listing the containers of the training"):
            found = self._api.containers(all=True, filters={"label": f"{aot.LABEL}={self._service}"})
        return [item["Id"] for item in found]

    def _remove(self) -> None:
        for container in self._containers():
            with engine.engine_errors("Removing the container of the training"):
                try:
                    self._api.remove_container(container, force=True, v=True)
                except engine.docker.errors.NotFound:
                    continue

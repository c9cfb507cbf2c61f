# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A compose project that stays: started when it is not as declared, reloaded when only its configuration files changed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._compose import Compose
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

LOG_LINES = 50
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
HASH_LABEL = "com.docker.compose.config-hash"

Action = t.Literal["start", "reload"]


@dataclass(frozen=True)
class Reload:
    """A service that reads its configuration again on SIGHUP.

    :param service: its name in the project.
    :param path: its configuration directory on this server.
    :param test: argv that checks the configuration inside the running container.
    """

    service: str
    path: str
    test: tuple[str, ...]


@dataclass(frozen=True)
class ServiceView:
    """A declared service and its container: ``state`` is ``absent`` when there is none."""

    name: str
    state: str
    health: str
    image: str
    container: str
    current: bool


@dataclass(frozen=True)
class Step:
    """What has to be done with a service, and why."""

    action: Action
    service: str
    why: str


def tree_hash(path: str) -> str:
    """Return the sha256 over names and contents of all files below a directory."""
    digest = hashlib.sha256()
    for root, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            full = os.path.join(root, name)
            with open(full, "rb") as file:
                digest.update(os.path.relpath(full, path).encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def plan(services: t.Sequence[ServiceView], wanted: t.Mapping[str, str], applied: t.Mapping[str, str]) -> list[Step]:
    """Return what has to be done. Pure.

    :param wanted: hash of the configuration files of each service that can reload.
    :param applied: the hashes that were loaded last.
    """
    steps = []
    for view in services:
        if view.state != "running" or not view.current:
            steps.append(
                Step("start", view.name, view.state if view.state != "running" else "its declaration or image changed")
            )
        elif view.name in wanted and wanted[view.name] != applied.get(view.name):
            steps.append(Step("reload", view.name, "its configuration files changed"))
    return steps


class Stack:
    """One project on this server.

    :param record: file that remembers which configuration files were loaded last.
    :param switch: the gateway's flag directory; its files are made when it has none.
    """

    def __init__(
        self,
        api: t.Any,
        runner: Runner,
        project: str,
        file: str,
        reloads: t.Sequence[Reload],
        record: str,
        switch: Gateway | None,
    ) -> None:
        self._api = api
        self._project = project
        self._compose = Compose(runner, project, [file], os.path.dirname(file))
        self._reloads = {item.service: item for item in reloads}
        self._record = record
        self._switch = switch

    def observe(self) -> list[ServiceView]:
        """Look at each declared service."""
        hashes = self._compose.hashes()
        images = {name: section.get("image", "") for name, section in self._compose.config()["services"].items()}
        with engine.engine_errors(f"Listing the containers of '{self._project}'"):
            found = self._api.containers(all=True, filters={"label": f"{PROJECT_LABEL}={self._project}"})
        by_service = {item["Labels"].get(SERVICE_LABEL): item for item in found}
        views = []
        for name in sorted(hashes):
            item = by_service.get(name)
            image = engine.inspect_image(self._api, images[name])
            if image is None:
                raise DeployError(
                    f"Service '{name}' needs the image '{images[name]}', which this server does not have.",
                    hint="Pull it, load it, or name another one in j4c_images.",
                )
            if item is None:
                views.append(ServiceView(name, "absent", "", images[name], "", False))
                continue
            current = item["Labels"].get(HASH_LABEL) == hashes[name] and item["ImageID"] == image["Id"]
            inspected = engine.inspect_container(self._api, item["Id"]) or {"State": {}}
            health = (inspected["State"].get("Health") or {}).get("Status", "")
            views.append(ServiceView(name, item["State"], health, images[name], item["Id"], current))
        return views

    def converge(self, check_mode: bool, timeout: float) -> dict[str, t.Any]:
        """Bring the project to what its file declares.

        :param timeout: seconds until all services must be healthy.
        :returns: ``changed``, ``services``, ``steps``, ``diff``.
        :raises DeployError: a service does not come up (with its last log lines), or its new configuration is refused.
        """
        before = self.observe()
        wanted = {item.service: tree_hash(item.path) for item in self._reloads.values()}
        steps = plan(before, wanted, self._applied())
        needs_switch = self._switch is not None and not self._switch.exists()
        log = StepLog()
        if check_mode:
            for step in steps:
                log.add(f"{step.action} {step.service}", "planned", step.why)
        else:
            if self._switch is not None and needs_switch:
                self._switch.create()
            self._apply(steps, wanted, log, timeout)
        after = before if check_mode or not steps else self.observe()
        actions = {step.service: step.action for step in steps}
        return {
            "changed": bool(steps) or needs_switch,
            "services": [
                {
                    "name": view.name,
                    "state": view.state,
                    "health": view.health,
                    "image": view.image,
                    "action": actions.get(view.name, "none"),
                }
                for view in after
            ],
            "steps": log.results,
            "diff": {
                "before": "".join(f"{view.name}: {view.state}\n" for view in before),
                "after": "".join(f"{view.name}: {actions.get(view.name) or view.state}\n" for view in before),
            },
        }

    def _applied(self) -> dict[str, str]:
        try:
            with open(self._record, encoding="utf-8") as file:
                return dict(json.load(file))
        except (FileNotFoundError, TypeError, ValueError):
            return {}

    def _apply(self, steps: t.Sequence[Step], wanted: t.Mapping[str, str], log: StepLog, timeout: float) -> None:
        starts = [step.service for step in steps if step.action == "start"]
        if starts:
            with log.step("start " + " ".join(starts)):
                self._start(starts, timeout)
        for step in steps:
            if step.action == "reload":
                with log.step(f"reload {step.service}"):
                    self._reload(self._reloads[step.service])
        if dict(wanted) != self._applied():
            write_json(self._record, dict(wanted))

    def _start(self, services: list[str], timeout: float) -> None:
        try:
            self._compose.up(services, timeout=timeout, deps=True, wait=True)
        except DeployError as exc:
            exc.fields["evidence"] = {"logs": self._logs()}
            raise

    def _logs(self) -> dict[str, list[str]]:
        """Return the last log lines of every service that is not well."""
        logs = {}
        for view in self.observe():
            if view.container and (view.state != "running" or view.health not in ("", "healthy")):
                with engine.engine_errors(f"Reading the log of '{view.name}'"):
                    logs[view.name] = (
                        self._api.logs(view.container, tail=LOG_LINES).decode("utf-8", "replace").splitlines()
                    )
        return logs

    def _reload(self, reload: Reload) -> None:
        container = next(view.container for view in self.observe() if view.name == reload.service)
        with engine.engine_errors(f"Reloading '{reload.service}'"):
            started = self._api.exec_create(container, list(reload.test))
            output = self._api.exec_start(started["Id"]).decode("utf-8", "replace").strip()
            rc = self._api.exec_inspect(started["Id"])["ExitCode"]
            if rc != 0:
                raise DeployError(
                    f"The new configuration of '{reload.service}' is refused: {output.splitlines()[0] if output else rc}.",
                    hint=f"Mend the files below '{reload.path}'; the running service still has the old configuration.",
                    stdout=output,
                )
            self._api.kill(container, "SIGHUP")

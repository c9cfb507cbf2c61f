# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls of the engine's API that the release engine makes, on containers that are only written down."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import docker.errors

PROJECT = "com.docker.compose.project"


def container(
    name: str, status: str = "running", *, labels: t.Mapping[str, str] | None = None, **more: t.Any
) -> dict[str, t.Any]:
    """Return what the engine tells of a container; its id is its name."""
    return {
        "Id": name,
        "Name": f"/{name}",
        "Image": more.get("image", "sha256:image"),
        "RestartCount": 0,
        "State": {"Status": status, "Running": status in ("running", "paused"), "ExitCode": 0, "Pid": 0},
        "Config": {"Labels": dict(labels or {}), "Env": ["PASSWORD=secret"], "StopTimeout": more.get("stop_timeout")},
        "HostConfig": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "Memory": 0},
        "NetworkSettings": {"Networks": more.get("networks", {}), "Ports": {}},
    }


def in_slot(name: str, slot: str, status: str = "running", release: str = "v1", **more: t.Any) -> dict[str, t.Any]:
    """Return a container of service ``shop`` in a slot."""
    labels = {PROJECT: f"shop-{slot}", "io.j4c.slot": slot, "io.j4c.release": release}
    return container(name, status, labels=labels, **more)


def conflict(text: str, status: int = 409) -> docker.errors.APIError:
    """Return an error as the engine answers it."""
    return docker.errors.APIError(text, SimpleNamespace(status_code=status, url="", reason=""), text)


class FakeDocker:
    """Containers by id; ``calls`` are those that change something, as text.

    ``output`` and ``rc`` are what a process started in a container says, unless ``says`` has answers for the program, one
    after the other; ``broken`` maps the name of a call to its error.
    """

    def __init__(self, *containers: dict[str, t.Any]) -> None:
        self.views = {item["Id"]: item for item in containers}
        self.images: dict[str, dict[str, t.Any]] = {}
        self.known_networks: dict[str, dict[str, t.Any]] = {}
        self.calls: list[str] = []
        self.broken: dict[str, BaseException] = {}
        self.says: dict[str, list[bytes]] = {}
        self.output = b""
        self.rc = 0
        self.root = "/"

    def _call(self, name: str, *args: object) -> None:
        self.calls.append(" ".join(map(str, (name, *args))))
        if name in self.broken:
            raise self.broken[name]

    def _view(self, name: str) -> dict[str, t.Any]:
        if name not in self.views:
            raise docker.errors.NotFound(f"No such container: {name}", explanation=f"No such container: {name}")
        return self.views[name]

    def containers(self, all: bool, filters: t.Mapping[str, str] | None = None) -> list[dict[str, t.Any]]:  # noqa: A002
        if "containers" in self.broken:
            raise self.broken["containers"]
        key, _unused, value = (filters or {"label": "="})["label"].partition("=")
        return [
            {
                "Id": item["Id"],
                "Names": [item["Name"]],
                "Ports": [{"PublicPort": port} for port in item.get("published", ())],
                "Labels": item["Config"]["Labels"],
                "State": item["State"]["Status"],
                "ImageID": item["Image"],
            }
            for item in self.views.values()
            if item["Config"]["Labels"].get(key, "") == value and (all or item["State"]["Running"])
        ]

    def inspect_container(self, name: str) -> dict[str, t.Any]:
        return self._view(name)

    def inspect_image(self, name: str) -> dict[str, t.Any]:
        if name not in self.images:
            raise docker.errors.ImageNotFound(f"No such image: {name}")
        return self.images[name]

    def remove_image(self, name: str, force: bool) -> None:
        self._call("remove_image", name)
        assert not force
        for image, found in list(self.images.items()):
            tags = found.get("RepoTags") or []
            if name in (image, *tags):
                found["RepoTags"] = [tag for tag in tags if tag != name]
                if not found["RepoTags"]:
                    del self.images[image]
                return
        raise docker.errors.ImageNotFound(f"No such image: {name}")

    def _set(self, call: str, name: str, status: str) -> None:
        self._call(call, name)
        state = self._view(name)["State"]
        state.update(Status=status, Running=status in ("running", "paused"))

    def pause(self, name: str) -> None:
        self._set("pause", name, "paused")

    def unpause(self, name: str) -> None:
        self._set("unpause", name, "running")

    def start(self, name: str) -> None:
        self._set("start", name, "running")

    def stop(self, name: str, timeout: int) -> None:
        self._set("stop", name, "exited")

    def kill(self, name: str, signal: str) -> None:
        self._call("kill", name, signal)

    def update_container(self, name: str, restart_policy: dict[str, t.Any]) -> None:
        self._call("restart", name, restart_policy["Name"], restart_policy["MaximumRetryCount"])
        self._view(name)["HostConfig"]["RestartPolicy"] = restart_policy

    def remove_container(self, name: str, force: bool, v: bool) -> None:
        self._call("remove", name)
        self._view(name)
        del self.views[name]

    def logs(self, name: str, tail: int) -> bytes:
        self._view(name)
        return b"started\nbroke \xff\n"

    def exec_create(self, name: str, argv: list[str]) -> dict[str, str]:
        self._call("exec", name, *argv)
        return {"Id": argv[0]}

    def exec_start(self, program: str) -> bytes:
        answers = self.says.get(program, [self.output])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def exec_inspect(self, _program: str) -> dict[str, int]:
        return {"ExitCode": self.rc}

    def networks(self) -> list[dict[str, t.Any]]:
        return [{"Name": name, "Id": name} for name in self.known_networks]

    def inspect_network(self, name: str) -> dict[str, t.Any]:
        return self.known_networks[name]

    def info(self) -> dict[str, str]:
        return {"DockerRootDir": self.root}

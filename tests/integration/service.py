# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service in a container that answers what a test tells it to: NGINX with a configuration and files of the test."""

from __future__ import annotations

import io
import tarfile
import time
import typing as t
import uuid

import docker

IMAGE = "nginx:1.28"
PORT = 8080
CONFIGURATION = "etc/nginx/conf.d/default.conf"


class Service:
    """Containers with names that nobody else has; ``remove`` ends them."""

    def __init__(self) -> None:
        self.api = docker.from_env().api
        self.name = f"j4c-test-health-{uuid.uuid4().hex[:12]}"
        self._containers: list[str] = []

    def run(
        self,
        command: list[str] | None = None,
        locations: str = "",
        files: t.Mapping[str, str] | None = None,
        **options: t.Any,
    ) -> str:
        """Start a container and return its name.

        :param command: what it runs; NGINX when omitted.
        :param locations: ``location`` blocks of NGINX.
        :param files: content by path below ``/``.
        :param options: ``healthcheck``, or options of the host configuration.
        """
        name = f"{self.name}-{len(self._containers)}"
        healthcheck = options.pop("healthcheck", None)
        bindings = {} if command else {PORT: ("127.0.0.1", None)}
        made = self.api.create_container(
            IMAGE,
            command,
            name=name,
            ports=[PORT],
            healthcheck=healthcheck,
            # what the image starts with is not of interest to a command
            entrypoint="" if command else None,
            host_config=self.api.create_host_config(port_bindings=bindings, **options),
        )
        self._containers.append(made["Id"])
        self.put(made["Id"], {CONFIGURATION: f"server {{ listen {PORT}; {locations} }}", **(files or {})})
        self.api.start(made["Id"])
        return name

    def put(self, container: str, files: t.Mapping[str, str]) -> None:
        """Write files into a container."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, text in files.items():
                content = text.encode()
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(content), 0o644
                tar.addfile(member, io.BytesIO(content))
        assert self.api.put_archive(container, "/", archive.getvalue())

    def port(self, name: str) -> int:
        """Return the port of this machine that a container answers on."""
        return int(self.api.inspect_container(name)["NetworkSettings"]["Ports"][f"{PORT}/tcp"][0]["HostPort"])

    def wait(self, name: str, reached: t.Callable[[dict[str, t.Any]], bool], timeout: float = 180.0) -> None:
        """Wait until what the engine knows of a container is as wanted."""
        deadline = time.monotonic() + timeout
        while not reached(self.api.inspect_container(name)):
            assert time.monotonic() < deadline, self.api.inspect_container(name)["State"]
            time.sleep(0.02)

    def remove(self) -> None:
        """Remove the containers."""
        for container in self._containers:
            self.api.remove_container(container, force=True, v=True)

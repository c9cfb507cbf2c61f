# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of their own for tests: a Docker engine and sshd in a container, reached over SSH."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import docker
import docker.errors
import requests

from tests.integration import claims

IMAGE = "j4c-server:trixie"
READY_SECONDS = 180
# an engine in a container that nobody stops, because the tests were killed, ends by itself
LIFETIME_SECONDS = 3600


class Keys:
    """A key pair in a directory with a short path, and the options for ssh that go with it."""

    def __init__(self) -> None:
        # sockets of connections lie there too, and their paths may have some 100 characters only
        self.folder = Path(tempfile.mkdtemp(prefix="j4c-", dir="/tmp"))
        self.path = self.folder / "key"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.path)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=60)

    @property
    def public(self) -> str:
        """The public key."""
        return self.path.with_suffix(".pub").read_text(encoding="ascii").strip()

    def variables(self, port: int, user: str = "deploy") -> dict[str, t.Any]:
        """Return the variables of a host for Ansible."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_ssh_timeout": 60,
            "ansible_user": user,
            "ansible_ssh_private_key_file": str(self.path),
            "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
            "-o IdentitiesOnly=yes",
            "ansible_control_path_dir": str(self.folder / "cp"),
            "ansible_become": user != "root",
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def remove(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """One server.

    :param containerd: whether its engine uses the containerd image store.
    """

    def __init__(self, keys: Keys, containerd: bool) -> None:
        self.port = claims.port()
        self.socket = keys.folder / ("d" if containerd else "c")
        self.socket.mkdir()
        self._api = docker.from_env().api
        self.name = f"j4c-it-server-{secrets.token_hex(4)}"
        made = self._api.create_container(
            IMAGE,
            name=self.name,
            environment={
                "AUTHORIZED_KEY": keys.public,
                "CONTAINERD_STORE": str(containerd).lower(),
                "LIFETIME": str(LIFETIME_SECONDS),
            },
            host_config=self._api.create_host_config(
                privileged=True,
                auto_remove=True,
                port_bindings={22: ("127.0.0.1", self.port)},
                binds=[f"{self.socket}:/run/outside"],
                tmpfs={"/small": "size=256k,mode=1777"},
            ),
        )
        self._id = made["Id"]
        self._api.start(self._id)

    @property
    def docker_host(self) -> str:
        """The address of its engine on this machine."""
        return f"unix://{self.socket}/docker.sock"

    def ready(self) -> Server:
        """Wait until its engine answers."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                docker.DockerClient(base_url=self.docker_host, version="auto").ping()
                return self
            except (docker.errors.DockerException, requests.RequestException):
                assert time.monotonic() < deadline, self._api.logs(self._id).decode()
                time.sleep(0.2)

    @property
    def engine(self) -> docker.DockerClient:
        """A client of its engine."""
        return docker.DockerClient(base_url=self.docker_host, version="auto", timeout=300)

    def run(self, *argv: str) -> str:
        """Run a program on it as root and return its output."""
        started = self._api.exec_create(self._id, list(argv))
        return str(self._api.exec_start(started["Id"]).decode())

    def remove(self) -> None:
        """Remove it with its volumes."""
        try:
            self._api.remove_container(self._id, force=True, v=True)
        except docker.errors.APIError as exc:
            # it removes itself when it ends, which may be under way
            if exc.response.status_code not in (404, 409):
                raise

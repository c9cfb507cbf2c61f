# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers, one of each image store, and the role ship that brings them images."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import typing as t
from pathlib import Path

import docker
import docker.errors

from tests.integration.images import Images
from tests.integration.run_module import ROOT
from tests.integration.server import Keys, Server

STORES = ("classic", "containerd")
PLAY = """
- hosts: builder
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        __image: "{{ image_result }}"
- hosts: servers
  gather_facts: false
  roles:
    - j4c.deploy.ship
  tasks:
    - ansible.builtin.copy:
        content: "{{ {'asked': __ship_asked, 'packed': __ship_packed, 'ship': __ship} | to_json }}"
        dest: "{{ results }}/{{ inventory_hostname }}.json"
        mode: "0600"
      delegate_to: localhost
      become: false
      check_mode: false
      vars:
        ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""


class Fleet:
    """The two servers, this machine as the builder, and playbooks that run the role ship."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.seconds = 0.0
        self.keys = Keys()
        self.servers: dict[str, Server] = {}
        self.images = Images(folder / "images")
        (folder / "play.yml").write_text(PLAY, encoding="utf-8")

    def start(self) -> Fleet:
        """Start both servers, and wait for them."""
        for store in STORES:
            self.servers[store] = Server(self.keys, store == "containerd")
        for server in self.servers.values():
            server.ready()
        return self

    def stop(self) -> None:
        """Remove everything."""
        for server in self.servers.values():
            server.remove()
        self.images.remove()
        self.keys.remove()

    def ship(
        self,
        image: t.Mapping[str, t.Any],
        hosts: t.Sequence[str] = STORES,
        *arguments: str,
        builder: str = "localhost",
        host_vars: t.Mapping[str, t.Any] | None = None,
        **variables: t.Any,
    ) -> tuple[dict[str, dict[str, t.Any]], str]:
        """Run the role, and return what it registered for each host that got to the end, and Ansible's output."""
        results = self.folder / f"results-{len(list(self.folder.iterdir()))}"
        results.mkdir()
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
        every: dict[str, t.Any] = {"localhost": here}
        for store, server in self.servers.items():
            every[store] = {**self.keys.variables(server.port), **(host_vars or {})}
        shipping = {
            "image_result": {"image": dict(image)},
            "results": str(results),
            "j4c_service": self.images.name,
            "j4c_state_dir": "/var/lib/j4c",
            "j4c_ship_cache": str(self.folder / "cache"),
            "j4c_min_free_mb": 1,
            **variables,
        }
        groups: dict[str, t.Any] = {
            "builder": {"hosts": {builder: {}}},
            "servers": {"hosts": {host: {} for host in hosts}},
        }
        inventory = {"all": {"hosts": every, "vars": shipping, "children": groups}}
        path = results / "hosts.json"
        path.write_text(json.dumps(inventory), encoding="utf-8")
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(path), str(self.folder / "play.yml")]
        started = time.monotonic()
        done = subprocess.run(
            [*argv, *arguments],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_HOST_KEY_CHECKING": "false"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        self.seconds = time.monotonic() - started
        found = {file.stem: json.loads(file.read_text("utf-8")) for file in results.glob("*.json") if file != path}
        return found, done.stdout

    def content(self, store: str, image_id: str, path: str) -> bytes:
        """Return a file of an image as a container on the server has it."""
        api = self.servers[store].engine.api
        made = api.create_container(image_id, command="none")
        try:
            stream, _about = api.get_archive(made["Id"], path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
                (member,) = archive.getmembers()
                content = archive.extractfile(member)
                assert content is not None
                return content.read()
        finally:
            api.remove_container(made["Id"], v=True)

    def left(self, store: str) -> list[str]:
        """Return the files of archives that lie on a server."""
        return self.servers[store].run("sh", "-c", "find /var/tmp -path '*j4c-ship*' -type f").split()

    def forget(self, store: str) -> None:
        """Remove all images of a server."""
        engine = self.servers[store].engine
        for image in engine.images.list(all=True):
            with contextlib.suppress(docker.errors.ImageNotFound):
                engine.api.remove_image(image.id, force=True)

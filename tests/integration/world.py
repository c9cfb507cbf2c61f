# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole service on this machine under a name of its own: stack, images, releases, and a look at what is really there."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import docker
import requests
import yaml

from tests.integration import claims
from tests.integration.run_module import ROOT, result_of, run_module, start_module

EXAMPLE = ROOT / "examples/aurigraph-v11"
SHARED = ROOT / ".work/test"
SERVICE = "aurigraph-v11"
DEFAULTS = yaml.safe_load((ROOT / "roles/j4c/defaults/main.yml").read_text(encoding="utf-8"))
GOOD = "a" * 40
NEXT = "b" * 40


def playbook(path: Path | str, *args: str, env: t.Mapping[str, str] | None = None, check: bool = True) -> str:
    """Run ansible-playbook in the checkout and return its output."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(path), *args],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def artifact(scratch: Path) -> dict[str, t.Any]:
    """Return the example's verified artifact; it is built once and shared by all tests of this checkout."""
    SHARED.mkdir(parents=True, exist_ok=True)
    with open(SHARED / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        workspace = [sys.executable, str(ROOT / "tests/demo/workspace.py"), "--folder", str(SHARED)]
        subprocess.run(workspace, check=True, capture_output=True)
        clone = SHARED / SERVICE
        # the tests build what the checkout has, whatever it was when the clone was made
        shutil.rmtree(clone / "src")
        shutil.copytree(EXAMPLE / "src", clone / "src")
        for name in ("pom.xml", "Dockerfile", "compose.yaml"):
            shutil.copy2(EXAMPLE / name, clone / name)
        options = {"project": str(clone), "name": "aurigraph-v11-standalone", "store": str(SHARED / "artifacts")}
        built = run_module("maven_build", scratch, options)
        assert not built.get("failed"), built
        return dict(built["artifact"])


class World:
    """One service of its own: name, ports, subnet, state.

    :param folder: an empty directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"it-{secrets.token_hex(3)}"
        self.net = claims.network()
        self.port = claims.port()
        self.slot_ports = {"blue": claims.port(), "green": claims.port()}
        self.prometheus_port = claims.port()
        self.state_dir = folder / "state"
        self.root = self.state_dir / self.name
        self.api = docker.from_env().api
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._images: dict[str, str] = {}

    @property
    def variables(self) -> dict[str, t.Any]:
        """The variables of the playbooks that make this service."""
        return {
            "j4c_service": self.name,
            "j4c_gateway_port": self.port,
            "j4c_state_dir": str(self.state_dir),
            "j4c_slot_ports": self.slot_ports,
            "j4c_edge_subnet": f"{self.net}.0/24",
            "j4c_edge_range": f"{self.net}.128/25",
            "j4c_edge_addresses": {"gateway": f"{self.net}.2", "blue": f"{self.net}.11", "green": f"{self.net}.12"},
            "j4c_prometheus_port": self.prometheus_port,
            "j4c_grafana": False,
        }

    def start(self) -> World:
        """Bring the stack up."""
        (self.folder / "vars.json").write_text(json.dumps(self.variables), encoding="utf-8")
        playbook("playbooks/stack.yml", "-e", f"@{self.folder}/vars.json")
        return self

    def stop(self) -> None:
        """Remove everything that carries this service's name."""
        for container in self.api.containers(all=True):
            if any(name.startswith(f"/{self.name}-") for name in container["Names"]):
                self.api.remove_container(container["Id"], force=True, v=True)
        for network in self.api.networks():
            if network["Name"].startswith(f"{self.name}-"):
                self.api.remove_network(network["Id"])
        for volume in self.api.volumes()["Volumes"] or []:
            if volume["Name"].startswith(f"{self.name}-"):
                self.api.remove_volume(volume["Name"], force=True)
        for image in self.api.images(self.name):
            for tag in image["RepoTags"]:
                self.api.remove_image(tag)

    def image(self, commit: str) -> str:
        """Return the name of an image of the example that says it is built from ``commit``."""
        if commit not in self._images:
            options = {
                "name": self.name,
                "version": "11.4.4",
                "commit": {"id": commit, "short": commit[:7], "time": "2026-01-31T12:00:00+00:00"},
                "artifact": artifact(self.scratch),
                "dockerfile": str(EXAMPLE / "Dockerfile"),
                # the image must be nobody else's, or removing it here takes it from another test
                "labels": {"org.example.world": self.name},
            }
            built = run_module("container_image", self.scratch, options)
            assert not built.get("failed"), built
            self._images[commit] = f"{self.name}:11.4.4-{commit[:7]}"
        return self._images[commit]

    def compose(self, **environment: str) -> str:
        """Return the example's own compose file under this service's name, with more environment."""
        document = yaml.safe_load((EXAMPLE / "compose.yaml").read_text(encoding="utf-8").replace(SERVICE, self.name))
        document["services"][self.name].setdefault("environment", {}).update(environment)
        return str(yaml.safe_dump(document))

    def options(self, **more: t.Any) -> dict[str, t.Any]:
        """Return options of compose_release for this service."""
        return {
            "service": self.name,
            "port": 9003,
            "state_dir": str(self.state_dir),
            "project_dir": str(self.root / "config"),
            "gateway_url": f"http://127.0.0.1:{self.port}",
            "addresses": {"blue": f"{self.net}.11", "green": f"{self.net}.12"},
            "slot_ports": self.slot_ports,
            "checks": DEFAULTS["j4c_health_checks"],
            "identity": DEFAULTS["j4c_identity"],
            "database": {"container": f"{self.name}-core-postgres-1", "user": "aurigraph", "name": "aurigraph"},
            "watch_seconds": 1.0,
            "startup_timeout": 180.0,
            **more,
        }

    def release_options(
        self, commit: str, environment: t.Mapping[str, str] | None = None, **more: t.Any
    ) -> dict[str, t.Any]:
        """Return the options that release ``commit``."""
        usual = {"state": "released", "image": self.image(commit), "compose": self.compose(**(environment or {}))}
        return self.options(**{**usual, **more})

    def release(
        self, commit: str, environment: t.Mapping[str, str] | None = None, *, check: bool = False, **more: t.Any
    ) -> dict[str, t.Any]:
        """Release a version of the example and return the module's result."""
        return run_module(
            "compose_release", self.scratch, self.release_options(commit, environment, **more), check=check
        )

    def start_release(
        self, commit: str, environment: t.Mapping[str, str] | None = None, **more: t.Any
    ) -> subprocess.Popen[str]:
        """Start a release and return the module's process."""
        return start_module("compose_release", self.scratch, self.release_options(commit, environment, **more))

    def rollback(self, *, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
        """Roll back and return the module's result."""
        return run_module("compose_release", self.scratch, self.options(state="rolled_back", **more), check=check)

    def info(self) -> dict[str, t.Any]:
        """Return what release_info says."""
        options = {
            "service": self.name,
            "state_dir": str(self.state_dir),
            "slot_ports": self.slot_ports,
            "checks": DEFAULTS["j4c_health_checks"],
        }
        return run_module("release_info", self.scratch, options)

    def result(self, process: subprocess.Popen[str]) -> dict[str, t.Any]:
        """Wait for a module's process and return its result."""
        return result_of(process)

    def get(self, path: str) -> requests.Response:
        """Ask through the gateway."""
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def serving(self) -> str:
        """Return the commit that answers through the gateway."""
        return str(self.get("/api/v11/health").json()["commit"])

    @property
    def flag(self) -> str:
        """The slot that the gateway's flag names."""
        return "green" if (self.root / "gateway/green").exists() else "blue"

    @property
    def state(self) -> dict[str, t.Any]:
        """What state.json says."""
        return dict(json.loads((self.root / "state.json").read_text(encoding="utf-8")))

    def containers(self) -> dict[str, dict[str, t.Any]]:
        """Return the inspected containers of both slots by slot; more than one in a slot is an error."""
        found: dict[str, dict[str, t.Any]] = {}
        for item in self.api.containers(all=True):
            project = item["Labels"].get("com.docker.compose.project", "")
            slot = project[len(self.name) + 1 :]
            if project.startswith(f"{self.name}-") and slot in ("blue", "green"):
                assert slot not in found, f"two containers in slot {slot}"
                found[slot] = self.api.inspect_container(item["Id"])
        return found

    def sql(self, query: str) -> str:
        """Ask the database."""
        argv = ["psql", "-XAtqw", "-U", "aurigraph", "-d", "aurigraph", "-c", query]
        started = self.api.exec_create(f"{self.name}-core-postgres-1", argv)
        return str(self.api.exec_start(started["Id"]).decode().strip())

    def idle(self, timeout: float = 240.0) -> None:
        """Wait until no run is at work, for example one that still drains in the background."""
        deadline = time.monotonic() + timeout
        with open(self.root / "lock", "a", encoding="ascii") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    assert time.monotonic() < deadline, "a run does not end"
                    time.sleep(0.05)

    def journal_size(self) -> int:
        """Return the bytes that the journal has now."""
        path = self.root / "journal.jsonl"
        return path.stat().st_size if path.exists() else 0

    def wait_for_step(self, step: str, event: str = "intent", *, since: int, timeout: float = 240.0) -> int:
        """Wait until the journal has an event of a step after its first ``since`` bytes; return the engine's process."""
        path = self.root / "journal.jsonl"
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not path.exists():
                time.sleep(0.005)
                continue
            with open(path, encoding="utf-8") as file:
                file.seek(since)
                for line in file:
                    if line.endswith("\n") and (json.loads(line)["step"], json.loads(line)["event"]) == (step, event):
                        return int(json.loads((self.root / "lock").read_text(encoding="utf-8"))["pid"])
            time.sleep(0.005)
        raise AssertionError(f"step {step} was not reached in {timeout:g} s")

    def assert_good(self, commit: str, standby: str | None = None) -> None:
        """Check that exactly one slot is live, everything agrees on it, and nothing is left lying about.

        :param standby: status that the other slot's container must have; none may be there when it is ``None``.
        """
        self.idle()
        assert self.serving() == commit
        state, containers = self.state, self.containers()
        assert state["run"] is None
        assert state["live"]["slot"] == self.flag
        live = containers.pop(self.flag)
        assert live["State"]["Status"] == "running"
        assert live["Config"]["Labels"]["io.j4c.release"] == state["live"]["release"]
        assert live["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert [item["State"]["Status"] for item in containers.values()] == ([standby] if standby else [])
        assert all(item["HostConfig"]["RestartPolicy"]["Name"] == "no" for item in containers.values())
        for line in (self.root / "journal.jsonl").read_text(encoding="utf-8").splitlines():
            assert json.loads(line)["run"]
        assert not [path for path in self.root.rglob("*") if path.name.endswith((".tmp", ".verdict", ".request"))]
        images = {item["image"]["id"] for item in self.info()["releases"]}
        assert live["Image"] in images

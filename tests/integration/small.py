# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service so small that it starts at once, behind the real gateway: for tests that release it over and over."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from pathlib import Path

import jinja2
import requests
import yaml

from tests.integration.run_module import ROOT, run_module
from tests.integration.world import DEFAULTS, World

NGINX = DEFAULTS["j4c_images"]["nginx"]
PORT = 8080
# answers every path with what it is; TEST_STATUS is the status it answers with
SERVE = """
cat > /etc/nginx/conf.d/default.conf <<END
server {
    listen 8080;
    location / {
        default_type application/json;
        return ${TEST_STATUS:-200} '{"status":"UP","commit":"$J4C_COMMIT"}';
    }
}
END
exec nginx -g 'daemon off;'
"""
CHECKS = [
    {"name": "health", "kind": "http", "path": "/", "json": {"/status": "UP"}},
    {"name": "container", "kind": "container"},
    {"name": "port", "kind": "port"},
]


class SmallWorld(World):
    """One small service of its own; there is no database."""

    def start(self) -> SmallWorld:
        """Make the networks and the gateway, with the configuration that the stack role writes."""
        for path in ("config", "gateway", "core"):
            (self.root / path).mkdir(parents=True)
        for name in ("present", "green.off"):
            (self.root / "gateway" / name).touch()
        variables = {**DEFAULTS, **self.variables, "j4c_port": PORT, "j4c_gateway_keepalive": "200ms"}
        template = (ROOT / "roles/stack/templates/gateway.conf.j2").read_text(encoding="utf-8")
        text = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(template)
        (self.root / "core/gateway.conf").write_text(text.render(variables), encoding="utf-8")
        pool = {"Subnet": variables["j4c_edge_subnet"], "IPRange": variables["j4c_edge_range"]}
        self.api.create_network(f"{self.name}-edge", driver="bridge", ipam={"Driver": "default", "Config": [pool]})
        self.api.create_network(f"{self.name}-data", driver="bridge", internal=True)
        binds = [f"{self.root}/core:/etc/nginx/conf.d:ro", f"{self.root}/gateway:/gateway:ro"]
        address = self.api.create_endpoint_config(ipv4_address=variables["j4c_edge_addresses"]["gateway"])
        made = self.api.create_container(
            NGINX,
            name=f"{self.name}-core-gateway-1",
            ports=[self.port],
            host_config=self.api.create_host_config(binds=binds, port_bindings={self.port: ("127.0.0.1", self.port)}),
            networking_config=self.api.create_networking_config({f"{self.name}-edge": address}),
        )
        self.api.start(made["Id"])
        self._wait_for_gateway()
        return self

    def _wait_for_gateway(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.get("/-/gateway").status_code == 200:
                    return
            except requests.ConnectionError:
                assert time.monotonic() < deadline, "the gateway does not start"
            time.sleep(0.02)

    def image(self, commit: str) -> str:
        """Return the name of an image that says it is built from ``commit``."""
        if commit not in self._images:
            made = self.api.create_container(NGINX)
            labels = {
                "org.opencontainers.image.version": "11.4.4",
                "org.opencontainers.image.revision": commit,
                "org.example.world": self.name,
            }
            conf = {"Entrypoint": ["sh", "-c", SERVE], "Cmd": [], "Labels": labels, "StopSignal": "SIGTERM"}
            self.api.commit(made["Id"], self.name, f"11.4.4-{commit[:7]}", conf=conf)
            self.api.remove_container(made["Id"], force=True)
            self._images[commit] = f"{self.name}:11.4.4-{commit[:7]}"
        return self._images[commit]

    def compose(self, **environment: str) -> str:
        """Return a compose file as an owner would write it."""
        section = {"image": self.name, "container_name": self.name, "environment": environment}
        return str(yaml.safe_dump({"services": {self.name: section}}))

    def options(self, **more: t.Any) -> dict[str, t.Any]:
        """Return options of compose_release for this service."""
        usual = super().options(
            port=PORT,
            checks=CHECKS,
            identity={"path": "/", "pointer": "/commit"},
            watch_seconds=0.2,
            force_reason="a test",
        )
        usual.pop("database")
        return {**usual, **more}

    def info(self) -> dict[str, t.Any]:
        """Return what release_info says."""
        options = {
            "service": self.name,
            "state_dir": str(self.state_dir),
            "slot_ports": self.slot_ports,
            "checks": CHECKS,
        }
        return run_module("release_info", self.scratch, options)

    def freeze(self, **options: t.Any) -> dict[str, t.Any]:
        """Run release_freeze."""
        how = {"check": options.pop("check", False)}
        return run_module(
            "release_freeze", self.scratch, {"service": self.name, "state_dir": str(self.state_dir), **options}, **how
        )


class Visitor(threading.Thread):
    """Asks through the gateway again and again, each time on a new connection, and never twice for the same answer."""

    def __init__(self, world: SmallWorld) -> None:
        super().__init__(daemon=True)
        self._url = f"http://127.0.0.1:{world.port}/"
        self._over = threading.Event()
        self.asked = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Ask until it is over."""
        while not self._over.is_set():
            self.asked += 1
            try:
                response = requests.get(self._url, headers={"Connection": "close"}, timeout=30)
                if response.status_code != 200:
                    self.failures.append(f"status {response.status_code}: {response.text[:80]}")
            except requests.RequestException as exc:
                self.failures.append(repr(exc))
            time.sleep(0.01)

    def __enter__(self) -> Visitor:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self.join()


def small_world(folder: Path) -> t.Iterator[SmallWorld]:
    """Give a small service that is removed afterwards, whatever happens."""
    made = SmallWorld(folder)
    try:
        yield made.start()
    finally:
        # an engine that is still at work would make what is removed here
        with contextlib.suppress(AssertionError, OSError):
            made.idle()
        made.stop()

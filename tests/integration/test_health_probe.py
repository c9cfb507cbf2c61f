# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_probe against real containers and a real gRPC server."""

from __future__ import annotations

import contextlib
import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.integration.run_module import ROOT, result_of, run_module, start_module
from tests.integration.service import CONFIGURATION, Service

METRICS = (ROOT / "tests/unit/fixtures/metrics/quarkus.prom").read_text(encoding="utf-8")
LOCATIONS = """
location = /q/health { return 200 '{"status": "UP", "checks": []}'; }
location = /q/metrics { default_type text/plain; alias /srv/metrics; }
location = /api/v11/health { return 200 '{"status": "UP", "version": "11.4.4"}'; }
location = /login { return 302 /q/health; }
"""
FIVE: list[dict[str, t.Any]] = [
    {"name": "health", "kind": "http", "path": "/q/health", "json": {"/status": "UP"}},
    {"name": "metrics", "kind": "metrics", "path": "/q/metrics"},
    {
        "name": "api",
        "kind": "http",
        "path": "/api/v11/health",
        "json_not_empty": True,
        "version_pointer": "/version",
    },
    {"name": "container", "kind": "container"},
    {"name": "port", "kind": "port"},
]
CONTAINER = [FIVE[3]]


@pytest.fixture(scope="module")
def service() -> t.Iterator[Service]:
    made = Service()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def live(service: Service) -> str:
    """A container that is well."""
    return service.run(locations=LOCATIONS, files={"srv/metrics": METRICS})


def probe(scratch: Path, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run_module("health_probe", scratch, options, check=check)


@pytest.mark.parametrize("check", [False, True])
def test_the_five_checks_pass(service: Service, live: str, tmp_path: Path, check: bool) -> None:
    port = service.port(live)
    result = probe(tmp_path, port=port, container=live, checks=FIVE, version="11.4.4", timeout=30, check=check)
    assert not result["changed"]
    health = result["health"]
    assert health["healthy"]
    assert [(item["name"], item["healthy"]) for item in health["checks"]] == [(item["name"], True) for item in FIVE]
    observed = {item["name"]: item["observed"] for item in health["checks"]}
    assert json.loads(observed["health"]) == {"status": "UP", "checks": []}
    assert observed["metrics"] == "356 lines, 176 samples"
    assert observed["container"] == "status running"
    assert observed["port"] == f"127.0.0.1:{port}"


def test_every_check_that_fails_is_told(service: Service, live: str, tmp_path: Path) -> None:
    checks = [
        *FIVE,
        {"name": "redirect", "kind": "http", "path": "/login"},
        {"name": "elsewhere", "kind": "port", "port": 1},
    ]
    probe(tmp_path, port=service.port(live), checks=[{"name": "up", "kind": "http", "path": "/q/health"}], timeout=30)
    result = probe(tmp_path, port=service.port(live), container=live, checks=checks, version="11.4.5")
    assert result["failed"]
    bad = {item["name"] for item in result["health"]["checks"] if not item["healthy"]}
    assert bad == {"api", "redirect", "elsewhere"}
    for part in (
        "'/version' is '11.4.4', not '11.4.5'",
        "status 302, leading to ",
        "port 1 is not bound",
        "docker logs",
    ):
        assert part in result["msg"]


def test_it_waits_for_a_service_that_comes_up(service: Service, tmp_path: Path) -> None:
    name = service.run()
    port = service.port(name)
    check = {"name": "api", "kind": "http", "path": "/late"}
    process = start_module("health_probe", tmp_path, {"port": port, "checks": [check], "timeout": 60, "interval": 0.05})
    # it has asked, so it is waiting
    service.wait(name, lambda _found: "GET /late" in service.api.logs(name).decode())
    service.put(name, {CONFIGURATION: "server { listen 8080; location = /late { return 200 'x'; } }"})
    service.api.kill(name, "HUP")
    result = result_of(process)
    assert result["health"]["healthy"]
    assert result["health"]["attempts"] > 1


def test_the_time_limit_ends_waiting(service: Service, live: str, tmp_path: Path) -> None:
    check = {"name": "api", "kind": "http", "path": "/nope"}
    result = probe(tmp_path, port=service.port(live), checks=[check], timeout=5, interval=0.05)
    assert result["failed"]
    assert "is not healthy within 5 s: api:" in result["msg"]
    assert result["health"]["attempts"] > 1
    assert result["health"]["elapsed"] >= 5


def test_a_container_that_crashes_and_is_restarted(service: Service, tmp_path: Path) -> None:
    name = service.run(["sh", "-c", "sleep 0.2; exit 3"], restart_policy={"Name": "always", "MaximumRetryCount": 0})
    service.wait(name, lambda found: found["RestartCount"] > 0)
    result = probe(tmp_path, port=1, container=name, checks=CONTAINER)
    assert result["failed"]
    (check,) = result["health"]["checks"]
    assert "restarted" in check["detail"] or "restarting" in check["detail"]


@pytest.mark.parametrize(
    ("command", "options", "state", "detail"),
    [
        (["sh", "-c", "exit 3"], {}, lambda found: found["State"]["Status"] == "exited", "the container is exited"),
        (
            ["sleep", "600"],
            {"healthcheck": {"test": ["CMD", "false"], "interval": 1_000_000_000, "retries": 1}},
            lambda found: found["State"]["Health"]["Status"] == "unhealthy",
            "the container's own health check fails",
        ),
        (
            ["tail", "/dev/zero"],
            {"mem_limit": "16m", "memswap_limit": "16m"},
            lambda found: found["State"]["Status"] == "exited",
            "ran out of memory",
        ),
    ],
    ids=["exited", "unhealthy", "memory"],
)
def test_a_container_that_is_not_well(
    service: Service,
    tmp_path: Path,
    command: list[str],
    options: dict[str, t.Any],
    state: t.Callable[[dict[str, t.Any]], bool],
    detail: str,
) -> None:
    name = service.run(command, **options)
    service.wait(name, state)
    result = probe(tmp_path, port=1, container=name, checks=CONTAINER)
    assert result["failed"]
    assert detail in result["msg"]


def test_a_container_that_is_paused(service: Service, tmp_path: Path) -> None:
    name = service.run(locations=LOCATIONS, files={"srv/metrics": METRICS})
    port = service.port(name)
    assert probe(tmp_path, port=port, container=name, checks=FIVE, timeout=30)["health"]["healthy"]
    service.api.pause(name)
    checks = [{**item, "timeout": 15} if item["kind"] in ("http", "metrics") else item for item in FIVE]
    result = probe(tmp_path, port=port, container=name, checks=checks)
    details = {item["name"]: item["detail"] for item in result["health"]["checks"]}
    assert details["container"] == "the container is paused"
    assert "no complete answer within 15 s" in details["health"]
    # the checks are done side by side: one after the other, the two that time out alone would take 30 s
    assert result["health"]["elapsed"] < 30


def test_a_container_that_is_not_there(tmp_path: Path) -> None:
    result = probe(tmp_path, port=1, container="j4c-test-nobody", checks=CONTAINER)
    assert "there is no container 'j4c-test-nobody'" in result["msg"]


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    result = probe(tmp_path, port=1, checks=[{"name": "a", "kind": "tcp", "path": "/"}])
    assert "Option checks[0].path is '/': a check of the kind tcp does not use it." in result["msg"]


@contextlib.contextmanager
def grpc_server(statuses: dict[str, str] | None) -> t.Iterator[int]:
    """Run a gRPC server with a health service, or without one; return its port."""
    server = grpc.server(ThreadPoolExecutor(2))
    if statuses is not None:
        servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        for name, status in statuses.items():
            servicer.set(name, getattr(health_pb2.HealthCheckResponse, status))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize(
    ("statuses", "service_name", "detail"),
    [
        ({"": "SERVING"}, "", ""),
        ({"": "NOT_SERVING", "shop.Orders": "SERVING"}, "shop.Orders", ""),
        ({"": "SERVING", "shop.Orders": "NOT_SERVING"}, "shop.Orders", "the service is NOT_SERVING"),
        ({"": "SERVING"}, "shop.Orders", "the server does not know this service"),
        (None, "", "the server has no health service"),
    ],
)
def test_grpc(tmp_path: Path, statuses: dict[str, str] | None, service_name: str, detail: str) -> None:
    with grpc_server(statuses) as port:
        result = probe(tmp_path, port=port, checks=[{"name": "g", "kind": "grpc", "service": service_name}])
    assert bool(result.get("failed")) == bool(detail)
    assert detail in result["health"]["checks"][0]["detail"]


def test_grpc_of_a_web_server(service: Service, live: str, tmp_path: Path) -> None:
    probe(tmp_path, port=service.port(live), checks=[FIVE[0]], timeout=30)
    result = probe(tmp_path, port=service.port(live), checks=[{"name": "g", "kind": "grpc"}])
    assert "does not speak HTTP/2" in result["msg"]

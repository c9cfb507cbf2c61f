# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import socket
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._health_checks import Check, CheckResult, Target, run_check
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient

from tests.unit.web import Web, nobody, raw, web

METRICS = (Path(__file__).resolve().parents[2] / "fixtures/metrics/quarkus.prom").read_bytes()
UP = b'{"status": "UP", "version": "11.4.4", "checks": [{"name": "db"}], "number": 1}'


@pytest.fixture
def server() -> t.Iterator[Web]:
    with web() as made:
        yield made


def run(check: Check, port: int, found: dict[str, t.Any] | None = None, version: str | None = None) -> CheckResult:
    """Run a check; ``found`` is what the engine knows of the container."""
    target = Target("127.0.0.1", port, "c" if found is not None else None)
    with HttpClient() as client:
        return run_check(check, target, lambda name: found or None, client, version)


HTTP = Check("api", "http", path="/x")


@pytest.mark.parametrize(
    ("check", "answer", "version"),
    [
        (HTTP, (200, b""), None),
        (replace(HTTP, status=(204, 503)), (503, b""), None),
        (replace(HTTP, status=(302,)), (302, b"", {"Location": "/y"}), None),
        (replace(HTTP, json={"/status": "UP", "/checks/0/name": "db"}), (200, UP), None),
        (replace(HTTP, json={"/number": 1.0}), (200, UP), None),
        (replace(HTTP, json_not_empty=True), (200, b"[0]"), None),
        (replace(HTTP, version_pointer="/version"), (200, UP), "11.4.4"),
        (replace(HTTP, version_pointer="/version"), (200, b"not even JSON"), None),
    ],
)
def test_http_is_healthy(server: Web, check: Check, answer: t.Any, version: str | None) -> None:
    server.answers["/x"] = answer
    result = run(check, server.port, version=version)
    assert (result.healthy, result.detail) == (True, "")


@pytest.mark.parametrize(
    ("check", "answer", "version", "detail"),
    [
        (HTTP, (503, b"down"), None, "answered with status 503"),
        (HTTP, (302, b"", {"Location": "/login"}), None, "answered with status 302, leading to /login"),
        (HTTP, (204, b""), None, "answered with status 204"),
        (replace(HTTP, json={"/status": "DOWN"}), (200, UP), None, "'/status' is 'UP', not 'DOWN'"),
        (replace(HTTP, json={"/number": True}), (200, UP), None, "'/number' is 1, not True"),
        (replace(HTTP, json={"/nope": 1}), (200, UP), None, "'nope' of '/nope' is missing"),
        (replace(HTTP, json={"/a": 1, "/b": 2}), (200, b"{}"), None, "'a' of '/a' is missing, 'b' of '/b' is missing"),
        (replace(HTTP, json={"/status": "UP"}), (200, b"<html>"), None, "the answer is not JSON"),
        (replace(HTTP, json_not_empty=True), (200, b""), None, "the answer is not JSON"),
        (replace(HTTP, json_not_empty=True), (200, b"{}"), None, "the answer is empty"),
        (replace(HTTP, version_pointer="/version"), (200, UP), "11.4.5", "'/version' is '11.4.4', not '11.4.5'"),
    ],
)
def test_http_is_not_healthy(server: Web, check: Check, answer: t.Any, version: str | None, detail: str) -> None:
    server.answers["/x"] = answer
    result = run(check, server.port, version=version)
    assert not result.healthy
    assert detail in result.detail


def test_what_was_observed_and_expected_is_told(server: Web) -> None:
    server.answers["/x"] = (200, b'{"status":\n  "DOWN", "more": "' + b"x" * 1000 + b'"}')
    check = replace(HTTP, json={"/status": "UP"}, json_not_empty=True, version_pointer="/v", status=(200, 204))
    result = run(check, server.port, version="1")
    assert result.expected == "status 200 or 204, /status = UP, JSON that is not empty, /v = 1"
    assert result.observed.startswith('{"status": "DOWN", "more": "xxx')
    assert len(result.observed) == 500
    assert result.detail == "'/status' is 'DOWN', not 'UP', 'v' of '/v' is missing"
    assert 0 < result.seconds < 20


def test_headers_are_sent(server: Web) -> None:
    server.answers["/x"] = (200, b"")
    run(replace(HTTP, headers={"X-Probe": "j4c"}), server.port)
    assert server.requests[0].headers["X-Probe"] == "j4c"


def test_a_check_may_have_a_port_of_its_own(server: Web) -> None:
    server.answers["/x"] = (200, b"")
    with nobody() as port:
        assert run(replace(HTTP, port=server.port), port).healthy


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (METRICS, ""),
        (b"up 1\n" * 11, ""),
        (b"up 1\n" * 10, "10 lines of metrics, more than 10 are expected"),
        (b"", "0 lines of metrics"),
        (b"<p>\n" * 11, "the metrics cannot be parsed: line 1 is no metric: <p>"),
        (b"# nothing\n" * 11, "the metrics cannot be parsed: there is no sample"),
    ],
)
def test_metrics(server: Web, content: bytes, detail: str) -> None:
    server.answers["/m"] = (200, content)
    result = run(Check("m", "metrics", path="/m"), server.port)
    assert result.healthy == (not detail)
    assert detail in result.detail
    assert result.expected == "more than 10 lines of Prometheus metrics"
    if content is METRICS:
        assert result.observed == "356 lines, 176 samples"


@pytest.mark.parametrize("kind", ["http", "metrics", "tcp", "port", "grpc"])
def test_nobody_listens(kind: str) -> None:
    with nobody() as port:
        result = run(Check("x", kind), port)
    assert not result.healthy
    assert "refused" in result.detail.lower()
    assert str(port) in result.detail


@pytest.mark.parametrize("kind", ["http", "metrics", "grpc"])
def test_nobody_answers(kind: str) -> None:
    def silent(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with raw(silent) as port:
        result = run(Check("x", kind, timeout=0.2), port)
    assert not result.healthy
    assert "within 0.2 s" in result.detail
    assert result.seconds < 20


@pytest.mark.parametrize("kind", ["tcp", "port"])
def test_somebody_listens(server: Web, kind: str) -> None:
    assert run(Check("x", kind), server.port).healthy


def ago(seconds: float) -> str:
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


def container(restarts: int = 0, **state: t.Any) -> dict[str, t.Any]:
    running = {"Status": "running", "Running": True, "OOMKilled": False, "ExitCode": 0, "StartedAt": ago(5)}
    return {"State": {**running, **state}, "RestartCount": restarts}


@pytest.mark.parametrize(
    ("found", "detail"),
    [
        (container(), ""),
        (container(Health={"Status": "healthy"}), ""),
        (container(Health={"Status": "starting"}), ""),
        (container(restarts=3, StartedAt=ago(3600)), ""),
        (container(restarts=1, StartedAt=ago(5)), "the container ended and was restarted"),
        (container(restarts=1, StartedAt=ago(300)), "the container ended and was restarted"),
        (container(restarts=1, StartedAt=""), "was restarted 0 s ago"),
        (container(Status="restarting", ExitCode=1, restarts=2), "the container is restarting"),
        (container(Status="exited", ExitCode=1), "the container is exited"),
        (container(Status="exited", ExitCode=137), "exited, killed by somebody or because it ran out of memory"),
        (container(Status="paused"), "the container is paused"),
        (container(Status="created"), "the container is created"),
        (container(Status="exited", ExitCode=137, OOMKilled=True), "the container ran out of memory"),
        (container(Health={"Status": "unhealthy"}), "the container's own health check fails"),
        ({}, "there is no container 'c'"),
    ],
)
def test_container(found: dict[str, t.Any], detail: str) -> None:
    result = run(Check("c", "container"), 1, found)
    assert result.healthy == (not detail)
    assert detail in result.detail


@pytest.mark.parametrize(
    ("started", "detail"),
    [
        ("2026-11-24T03:00:30.999999999Z", "the container ended and was restarted 30 s ago"),
        ("2026-11-24T02:51:01Z", "the container ended and was restarted 599 s ago"),
        ("2026-11-24T02:51:00Z", ""),
        # the engine's clock is ahead
        ("2026-11-24T03:02:00Z", "the container ended and was restarted 0 s ago"),
    ],
)
def test_a_restart_counts_for_ten_minutes(monkeypatch: pytest.MonkeyPatch, started: str, detail: str) -> None:
    now = datetime.datetime(2026, 11, 24, 3, 1, tzinfo=datetime.timezone.utc).timestamp()
    monkeypatch.setattr("time.time", lambda: now)
    assert run(Check("c", "container"), 1, container(restarts=1, StartedAt=started)).detail == detail


def test_the_state_of_a_container_is_told() -> None:
    result = run(Check("c", "container"), 1, container(Status="exited", ExitCode=137, restarts=2))
    assert result.observed == "status exited, exit status 137, restarts 2"


PORTS = {
    "9003/tcp": [{"HostIp": "127.0.0.1", "HostPort": "19003"}, {"HostIp": "::1", "HostPort": "19003"}],
    "80/tcp": None,
}


@pytest.mark.parametrize(
    ("ports", "port", "observed", "detail"),
    [
        (PORTS, 19003, "127.0.0.1:19003, ::1:19003", ""),
        (PORTS, 9003, "127.0.0.1:19003, ::1:19003", "port 9003 is not bound"),
        ({}, 9003, "no port is bound", "port 9003 is not bound"),
        (None, 9003, "no port is bound", "port 9003 is not bound"),
        ({"9003/tcp": None}, 9003, "no port is bound", "port 9003 is not bound"),
    ],
)
def test_port_of_a_container(ports: t.Any, port: int, observed: str, detail: str) -> None:
    found = {"NetworkSettings": {"Ports": ports}, "HostConfig": {"NetworkMode": "bridge"}}
    result = run(Check("p", "port"), port, found)
    assert (result.healthy, result.observed, result.detail) == (not detail, observed, detail)


def test_port_of_a_container_on_the_host_network(server: Web) -> None:
    found = {"NetworkSettings": {"Ports": {}}, "HostConfig": {"NetworkMode": "host"}}
    assert run(Check("p", "port"), server.port, found).healthy
    with nobody() as port:
        assert not run(Check("p", "port"), port, found).healthy

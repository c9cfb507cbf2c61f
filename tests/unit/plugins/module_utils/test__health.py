# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import threading
import time
import typing as t

import pytest
import yaml
from ansible_collections.j4c.deploy.plugins.doc_fragments._health import ModuleDocFragment
from ansible_collections.j4c.deploy.plugins.module_utils import _health as health
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._health_checks import KINDS

from tests.unit.web import Web, nobody, raw, web

RUNNING = {
    "State": {"Status": "running", "StartedAt": ""},
    "RestartCount": 0,
    "NetworkSettings": {"Ports": {}},
    "HostConfig": {"NetworkMode": "bridge"},
}
TARGET = health.Target("127.0.0.1", 1, "c")
PARAMS: dict[str, t.Any] = {
    "checks": [{"name": "tcp", "kind": "tcp"}],
    "container": None,
    "host": "127.0.0.1",
    "interval": 0.1,
    "port": 9003,
    "timeout": 0.0,
    "version": None,
}


@pytest.fixture
def server() -> t.Iterator[Web]:
    with web() as made:
        yield made


def test_options_become_checks() -> None:
    unset = dict.fromkeys(health.HEALTH_CHECK_OPTIONS)
    checks = health.checks_from_options(
        [
            {**unset, "name": "a", "kind": "http", "status": [200, 204], "json": {"/s": 1}, "headers": {"X": 1}},
            {**unset, "name": "b", "kind": "grpc", "service": "shop.Orders", "port": 9000, "timeout": 1.0},
            {**unset, "name": "c", "kind": "container"},
        ]
    )
    assert checks == (
        health.Check("a", "http", status=(200, 204), json={"/s": 1}, headers={"X": "1"}),
        health.Check("b", "grpc", service="shop.Orders", port=9000, timeout=1.0),
        health.Check("c", "container"),
    )


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"path": "health"}, "checks[1].path is 'health': it does not start with '/'"),
        ({"timeout": 0.0}, "checks[1].timeout is '0.0': it is not above 0"),
        ({"port": 0}, "checks[1].port is '0': that is no TCP port"),
        ({"port": 65536}, "checks[1].port is '65536'"),
        ({"status": []}, "checks[1].status is '[]': that is no HTTP status"),
        ({"status": [200, 20]}, "checks[1].status is '[200, 20]'"),
        ({"json": {"status": "UP"}}, "checks[1].json is '{'status': 'UP'}': a JSON pointer is"),
        ({"version_pointer": "version"}, "checks[1].version_pointer is 'version': that is no JSON pointer"),
        ({"name": ""}, "checks[1].name is '': it is empty"),
        ({"name": "one"}, "checks[1].name is 'one': another check has this name"),
        ({"min_lines": 5}, "checks[1].min_lines is '5': a check of the kind http does not use it"),
        ({"kind": "metrics", "min_lines": -1}, "checks[1].min_lines is '-1': it is negative"),
        ({"kind": "metrics", "json": {"/a": 1}}, "a check of the kind metrics does not use it"),
        ({"kind": "tcp", "path": "/"}, "a check of the kind tcp does not use it"),
        ({"kind": "container", "timeout": 1.0}, "a check of the kind container does not use it"),
        ({"kind": "grpc", "service": "x" * 128}, "it is longer than 127 bytes"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: dict[str, t.Any], told: str) -> None:
    with pytest.raises(DeployError) as caught:
        health.checks_from_options([{"name": "one", "kind": "tcp"}, {"name": "x", "kind": "http", **option}])
    assert told in caught.value.msg
    assert caught.value.hint


def test_no_checks_are_refused() -> None:
    with pytest.raises(DeployError, match="Option checks is empty"):
        health.checks_from_options([])


def test_the_documentation_has_every_option() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["checks"]["suboptions"]
    assert documented.keys() == health.HEALTH_CHECK_OPTIONS.keys()
    assert documented["kind"]["choices"] == sorted(KINDS)
    assert documented.keys() == {"name", "kind"}.union(*(kind.options for kind in KINDS.values()))


def test_a_round_has_every_check_in_order(server: Web) -> None:
    server.answers["/h"] = (200, b"")
    asked = []

    def inspect(name: str) -> dict[str, t.Any]:
        asked.append((name, threading.current_thread()))
        return RUNNING

    checks = [
        health.Check("container", "container"),
        health.Check("h", "http", path="/h"),
        health.Check("port", "port"),
        health.Check("tcp", "tcp"),
    ]
    report = health.probe(checks, health.Target("127.0.0.1", server.port, "c"), inspect)
    assert [(item.name, item.healthy) for item in report.checks] == [
        ("container", True),
        ("h", True),
        ("port", False),
        ("tcp", True),
    ]
    assert not report.healthy
    assert asked == [("c", threading.current_thread())]
    assert report.failures() == f"port: port {server.port} is not bound (no port is bound)"


def test_a_round_takes_as_long_as_its_slowest_check() -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.recv(65536)

    with raw(silent) as one, raw(silent) as two, raw(silent) as three:
        checks = [health.Check(str(port), "http", port=port, timeout=4) for port in (one, two, three)]
        started = time.monotonic()
        report = health.probe(checks, TARGET, lambda name: None)
        assert time.monotonic() - started < 11
    assert [item.detail.endswith("no complete answer within 4 s") for item in report.checks] == [True] * 3


class Clock:
    """Time that passes only when somebody sleeps or a round is done."""

    def __init__(self, rounds: t.Sequence[bool], seconds: float = 1.0) -> None:
        self.now = 100.0
        self.rounds = list(rounds)
        self.seconds = seconds
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def inspect(self, _name: str) -> dict[str, t.Any] | None:
        self.now += self.seconds
        return RUNNING if self.rounds.pop(0) else None


@pytest.mark.parametrize(
    ("rounds", "timeout", "healthy", "attempts", "elapsed"),
    [
        ([True], 10, True, 1, 1.0),
        ([False, False, True], 10, True, 3, 4.0),
        ([False], 0, False, 1, 1.0),
        ([True], 0, True, 1, 1.0),
        ([False, False, True], 2.5, False, 2, 2.5),
        ([False, False, False, True], 2.6, False, 3, 4.0),
        # healthy in a round that began in time
        ([False, True], 1.2, True, 2, 2.5),
    ],
)
def test_waiting(rounds: list[bool], timeout: float, healthy: bool, attempts: int, elapsed: float) -> None:
    clock = Clock(rounds)
    report = health.wait_healthy(
        [health.Check("c", "container")],
        TARGET,
        clock.inspect,
        timeout=timeout,
        interval=0.5,
        clock=clock,
        sleep=clock.sleep,
    )
    assert (report.healthy, report.attempts, report.elapsed) == (healthy, attempts, elapsed)
    assert clock.slept == [0.5] * (attempts - 1)
    assert report.reason is None


def test_waiting_is_given_up() -> None:
    clock = Clock([False] * 10)
    reasons = iter([None, None, "the container exited with 1"])
    report = health.wait_healthy(
        [health.Check("c", "container")],
        TARGET,
        clock.inspect,
        timeout=60,
        give_up=lambda: next(reasons),
        clock=clock,
        sleep=clock.sleep,
    )
    assert (report.healthy, report.attempts, report.reason) == (False, 3, "the container exited with 1")


def test_a_healthy_round_is_not_given_up() -> None:
    clock = Clock([True])
    report = health.wait_healthy(
        [health.Check("c", "container")],
        TARGET,
        clock.inspect,
        timeout=60,
        give_up=lambda: "too late",
        clock=clock,
        sleep=clock.sleep,
    )
    assert (report.healthy, report.reason) == (True, None)


def test_waiting_sees_the_service_come_up(server: Web) -> None:
    answers = iter([(503, b""), (503, b""), (200, b"")])
    server.answers["/"] = lambda: next(answers)
    report = health.wait_healthy(
        [health.Check("h", "http")],
        health.Target("127.0.0.1", server.port),
        lambda name: None,
        timeout=10,
        interval=0.01,
    )
    assert (report.healthy, report.attempts) == (True, 3)


def test_the_result_has_the_shape_of_the_noun(server: Web) -> None:
    server.answers["/"] = (200, b"")
    target = health.Target("127.0.0.1", server.port)
    result = health.probe([health.Check("h", "http")], target, lambda name: None).result()
    assert set(result) == {"healthy", "checks", "attempts", "elapsed"}
    assert set(result["checks"][0]) == {"name", "kind", "healthy", "seconds", "observed", "expected", "detail"}


def test_the_module_says_what_is_wrong_and_what_to_do() -> None:
    with nobody() as port, pytest.raises(DeployError) as caught:
        health.probe_service({**PARAMS, "port": port})
    assert f"The service on 127.0.0.1:{port} is not healthy: tcp: 127.0.0.1:{port} does not accept" in caught.value.msg
    assert caught.value.hint == "Look at the log of the service."
    assert caught.value.fields["health"]["healthy"] is False


def test_the_module_returns_the_health(server: Web) -> None:
    result = health.probe_service({**PARAMS, "port": server.port})
    assert (result["changed"], result["health"]["healthy"]) == (False, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"port": 0}, "Option port is '0'"),
        ({"timeout": -1.0}, "Option timeout is '-1.0': it is negative"),
        ({"interval": 0.0}, "Option interval is '0.0': it is not above 0"),
        ({"checks": [{"name": "c", "kind": "container"}]}, "Option container is not given"),
    ],
)
def test_the_module_refuses_options_that_make_no_sense(changes: dict[str, t.Any], told: str) -> None:
    with pytest.raises(DeployError) as caught:
        health.probe_service({**PARAMS, **changes})
    assert told in caught.value.msg
    assert caught.value.hint

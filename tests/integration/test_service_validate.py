# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""service_validate, and the role that calls it, against a real web server."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.integration.run_module import run_module
from tests.integration.service import Service
from tests.integration.world import playbook

LOCATIONS = """
location = /api/health { return 200 '{"status": "UP", "commit": "abc"}'; }
location = /api/transactions {
    if ($request_method = POST) { return 201 '{"key": "$http_idempotency_key"}'; }
    return 200 '{"count":12}';
}
location = /broken { return 500 'stack trace'; }
"""
GOOD: list[dict[str, t.Any]] = [
    {"name": "list", "path": "/api/transactions", "regex": '"count":[0-9]+', "json": {"/count": 12}},
    {
        "name": "insert",
        "method": "POST",
        "path": "/api/transactions",
        "headers": {"Idempotency-Key": "smoke"},
        "json_body": {"amount": 1},
        "status": [200, 201],
        "json": {"/key": "smoke"},
    },
]
BROKEN = {"name": "broken", "path": "/broken"}
LATENCY = {"path": "/api/health", "samples": 20, "p95_ms": 5000}


@pytest.fixture(scope="module")
def service() -> t.Iterator[Service]:
    made = Service()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def name(service: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A container that answers."""
    made = service.run(locations=LOCATIONS)
    check = {"name": "up", "kind": "http", "path": "/api/health"}
    scratch = tmp_path_factory.mktemp("up")
    health = run_module("health_probe", scratch, {"port": service.port(made), "checks": [check], "timeout": 30})
    assert health["health"]["healthy"]
    return made


@pytest.fixture
def url(service: Service, name: str) -> str:
    return f"http://127.0.0.1:{service.port(name)}"


def validate(scratch: Path, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run_module("service_validate", scratch, options, check=check)


def test_a_good_release(url: str, tmp_path: Path) -> None:
    identity = {"path": "/api/health", "pointer": "/commit", "value": "abc"}
    result = validate(tmp_path, url=url, smoke=GOOD, latency=LATENCY, identity=identity)
    assert (result["phase"], result["decision"], result["changed"]) == ("post_deployment_validation", "SUCCESS", False)
    assert [(item["name"], item["passed"]) for item in result["smoke"]] == [
        ("identity", True),
        ("list", True),
        ("insert", True),
    ]
    assert (result["latency"]["samples"], result["latency"]["failed"]) == (20, 0)
    assert 0 < result["latency"]["p50_ms"] <= result["latency"]["p99_ms"] <= result["latency"]["max_ms"]


@pytest.mark.parametrize(
    ("smoke", "latency", "decision", "told"),
    [
        (
            [*GOOD, BROKEN],
            LATENCY,
            "ROLLBACK",
            "1 of 3 smoke requests failed: broken: GET /broken answered with status 500",
        ),
        (GOOD, {**LATENCY, "p95_ms": 0.001}, "REVIEW", "the limit is 0.001 ms"),
        (GOOD, {**LATENCY, "p95_ms": 0.001, "on_breach": "ROLLBACK"}, "ROLLBACK", "the limit is 0.001 ms"),
        (GOOD, {**LATENCY, "path": "/broken"}, "ROLLBACK", "5 of 5 requests to /broken failed, the last: status 500"),
    ],
)
def test_a_bad_release(url: str, tmp_path: Path, smoke: t.Any, latency: t.Any, decision: str, told: str) -> None:
    result = validate(tmp_path, url=url, smoke=smoke, latency=latency)
    assert not result.get("failed")
    assert result["decision"] == decision
    assert told in result["msg"]
    failed = validate(tmp_path, url=url, smoke=smoke, latency=latency, fail_on=["REVIEW", "ROLLBACK"])
    assert failed["failed"]
    assert failed["decision"] == decision


def test_another_release_answers(url: str, tmp_path: Path) -> None:
    result = validate(tmp_path, url=url, identity={"path": "/api/health", "pointer": "/commit", "value": "abd"})
    assert result["decision"] == "ROLLBACK"
    assert "identity: '/commit' is 'abc', not 'abd'" in result["msg"]


def test_check_mode_sends_nothing_that_may_change_something(
    service: Service, url: str, name: str, tmp_path: Path
) -> None:
    path = f"/marked-{tmp_path.name}"
    smoke = [
        {"name": "get", "path": path, "status": [404]},
        {"name": "post", "path": path, "method": "POST", "status": [404]},
    ]
    result = validate(tmp_path, url=url, smoke=smoke, check=True)
    assert [(item["name"], item["result"]) for item in result["steps"]] == [
        ("smoke get", "ok"),
        ("smoke post", "skipped"),
    ]
    service.wait(name, lambda _found: f"GET {path}" in service.api.logs(name).decode())
    assert f"POST {path}" not in service.api.logs(name).decode()


def test_nobody_answers(tmp_path: Path) -> None:
    result = validate(tmp_path, url="http://127.0.0.1:1", smoke=GOOD)
    assert result["decision"] == "ROLLBACK"
    assert "connection refused" in result["msg"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "127.0.0.1:9003"}, "Option url is"),
        (
            {"url": "http://127.0.0.1", "smoke": [{"name": "a", "path": "/", "body": "x", "json_body": 1}]},
            "body|json_body",
        ),
        (
            {"url": "http://127.0.0.1", "smoke": [{"name": "a", "path": "/", "regex": "["}]},
            "Option smoke[0].regex is '['",
        ),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, t.Any], told: str) -> None:
    assert told in validate(tmp_path, **options)["msg"]


@pytest.mark.parametrize(
    ("bind", "smoke", "latency", "decision"),
    [("127.0.0.1", GOOD, LATENCY, "SUCCESS"), ("0.0.0.0", [BROKEN], {}, "ROLLBACK")],
)
def test_the_role_registers_the_decision(
    service: Service, name: str, tmp_path: Path, bind: str, smoke: t.Any, latency: t.Any, decision: str
) -> None:
    variables = {
        "j4c_gateway_bind": bind,
        "j4c_gateway_port": service.port(name),
        "j4c_smoke": smoke,
        "j4c_latency": latency,
    }
    (tmp_path / "vars.json").write_text(json.dumps(variables), encoding="utf-8")
    (tmp_path / "play.yml").write_text(
        """
- hosts: localhost
  gather_facts: false
  roles: [j4c.deploy.validate]
  tasks:
    - ansible.builtin.debug:
        msg: "decided {{ __validate.decision }} on {{ __validate.smoke | length }} and {{ __validate.latency.samples | default(0) }}"
""",
        encoding="utf-8",
    )
    output = playbook(tmp_path / "play.yml", "-e", f"@{tmp_path}/vars.json")
    assert f"decided {decision} on {len(smoke)} and {latency.get('samples', 0)}" in output

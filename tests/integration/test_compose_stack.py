# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack around a service, as the playbook sets it up."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

import docker.errors
import pytest

from tests.integration.run_module import run_module
from tests.integration.world import World, playbook

pytestmark = pytest.mark.xdist_group("release")


def options(world: World) -> dict[str, t.Any]:
    core = world.root / "core"
    return {
        "project": f"{world.name}-core",
        "file": str(core / "compose.yaml"),
        "switch_dir": str(world.root / "gateway"),
        "reload": [{"service": "gateway", "path": str(core / "nginx"), "test": ["nginx", "-t"]}],
    }


def started(world: World) -> dict[str, str]:
    found = world.api.containers(filters={"label": f"com.docker.compose.project={world.name}-core"})
    return {item["Id"]: world.api.inspect_container(item["Id"])["State"]["StartedAt"] for item in found}


def test_a_second_run_changes_nothing(world: World) -> None:
    before = started(world)
    assert "changed=0" in playbook("playbooks/stack.yml", "-e", f"@{world.folder}/vars.json")
    assert started(world) == before
    assert len(before) == 4


def test_the_gateway_answers_before_the_first_release(world: World) -> None:
    answer = world.get("/-/gateway")
    assert answer.json() == {"gateway": "up", "slot": "blue"}
    answer = world.get("/api/v11/health")
    assert answer.status_code in (502, 504)
    assert answer.headers["Retry-After"]
    assert answer.json()["error"]


def test_the_flag_decides_the_slot_of_the_next_request(world: World) -> None:
    switch = world.root / "gateway"
    for _turn in range(20):
        os.rename(switch / "green.off", switch / "green")
        assert world.get("/-/gateway").headers["X-J4C-Slot"] == "green"
        os.rename(switch / "green", switch / "green.off")
        assert world.get("/-/gateway").headers["X-J4C-Slot"] == "blue"


def test_without_the_sentinel_no_slot_is_guessed(world: World) -> None:
    switch = world.root / "gateway"
    os.rename(switch / "present", switch / "away")
    try:
        assert world.get("/api/v11/health").status_code == 503
    finally:
        os.rename(switch / "away", switch / "present")


def test_data_services_have_no_published_ports_and_their_network_no_way_out(world: World) -> None:
    network = world.api.inspect_network(f"{world.name}-data")
    assert network["Internal"]
    assert network["Options"]["com.docker.network.driver.mtu"] == "1450"
    for service in ("postgres", "redis"):
        view = world.api.inspect_container(f"{world.name}-core-{service}-1")
        assert not any((view["NetworkSettings"]["Ports"] or {}).values())
        assert list(view["NetworkSettings"]["Networks"]) == [f"{world.name}-data"]


def test_secrets_are_files_of_few_and_nothing_else_has_them(world: World) -> None:
    folder = world.root / "config"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    for name in ("db_password", "redis_password"):
        secret = (folder / "secrets" / name).read_text(encoding="utf-8")
        assert len(secret) == 32
        for container in world.api.containers(all=True):
            # another test may remove its container meanwhile
            with contextlib.suppress(docker.errors.NotFound):
                assert secret not in json.dumps(world.api.inspect_container(container["Id"]))
        for path in world.root.rglob("*"):
            if path.is_file() and path.parent.name != "secrets":
                assert secret not in path.read_text(encoding="utf-8", errors="replace"), path


def test_changed_configuration_is_loaded_without_a_restart(world: World) -> None:
    before = started(world)
    config = world.root / "core/nginx/gateway.conf"
    config.write_text(config.read_text(encoding="utf-8") + "# a change\n", encoding="utf-8")
    planned = run_module("compose_stack", world.scratch, options(world), check=True)
    assert planned["changed"]
    assert [item["action"] for item in planned["services"] if item["name"] == "gateway"] == ["reload"]
    result = run_module("compose_stack", world.scratch, options(world))
    assert [step["name"] for step in result["steps"]] == ["reload gateway"]
    assert started(world) == before
    assert not run_module("compose_stack", world.scratch, options(world))["changed"]


def test_broken_configuration_is_refused_and_the_old_one_stays(world: World) -> None:
    config = world.root / "core/nginx/gateway.conf"
    good = config.read_text(encoding="utf-8")
    config.write_text(good + "nonsense;\n", encoding="utf-8")
    try:
        result = run_module("compose_stack", world.scratch, options(world))
        assert result["failed"]
        assert "nonsense" in result["msg"]
        assert world.get("/-/gateway").status_code == 200
    finally:
        config.write_text(good, encoding="utf-8")


def test_a_stopped_service_is_started_again(world: World) -> None:
    world.api.stop(f"{world.name}-core-redis-1")
    result = run_module("compose_stack", world.scratch, options(world))
    assert {item["name"]: item["action"] for item in result["services"]}["redis"] == "start"
    assert all(item["state"] == "running" for item in result["services"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("services: [", "Reading the compose file"),
        ("services: {a: {image: 'no-such-image:1'}}", "needs the image 'no-such-image:1'"),
    ],
)
def test_bad_input(world: World, tmp_path: t.Any, text: str, told: str) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(text, encoding="utf-8")
    result = run_module("compose_stack", world.scratch, {"project": f"{world.name}-bad", "file": str(file)})
    assert result["failed"]
    assert told in result["msg"]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._stack import (
    HASH_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    Reload,
    ServiceView,
    Stack,
    plan,
    tree_hash,
)

from tests.unit.plugins.module_utils._release.fake_docker import FakeDocker, container


def view(name: str, state: str = "running", current: bool = True) -> ServiceView:
    return ServiceView(name, state, "", "image", name if state != "absent" else "", current)


@pytest.mark.parametrize(
    ("services", "wanted", "applied", "expected"),
    [
        pytest.param([], {}, {}, [], id="nothing-declared"),
        pytest.param([view("db")], {}, {}, [], id="as-declared"),
        pytest.param([view("db", "absent", False)], {}, {}, ["start db: absent"], id="absent"),
        pytest.param([view("db", "exited")], {}, {}, ["start db: exited"], id="ended"),
        pytest.param([view("db", "paused")], {}, {}, ["start db: paused"], id="paused"),
        pytest.param(
            [view("db", current=False)], {}, {}, ["start db: its declaration or image changed"], id="declared-anew"
        ),
        pytest.param([view("gw")], {"gw": "1"}, {"gw": "1"}, [], id="files-are-loaded"),
        pytest.param(
            [view("gw")], {"gw": "2"}, {"gw": "1"}, ["reload gw: its configuration files changed"], id="files-changed"
        ),
        pytest.param([view("gw")], {"gw": "1"}, {}, ["reload gw: its configuration files changed"], id="never-loaded"),
        pytest.param(
            [view("gw", "exited")], {"gw": "2"}, {"gw": "1"}, ["start gw: exited"], id="a-start-loads-the-files-too"
        ),
        pytest.param([view("db")], {}, {"gw": "1"}, [], id="no-longer-declared"),
        pytest.param(
            [view("db", "absent", False), view("gw"), view("redis")],
            {"gw": "2"},
            {"gw": "1"},
            ["start db: absent", "reload gw: its configuration files changed"],
            id="several",
        ),
    ],
)
def test_what_has_to_be_done(
    services: list[ServiceView], wanted: dict[str, str], applied: dict[str, str], expected: list[str]
) -> None:
    assert [f"{step.action} {step.service}: {step.why}" for step in plan(services, wanted, applied)] == expected


def test_the_hash_of_a_tree_is_of_names_and_contents(tmp_path: Path) -> None:
    seen = {tree_hash(str(tmp_path))}

    def changed() -> bool:
        found = tree_hash(str(tmp_path))
        new = found not in seen
        seen.add(found)
        return new

    (tmp_path / "a").write_text("1", "utf-8")
    assert changed()
    (tmp_path / "a").write_text("2", "utf-8")
    assert changed()
    (tmp_path / "sub").mkdir()
    assert not changed()
    (tmp_path / "a").rename(tmp_path / "sub" / "a")
    assert changed()
    (tmp_path / "b").touch()
    assert changed()
    os.utime(tmp_path / "b", (0, 0))
    assert not changed()
    (tmp_path / "b").unlink()
    assert not changed()


PROGRAM = """\
#!/bin/sh
echo "$*" >> "$OUT/calls"
case "$*" in
    *"config --hash"*) cat "$OUT/hashes" ;;
    *"config --format"*) cat "$OUT/config" ;;
    *) [ ! -e "$OUT/refuse" ] || { cat "$OUT/refuse" >&2; exit 1; } ;;
esac
"""


class World:
    """A project with a gateway that reloads and a database; both run as declared until a test says otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.conf = root / "conf"
        self.conf.mkdir()
        (self.conf / "nginx.conf").write_text("worker_processes 1;", "utf-8")
        (root / "docker").write_text(PROGRAM, "utf-8")
        (root / "docker").chmod(0o755)
        (root / "calls").touch()
        (root / "hashes").write_text("gateway h1\ndb h2\n", "utf-8")
        services = {"gateway": {"image": "nginx:1"}, "db": {"image": "postgres:1"}}
        (root / "config").write_text(json.dumps({"services": services}), "utf-8")
        self.api = FakeDocker()
        self.api.images = {"nginx:1": {"Id": "sha256:nginx"}, "postgres:1": {"Id": "sha256:postgres"}}
        self.add("gateway", "h1", "sha256:nginx")
        self.add("db", "h2", "sha256:postgres")
        self.record = root / "record.json"
        self.record.write_text(json.dumps({"gateway": tree_hash(str(self.conf))}), "utf-8")
        self.switch = Gateway(str(root / "switch"), "gateway")

    def add(self, name: str, config: str, image: str, status: str = "running") -> dict[str, t.Any]:
        labels = {PROJECT_LABEL: "shop-core", SERVICE_LABEL: name, HASH_LABEL: config}
        self.api.views[name] = container(name, status, labels=labels, image=image)
        return self.api.views[name]

    def converge(self, check_mode: bool = False, switch: bool = False) -> dict[str, t.Any]:
        runner = Runner({"PATH": f"{self.root}:/usr/bin:/bin", "OUT": str(self.root)})
        reloads = [Reload("gateway", str(self.conf), ("nginx", "-t"))]
        stack = Stack(
            self.api,
            runner,
            "shop-core",
            str(self.root / "compose.yml"),
            reloads,
            str(self.record),
            self.switch if switch else None,
        )
        return stack.converge(check_mode, 30)

    def ups(self) -> list[str]:
        lines = (self.root / "calls").read_text("utf-8").splitlines()
        return [line.partition(" up ")[2] for line in lines if " up " in line]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_project_as_declared_is_left_alone(world: World) -> None:
    result = world.converge()
    assert (result["changed"], result["steps"], world.ups(), world.api.calls) == (False, [], [], [])
    assert result["services"] == [
        {"name": "db", "state": "running", "health": "", "image": "postgres:1", "action": "none"},
        {"name": "gateway", "state": "running", "health": "", "image": "nginx:1", "action": "none"},
    ]
    assert result["diff"]["before"] == result["diff"]["after"] == "db: running\ngateway: running\n"


@pytest.mark.parametrize("broken", ["absent", "exited", "other declaration", "other image"])
def test_what_is_not_as_declared_is_started_and_waited_for(world: World, broken: str) -> None:
    if broken == "absent":
        del world.api.views["db"]
    else:
        world.add(
            "db",
            "old" if broken == "other declaration" else "h2",
            "sha256:old" if broken == "other image" else "sha256:postgres",
            "exited" if broken == "exited" else "running",
        )
    result = world.converge()
    assert result["changed"]
    assert world.ups() == ["--detach --no-build --pull never --wait --wait-timeout 30 -- db"]
    assert [(step["name"], step["result"]) for step in result["steps"]] == [("start db", "ok")]
    assert [item["action"] for item in result["services"]] == ["start", "none"]
    assert "db: start\n" in result["diff"]["after"]


def test_changed_files_are_tested_then_loaded_without_a_restart(world: World) -> None:
    (world.conf / "nginx.conf").write_text("worker_processes 2;", "utf-8")
    result = world.converge()
    assert world.api.calls == ["exec gateway nginx -t", "kill gateway SIGHUP"]
    assert (world.ups(), [item["name"] for item in result["steps"]]) == ([], ["reload gateway"])
    assert world.converge()["changed"] is False


def test_files_that_are_refused_are_not_loaded(world: World) -> None:
    (world.conf / "nginx.conf").write_text("workers;", "utf-8")
    world.api.rc, world.api.output = 1, b"nginx: [emerg] unknown directive\nnginx: test failed\n"
    for _time in range(2):
        with pytest.raises(DeployError, match=r"of 'gateway' is refused: nginx: \[emerg\] unknown directive") as caught:
            world.converge()
        assert "still has the old configuration" in (caught.value.hint or "")
        assert (caught.value.steps or [])[0]["result"] == "failed"
    assert "kill gateway SIGHUP" not in world.api.calls


@pytest.mark.parametrize("text", ["", "{", "null", "[1]"])
def test_a_damaged_record_only_costs_a_reload(world: World, text: str) -> None:
    world.record.write_text(text, "utf-8")
    assert [item["name"] for item in world.converge()["steps"]] == ["reload gateway"]
    assert world.converge()["changed"] is False


def test_a_missing_record_is_made(world: World) -> None:
    world.record.unlink()
    world.add("gateway", "h1", "sha256:nginx", "exited")
    world.converge()
    assert json.loads(world.record.read_text("utf-8")) == {"gateway": tree_hash(str(world.conf))}


def test_check_mode_tells_what_it_would_do(world: World) -> None:
    del world.api.views["db"]
    (world.conf / "nginx.conf").write_text("worker_processes 2;", "utf-8")
    result = world.converge(check_mode=True, switch=True)
    assert [(step["name"], step["result"], step["detail"]) for step in result["steps"]] == [
        ("start db", "planned", "absent"),
        ("reload gateway", "planned", "its configuration files changed"),
    ]
    assert (result["changed"], world.ups(), world.api.calls, world.switch.exists()) == (True, [], [], False)


def test_the_switch_is_made_once(world: World) -> None:
    assert world.converge(check_mode=True, switch=True)["changed"]
    assert not world.switch.exists()
    assert world.converge(switch=True)["changed"]
    assert world.switch.flag() == "blue"
    world.switch.switch("green")
    assert world.converge(switch=True)["changed"] is False
    assert world.switch.flag() == "green"


def test_an_image_that_is_missing_is_told_before_anything_is_done(world: World) -> None:
    world.api.images.pop("postgres:1")
    with pytest.raises(DeployError, match="Service 'db' needs the image 'postgres:1'") as caught:
        world.converge(switch=True)
    assert "j4c_images" in (caught.value.hint or "")
    assert not world.switch.exists()


def test_what_does_not_come_up_shows_its_log(world: World) -> None:
    world.add("db", "old", "sha256:postgres")["State"]["Health"] = {"Status": "unhealthy"}
    (world.root / "refuse").write_text("container shop-core-db-1 is unhealthy\n", "utf-8")
    with pytest.raises(DeployError, match="Starting db of 'shop-core' failed: .* is unhealthy") as caught:
        world.converge()
    assert caught.value.fields["evidence"] == {"logs": {"db": ["started", "broke �"]}}
    assert (caught.value.steps or [])[0]["result"] == "failed"

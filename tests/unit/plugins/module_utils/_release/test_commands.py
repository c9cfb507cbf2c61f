# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import threading
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils import _docker as docker_engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_atomic
from ansible_collections.j4c.deploy.plugins.module_utils._release import commands
from ansible_collections.j4c.deploy.plugins.module_utils._release.commands import MODULE_SPEC, Commands, run_state
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import config_hash
from ansible_collections.j4c.deploy.plugins.module_utils._release.engine import Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import read_journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock, read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.result import blank

from tests.unit.plugins.module_utils._release import samples
from tests.unit.plugins.module_utils._release.world import DOCUMENT, World
from tests.unit.web import web


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[World]:
    """Return a server on which ``v1`` serves from green."""
    with web() as front:
        made = World(tmp_path, front)
        made.images = {
            f"shop:{name}": {"Id": f"sha256:{name.ljust(64, '0')}", "RepoTags": [f"shop:{name}"]}
            for name in ("v1", "v2")
        }
        monkeypatch.setattr(docker_engine, "connect", lambda _timeout: made)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        monkeypatch.setenv("STARTED", str(made.started))
        done = made.release("v1")
        assert done["outcome"] == "DEPLOYED", done["msg"]
        made.calls.clear()
        yield made


def release(world: World, image: str, check_mode: bool = False, **more: str) -> dict[str, t.Any]:
    given = {"version": image.partition(":")[2], "commit": "", "release_id": image.partition(":")[2], **more}
    return Commands(world.settings, check_mode).released(image, json.dumps(DOCUMENT), **given)


def roll_back(world: World, check_mode: bool = False, release_id: str = "", reason: str = "") -> dict[str, t.Any]:
    return Commands(world.settings, check_mode).rolled_back(release_id, reason)


def runs(world: World) -> list[str]:
    return world.engine.store.runs()


def test_an_image_is_released_by_an_engine_of_its_own(world: World) -> None:
    result = release(world, "shop:v2")
    assert (result["outcome"], result["live"]["release"], result["slot"]) == ("DEPLOYED", "v2", "blue")
    assert result["diff"] == {
        "before": "live: v1 in green\n",
        "after": "live: v2 in blue\nstandby: v1 in green\n",
    }
    assert runs(world) == [result["run"]]
    assert world.engine.gateway.flag() == "blue"
    assert world.calls == []


def test_check_mode_stops_after_the_plan(world: World) -> None:
    result = release(world, "shop:v2", check_mode=True)
    assert (result["outcome"], result["changed"]) == ("PLANNED", True)
    assert result["msg"] == "Would bring 'v2' live in slot 'blue' in 12 steps; now 'v1' in slot 'green' serves."
    assert {step["result"] for step in result["steps"]} == {"planned"}
    assert result["steps"][0]["detail"] == "store blue v2"
    assert result["diff"]["before"] == "live: v1 in green\n"
    assert result["diff"]["after"].startswith("live: v2 in blue\nstore blue v2\n")
    assert (runs(world), world.calls, world.engine.gateway.flag()) == ([], [], "green")


def test_what_serves_already_starts_no_engine(world: World) -> None:
    same = samples.release("v1.2", image="v1", config=config_hash(DOCUMENT, world.settings))
    assert world.run(Wanted("release", same, DOCUMENT), "again")["outcome"] == "DEPLOYED"
    for check_mode in (True, False):
        result = release(world, "shop:v1", check_mode)
        assert (result["outcome"], result["changed"], result["steps"]) == ("UNCHANGED", False, [])
        assert result["msg"] == "UNCHANGED: 'v1.2' in slot 'blue' serves."
    assert runs(world) == []


def test_what_of_the_file_does_not_take_effect_is_a_warning(world: World) -> None:
    document = {"services": {"shop": {"image": "x", "scale": 3}}}
    result = Commands(world.settings, True).released("shop:v2", json.dumps(document), "2", "", "")
    assert result["warnings"] == ["3 replicas were asked for, but a slot runs one container."]


def test_a_release_gets_the_cache_of_its_image(world: World) -> None:
    world.settings = replace(world.settings, aot=True)
    first = release(world, "shop:v2")["release"]
    store = world.engine.store
    directory = aot.directory_of(store.root, first["image"]["id"])
    assert aot.mount_of(store.load_document("v2"), "shop") == directory
    assert aot.read_options(directory) == ""
    assert os.path.exists(directory)
    # another image is no other configuration
    assert release(world, "shop:v1", check_mode=True, release_id="v3")["release"]["config_hash"] == first["config_hash"]
    assert first["config_hash"] != config_hash(DOCUMENT, world.settings)


def test_check_mode_without_an_image_plans_a_build(world: World) -> None:
    result = Commands(world.settings, True).released("", "", "", "", "")
    assert (result["outcome"], result["changed"], result["steps"]) == ("PLANNED", True, [])


def test_a_file_that_compose_cannot_read_is_told_with_its_option(world: World) -> None:
    (world.started.parent / "bin" / "docker").write_text("#!/bin/sh\necho 'yaml: line 3' >&2; exit 15\n", "utf-8")
    with pytest.raises(DeployError, match="Reading the compose file of 'shop' failed: yaml: line 3") as caught:
        release(world, "shop:v2")
    assert "j4c_compose_file" in (caught.value.hint or "")


def test_what_cannot_be_started_is_told_before_an_engine_is(world: World) -> None:
    world.known_networks.clear()
    result = release(world, "shop:v2")
    assert (result["failed"], result["outcome"], result["live"]["release"]) == (True, "FAILED_SAFE", "v1")
    assert "Nothing was changed: 2 problems" in result["msg"]


def test_what_was_refused_is_in_the_history(world: World) -> None:
    world.known_networks.clear()
    result = release(world, "shop:v2")
    assert runs(world) == [result["run"]]
    kept = world.engine.store.load_run(result["run"])
    assert kept is not None
    assert (kept["event"], kept["result"]["outcome"], kept["result"]["release"]["id"]) == ("end", "FAILED_SAFE", "v2")
    planned = release(world, "shop:v2", check_mode=True)
    assert (planned["failed"], planned["run"], len(runs(world))) == (True, "", 1)


def test_a_rollback_with_nothing_to_go_back_to_fails(world: World) -> None:
    assert "no earlier release to go back to" in roll_back(world, check_mode=True)["msg"]
    result = roll_back(world)
    assert result["failed"]
    assert "There is no earlier release to go back to; 'v1' serves" in result["msg"]


def test_a_rollback_is_planned_and_done(world: World) -> None:
    assert world.release("v2")["outcome"] == "DEPLOYED"
    planned = roll_back(world, check_mode=True)
    assert planned["msg"].startswith(
        "Would bring 'v1' live in slot 'green' in 8 steps; now 'v2' in slot 'blue' serves."
    )
    result = roll_back(world, reason="slow")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v1")


def wait_until(done: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def held(world: World) -> World:
    """Return a server on which ``v2`` waits for its seal."""
    world.settings = replace(world.settings, hold_seconds=30.0)
    result = release(world, "shop:v2")
    assert (result["outcome"], result["slot"]) == ("PREPARED", "blue")
    assert read_holder(world.engine.store.root)["phase"] == "prepared"
    return world


@pytest.mark.parametrize(
    ("decision", "outcome", "failed", "serves"),
    [("SUCCESS", "DEPLOYED", None, "v2"), ("REVIEW", "REVIEW", None, "v2"), ("ROLLBACK", "ROLLED_BACK", True, "v1")],
)
def test_a_release_that_waits_gets_its_word(
    held: World, decision: str, outcome: str, failed: bool | None, serves: str
) -> None:
    planned = Commands(held.settings, True).sealed("", decision, "")
    assert (planned["outcome"], planned["changed"]) == ("PLANNED", True)
    result = Commands(held.settings, False).sealed("", decision, "too slow")
    assert (result["outcome"], result.get("failed"), result["live"]["release"]) == (outcome, failed, serves)
    if failed:
        assert "was not accepted by its validation. too slow" in result["msg"]
    wait_until(lambda: not read_holder(held.engine.store.root))
    again = Commands(held.settings, False).sealed("", decision, "")
    assert (again["outcome"], again["changed"]) == ("UNCHANGED", False)


def test_a_rollback_takes_back_the_release_that_waits(held: World) -> None:
    result = roll_back(held, reason="changed my mind")
    assert (result["outcome"], result["failed"], result["live"]["release"]) == ("ROLLED_BACK", False, "v1")
    events = {(item["event"], item["step"]) for item in read_journal(held.engine.store.path("journal.jsonl"))}
    assert ("undo", "switch") in events


def test_a_rollback_waits_for_the_lock_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is at work does not become prepared: the time for it is over when the engine asks for the lock."""
    world.settings = replace(world.settings, lock_timeout=0.4)
    lock = Lock(world.engine.store.root, {"run": "r0", "kind": "release", "release": "v2"})
    lock.acquire(0)
    acquire = Lock.acquire

    def spy(self: Lock, timeout: float) -> None:
        world.engine.store.save_run("asked", {"timeout": timeout})
        acquire(self, timeout)

    monkeypatch.setattr(Lock, "acquire", spy)
    result = roll_back(world)
    lock.release()
    assert "is locked by a release of release 'v2'" in result["msg"]
    assert (world.engine.store.load_run("asked") or {})["timeout"] == 0.0
    assert [world.engine.store.load_run(run)["event"] for run in runs(world) if run != "asked"] == ["end"]  # type: ignore[index]


def test_a_rollback_takes_back_a_release_that_comes_to_wait_for_its_seal(world: World) -> None:
    world.settings = replace(world.settings, hold_seconds=30.0, lock_timeout=30.0, watch_seconds=0.5)
    results: list[dict[str, t.Any]] = []
    deploy = threading.Thread(target=lambda: results.append(release(world, "shop:v2")))
    deploy.start()
    wait_until(lambda: read_holder(world.engine.store.root).get("phase") == "work")
    back = roll_back(world, reason="stop it")
    deploy.join()
    assert (back["outcome"], back["failed"], back["live"]["release"]) == ("ROLLED_BACK", False, "v1")
    assert results[0]["outcome"] in ("PREPARED", "ROLLED_BACK")


def test_a_run_at_work_is_told_in_the_plan(held: World) -> None:
    result = release(held, "shop:v2", check_mode=True)
    assert "Now a release of 'v2' is at work, since 20" in result["msg"]
    roll_back(held)


def test_the_word_for_a_run_that_has_ended_is_its_result(held: World) -> None:
    run = read_holder(held.engine.store.root)["run"]
    results: list[dict[str, t.Any]] = []
    both = [
        threading.Thread(target=lambda: results.append(Commands(held.settings, False).sealed(run, "SUCCESS", "")))
        for _number in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert [item["outcome"] for item in results] == ["DEPLOYED", "DEPLOYED"]
    assert Commands(held.settings, False).sealed(run, "ROLLBACK", "")["outcome"] == "DEPLOYED"
    assert not [name for name in os.listdir(held.engine.store.path("runs")) if name.startswith(".")]


def params(world: World, **changes: t.Any) -> dict[str, t.Any]:
    given = {name: option.get("default") for name, option in MODULE_SPEC.items()}
    settings = world.settings
    return {
        **given,
        "addresses": settings.addresses,
        "checks": [{"name": "container", "kind": "container"}],
        "gateway_url": settings.gateway_url,
        "port": settings.port,
        "project_dir": settings.project_dir,
        "service": "shop",
        "slot_ports": settings.slot_ports,
        "state_dir": settings.state_dir,
        "compose": json.dumps(DOCUMENT),
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "released", "image": "shop:v2", "min_free_mb": 0}, "Would bring '0-v200000' live in slot 'blue'"),
        ({"state": "sealed"}, "No release waits for its seal."),
    ],
)
def test_each_state_has_its_command(world: World, changes: dict[str, t.Any], told: str) -> None:
    assert told in run_state(params(world, **changes), True)["msg"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "rolled_back"}, "There is no earlier release"),
        ({"state": "rolled_back", "release": "../x"}, "Option release is '../x'"),
        ({"state": "released", "image": "shop:v9"}, "has no image 'shop:v9'"),
        ({"state": "released", "keep": 0}, "Option keep is '0'"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, changes: dict[str, t.Any], told: str) -> None:
    result = run_state(params(world, **changes), True)
    assert result["failed"]
    assert told in result["msg"]
    assert blank().keys() <= result.keys()


def test_without_an_image_nothing_is_released(world: World) -> None:
    with pytest.raises(DeployError, match="The builder built no image in this run") as caught:
        Commands(world.settings, False).released("", json.dumps(DOCUMENT), "", "", "")
    assert "--limit <builder>,<host>" in (caught.value.hint or "")


def test_check_mode_without_a_compose_file_plans_what_is_known(world: World) -> None:
    result = Commands(world.settings, True).released("shop:v2", "", "", "", "")
    assert (result["outcome"], result["changed"], result.get("failed")) == ("PLANNED", True, None)


def full(*_args: object, **_kwargs: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("state", ["sealed", "rolled_back"])
def test_records_that_cannot_be_used_are_a_result(held: World, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    run = read_holder(held.engine.store.root)["run"]
    monkeypatch.setattr(commands, "write_atomic" if state == "sealed" else "read_holder", full)
    result = run_state(params(held, state=state, run=run), False)
    assert (result["failed"], result["outcome"]) == (True, "FAILED_SAFE")
    assert f"The records cannot be used: No space left on device ('{held.engine.store.root}')." in result["msg"]
    assert "Free space there, make it writable, or use become." in result["msg"]
    monkeypatch.setattr(commands, "write_atomic", write_atomic)
    monkeypatch.setattr(commands, "read_holder", read_holder)
    assert roll_back(held)["outcome"] == "ROLLED_BACK"


@pytest.mark.parametrize("recorded", [True, False])
def test_a_release_that_waits_goes_back_when_the_word_cannot_be_written(
    held: World, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    def lost(*_args: object) -> None:
        if not recorded:
            os.rename(held.engine.store.path("runs"), held.engine.store.path("kept"))
            Path(held.engine.store.path("runs")).touch()
        full()

    monkeypatch.setattr(commands, "write_atomic", lost)
    result = roll_back(held, reason="slow")
    assert (result["outcome"], result["failed"]) == ("ROLLED_BACK", False)
    assert any("could not be written (No space left on device)" in item for item in result["warnings"])
    assert held.engine.gateway.flag() == "green"


def test_a_word_for_a_run_that_does_not_hold_the_lock_ends_nobody(held: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = read_holder(held.engine.store.root)["run"]
    with monkeypatch.context() as patch:
        patch.setattr(commands, "write_atomic", full)
        patch.setattr(commands, "read_holder", lambda _root: {"run": "other"})
        with pytest.raises(OSError, match="No space left"):
            Commands(held.settings, False).sealed(run, "ROLLBACK", "")
    assert read_holder(held.engine.store.root)["phase"] == "prepared"
    assert roll_back(held)["outcome"] == "ROLLED_BACK"

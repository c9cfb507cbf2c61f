# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import shutil
import signal
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _compose, _run
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import candidate, identity
from ansible_collections.j4c.deploy.plugins.module_utils._release.database import Sessions
from ansible_collections.j4c.deploy.plugins.module_utils._release.engine import Engine, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import Journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import State
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store
from ansible_collections.j4c.deploy.plugins.module_utils._release.termination import Termination

from tests.unit.plugins.module_utils._release.fake_docker import conflict
from tests.unit.plugins.module_utils._release.samples import release
from tests.unit.plugins.module_utils._release.world import DOCUMENT, Killed, World
from tests.unit.web import web


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[World]:
    monkeypatch.setattr(identity, "PROOF_SECONDS", 0.05)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with web() as front:
        yield World(tmp_path, front)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def live(world: World) -> World:
    """Return a server on which ``v1`` serves from blue, and ``v0`` stands by in green."""
    for name in ("v0", "v1"):
        assert world.release(name)["outcome"] == "DEPLOYED"
    world.calls.clear()
    return world


def full(*_args: object, **_kwargs: object) -> None:
    raise OSError(28, "No space left on device")


def killed_at(event: str, step: str) -> t.Callable[..., None]:
    """Return a ``Journal.write`` that ends the process, as kill -9 would, when it has written an event of a step."""
    write = Journal.write

    def deadly(self: Journal, what: str, name: str, **fields: t.Any) -> None:
        write(self, what, name, **fields)
        if (what, name) == (event, step):
            raise Killed

    return deadly


def kill_at(world: World, wanted: Wanted | str, event: str, step: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", killed_at(event, step))
        work = world.release if isinstance(wanted, str) else world.run
        with pytest.raises(Killed):
            work(wanted, "killed")  # type: ignore[arg-type]


def test_a_run_that_was_killed_before_it_stored_anything_removes_no_other_release(live: World) -> None:
    kill_at(live, "v2", "intent", "store")
    assert sorted(live.engine.store.load_releases()) == ["v0", "v1"]
    result = live.release("v1", "next")
    assert (result["recovered"], result["outcome"]) == ("revert of run killed", "UNCHANGED")
    assert sorted(live.engine.store.load_releases()) == ["v0", "v1"]
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert not [call for call in live.calls if call.startswith("remove")]


@pytest.mark.parametrize("where", ["intent start", "done start", "intent switch"])
def test_what_served_and_is_gone_comes_back_from_its_stored_release(live: World, where: str) -> None:
    event, step = where.split()
    kill_at(live, "v2", event, step)
    del live.views["shop-blue-v1"]
    result = live.release("v1", "next")
    assert result["recovered"] == "revert of run killed"
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert live.views["shop-blue-v1"]["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_server_where_nothing_can_serve_any_more_takes_the_next_release(live: World) -> None:
    kill_at(live, "v2", "done", "switch")
    live.views.clear()
    live.newborns.update(v0="exited", v1="exited", v2="exited")
    gateway = World.answer(live)
    assert gateway[0] == 200
    live.views["shop-core-gateway-1"] = {
        **live.views.get("shop-core-gateway-1", {}),
        "Id": "g",
        "Config": {"Labels": {}},
        "Image": "sha256:gateway",
        "Name": "/shop-core-gateway-1",
        "State": {"Status": "running", "Running": True, "Pid": 0},
    }
    result = live.release("v3", "next")
    assert (result["recovered"], result["outcome"]) == ("keep of run killed", "DEPLOYED")
    assert any("did not become healthy" in item for item in result["warnings"])


def test_recovery_checks_the_old_slot_as_the_old_release(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []
    real = candidate.wait_healthy

    def spy(checks: t.Any, target: t.Any, inspect: t.Any, *, version: str | None, **more: t.Any) -> t.Any:
        asked.append((target.container, version))
        return real(checks, target, inspect, version=version, **more)

    kill_at(live, "v2", "done", "switch")
    monkeypatch.setattr(candidate, "wait_healthy", spy)
    live.release("v1", "next")
    assert ("shop-blue-v1", "v1") in asked
    assert ("shop-blue-v1", "v2") not in asked


@pytest.mark.parametrize("where", ["done switch", "done prove_gateway", "intent seal", "done seal", "intent park"])
def test_a_rollback_that_was_killed_goes_back_once_however_often_it_is_repeated(live: World, where: str) -> None:
    assert live.release("v2")["outcome"] == "DEPLOYED"
    event, step = where.split()
    kill_at(live, Wanted("rollback"), event, step)
    result = live.run(Wanted("rollback"), "next")
    assert (result["outcome"], result["live"]["release"], result["changed"]) == ("ROLLED_BACK", "v1", True)
    assert set(live.engine.store.load_state().rejected) == {"v2"}
    assert live.slots() == {"blue": "v1 running", "green": "v2 paused"}


def test_a_rollback_of_a_release_that_was_killed_after_its_switch_goes_back_once(live: World) -> None:
    kill_at(live, "v2", "done", "switch")
    result = live.run(Wanted("rollback", reason="errors"), "next")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v1")
    assert live.engine.store.load_state().rejected["v2"]["reason"] == "errors"


def test_a_rollback_of_a_release_that_was_killed_before_its_switch_goes_one_back(live: World) -> None:
    kill_at(live, "v2", "done", "start")
    result = live.run(Wanted("rollback"), "next")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v0")


def running(world: World) -> list[str]:
    return [name for name, view in world.views.items() if "core" not in name and view["State"]["Status"] == "running"]


@pytest.mark.parametrize(
    "where", ["done halt", "intent start", "done start", "done check", "done switch", "intent seal"]
)
@pytest.mark.parametrize("kind", ["release", "rollback"])
def test_recreate_never_runs_two_even_when_it_was_killed(
    live: World, kind: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.settings = replace(live.settings, strategy="recreate")
    most = 0

    def count(self: World, call: str, *args: object) -> None:
        nonlocal most
        real(self, call, *args)
        most = max(most, len(running(live)))

    real = World._call
    monkeypatch.setattr(World, "_call", count)
    event, step = where.split()
    wanted = "v2" if kind == "release" else Wanted("rollback")
    kill_at(live, wanted, event, "wake" if (kind, step) == ("rollback", "start") else step)
    result = live.release("v1", "next", **{}) if kind == "release" else live.run(Wanted("rollback"), "next")
    assert not result.get("failed"), result["msg"]
    assert most == 1
    assert len(running(live)) == 1
    assert live.clean()


def test_recreate_leaves_the_old_one_down_while_the_new_one_cannot_be_stopped(live: World) -> None:
    live.settings = replace(live.settings, strategy="recreate")
    live.front.answers["/"] = (200, b"", {"X-J4C-Slot": "blue"})
    kill_at(live, "v2", "failed", "prove_gateway")
    assert running(live) == ["shop-green-v2"]
    live.broken["stop"] = conflict("out of order", 500)
    live.release("v2", "next")
    assert running(live) == ["shop-green-v2"]


@pytest.mark.parametrize("method", ["save_state", "save_run"])
def test_the_way_back_goes_on_without_records(live: World, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    live.front.answers["/"] = (200, b"", {"X-J4C-Slot": "blue"})
    real = Journal.write

    def write(self: Journal, event: str, step: str, **fields: t.Any) -> None:
        if event == "failed":
            monkeypatch.setattr(Journal, "write", full)
            monkeypatch.setattr(Store, method, full)
            full()
        real(self, event, step, **fields)

    monkeypatch.setattr(Journal, "write", write)
    result = live.release("v2")
    assert (result["outcome"], live.engine.gateway.flag()) == ("ROLLED_BACK", "blue")
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert any("cannot be written: No space left on device" in item for item in result["problems"])
    monkeypatch.undo()
    monkeypatch.setattr(identity, "PROOF_SECONDS", 0.05)
    del live.front.answers["/"]
    live.front.answers["/"] = live.answer
    assert live.release("v3", "next")["outcome"] == "DEPLOYED"
    assert live.clean()


def test_a_rollback_needs_no_records(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live.release("v2")["outcome"] == "DEPLOYED"
    for place, name in ((Journal, "write"), (Store, "save_state"), (Store, "save_release"), (os, "pwrite")):
        monkeypatch.setattr(place, name, full)
    result = live.run(Wanted("rollback", reason="slow"), "back")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v1")
    assert any("cannot be written: No space left on device" in item for item in result["warnings"])
    monkeypatch.undo()
    assert live.slots() == {"blue": "v1 running", "green": "v2 paused"}
    again = live.release("v1", "again")
    assert [step["name"] for step in again["steps"]] == ["mend"]
    state = live.engine.store.load_state()
    assert state.live is not None
    assert state.live["release"] == "v1"
    assert live.clean()


def test_what_has_the_traffic_is_never_removed(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal that was written and a recovery that stumbles: the live slot stays, whatever is tried."""
    kill_at(live, "v2", "done", "seal")
    looks = 0
    real = World.containers

    def stumble(self: World, all: bool, filters: t.Any = None) -> t.Any:  # noqa: A002
        nonlocal looks
        looks += 1
        if looks == 3:
            raise conflict("out of order", 500)
        return real(self, all, filters)

    monkeypatch.setattr(World, "containers", stumble)
    result = live.release("v2", "next")
    assert (result["recovered"], result["outcome"]) == ("tidy of run killed", "UNCHANGED")
    assert any("out of order" in item for item in result["warnings"])
    assert live.slots() == {"blue": "v1 paused", "green": "v2 running"}


def test_an_engine_that_fails_all_the_time_leaves_the_run_for_the_next(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_at(live, "v2", "done", "switch")
    looks = 0
    real = World.containers

    def fail(self: World, all: bool, filters: t.Any = None) -> t.Any:  # noqa: A002
        nonlocal looks
        looks += 1
        if looks > 2:
            raise conflict("out of order", 500)
        return real(self, all, filters)

    monkeypatch.setattr(World, "containers", fail)
    with pytest.raises(DeployError, match="Run killed was interrupted and cannot be ended: .* out of order"):
        live.release("v3", "next")
    monkeypatch.undo()
    assert live.release("v3", "again")["outcome"] == "DEPLOYED"


def test_a_seal_on_the_way_of_recovery_is_not_taken_back(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at(live, "v2", "done", "watch")
    monkeypatch.setattr(Store, "save_release", half(Store.save_release))
    result = live.release("v2", "next")
    assert result["recovered"] == "finish of run killed"
    assert live.engine.gateway.flag() == "green"
    monkeypatch.undo()
    live.release("v2", "again")
    assert live.engine.store.load_releases()["v2"].sealed


def test_records_that_cannot_be_used_are_told(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "sweep", full)
    with pytest.raises(DeployError, match="The records below '.*' cannot be used: No space left on device"):
        live.release("v2")


def test_records_that_cannot_be_written_stop_a_release_before_it_begins(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "write", full)
    with pytest.raises(DeployError, match="The records of the run cannot be written: No space left") as caught:
        live.release("v2")
    assert "Free space" in (caught.value.hint or "")
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert live.calls == []


def test_a_disk_that_is_full_after_the_switch_takes_the_release_back(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Journal.write

    def write(self: Journal, event: str, step: str, **fields: t.Any) -> None:
        if (event, step) == ("done", "switch"):
            monkeypatch.setattr(Journal, "write", full)
            monkeypatch.setattr(Store, "save_state", full)
            full()
        real(self, event, step, **fields)

    monkeypatch.setattr(Journal, "write", write)
    result = live.release("v2")
    assert (result["outcome"], live.engine.gateway.flag()) == ("ROLLED_BACK", "blue")
    monkeypatch.undo()
    # its fault it was not
    assert live.release("v2", "again")["outcome"] == "DEPLOYED"
    assert live.clean()


def test_a_seal_that_half_failed_is_completed_by_the_next_run(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "save_release", half(Store.save_release))
    live.broken["pause"] = conflict("out of order", 500)
    result = live.release("v2")
    assert (result["outcome"], result["live"]["release"]) == ("DEPLOYED", "v2")
    assert any("Step 'seal' failed after the release was sealed" in item for item in result["warnings"])
    monkeypatch.undo()
    live.broken.clear()
    assert live.engine.store.load_releases()["v2"].sealed is None
    again = live.release("v2", "again")
    assert [step["name"] for step in again["steps"]] == ["mend", "drain", "park"]
    assert live.engine.store.load_releases()["v2"].sealed
    assert live.slots() == {"blue": "v1 paused", "green": "v2 running"}
    assert live.release("v2", "third")["changed"] is False


def half(save: t.Callable[..., None]) -> t.Callable[..., None]:
    """Return a ``Store.save_release`` that cannot write a seal."""

    def broken(self: Store, release: t.Any, *rest: t.Any) -> None:
        if release.id == "v2" and release.sealed:
            full()
        save(self, release, *rest)

    return broken


def test_a_seal_that_was_killed_half_way_is_completed_by_the_next_run(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Store, release: t.Any, again: bool = False) -> t.Any:
        raise Killed

    monkeypatch.setattr(Store, "seal_release", killed)
    with pytest.raises(Killed):
        live.release("v2", "killed")
    monkeypatch.undo()
    result = live.run(Wanted("rollback", reason="slow"), "next")
    assert (result["recovered"], result["outcome"]) == ("tidy of run killed", "ROLLED_BACK")
    assert live.slots() == {"blue": "v1 running", "green": "v2 paused"}
    assert set(live.engine.store.load_state().rejected) == {"v2"}


def test_a_word_that_came_while_the_engine_was_dead_counts(live: World) -> None:
    live.settings = replace(live.settings, hold_seconds=10.0)

    def report(event: str, result: dict[str, t.Any]) -> None:
        Path(live.engine.store.verdict_path("killed")).write_text("SUCCESS\n", "utf-8")
        raise Killed

    with pytest.raises(Killed):
        live.release("v2", "killed", report=report)
    live.settings = replace(live.settings, hold_seconds=0.0)
    result = live.release("v2", "next")
    assert (result["recovered"], result["outcome"]) == ("finish of run killed", "UNCHANGED")
    assert not Path(live.engine.store.verdict_path("killed")).exists()


@pytest.mark.parametrize("status", ["exited", "gone"])
def test_a_live_container_that_died_is_said_and_repaired(live: World, status: str) -> None:
    lose(live, status)
    result = live.release("v2")
    assert (result["outcome"], live.engine.gateway.flag()) == ("DEPLOYED", "green")
    assert any("Release 'v1' should serve in slot 'blue', but its container is" in item for item in result["warnings"])


def lose(world: World, status: str) -> None:
    if status == "gone":
        del world.views["shop-blue-v1"]
    else:
        world.views["shop-blue-v1"]["State"].update(Status="exited", Running=False)


@pytest.mark.parametrize("status", ["exited", "gone"])
def test_a_live_container_that_died_comes_back_when_the_release_fails(live: World, status: str) -> None:
    lose(live, status)
    live.newborns["v2"] = "exited"
    result = live.release("v2")
    assert (result["outcome"], result["problems"]) == ("FAILED_SAFE", [])
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}


@pytest.mark.parametrize("status", ["exited", "gone"])
def test_a_rollback_from_a_live_container_that_died_goes_one_back(live: World, status: str) -> None:
    lose(live, status)
    result = live.run(Wanted("rollback", reason="dead"), "back")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v0")
    assert live.engine.store.load_state().rejected["v1"]["reason"] == "dead"


@pytest.mark.parametrize("damage", [None, "", "{", '{"schema": 1}'])
def test_lost_records_are_made_anew_and_never_taken_for_an_empty_server(live: World, damage: str | None) -> None:
    path = Path(live.engine.store.path("state.json"))
    before = live.engine.store.load_state()
    path.unlink() if damage is None else path.write_text(damage, "utf-8")
    seen = live.engine.observe()
    assert seen.state.live is not None
    assert seen.state.standby is not None
    assert (seen.state.live["release"], seen.state.standby["release"]) == ("v1", "v0")
    result = live.run(Wanted("rollback"), "back")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v0")
    assert any("it was made anew" in item for item in result["warnings"])
    assert before.live is not None
    assert len(list(path.parent.glob("state.json.damaged-*"))) == (0 if damage is None else 1)
    assert live.clean()


def test_lost_records_of_an_unfinished_run_are_found_in_the_journal(live: World) -> None:
    kill_at(live, "v2", "done", "switch")
    Path(live.engine.store.path("state.json")).unlink()
    result = live.release("v1", "next")
    assert (result["recovered"], result["outcome"]) == ("revert of run killed", "UNCHANGED")
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}


def test_lost_records_that_nothing_tells_are_refused(live: World) -> None:
    Path(live.engine.store.path("state.json")).unlink()
    shutil.rmtree(live.engine.store.path("releases", "v1"))
    with pytest.raises(DeployError, match="it cannot be told what slot 'blue' holds: its container shop-blue-v1 is"):
        live.release("v2")
    assert live.calls == []
    Path(live.engine.store.path("releases", "v1")).mkdir()
    live.engine.store.save_release(release("v1", image="other", sealed="2026-01-01T00:00:00.000Z"))
    with pytest.raises(DeployError, match="no sealed manifest with the same image"):
        live.run(Wanted("rollback"), "back")


def test_what_was_rejected_is_still_known_when_the_records_are_lost(live: World) -> None:
    live.run(Wanted("rollback", reason="slow"), "back")
    Path(live.engine.store.path("state.json")).unlink()
    with pytest.raises(DeployError, match="Release 'v1' was rolled back"):
        live.release("v1", "again")


def test_what_recovery_rejected_is_still_known_when_the_records_are_lost(live: World) -> None:
    live.settings = replace(live.settings, hold_seconds=10.0)

    def report(event: str, result: dict[str, t.Any]) -> None:
        Path(live.engine.store.verdict_path("killed")).write_text("ROLLBACK\nslow\n", "utf-8")
        raise Killed

    with pytest.raises(Killed):
        live.release("v2", "killed", report=report)
    live.settings = replace(live.settings, hold_seconds=0.0)
    assert live.release("v1", "next")["recovered"] == "revert of run killed"
    Path(live.engine.store.path("state.json")).unlink()
    with pytest.raises(DeployError, match=r"Release 'v2' was rolled back at .* \(slow\)"):
        live.release("v2", "again")


def test_a_switch_that_was_moved_by_hand_is_believed(live: World) -> None:
    live.unpause("shop-green-v0")
    live.engine.gateway.switch("green")
    result = live.release("v0", "again")
    assert (result["outcome"], [step["name"] for step in result["steps"]]) == ("UNCHANGED", ["mend", "drain", "park"])
    assert "The records name 'v1' in slot 'blue' as live, the gateway's switch 'v0' in slot 'green'" in " ".join(
        result["warnings"]
    )
    assert live.slots() == {"blue": "v1 paused", "green": "v0 running"}
    state = live.engine.store.load_state()
    assert state.live is not None
    assert state.live["release"] == "v0"
    assert live.views["shop-green-v0"]["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert live.release("v0", "third")["changed"] is False


def test_a_rollback_goes_back_twice_past_a_release_that_was_taken_back(live: World) -> None:
    live.newborns["v2"] = "exited"
    assert live.release("v2")["outcome"] == "FAILED_SAFE"
    assert live.release("v3")["outcome"] == "DEPLOYED"
    assert live.run(Wanted("rollback"), "one")["live"]["release"] == "v1"
    assert live.run(Wanted("rollback"), "two")["live"]["release"] == "v0"
    assert set(live.engine.store.load_state().rejected) == {"v1", "v3"}
    with pytest.raises(DeployError, match="no earlier release"):
        live.run(Wanted("rollback"), "three")


def test_an_old_release_that_is_released_anew_is_the_newest(live: World) -> None:
    assert live.release("v0", "forward")["outcome"] == "DEPLOYED"
    assert live.run(Wanted("rollback"), "back")["live"]["release"] == "v1"


def test_a_docker_client_that_hangs_is_given_up(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compose, "MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(_run.end_group, "__defaults__", (0.1,))
    (live.started / "hang").touch()
    result = live.release("v2")
    assert result["outcome"] == "FAILED_SAFE"
    assert "did not end within 0.3 s and was stopped" in result["msg"]
    # the standby could not be made either; what serves was never in question
    assert live.slots() == {"blue": "v1 running", "green": "absent"}
    assert any(item.startswith("Making the standby ready again failed") for item in result["problems"])
    (live.started / "hang").unlink()
    assert live.run(Wanted("rollback"), "back")["live"]["release"] == "v0"


def ask_to_end(world: World, event: str, step: str) -> dict[str, t.Any]:
    """Release ``v2`` with an engine that gets TERM when it has written an event of a step."""
    write = Journal.write
    termination = Termination()
    termination.listen()

    def asked(self: Journal, what: str, name: str, **fields: t.Any) -> None:
        write(self, what, name, **fields)
        if (what, name) == (event, step):
            os.kill(os.getpid(), signal.SIGTERM)

    engine = Engine(world, world.runner, world.settings, termination)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", asked)
        return engine.run(Wanted("release", release("v2"), DOCUMENT), "ended", lambda _event, _result: None)


@pytest.mark.parametrize(
    ("where", "outcome", "serves"),
    [
        ("done store", "FAILED_SAFE", "v1"),
        ("intent start", "FAILED_SAFE", "v1"),
        ("done check", "FAILED_SAFE", "v1"),
        ("intent switch", "ROLLED_BACK", "v1"),
        ("done switch", "ROLLED_BACK", "v1"),
        ("done watch", "DEPLOYED", "v2"),
        ("intent seal", "DEPLOYED", "v2"),
        ("done seal", "DEPLOYED", "v2"),
        ("intent park", "DEPLOYED", "v2"),
    ],
)
def test_an_engine_that_is_asked_to_end_goes_back_or_finishes(
    live: World, where: str, outcome: str, serves: str
) -> None:
    event, step = where.split()
    result = ask_to_end(live, event, step)
    assert (result["outcome"], result["live"]["release"]) == (outcome, serves)
    assert live.engine.gateway.flag() == ("blue" if serves == "v1" else "green")
    if serves == "v1":
        assert "The engine was ended by signal 15. It was" in result["msg"] or "The live release" in result["msg"]
        assert live.engine.store.load_state().rejected == {}
    assert live.clean()


def test_the_way_back_is_not_cut_short_by_a_second_signal(live: World) -> None:
    live.newborns["v2"] = "exited"
    result = ask_to_end(live, "undo", "start")
    assert (result["outcome"], live.told("undo")) == ("FAILED_SAFE", ["undo start", "undo store"])
    assert live.slots() == {"blue": "v1 running", "green": "absent"}


def test_a_run_that_was_asked_to_end_does_not_begin(live: World) -> None:
    termination = Termination()
    termination.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    assert termination.asked
    with pytest.raises(DeployError, match="ended by signal 15"):
        Engine(live, live.runner, live.settings, termination).run(Wanted("rollback"), "x", lambda _event, _result: None)
    assert live.calls == []


def test_an_empty_server_stays_one(world: World) -> None:
    assert world.engine.observe().state == State()
    assert world.engine.observe().rebuilt == ()


@contextlib.contextmanager
def stuck_gateway(world: World, why: str) -> t.Iterator[None]:
    """Let the gateway's switch be moved once, and the new slot fail its proof; ``why`` is what fails on the way back."""
    real = Gateway.flag

    def switch(self: Gateway, slot: str) -> None:
        if real(self) == "green":
            if why == "unreadable":
                patch.setattr(Gateway, "flag", broken)
            broken(self)
        os.rename(self._path("green.off"), self._path("green"))

    def broken(_self: Gateway) -> str:
        raise DeployError("The gateway's directory fails: Read-only file system.")

    answer = world.front.answers["/"]
    world.front.answers["/"] = (200, b"", {"X-J4C-Slot": "blue"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "switch", switch)
        yield
    world.front.answers["/"] = answer


@pytest.mark.parametrize("why", ["read-only", "unreadable"])
@pytest.mark.parametrize(
    ("strategy", "kind", "left"),
    [
        ("blue_green", "release", {"blue": "v1 running", "green": "v2 running"}),
        ("recreate", "release", {"blue": "v1 exited", "green": "v2 running"}),
        ("blue_green", "rollback", {"blue": "v1 running", "green": "v0 running"}),
        ("recreate", "rollback", {"blue": "v1 exited", "green": "v0 running"}),
    ],
)
def test_what_keeps_the_traffic_is_left_alone_on_the_way_back(
    live: World, strategy: str, kind: str, left: dict[str, str], why: str
) -> None:
    live.settings = replace(live.settings, strategy=strategy)
    with stuck_gateway(live, why):
        result = live.release("v2", "stuck") if kind == "release" else live.run(Wanted("rollback"), "stuck")
    assert live.slots() == left
    assert live.engine.gateway.flag() == "green"
    assert (result["outcome"], result["failed"]) == ("INTERRUPTED", True)
    assert "It could not be taken back; " in result["msg"]
    assert "'v1' in slot 'blue' serves" not in result["msg"]
    assert left["green"].split()[0] in live.engine.store.load_releases()
    again = live.release("v1", "next") if kind == "release" else live.run(Wanted("rollback"), "next")
    serves = "v1" if kind == "release" else "v0"
    assert (again["live"]["release"], again.get("failed")) == (serves, None)
    assert f"{serves} running" in live.slots().values()
    assert live.clean()


def test_a_slot_that_was_paused_by_a_killed_run_is_parked_again(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_self: Sessions) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Sessions, "busy", killed)
        with pytest.raises(Killed):
            live.release("v2", "killed")
    assert live.slots()["blue"] == "v1 paused"
    live.calls.clear()
    assert live.release("v2", "next")["recovered"] == "tidy of run killed"
    assert [call.split()[0] for call in live.calls if "pause" in call] == ["unpause", "pause"]
    state = live.engine.store.load_state()
    assert state.standby is not None
    assert state.standby["mode"] == "paused"


def test_a_slot_that_an_earlier_run_left_half_parked_is_parked_by_the_next(live: World) -> None:
    store = live.engine.store
    state = store.load_state()
    assert state.standby is not None
    store.save_state(replace(state, standby={**state.standby, "mode": "running"}))
    result = live.release("v1", "again")
    assert [step["name"] for step in result["steps"]] == ["mend", "wake", "drain", "park"]
    assert result["standby"]["mode"] == "paused"
    assert live.release("v1", "third")["changed"] is False


def test_a_rollback_goes_back_itself_when_recovery_could_not(live: World) -> None:
    kill_at(live, "v2", "done", "switch")
    del live.views["shop-blue-v1"]
    live.views["shop-green-v2"]["State"].update(Status="exited", Running=False)
    live.newborns["v1"] = "exited"
    with pytest.MonkeyPatch.context() as patch:
        # neither comes up again, so that the traffic stays where it is
        patch.setattr(World, "start", World.pause)
        result = live.run(Wanted("rollback"), "next")
    assert result["recovered"] == "keep of run killed"
    assert (result["outcome"], result["failed"]) == ("FAILED_SAFE", True)


def test_recreate_keeps_the_older_one_when_neither_is_healthy(live: World) -> None:
    live.settings = replace(live.settings, strategy="recreate")
    kill_at(live, "v2", "done", "switch")
    live.let_nobody_be_healthy()
    result = live.release("v1", "next")
    assert result["recovered"] == "keep of run killed"
    assert live.engine.gateway.flag() == "blue"
    assert running(live) == ["shop-blue-v1"]


@pytest.mark.parametrize(("healthy", "way"), [(True, "revert"), (False, "keep")])
def test_what_failed_while_it_was_watched_is_rejected_by_recovery(live: World, healthy: bool, way: str) -> None:
    live.settings = replace(live.settings, watch_seconds=10.0)

    def end() -> bool:
        if live.engine.gateway.flag() == "green" and "shop-green-v2" in live.views:
            live.views["shop-green-v2"]["State"].update(Status="exited", Running=False)
        return False

    live.killer = end
    kill_at(live, "v2", "failed", "watch")
    if not healthy:
        live.let_nobody_be_healthy()
        live.views["shop-blue-v1"]["HostConfig"]["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    result = live.release("v1", "next")
    assert result["recovered"] == f"{way} of run killed"
    assert live.engine.gateway.flag() == "blue"
    assert "v2" in live.engine.store.load_state().rejected

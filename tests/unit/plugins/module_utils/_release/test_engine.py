# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import identity, standby
from ansible_collections.j4c.deploy.plugins.module_utils._release.engine import Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Database
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store

from tests.unit.plugins.module_utils._release.fake_docker import conflict
from tests.unit.plugins.module_utils._release.samples import release
from tests.unit.plugins.module_utils._release.world import Killed, World
from tests.unit.web import web


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[World]:
    monkeypatch.setattr(identity, "PROOF_SECONDS", 0.05)
    handler = signal.getsignal(signal.SIGTERM)
    with web() as front:
        yield World(tmp_path, front)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def live(world: World) -> World:
    """Return a server on which ``v1`` serves from blue, and ``v0`` stands by in green."""
    for name in ("v0", "v1"):
        done = world.release(name)
        assert done["outcome"] == "DEPLOYED", done["msg"]
    world.calls.clear()
    return world


def steps_of(result: dict[str, t.Any]) -> list[str]:
    return [f"{item['name']} {item['result']}" for item in result["steps"]]


def test_releases_alternate_between_the_slots(world: World) -> None:
    first = world.release("v0")
    assert (first["outcome"], first["slot"], first["changed"]) == ("DEPLOYED", "green", True)
    assert first["msg"] == "DEPLOYED: 'v0' in slot 'green' serves."
    assert steps_of(first)[0] == "store ok"
    assert world.slots() == {"blue": "absent", "green": "v0 running"}
    second = world.release("v1")
    assert (second["slot"], second["decision"], second["phase"]) == ("blue", "SUCCESS", "service_deployment")
    assert (second["live"]["release"], second["standby"]["release"], second["standby"]["mode"]) == (
        "v1",
        "v0",
        "paused",
    )
    assert world.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert world.clean()


def test_the_same_release_again_changes_nothing(live: World) -> None:
    result = live.release("v1", "again")
    assert (result["outcome"], result["changed"], result["steps"]) == ("UNCHANGED", False, [])
    assert live.calls == []
    assert live.clean()


def test_only_the_live_slot_restarts_by_itself(live: World) -> None:
    policies = {view["Id"]: view["HostConfig"]["RestartPolicy"]["Name"] for view in live.views.values()}
    assert (policies["shop-blue-v1"], policies["shop-green-v0"]) == ("unless-stopped", "no")


def test_a_rollback_wakes_the_standby_and_rejects_what_served(live: World) -> None:
    result = live.run(Wanted("rollback", reason="slow"), "back")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v0")
    assert [name.split()[0] for name in steps_of(result)] == [
        *("wake", "check", "prove", "switch", "prove_gateway", "seal", "drain", "park")
    ]
    assert live.slots() == {"blue": "v1 paused", "green": "v0 running"}
    assert live.engine.store.load_state().rejected["v1"]["reason"] == "slow"
    with pytest.raises(DeployError, match="Release 'v1' was rolled back"):
        live.release("v1", "again")
    live.settings = replace(live.settings, force_reason="mended")
    assert live.release("v1", "again")["outcome"] == "DEPLOYED"
    assert live.engine.store.load_state().rejected == {}


def test_a_rollback_may_go_further_back(live: World) -> None:
    assert live.release("v2")["outcome"] == "DEPLOYED"
    result = live.run(Wanted("rollback", release_id="v0"), "back")
    assert (result["outcome"], result["live"]["release"], result["slot"]) == ("ROLLED_BACK", "v0", "blue")
    assert result["diff"] == {
        "before": "live: v2 in green\nstandby: v1 in blue\n",
        "after": "live: v0 in blue\nstandby: v2 in green\n",
    }


def test_a_standby_is_woken_without_what_only_a_start_needs(live: World) -> None:
    live.known_networks.clear()
    assert live.run(Wanted("rollback"), "back")["outcome"] == "ROLLED_BACK"


def test_a_new_container_that_ends_is_removed_and_nobody_saw_it(live: World) -> None:
    live.newborns["v2"] = "exited"
    result = live.release("v2")
    assert (result["outcome"], result["failed"], result["decision"]) == ("FAILED_SAFE", True, "ROLLBACK")
    assert result["msg"].startswith(
        "FAILED_SAFE: Release 'v2' did not become healthy in slot 'green': the container is exited, exit status 0."
    )
    assert "The live release was not touched; 'v1' in slot 'blue' serves." in result["msg"]
    assert steps_of(result)[-5:] == [
        *("start ok", "check failed", "undo_start ok", "undo_store ok", "restore_standby ok")
    ]
    assert live.told("undo") == ["undo start", "undo store"]
    assert (result["evidence"]["step"], result["evidence"]["logs"]) == ("check", ["started", "broke �"])
    assert result["evidence"]["inspect"]["state"]["Status"] == "exited"
    assert result["evidence"]["health"]["healthy"] is False
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert sorted(live.engine.store.load_releases()) == ["v0", "v1"]
    assert "restart shop-blue-v1" not in " ".join(live.calls)
    assert live.clean()


def test_what_compose_says_is_told_when_it_does_not_start(live: World) -> None:
    (live.started / "refuse").write_text("Error response from daemon: port is already allocated\n", "utf-8")
    result = live.release("v2")
    assert result["outcome"] == "FAILED_SAFE"
    assert "port is already allocated" in result["msg"]
    assert "ss -ltnp" in result["hint"]
    assert (result["rc"], result["evidence"]["step"], result["evidence"]["inspect"]) == (17, "start", None)
    assert live.slots()["blue"] == "v1 running"


def test_after_the_switch_the_flag_goes_back_first(live: World) -> None:
    live.front.answers["/"] = (200, b"", {"X-J4C-Slot": "blue"})
    result = live.release("v2")
    assert (result["outcome"], result["failed"]) == ("ROLLED_BACK", True)
    assert result["msg"].endswith("It was taken back; 'v1' in slot 'blue' serves.")
    assert live.told("undo") == ["undo switch", "undo start", "undo store"]
    assert live.engine.gateway.flag() == "blue"
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert live.clean()


def test_a_rollback_that_fails_parks_the_standby_again(live: World) -> None:
    live.front.answers["/"] = (200, b"", {"X-J4C-Slot": "blue"})
    result = live.run(Wanted("rollback"), "back")
    assert result["failed"]
    assert live.told("undo") == ["undo switch", "undo wake"]
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert live.engine.store.load_state().rejected == {}


def test_a_part_of_the_way_back_that_fails_does_not_stop_the_rest(live: World) -> None:
    live.newborns["v2"] = "exited"
    live.broken["remove"] = conflict("out of order", 500)
    # nothing to clear before the start, so that only the way back removes
    del live.views["shop-green-v0"]
    result = live.release("v2")
    assert len(result["problems"]) == 1
    assert result["problems"][0].startswith("Taking back step 'start' failed: Removing container 'shop-green-v")
    assert result["problems"][0] in result["msg"]
    assert steps_of(result)[-2:] == ["undo_start failed", "undo_store ok"]
    assert live.clean()


def test_evidence_that_cannot_be_taken_is_told(live: World) -> None:
    live.newborns["v2"] = "exited"

    def logs(name: str, tail: int) -> bytes:
        raise conflict("out of order", 500)

    live.logs = logs  # type: ignore[method-assign]
    result = live.release("v2")
    assert result["evidence"]["lost"] == "Reading the log of container 'shop-green-v' failed: out of order"
    assert live.told("undo") == ["undo start", "undo store"]


def test_what_cannot_be_tidied_up_is_a_warning(live: World) -> None:
    live.broken["pause"] = conflict("out of order", 500)
    result = live.release("v2")
    assert (result["outcome"], result.get("failed"), result["live"]["release"]) == ("DEPLOYED", None, "v2")
    assert result["warnings"] == [
        "Step 'park' failed after the release was sealed: Pausing container 'shop-blue-v1' failed: out of order"
    ]
    assert steps_of(result)[-2:] == ["park failed", "prune ok"]
    assert live.told("undo") == []
    assert live.slots() == {"blue": "v1 running", "green": "v2 running"}
    live.broken.clear()
    again = live.release("v2", "again")
    assert (again["outcome"], steps_of(again)) == ("UNCHANGED", ["drain ok", "park ok"])
    assert live.slots() == {"blue": "v1 paused", "green": "v2 running"}


def test_who_follows_may_be_gone_when_the_release_is_sealed(live: World) -> None:
    def report(event: str, result: dict[str, t.Any]) -> None:
        raise OSError(28, "No space left on device")

    result = live.release("v2", report=report)
    assert (result["outcome"], result["live"]["release"]) == ("DEPLOYED", "v2")
    assert "Step 'seal' failed after the release was sealed" in result["warnings"][0]
    assert live.slots() == {"blue": "v1 paused", "green": "v2 running"}
    assert live.engine.gateway.flag() == "green"


def test_a_container_that_ends_while_it_is_watched_is_taken_back(live: World) -> None:
    live.settings = replace(live.settings, watch_seconds=10.0)

    def end() -> bool:
        if live.engine.gateway.flag() == "green":
            live.views["shop-green-v2"]["State"].update(Status="exited", Running=False, OOMKilled=True)
        return False

    live.killer = end
    result = live.release("v2")
    assert (result["outcome"], result["evidence"]["step"]) == ("ROLLED_BACK", "watch")
    assert (
        "failed its checks while it was watched in slot 'green'. container: the container ran out of" in result["msg"]
    )
    assert result["health"]["healthy"] is False
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert "failed its checks while it was watched" in live.engine.store.load_state().rejected["v2"]["reason"]
    with pytest.raises(DeployError, match="Release 'v2' was rolled back"):
        live.release("v2", "again")


@pytest.mark.parametrize(
    ("strategy", "standby", "left"),
    [
        ("blue_green", "paused", "v1 paused"),
        ("blue_green", "running", "v1 running"),
        ("blue_green", "stopped", "v1 exited"),
        ("blue_green", "none", "absent"),
        ("recreate", "paused", "v1 exited"),
        ("recreate", "none", "absent"),
    ],
)
def test_how_the_old_release_stands_by(live: World, strategy: str, standby: str, left: str) -> None:
    live.settings = replace(live.settings, strategy=strategy, standby=standby)
    result = live.release("v2")
    assert (result["outcome"], result["warnings"]) == ("DEPLOYED", [])
    assert live.slots() == {"blue": left, "green": "v2 running"}
    state = live.engine.store.load_state()
    mode = None if state.standby is None else state.standby["mode"]
    assert mode == {"v1 exited": "stopped", "absent": None}.get(left, standby)
    if left != "absent":
        assert live.views["shop-blue-v1"]["HostConfig"]["RestartPolicy"]["Name"] == "no"


BUSY = b"""\
  sl  local_address rem_address   st
   0: 0A001EAC:B1A2 0B001EAC:1F90 01
"""


def test_a_slot_with_open_connections_keeps_running(live: World) -> None:
    live.says["cat"] = [BUSY]
    result = live.release("v2")
    assert result["outcome"] == "DEPLOYED"
    assert result["warnings"] == ["Slot 'blue' keeps running: 1 connections are open on it. The next run parks it."]
    assert (live.slots()["blue"], result["standby"]["mode"]) == ("v1 running", "running")
    live.says["cat"] = [b""]
    assert steps_of(live.release("v2", "again")) == ["drain ok", "park ok"]
    assert live.slots()["blue"] == "v1 paused"


def test_a_slot_is_drained_until_its_connections_are_closed(live: World) -> None:
    live.settings = replace(live.settings, drain_timeout=10.0)
    live.says["cat"] = [BUSY, BUSY, b""]
    result = live.release("v2")
    (drained,) = (step for step in result["steps"] if step["name"] == "drain")
    assert drained["detail"].startswith("1 open connections, ")
    assert (result["warnings"], live.slots()["blue"]) == ([], "v1 paused")


def test_connections_that_do_not_end_are_cut_when_their_slot_is_needed(live: World) -> None:
    live.views["shop-green-v0"]["State"].update(Status="running")
    live.says["cat"] = [BUSY.replace(b"0B001EAC", b"0C001EAC")]
    result = live.release("v2")
    assert steps_of(result)[:4] == ["mend ok", "store ok", "drain ok", "clear ok"]
    assert result["warnings"][1] == "1 connections that were still open on slot 'green' were cut."
    assert live.slots()["green"] == "v2 running"


DATABASE = Database("db", "root", "shop")


@pytest.mark.parametrize(
    ("answers", "left", "pauses"),
    [([b"0", b"3"], "paused", 1), ([b"1", b"1", b"0", b"3"], "paused", 3), ([b"1"], "running", 3)],
)
def test_a_slot_is_never_frozen_in_a_transaction(
    live: World, monkeypatch: pytest.MonkeyPatch, answers: list[bytes], left: str, pauses: int
) -> None:
    monkeypatch.setattr(standby, "PARK_TRIES", 3)
    live.settings = replace(live.settings, database=DATABASE)
    live.views["shop-blue-v1"]["NetworkSettings"]["Networks"] = {"edge": {"IPAddress": "172.30.0.11"}}
    live.says["psql"] = answers
    result = live.release("v2")
    assert live.slots()["blue"] == f"v1 {left}"
    assert result["standby"]["mode"] == left
    assert sum(call.startswith("pause ") for call in live.calls) == pauses
    assert bool(result["warnings"]) is (left == "running")
    assert ("pg_terminate_backend" in " ".join(live.calls)) is (left == "paused")


@pytest.mark.parametrize("answers", [[b"no such database"], [b"0", b"no such database"]])
def test_a_slot_is_not_left_frozen_when_its_sessions_cannot_be_told(live: World, answers: list[bytes]) -> None:
    live.settings = replace(live.settings, database=DATABASE)
    live.views["shop-blue-v1"]["NetworkSettings"]["Networks"] = {"edge": {"IPAddress": "172.30.0.11"}}
    live.says["psql"] = answers
    result = live.release("v2")
    assert (result["outcome"], live.slots()["blue"]) == ("DEPLOYED", "v1 running")
    assert "no such database" in result["warnings"][0]


def test_what_is_superseded_goes(live: World) -> None:
    live.settings = replace(live.settings, keep=2)
    result = live.release("v2")
    assert (result["steps"][-1]["name"], result["steps"][-1]["detail"]) == ("prune", "removed v0")
    assert sorted(live.engine.store.load_releases()) == ["v1", "v2"]


def test_a_rollback_is_not_refused_for_lack_of_disk(live: World) -> None:
    assert live.release("v2")["outcome"] == "DEPLOYED"
    live.settings = replace(live.settings, min_free_bytes=1 << 60)
    with pytest.raises(DeployError, match="Nothing was changed: 2 problems"):
        live.release("v3")
    result = live.run(Wanted("rollback", release_id="v0"), "back")
    assert (result["outcome"], result["live"]["release"]) == ("ROLLED_BACK", "v0")
    assert sum("MiB are free under" in item for item in result["warnings"]) == 2


def test_nothing_is_changed_when_the_start_is_impossible(live: World) -> None:
    live.known_networks.clear()
    with pytest.raises(DeployError, match=r"Nothing was changed: 2 problems"):
        live.release("v2")
    assert live.calls == []
    assert live.clean()


def test_recreate_stops_the_old_one_first_and_brings_it_back(live: World) -> None:
    live.settings = replace(live.settings, strategy="recreate")
    live.newborns["v2"] = "exited"
    result = live.release("v2")
    assert (result["outcome"], result["downtime_seconds"] > 0) == ("ROLLED_BACK", True)
    assert live.told("undo") == ["undo start", "undo halt", "undo store"]
    assert live.slots()["blue"] == "v1 running"
    assert live.views["shop-blue-v1"]["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    live.newborns.clear()
    again = live.release("v2", "again")
    assert (again["outcome"], again["downtime_seconds"] > 0) == ("DEPLOYED", True)
    # a frozen container would run again beside the new one when it is woken by accident
    assert live.slots() == {"blue": "v1 exited", "green": "v2 running"}


def verdict_writer(world: World, run_id: str, text: str) -> t.Callable[[str, dict[str, t.Any]], None]:
    def report(event: str, result: dict[str, t.Any]) -> None:
        if event == "prepared":
            assert (result["outcome"], result["slot"]) == ("PREPARED", "green")
            assert read_holder(world.engine.store.root)["phase"] == "prepared"
            Path(world.engine.store.path("runs", f"{run_id}.verdict")).write_text(f"{text}\n", "utf-8")

    return report


@pytest.mark.parametrize(
    ("word", "outcome", "serves"),
    [("SUCCESS", "DEPLOYED", "v2"), ("REVIEW", "REVIEW", "v2"), ("ROLLBACK", "ROLLED_BACK", "v1")],
)
def test_a_held_release_waits_for_a_word(live: World, word: str, outcome: str, serves: str) -> None:
    live.settings = replace(live.settings, hold_seconds=10.0)
    result = live.release("v2", report=verdict_writer(live, "run-v2", word))
    assert (result["outcome"], result["live"]["release"]) == (outcome, serves)
    assert not os.path.exists(live.engine.store.path("runs", "run-v2.verdict"))
    assert live.clean()


def test_a_held_release_without_a_word_goes_back(live: World) -> None:
    live.settings = replace(live.settings, hold_seconds=0.05)
    result = live.release("v2")
    assert result["msg"].startswith("ROLLED_BACK: Nobody sealed release 'v2' within 0.05 s, so it was taken back.")
    assert live.engine.gateway.flag() == "blue"


def kill(world: World, name: str, where: str) -> None:
    """Interrupt a release of ``name`` at a call of the engine's API, or after the switch."""
    flag = world.engine.gateway.flag()
    if where == "watch":
        world.settings = replace(world.settings, watch_seconds=1.0)
        world.killer = lambda: world.engine.gateway.flag() != flag
    else:
        world.broken[where] = Killed()
    with pytest.raises(Killed):
        world.release(name, "killed")
    world.killer = lambda: False
    world.broken.clear()
    world.settings = replace(world.settings, watch_seconds=0.0)
    assert world.engine.store.load_state().run is not None


def test_a_run_that_was_killed_before_the_switch_is_taken_back(live: World) -> None:
    kill(live, "v2", "restart")
    assert live.slots()["green"] == "v2 running"
    result = live.release("v1", "next")
    assert (result["recovered"], result["outcome"], result["changed"]) == ("revert of run killed", "UNCHANGED", True)
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert sorted(live.engine.store.load_releases()) == ["v0", "v1"]
    run = live.engine.store.load_run("killed")
    assert run is not None
    assert (run["event"], run["result"]["outcome"], run["result"]["failed"]) == ("end", "FAILED_SAFE", True)
    assert run["result"]["msg"] == "FAILED_SAFE: the run was interrupted; the next one ended it (revert)."
    assert live.told("recover", "recovered") == ["recover revert", "recovered revert"]
    assert live.clean()


def test_a_run_that_was_killed_before_its_validation_goes_back_to_what_served(live: World) -> None:
    kill(live, "v2", "watch")
    assert live.engine.gateway.flag() == "green"
    result = live.release("v1", "next")
    assert (result["recovered"], result["outcome"]) == ("revert of run killed", "UNCHANGED")
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}
    assert live.engine.gateway.flag() == "blue"
    # nobody knows that anything is wrong with it
    assert live.release("v2", "again")["outcome"] == "DEPLOYED"


def test_it_is_kept_when_what_served_does_not_any_more(live: World) -> None:
    kill(live, "v2", "watch")
    live.views.pop("shop-blue-v1")
    live.newborns["v1"] = "exited"
    result = live.release("v2", "next")
    assert (result["recovered"], result["outcome"]) == ("finish of run killed", "UNCHANGED")
    assert live.slots()["green"] == "v2 running"
    assert any("Recovery of run killed (revert): Release 'v1' did not" in item for item in result["warnings"])


def kill_before_the_seal(world: World) -> None:
    save = Store.save_state

    def save_state(self: Store, state: t.Any) -> None:
        if (state.run or {}).get("sealed"):
            raise Killed
        save(self, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "save_state", save_state)
        with pytest.raises(Killed):
            world.release("v2", "killed")


def test_a_run_that_was_killed_after_its_validation_is_finished(live: World) -> None:
    kill_before_the_seal(live)
    result = live.release("v2", "next")
    assert (result["recovered"], result["outcome"]) == ("finish of run killed", "UNCHANGED")
    assert live.slots() == {"blue": "v1 paused", "green": "v2 running"}
    state = live.engine.store.load_state()
    assert state.live is not None
    assert (state.live["release"], live.engine.store.load_releases()["v2"].sealed is not None) == ("v2", True)
    run = live.engine.store.load_run("killed")
    assert run is not None
    assert (run["result"]["outcome"], run["result"]["failed"]) == ("DEPLOYED", False)


def test_a_run_that_cannot_be_finished_is_taken_back(live: World) -> None:
    kill_before_the_seal(live)
    live.stop("shop-green-v2", timeout=1)
    live.broken["start"] = conflict("out of order", 500)
    result = live.release("v1", "next")
    assert (result["recovered"], result["outcome"]) == ("revert of run killed", "UNCHANGED")
    assert live.engine.gateway.flag() == "blue"
    assert live.slots()["blue"] == "v1 running"
    run = live.engine.store.load_run("killed")
    assert run is not None
    assert run["result"]["outcome"] == "ROLLED_BACK"


def test_a_run_that_was_killed_while_it_tidied_up_is_tidied_up(live: World) -> None:
    kill(live, "v2", "pause")
    assert live.slots() == {"blue": "v1 running", "green": "v2 running"}
    result = live.release("v2", "next")
    assert (result["recovered"], result["outcome"]) == ("tidy of run killed", "UNCHANGED")
    assert live.slots() == {"blue": "v1 paused", "green": "v2 running"}


def test_a_held_run_that_was_killed_is_taken_back(live: World) -> None:
    def report(event: str, result: dict[str, t.Any]) -> None:
        raise Killed

    held = replace(live.settings, hold_seconds=10.0)
    live.settings, before = held, live.settings
    with pytest.raises(Killed):
        live.release("v2", "killed", report=report)
    live.settings = before
    assert live.engine.gateway.flag() == "green"
    result = live.release("v1", "next")
    assert (result["recovered"], result["outcome"]) == ("revert of run killed", "UNCHANGED")
    assert live.engine.gateway.flag() == "blue"
    assert live.slots()["blue"] == "v1 running"


def test_the_first_release_that_was_killed_leaves_nothing(world: World) -> None:
    kill(world, "v0", "restart")
    with pytest.raises(DeployError, match="nothing serves"):
        world.run(Wanted("rollback"), "next")
    assert world.slots() == {"blue": "absent", "green": "absent"}
    assert (world.engine.gateway.flag(), world.engine.store.load_releases()) == ("blue", {})
    assert world.clean()


def test_a_rollback_that_was_killed_keeps_the_standby(live: World) -> None:
    live.broken["restart"] = Killed()
    with pytest.raises(Killed):
        live.run(Wanted("rollback"), "killed")
    live.broken.clear()
    assert live.slots()["green"] == "v0 running"
    result = live.release("v1", "next")
    assert (result["recovered"], live.slots()) == (
        "revert of run killed",
        {"blue": "v1 running", "green": "v0 paused"},
    )
    run = live.engine.store.load_run("killed")
    assert run is not None
    assert (run["result"]["outcome"], run["result"]["failed"]) == ("FAILED_SAFE", True)
    standby = live.engine.store.load_state().standby
    assert standby is not None
    assert (standby["release"], standby["mode"]) == ("v0", "paused")


def test_a_rollback_that_was_killed_while_it_tidied_up_is_a_rollback(live: World) -> None:
    live.broken["pause"] = Killed()
    with pytest.raises(Killed):
        live.run(Wanted("rollback", reason="slow"), "killed")
    live.broken.clear()
    assert live.release("v0", "next")["recovered"] == "tidy of run killed"
    run = live.engine.store.load_run("killed")
    assert run is not None
    assert (run["result"]["outcome"], run["result"]["failed"]) == ("ROLLED_BACK", False)
    assert live.slots() == {"blue": "v1 paused", "green": "v0 running"}


def test_a_standby_that_was_not_yet_cleared_stays(live: World) -> None:
    kill(live, "v2", "remove")
    assert live.release("v1", "next")["recovered"] == "revert of run killed"
    assert live.slots() == {"blue": "v1 running", "green": "v0 paused"}


def test_the_first_release_has_nothing_to_tidy_up(world: World) -> None:
    kill(world, "v0", "watch")
    assert world.release("v0", "next")["recovered"] == "finish of run killed"
    assert world.slots() == {"blue": "absent", "green": "v0 running"}
    assert not {"done drain", "done park"} & set(world.told("done"))


def test_after_recovery_the_lock_tells_of_work_again(live: World) -> None:
    kill(live, "v2", "watch")
    phases = []

    def answer() -> tuple[int, bytes, dict[str, str]]:
        phases.append(read_holder(live.engine.store.root).get("phase"))
        return live.answer()

    live.front.answers["/"] = answer
    assert live.release("v3", "next")["outcome"] == "DEPLOYED"
    assert set(phases) == {"work"}


def test_a_run_needs_to_know_what_to_release(live: World) -> None:
    with pytest.raises(ValueError, match="needs a release"):
        live.run(Wanted("release"), "x")
    assert live.clean()


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (Wanted("release", release("v9")), "v9"),
        (Wanted("rollback"), ""),
        (Wanted("rollback", release_id="v3"), "v3"),
    ],
)
def test_a_run_tells_what_it_is_about(wanted: Wanted, name: str) -> None:
    assert wanted.name == name

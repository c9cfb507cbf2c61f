# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases and rollbacks of the real example on a real engine."""

from __future__ import annotations

import os
import signal
import socket
import time
import typing as t

import pytest

from tests.integration.run_module import run_module
from tests.integration.world import GOOD, NEXT, World

pytestmark = pytest.mark.xdist_group("release")


@pytest.fixture
def live(world: World) -> World:
    """The service with the good release live."""
    if not (world.root / "state.json").exists() or world.state["live"] is None or world.serving() != GOOD:
        result = world.release(GOOD, force_reason="a test needs it")
        assert not result.get("failed"), result["msg"]
    world.idle()
    return world


def started_at(world: World) -> dict[str, str]:
    return {slot: item["Id"] + item["State"]["StartedAt"] for slot, item in world.containers().items()}


def names(result: dict[str, t.Any]) -> list[str]:
    return [step["name"] for step in result["steps"]]


def test_the_first_release_is_checked_like_any_other(world: World) -> None:
    result = world.release(GOOD, {"TEST_UNHEALTHY": "true"}, startup_timeout=8)
    assert result["failed"]
    assert result["outcome"] == "FAILED_SAFE"
    assert world.containers() == {}
    assert world.get("/api/v11/health").status_code in (502, 504)

    planned = world.release(GOOD, check=True)
    assert planned["outcome"] == "PLANNED"
    assert planned["changed"]
    assert world.containers() == {}

    result = world.release(GOOD)
    assert result["outcome"] == "DEPLOYED", result["msg"]
    assert result["standby"] is None
    assert [item["name"] for item in result["health"]["checks"]] == ["health", "metrics", "api", "container", "port"]
    assert names(result) == [
        "store",
        "start",
        "check",
        "prove",
        "warm_up",
        "switch",
        "prove_gateway",
        "watch",
        "seal",
        "prune",
    ]
    world.assert_good(GOOD)


def test_there_is_nothing_to_roll_back_to(live: World) -> None:
    before = started_at(live)
    result = live.rollback()
    assert result["failed"]
    assert "no earlier release" in result["msg"]
    assert "playbooks/deploy.yml" in result["msg"]
    assert started_at(live) == before


def test_an_unchanged_release_touches_nothing(live: World) -> None:
    before, journal = started_at(live), (live.root / "journal.jsonl").read_bytes()
    result = live.release(GOOD)
    assert (result["changed"], result["outcome"]) == (False, "UNCHANGED")
    assert started_at(live) == before
    assert (live.root / "journal.jsonl").read_bytes() == journal


def test_check_mode_tells_the_plan_and_changes_nothing(live: World) -> None:
    before, state = started_at(live), live.state
    result = live.release(NEXT, check=True)
    assert result["changed"]
    assert {step["result"] for step in result["steps"]} == {"planned"}
    assert "switch" in names(result)
    assert f"11.4.4-{NEXT[:7]}" in result["diff"]["after"]
    assert started_at(live) == before
    assert live.state == state


def test_a_release_parks_the_old_version_and_a_rollback_wakes_it(live: World) -> None:
    result = live.release(NEXT)
    assert result["outcome"] == "DEPLOYED", result["msg"]
    live.assert_good(NEXT, "paused")
    parked = next(item for slot, item in live.containers().items() if slot != live.flag)
    address = parked["NetworkSettings"]["Networks"][f"{live.name}-data"]["IPAddress"]
    assert live.sql(f"SELECT count(*) FROM pg_stat_activity WHERE client_addr = '{address}'") == "0"
    assert live.info()["standby"]["status"] == "paused"

    planned = live.rollback(check=True)
    assert (planned["changed"], planned["outcome"]) == (True, "PLANNED")
    live.assert_good(NEXT, "paused")

    result = live.rollback(reason="a test")
    assert result["outcome"] == "ROLLED_BACK", result["msg"]
    assert not result.get("failed")
    assert names(result)[:5] == ["wake", "check", "prove", "switch", "prove_gateway"]
    live.assert_good(GOOD, "paused")


def test_a_rolled_back_release_needs_a_reason_to_come_again(live: World) -> None:
    if f"11.4.4-{NEXT[:7]}" not in live.state["rejected"]:
        live.release(NEXT)
        live.rollback(reason="a test")
        live.idle()
    refused = live.release(NEXT)
    assert refused["failed"]
    assert "a test" in refused["msg"]
    assert "j4c_force_reason" in refused["msg"]
    live.assert_good(GOOD, "paused")
    assert live.release(NEXT, force_reason="it was not the cause")["outcome"] == "DEPLOYED"
    assert live.state["rejected"] == {}


def test_rolling_back_goes_to_a_kept_release_by_name_and_forward_again(live: World) -> None:
    live.release(NEXT, force_reason="a test")
    assert live.rollback(release=f"11.4.4-{GOOD[:7]}")["outcome"] == "ROLLED_BACK"
    live.idle()
    refused = live.rollback(release=f"11.4.4-{NEXT[:7]}")
    assert (refused["failed"], "j4c_force_reason" in refused["msg"]) == (True, True)
    assert live.rollback(release=f"11.4.4-{NEXT[:7]}", force_reason="a test")["outcome"] == "ROLLED_BACK"
    live.assert_good(NEXT, "paused")
    assert f"11.4.4-{GOOD[:7]}" not in live.state["rejected"]


def test_a_standby_that_is_gone_is_started_from_its_stored_release(live: World) -> None:
    live.release(NEXT, force_reason="a test", standby="none")
    live.assert_good(NEXT)
    result = live.rollback()
    assert result["outcome"] == "ROLLED_BACK", result["msg"]
    assert "start" in names(result)
    live.assert_good(GOOD, "paused")


@pytest.mark.parametrize(("standby", "status"), [("stopped", "exited"), ("running", "running")])
def test_standby_modes(live: World, standby: str, status: str) -> None:
    live.release(NEXT, force_reason="a test", standby=standby)
    live.assert_good(NEXT, status)
    assert live.rollback()["outcome"] == "ROLLED_BACK"
    live.idle()
    assert live.serving() == GOOD


# with the seconds that it gets to start: those that have to answer need time on a busy machine
BAD_VERSIONS = [
    pytest.param({"TEST_UNHEALTHY": "true"}, 60, "DOWN", id="never healthy"),
    pytest.param({"TEST_EXIT_AT_START": "true"}, 180, "the container is exited, exit status 3", id="exits at once"),
    pytest.param({"TEST_API_ERRORS": "true"}, 60, "status 500", id="health up, answers 500"),
    pytest.param({"TEST_START_DELAY_SECONDS": "300"}, 8, "not healthy after", id="too slow to start"),
    pytest.param({"DB_HOST": "nowhere"}, 8, "health", id="no database"),
]


@pytest.mark.parametrize(("environment", "seconds", "told"), BAD_VERSIONS)
def test_a_bad_version_never_gets_traffic(live: World, environment: dict[str, str], seconds: int, told: str) -> None:
    before = started_at(live)[live.flag]
    result = live.release(NEXT, environment, startup_timeout=seconds, force_reason="a test")
    assert result["failed"]
    assert result["outcome"] == "FAILED_SAFE"
    assert told in result["msg"]
    assert f"'11.4.4-{GOOD[:7]}'" in result["msg"]
    assert result["decision"] == "ROLLBACK"
    evidence = result["evidence"]
    assert evidence["step"] == "check"
    assert evidence["inspect"]["image"]
    assert 0 < len(evidence["logs"]) <= 50
    assert started_at(live)[live.flag] == before
    live.assert_good(GOOD)


def test_a_version_that_crashes_while_it_is_watched_is_taken_back(live: World) -> None:
    since = live.journal_size()
    process = live.start_release(NEXT, watch_seconds=120, force_reason="a test")
    live.wait_for_step("watch", since=since, timeout=240)
    os.kill(live.containers()[live.flag]["State"]["Pid"], signal.SIGKILL)
    result = live.result(process)
    assert result["failed"]
    assert result["outcome"] == "ROLLED_BACK", result["msg"]
    assert names(result).index("undo_switch") < names(result).index("undo_start")
    live.assert_good(GOOD)


def with_port_taken(world: World) -> dict[str, t.Any]:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    return {"slot_ports": {"blue": port, "green": port}, "_keep": taken}


def compose_without(world: World) -> dict[str, t.Any]:
    return {"compose": world.compose().replace(f"  {world.name}:", "  other:")}


BAD_INPUT = [
    pytest.param(
        lambda world: {"image": "no-such-image:1"}, ["no-such-image:1", "playbooks/deploy.yml"], id="no such image"
    ),
    pytest.param(lambda world: {"compose": "services: [}"}, ["compose", "j4c_compose_file"], id="does not parse"),
    pytest.param(compose_without, ["has no service", "it has: other"], id="lacks the service"),
    pytest.param(lambda world: {"min_free_mb": 1 << 30}, ["MiB are free", "docker system df"], id="disk nearly full"),
    pytest.param(with_port_taken, ["is in use", "j4c_slot_ports"], id="port in use"),
    pytest.param(lambda world: {"service": "Bad Name"}, ["Option service is 'Bad Name'"], id="service name"),
    pytest.param(lambda world: {"checks": []}, ["Option checks is empty"], id="no checks"),
    pytest.param(lambda world: {"project_dir": "/no/such/dir"}, ["project_dir", "playbooks/stack.yml"], id="no stack"),
    pytest.param(
        lambda world: {"state": "rolled_back", "release": "nope"}, ["no release 'nope'", "kept:"], id="unknown release"
    ),
    pytest.param(
        lambda world: {"compose": world.compose().replace("./secrets/redis_password", "./secrets/none")},
        ["secrets/none", "missing"],
        id="secret missing",
    ),
]


@pytest.mark.parametrize(("change", "told"), BAD_INPUT)
def test_bad_input_is_told_before_anything_changes(
    live: World, change: t.Callable[[World], dict[str, t.Any]], told: list[str]
) -> None:
    if len(live.containers()) > 1 or len(live.info()["releases"]) < 2:
        # an empty slot, so that its port is free to be taken
        live.release(NEXT, force_reason="a test")
        live.rollback(standby="none")
        live.idle()
    before, state = started_at(live), live.state
    changes = change(live)
    keep = changes.pop("_keep", None)
    result = live.release("c" * 40, **changes)
    assert result["failed"]
    for text in told:
        assert text in result["msg"], result["msg"]
    assert started_at(live) == before
    assert live.state == state
    live.assert_good(GOOD)
    if keep:
        keep.close()


def test_recreate_never_runs_two_and_tells_its_downtime(live: World) -> None:
    result = live.release(NEXT, strategy="recreate", force_reason="a test")
    assert result["outcome"] == "DEPLOYED", result["msg"]
    assert result["downtime_seconds"] > 0
    assert names(result).index("halt") < names(result).index("start")
    live.assert_good(NEXT, "exited")
    result = live.rollback(strategy="recreate")
    assert result["outcome"] == "ROLLED_BACK", result["msg"]
    live.assert_good(GOOD, "exited")


def test_recreate_brings_the_old_version_back_when_the_new_one_is_bad(live: World) -> None:
    result = live.release(
        NEXT, {"TEST_UNHEALTHY": "true"}, strategy="recreate", startup_timeout=60, force_reason="a test"
    )
    assert result["outcome"] == "ROLLED_BACK", result["msg"]
    assert result["downtime_seconds"] > 0
    live.assert_good(GOOD)


def test_a_release_that_waits_is_sealed_or_taken_back(live: World) -> None:
    waiting = live.release(NEXT, seal_timeout=60, force_reason="a test")
    assert waiting["outcome"] == "PREPARED", waiting["msg"]
    assert live.serving() == NEXT
    sealed = decide(live, run=waiting["run"], decision="REVIEW")
    assert sealed["outcome"] == "REVIEW"
    live.assert_good(NEXT, "paused")

    waiting = live.release(GOOD, seal_timeout=60)
    back = decide(live, run=waiting["run"], decision="ROLLBACK", reason="2 smoke requests failed")
    assert back["failed"]
    assert back["outcome"] == "ROLLED_BACK"
    assert "2 smoke requests failed" in back["msg"]
    live.assert_good(NEXT)

    assert "j4c_force_reason" in live.release(GOOD, seal_timeout=60)["msg"]
    waiting = live.release(GOOD, seal_timeout=60, force_reason="a test")
    back = live.rollback()
    assert not back["failed"]
    assert back["outcome"] == "ROLLED_BACK"
    live.assert_good(NEXT)

    # nobody seals it, as if the controller had died: the next run waits until it has taken itself back
    waiting = live.release(GOOD, seal_timeout=2, force_reason="a test")
    assert waiting["outcome"] == "PREPARED"
    assert live.release(NEXT, seal_timeout=0)["outcome"] == "UNCHANGED"
    live.assert_good(NEXT)
    runs = {item["run"]: item for item in live.info()["runs"]}
    assert runs[waiting["run"]]["outcome"] == "ROLLED_BACK"
    assert "Nobody sealed" in runs[waiting["run"]]["msg"]


def decide(world: World, **options: t.Any) -> dict[str, t.Any]:
    return run_module("compose_release", world.scratch, world.options(state="sealed", **options))


def test_the_engine_finishes_when_the_module_is_killed(live: World) -> None:
    since = live.journal_size()
    process = live.start_release(NEXT, force_reason="a test")
    live.wait_for_step("check", since=since)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    live.assert_good(NEXT, "paused")


@pytest.mark.parametrize(
    ("step", "event", "serves"),
    [
        ("store", "done", GOOD),
        ("start", "intent", GOOD),
        ("check", "intent", GOOD),
        ("warm_up", "intent", GOOD),
        ("watch", "intent", NEXT),
        ("drain", "intent", NEXT),
        ("park", "intent", NEXT),
    ],
)
def test_a_killed_engine_is_recovered_by_the_next_run(live: World, step: str, event: str, serves: str) -> None:
    since = live.journal_size()
    process = live.start_release(NEXT, watch_seconds=10, force_reason="a test")
    engine = live.wait_for_step(step, event, since=since)
    os.kill(engine, signal.SIGKILL)
    result = live.result(process)
    assert result["failed"]
    assert live.serving() == serves
    # the next run of the same kind first ends what was left; then there may be nothing more to do
    again = live.release(serves, force_reason="a test")
    assert not again.get("failed"), again["msg"]
    live.idle()
    assert live.serving() == serves
    assert live.state["run"] is None
    assert len([item for item in live.containers().values() if item["State"]["Status"] == "running"]) == 1


def test_a_second_run_is_refused_and_told_who_is_at_work(live: World) -> None:
    since = live.journal_size()
    process = live.start_release(NEXT, force_reason="a test")
    live.wait_for_step("check", since=since)
    refused = (
        live.rollback(release=f"11.4.4-{GOOD[:7]}", lock_timeout=0)
        if live.serving() != GOOD
        else live.release("c" * 40)
    )
    assert refused["failed"]
    assert "is locked by a release" in refused["msg"]
    assert f"11.4.4-{NEXT[:7]}" in refused["msg"]
    assert live.result(process)["outcome"] == "DEPLOYED"
    live.assert_good(NEXT, "paused")


def test_a_killed_gateway_comes_back_with_the_right_slot(live: World) -> None:
    name = f"{live.name}-core-gateway-1"
    os.kill(live.api.inspect_container(name)["State"]["Pid"], signal.SIGKILL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if live.get("/api/v11/health").status_code == 200:
                break
        except OSError:
            pass
        time.sleep(0.1)
    live.assert_good(GOOD, None if len(live.containers()) == 1 else live.info()["standby"]["status"])


def test_only_the_newest_releases_are_kept(live: World) -> None:
    commits = [letter * 40 for letter in "de"]
    for commit in commits:
        assert live.release(commit, keep=1)["outcome"] == "DEPLOYED"
        live.idle()
    kept = {item["id"] for item in live.info()["releases"]}
    assert kept == {f"11.4.4-{commit[:7]}" for commit in commits}
    assert not live.api.images(f"{live.name}:11.4.4-{NEXT[:7]}")
    live.assert_good(commits[-1], "paused")

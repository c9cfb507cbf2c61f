# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults in the middle of releases and rollbacks of a real, small service, under traffic.

The steps that the engine is killed at are those of the journal of an unharmed run. A few are tried, chosen by a seed;
with J4C_FAULTS=all, every one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import typing as t

import pytest

from tests.integration.run_module import result_of, start_module
from tests.integration.small import SmallWorld, Visitor, small_world
from tests.integration.world import GOOD, NEXT

pytestmark = pytest.mark.xdist_group("small")

KILL_AT = "tests/integration/kill_at.py"
ALL = os.environ.get("J4C_FAULTS", "") == "all"
SEED = 20260131
SAMPLE = 2


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[SmallWorld]:
    yield from small_world(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def pair(small: SmallWorld) -> SmallWorld:
    """The service with NEXT live and GOOD parked."""
    names = [f"11.4.4-{commit[:7]}" for commit in (GOOD, NEXT)]
    live, standby = (recorded(small, part) for part in ("live", "standby"))
    if (live, standby) == tuple(names) and small.info()["problems"] == []:
        assert small.rollback(release=names[1])["outcome"] == "ROLLED_BACK"
    elif (standby, live) != tuple(names):
        for commit in (GOOD, NEXT):
            done = small.release(commit)
            assert not done.get("failed"), done["msg"]
            small.idle()
    small.assert_good(NEXT, "paused")
    return small


def recorded(world: SmallWorld, part: str) -> str:
    path = world.root / "state.json"
    return str((world.state[part] or {}).get("release", "")) if path.exists() else ""


def journal(world: SmallWorld) -> list[dict[str, t.Any]]:
    lines = (world.root / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def points(world: SmallWorld, run: str) -> list[tuple[int, str]]:
    """Return the records of an unharmed run as ``(number, "event step")``; all of them, or the sample."""
    told = [f"{item['event']} {item['step']}" for item in journal(world) if item["run"] == run]
    numbered = list(enumerate(told, 1))
    # when the last one is written, the run has ended
    numbered = [item for item in numbered if not item[1].startswith("end ")]
    return numbered if ALL else sorted(random.Random(SEED).sample(numbered, SAMPLE))


def killed(world: SmallWorld, number: int, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run compose_release with an engine that is killed when it has written a record; return the module's result."""
    through = (KILL_AT, str(number))
    return result_of(start_module("compose_release", world.scratch, options, through=through))


def test_a_release_that_is_killed_at_any_step_is_ended_by_the_next(pair: SmallWorld) -> None:
    commits = [letter * 40 for letter in "abcd"]
    unharmed = pair.release(commits[-1])
    assert unharmed["outcome"] == "DEPLOYED", unharmed["msg"]
    pair.idle()
    with Visitor(pair) as visitor:
        for turn, (number, told) in enumerate(points(pair, unharmed["run"])):
            commit = commits[turn % len(commits)]
            result = killed(pair, number, pair.release_options(commit))
            # who follows is let go when the release is sealed
            assert result["outcome"] in ("INTERRUPTED", "DEPLOYED"), (told, result)
            after = pair.release(commit)
            assert after["outcome"] in ("DEPLOYED", "UNCHANGED"), (told, after["msg"])
            pair.assert_good(commit, "paused")
            assert visitor.failures == [], (told, visitor.failures)
    assert visitor.failures == []
    assert visitor.asked > 50


def test_a_rollback_that_is_killed_at_any_step_is_ended_by_the_next(pair: SmallWorld) -> None:
    unharmed = pair.rollback()
    assert unharmed["outcome"] == "ROLLED_BACK", unharmed["msg"]
    pair.idle()
    with Visitor(pair) as visitor:
        for number, told in points(pair, unharmed["run"]):
            ahead = pair.release(NEXT)
            assert ahead["outcome"] == "DEPLOYED", (told, ahead["msg"])
            pair.assert_good(NEXT, "paused")
            result = killed(pair, number, pair.options(state="rolled_back"))
            assert result["outcome"] in ("INTERRUPTED", "ROLLED_BACK"), (told, result)
            # a run that was killed when the old version was sealed is over for who asked; another rollback would be one more
            after = pair.rollback(release=f"11.4.4-{GOOD[:7]}" if result["outcome"] == "ROLLED_BACK" else "")
            assert after["outcome"] in ("ROLLED_BACK", "UNCHANGED"), (told, after["msg"])
            pair.assert_good(GOOD, "paused")
            assert visitor.failures == [], (told, visitor.failures)
    assert visitor.failures == []


def wait_for(world: SmallWorld, event: str, step: str) -> int:
    """Wait until the run at work has written a record; return its engine's process id."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        text = (world.root / "lock").read_text(encoding="utf-8").strip("\0 ")
        holder = json.loads(text) if text else {}
        for item in journal(world)[::-1]:
            if item["run"] == holder.get("run") and (item["event"], item["step"]) == (event, step):
                return int(holder["pid"])
        time.sleep(0.01)
    raise AssertionError(f"{event} {step} was not reached")


@pytest.mark.parametrize("step", ["check", "watch"])
def test_an_engine_that_is_asked_to_end_goes_back_in_order(pair: SmallWorld, step: str) -> None:
    more: dict[str, t.Any] = {"watch_seconds": 120.0}
    if step == "check":
        more = {"startup_timeout": 120.0, "compose": pair.compose(TEST_STATUS="503")}
    process = start_module("compose_release", pair.scratch, pair.release_options("c" * 40, **more))
    os.kill(wait_for(pair, "intent", step), signal.SIGTERM)
    result = result_of(process)
    assert result["outcome"] == ("FAILED_SAFE" if step == "check" else "ROLLED_BACK"), result["msg"]
    assert "The engine was ended by signal 15." in result["msg"]
    assert pair.serving() == NEXT
    # there was no time for a standby, and nothing is wrong with the release
    pair.assert_good(NEXT)
    assert pair.state["rejected"] == {}


def test_a_live_container_that_was_removed_by_hand_is_replaced(pair: SmallWorld) -> None:
    pair.api.remove_container(pair.containers()[pair.flag]["Id"], force=True)
    told = pair.info()["problems"]
    assert any("its container is gone" in item for item in told), told
    failed = pair.release("c" * 40, {"TEST_STATUS": "503"}, startup_timeout=20.0)
    assert failed["outcome"] == "FAILED_SAFE"
    assert failed["problems"] == []
    pair.assert_good(NEXT, "paused")

    pair.api.remove_container(pair.containers()[pair.flag]["Id"], force=True)
    done = pair.rollback(reason="gone")
    assert done["outcome"] == "ROLLED_BACK", done["msg"]
    pair.assert_good(GOOD)


def test_strangers_are_named_before_anything_changes(pair: SmallWorld) -> None:
    assert pair.rollback(standby="none")["outcome"] == "ROLLED_BACK"
    pair.idle()
    before = pair.state
    slot = "green" if pair.flag == "blue" else "blue"
    name = f"{pair.name}-{slot}-{pair.name}-1"
    made = pair.api.create_container(pair.image(GOOD), name=name)
    refused = pair.release("c" * 40)
    assert refused["failed"]
    assert f"The name '{name}'" in refused["msg"]
    pair.api.remove_container(made["Id"], force=True)

    edge = {f"{pair.name}-edge": pair.api.create_endpoint_config(ipv4_address=pair.options()["addresses"][slot])}
    name = f"{pair.name}-stranger"
    made = pair.api.create_container(
        pair.image(GOOD),
        name=name,
        ports=[8080],
        host_config=pair.api.create_host_config(port_bindings={8080: ("127.0.0.1", pair.slot_ports[slot])}),
        networking_config=pair.api.create_networking_config(edge),
    )
    pair.api.start(made["Id"])
    refused = pair.release("c" * 40)
    pair.api.remove_container(made["Id"], force=True)
    assert refused["failed"]
    assert f"is taken by container '{name}'" in refused["msg"]
    assert (
        f"Port {pair.slot_ports[slot]} on 127.0.0.1, which slot '{slot}' needs, is in use by container '{name}'"
        in refused["msg"]
    )
    assert pair.state == before
    pair.assert_good(GOOD)


def test_a_dollar_sign_reaches_the_service_as_it_was_written(pair: SmallWorld) -> None:
    word = "pa$$word $HOME ${USER}"
    text = pair.compose(TOKEN=word.replace("$", "$$")).replace("services:", "x-a: $$\nservices:")
    for commit in (GOOD, NEXT):
        done = pair.release(commit, compose=text, standby="none")
        assert done["outcome"] == "DEPLOYED", done["msg"]
        pair.idle()
    assert f"TOKEN={word}" in pair.containers()[pair.flag]["Config"]["Env"]
    # from the stored compose file
    back = pair.rollback()
    assert "start" in [step["name"] for step in back["steps"]]
    assert f"TOKEN={word}" in pair.containers()[pair.flag]["Config"]["Env"]


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_lost_records_are_made_anew(pair: SmallWorld, damage: str) -> None:
    path = pair.root / "state.json"
    text = path.read_text(encoding="utf-8")
    if damage == "missing":
        path.unlink()
    else:
        path.write_text(text[: len(text) // 2], encoding="utf-8")
    assert any("was made anew" in item for item in pair.info()["problems"])
    done = pair.rollback()
    assert done["outcome"] == "ROLLED_BACK", done["msg"]
    pair.assert_good(GOOD, "paused")


def test_a_disk_that_takes_no_records_does_not_stop_the_way_back(pair: SmallWorld) -> None:
    process = start_module(
        "compose_release", pair.scratch, pair.release_options("c" * 40, watch_seconds=15.0, startup_timeout=60.0)
    )
    wait_for(pair, "intent", "watch")
    kept: dict[str, t.Any] = {}
    for name in ("journal.jsonl", "runs"):
        # a directory in a file's place, or a file in a directory's, cannot be written to whoever tries
        kept[name] = pair.root / f"{name}.kept"
        os.rename(pair.root / name, kept[name])
    (pair.root / "journal.jsonl").mkdir()
    (pair.root / "runs").write_text("", encoding="ascii")
    try:
        result = result_of(process)
    finally:
        (pair.root / "journal.jsonl").rmdir()
        (pair.root / "runs").unlink()
        for name, path in kept.items():
            os.rename(path, pair.root / name)
    assert result["outcome"] == "ROLLED_BACK", result["msg"]
    assert any("records of the run cannot be written" in item for item in result["problems"]), result["problems"]
    pair.assert_good(NEXT, "paused")

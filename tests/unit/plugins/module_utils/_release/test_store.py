# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import Journal, read_journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import State
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import KEPT_RUNS, Store, now

from tests.unit.plugins.module_utils._release.samples import release

V1 = release("v1", commit="c" * 40, artifact="a" * 64, created="2026-01-01T00:00:00.000Z", restart="always")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path), "shop")
    made.prepare()
    return made


def mode(path: str) -> int:
    return os.stat(path).st_mode & 0o777


def test_times_sort_as_text() -> None:
    first, second = now(), now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first)
    assert first <= second


@pytest.mark.parametrize(
    "state",
    [
        State(),
        State(live={"slot": "blue", "release": "v1", "since": "s"}),
        State(
            {"slot": "blue", "release": "v2", "since": "s"},
            {"slot": "green", "release": "v1", "since": "s", "mode": "paused"},
            {"id": "r", "kind": "release", "release": "v2", "target": "blue", "sealed": False},
            {"v3": {"at": "t", "reason": "größer"}},
        ),
    ],
)
def test_the_state_comes_back_as_it_was_saved(store: Store, state: State) -> None:
    assert store.load_state() == State()
    store.save_state(state)
    assert store.load_state() == state
    assert mode(store.path("state.json")) == 0o600


def test_the_state_of_a_newer_version_is_refused(store: Store) -> None:
    Path(store.path("state.json")).write_text(json.dumps({"schema": 2, "live": None}), "utf-8")
    for load in (store.load_state, store.read_state, store.put_aside):
        with pytest.raises(DeployError) as caught:
            load()
        assert f"'{store.path('state.json')}' has schema 2; this version" in caught.value.msg
        assert "version of j4c.deploy that wrote it" in (caught.value.hint or "")


def altered(**changes: t.Any) -> bytes:
    """Return a good state.json with changes."""
    good: dict[str, t.Any] = {"schema": 1, "live": None, "standby": None, "run": None, "rejected": {}}
    return json.dumps({**good, **changes}).encode()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"schema": 1',
        altered(schema=0),
        altered(schema="1"),
        altered(schema=None),
        altered(live="v1"),
        altered(live={"slot": "blue"}),
        altered(live={"slot": "red", "release": "v1", "since": ""}),
        altered(standby={"slot": "blue", "release": 1, "since": ""}),
        altered(run={}),
        altered(rejected=[]),
        altered(rejected={"v1": "slow"}),
        b'{"schema": 1}',
    ],
)
def test_a_damaged_state_is_none_and_kept_for_people(store: Store, damage: bytes) -> None:
    Path(store.path("state.json")).write_bytes(damage)
    state, why = store.read_state()
    assert state is None
    assert why.startswith("is damaged (")
    with pytest.raises(DeployError, match="is damaged"):
        store.load_state()
    store.put_aside()
    assert store.read_state() == (None, "is missing")
    (kept,) = Path(store.root).glob("state.json.damaged-*")
    assert kept.read_bytes() == damage


def test_a_good_state_is_not_put_aside(store: Store) -> None:
    store.put_aside()
    store.save_state(State())
    store.put_aside()
    assert store.read_state() == (State(), "")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"id": "v1"}'])
def test_one_damaged_file_does_not_stand_in_the_way_of_others(store: Store, damage: bytes) -> None:
    store.save_release(V1)
    store.save_release(release("v2"), {})
    path = Path(store.path("releases", "v2", "manifest.json"))
    path.write_bytes(damage)
    damaged: list[str] = []
    assert list(store.load_releases(damaged)) == ["v1"]
    assert damaged == [str(path)]
    Path(store.path("runs", "r1.json")).write_bytes(damage)
    assert (store.load_run("r1") or {}).get("event") is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]"])
def test_a_damaged_compose_file_is_named_with_a_way_out(store: Store, damage: bytes) -> None:
    store.save_release(V1, {})
    path = store.path("releases", "v1", "compose.json")
    Path(path).write_bytes(damage)
    with pytest.raises(DeployError) as caught:
        store.load_document("v1")
    assert caught.value.msg.startswith(f"'{path}' cannot be read: ")
    assert "backup" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["", ".", "..", "../runs", "a/b", "/etc"])
def test_no_directory_but_that_of_a_release_is_ever_removed(store: Store, name: str) -> None:
    store.save_release(V1)
    with pytest.raises(ValueError, match="names no release"):
        store.remove_release(name)
    assert list(store.load_releases()) == ["v1"]


def test_what_is_known_of_old_runs_goes_with_them(store: Store) -> None:
    names = [f"2026{number:04d}" for number in range(KEPT_RUNS + 3)]
    journal = Journal(store.path("journal.jsonl"), "now")
    for name in names:
        store.save_run(name, {"event": "end"})
        Path(store.path("runs", f"{name}.log")).touch()
        Journal(store.path("journal.jsonl"), name).write("start", "release")
    journal.write("start", "release")
    kept = store.prune_runs()
    journal.prune(kept)
    assert sorted(kept) == store.runs() == names[3:]
    assert sorted(os.listdir(store.path("runs")))[:2] == [f"{names[3]}.json", f"{names[3]}.log"]
    assert [item["run"] for item in read_journal(store.path("journal.jsonl"))] == [*names[3:], "now"]


def test_seals_are_in_order_whatever_the_clock_does(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = release("v1", sealed="2999-12-31T23:59:59.999Z")
    store.save_release(ahead)
    first = store.seal_release(release("v2"))
    second = store.seal_release(release("v3"))
    assert [first.sealed, second.sealed] == ["3000-01-01T00:00:00.000Z", "3000-01-01T00:00:00.001Z"]
    assert store.seal_release(first) == first
    assert (store.seal_release(first, again=True).sealed or "") > (second.sealed or "")


def test_a_release_comes_back_as_it_was_saved(store: Store) -> None:
    store.save_release(V1, {"services": {"shop": {"environment": {"KEY": "ü"}}}})
    store.save_release(release("v2"))
    assert store.load_releases() == {"v1": V1, "v2": release("v2")}
    assert store.load_document("v1") == {"services": {"shop": {"environment": {"KEY": "ü"}}}}
    assert mode(store.path("releases", "v1")) == 0o700
    assert mode(store.path("releases", "v1", "compose.json")) == 0o600


def test_the_manifest_of_a_newer_version_may_know_more(store: Store) -> None:
    store.save_release(V1)
    path = Path(store.path("releases", "v1", "manifest.json"))
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "mood": "good"}), "utf-8")
    assert store.load_releases() == {"v1": V1}


def test_a_release_without_manifest_is_not_there(store: Store) -> None:
    os.makedirs(store.path("releases", "torn"))
    assert store.load_releases() == {}
    with pytest.raises(DeployError, match="Release 'torn' has no stored compose file"):
        store.load_document("torn")


def test_only_the_first_seal_counts(store: Store) -> None:
    sealed = store.seal_release(V1)
    assert sealed.sealed is not None
    assert store.seal_release(replace(sealed, sealed="2026-01-01")).sealed == "2026-01-01"
    assert store.load_releases()["v1"].sealed == "2026-01-01"


def test_sealing_keeps_the_stored_compose_file(store: Store) -> None:
    store.save_release(V1, {"services": {}})
    store.seal_release(V1)
    assert store.load_document("v1") == {"services": {}}


def test_removing_a_release_twice_is_fine(store: Store) -> None:
    store.save_release(V1, {})
    store.remove_release("v1")
    store.remove_release("v1")
    assert os.listdir(store.path("releases")) == []


def test_runs_are_listed_oldest_first_and_only_the_newest_kept(store: Store) -> None:
    ids = [f"2026{number:04d}" for number in range(KEPT_RUNS + 3)]
    for run_id in reversed(ids):
        store.save_run(run_id, {"event": "end", "result": {}})
    for other in ("20260001.verdict", ".20260001.json"):
        Path(store.path("runs", other)).touch()
    assert store.runs() == ids
    store.prune_runs()
    assert store.runs() == ids[3:]
    assert store.load_run(ids[0]) is None
    assert store.load_run(ids[-1]) == {"event": "end", "result": {}}


def test_a_service_that_was_never_released_is_empty(tmp_path: Path) -> None:
    fresh = Store(str(tmp_path), "shop")
    assert (fresh.load_state(), fresh.load_releases(), fresh.runs(), fresh.load_run("x")) == (State(), {}, [], None)
    assert os.listdir(tmp_path) == []


def test_directories_are_made_once_and_for_the_owner_only(store: Store) -> None:
    store.save_release(V1)
    store.prepare()
    assert store.load_releases() == {"v1": V1}
    assert {mode(store.path(name)) for name in ("releases", "runs", "slots")} == {0o700}


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop").touch()
    with pytest.raises(DeployError, match=r"shop' cannot be written: File exists\.") as caught:
        Store(str(tmp_path), "shop").prepare()
    assert "state_dir" in (caught.value.hint or "")


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    store = Store(str(tmp_path), "shop")
    store.prepare()
    os.makedirs(store.path("releases", "v1"))
    left = [store.path(".state.json.x.tmp"), store.path("runs", ".r.tmp"), store.path("releases", "v1", ".m.tmp")]
    for path in [*left, store.path("state.json")]:
        Path(path).touch()
    store.sweep()
    assert [path for path in left if os.path.exists(path)] == []
    assert os.path.exists(store.path("state.json"))

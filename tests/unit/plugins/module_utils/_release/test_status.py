# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import State
from ansible_collections.j4c.deploy.plugins.module_utils._release.status import status, table
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store

from tests.unit.plugins.module_utils._release.fake_docker import FakeDocker, in_slot
from tests.unit.plugins.module_utils._release.samples import release

SLOT = {
    "slot": "blue",
    "release": "1.2.0-abcdef0",
    "status": "running",
    "version": "1.2.0",
    "image_name": "shop:1.2.0",
    "image": "sha256:0123456789abcdef",
    "since": "2026-01-01T00:00:00Z",
}
EMPTY: dict[str, t.Any] = {"live": None, "standby": None, "health": None, "holder": {}, "runs": []}
EMPTY.update(problems=[], freeze=None)


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        ({}, ["live     none", "standby  none"]),
        (
            {"live": SLOT, "standby": {**SLOT, "slot": "green", "status": "paused", "since": ""}},
            [
                "live     blue   1.2.0-abcdef0            running  version 1.2.0, image shop:1.2.0 0123456789ab "
                "since 2026-01-01T00:00:00Z",
                "standby  green  1.2.0-abcdef0            paused   version 1.2.0, image shop:1.2.0 0123456789ab",
            ],
        ),
        (
            {
                "health": {
                    "checks": [
                        {"name": "up", "healthy": True, "detail": "", "observed": "x"},
                        {"name": "db", "healthy": False, "detail": "refused", "observed": ""},
                    ]
                }
            },
            ["live     none", "standby  none", "health   up ok, db FAILED: refused"],
        ),
        (
            {"holder": {"kind": "release", "release": "v2", "since": "noon", "run": "r1"}},
            ["live     none", "standby  none", "at work  release of 'v2' since noon, run r1"],
        ),
        (
            {
                "runs": [
                    {"run": "20260101T120000123Z-abcdef", "outcome": "DEPLOYED", "release": "v1", "seconds": 12.34},
                    {"run": "r2", "outcome": "ROLLED_BACK", "release": "", "seconds": 0.0},
                ]
            },
            [
                "live     none",
                "standby  none",
                "run      20260101T120000 DEPLOYED     v1                          12.3 s",
                "run      r2 ROLLED_BACK                               0.0 s",
            ],
        ),
    ],
)
def test_the_status_for_people(result: dict[str, t.Any], lines: list[str]) -> None:
    assert table({**EMPTY, **result}) == lines


@pytest.fixture
def params(tmp_path: Path) -> dict[str, t.Any]:
    store = Store(str(tmp_path), "shop")
    store.prepare()
    Gateway(store.path("gateway"), "").create()
    return {
        "state_dir": str(tmp_path),
        "service": "shop",
        "slot_ports": {"blue": "1", "green": "2"},
        "checks": [{"name": "container", "kind": "container"}],
        "history": 2,
    }


def status_of(api: FakeDocker, params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    monkeypatch.setattr(engine, "connect", lambda *_timeout: api)
    return status(params)


def test_a_server_without_releases(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    result = status_of(FakeDocker(), params, monkeypatch)
    assert result == {
        "live": None,
        "standby": None,
        "health": None,
        "releases": [],
        "runs": [],
        "holder": {},
        "rejected": {},
        "problems": [],
        "freeze": None,
        "table": ["live     none", "standby  none"],
    }


def test_a_server_with_history(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(params["state_dir"], "shop")
    for item in (release("v1", sealed="2026-01-01"), release("v2", sealed="2026-01-02"), release("v3")):
        store.save_release(item)
    store.save_state(
        State(
            {"slot": "blue", "release": "v2", "since": "noon"},
            {"slot": "green", "release": "v0", "since": "morning", "mode": "paused"},
            None,
            {"v3": {"at": "now", "reason": "slow"}},
        )
    )
    done = {"outcome": "DEPLOYED", "release": {"id": "v2"}, "seconds": 3.5, "msg": "all is well"}
    store.save_run("r1", {"event": "end", "result": {}})
    store.save_run("r2", {"event": "end", "result": {**done, "release": None}})
    store.save_run("r3", {"event": "prepared", "result": done})
    lock = Lock(store.root, {"run": "r3", "kind": "release", "release": "v3"})
    lock.acquire(0)
    api = FakeDocker(in_slot("b", "blue", "running", "v2"), in_slot("g", "green", "paused", "v1"))
    result = status_of(api, params, monkeypatch)
    lock.release()
    assert result["live"] == {
        "slot": "blue",
        "release": "v2",
        "version": "v2",
        "image": "sha256:image",
        "image_name": "shop:v2",
        "status": "running",
        "since": "noon",
    }
    # the record is about another release, so its time says nothing
    assert (result["standby"]["release"], result["standby"]["status"], result["standby"]["since"]) == (
        "v1",
        "paused",
        "",
    )
    assert result["health"]["healthy"] is True
    assert [item["id"] for item in result["releases"]] == ["v2", "v1", "v3"]
    assert result["runs"] == [
        {"run": "r3", "release": "v2", "outcome": "RUNNING", "seconds": 3.5, "msg": "all is well"},
        {"run": "r2", "release": "", "outcome": "DEPLOYED", "seconds": 3.5, "msg": "all is well"},
    ]
    assert result["holder"]["run"] == "r3"
    assert result["rejected"] == {"v3": {"at": "now", "reason": "slow"}}
    assert [line[:8].strip() for line in result["table"]] == ["live", "standby", "health", "at work", "run", "run"]


def test_a_slot_without_manifest_or_container(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeDocker(in_slot("b", "blue", "exited", "lost"))
    result = status_of(api, params, monkeypatch)
    assert (result["live"]["version"], result["live"]["image_name"]) == ("", "")
    assert result["health"]["healthy"] is False
    lines = result["table"]
    assert any(line.startswith("health   container FAILED") for line in lines)
    assert (
        "PROBLEM  Release 'lost' should serve in slot 'blue', but its container is exited with exit status 0." in lines
    )
    assert any("it cannot be told what slot 'blue' holds" in line for line in lines)


def test_what_is_wrong_is_told(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(params["state_dir"], "shop")
    for name in ("v1", "v2"):
        store.save_release(release(name, sealed=f"2026-01-0{name[1]}"))
    store.save_state(
        State(
            {"slot": "green", "release": "v1", "since": ""},
            {"slot": "blue", "release": "v2", "since": "", "mode": "paused"},
        )
    )
    stranger = {**in_slot("x", "green"), "Name": "/intruder"}
    stranger["Config"]["Labels"].pop("io.j4c.slot")
    api = FakeDocker(in_slot("b", "blue", "running", "v2"), stranger)
    assert status_of(api, params, monkeypatch)["problems"] == [
        "The records name 'v1' in slot 'green' as live, the gateway's switch 'v2' in slot 'blue'.",
        "The records name 'v2' in slot 'blue' (paused) as standby, there is nothing.",
        "The live container in slot 'blue' would not come back after a reboot.",
        "Container 'intruder' is in the project of slot 'green', but no release made it.",
    ]
    run = {"id": "r9", "kind": "release", "release": "v2", "target": "blue"}
    store.save_state(State({"slot": "blue", "release": "v2", "since": ""}, None, run))
    store.save_run("r9", {"event": "prepared", "result": {}})
    result = status_of(FakeDocker(), params, monkeypatch)
    assert result["problems"] == [
        "Run r9 (a release of 'v2') was interrupted. The next deploy or rollback ends it first.",
        "Release 'v2' should serve in slot 'blue', but its container is gone (removed by hand?).",
    ]
    assert result["runs"][0]["outcome"] == "INTERRUPTED"
    lock = Lock(store.root, {"run": "r9", "kind": "release", "release": "v2"})
    lock.acquire(0)
    result = status_of(FakeDocker(), params, monkeypatch)
    lock.release()
    assert (result["problems"], result["runs"][0]["outcome"]) == ([], "RUNNING")


def test_no_history_is_asked_for(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    Store(params["state_dir"], "shop").save_run("r1", {"event": "end", "result": {}})
    assert status_of(FakeDocker(), {**params, "history": 0}, monkeypatch)["runs"] == []

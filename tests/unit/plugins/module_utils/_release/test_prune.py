# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import docker.errors
import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.prune import choose_superseded, prune_releases
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store

from tests.unit.plugins.module_utils._release.fake_docker import FakeDocker, conflict, container
from tests.unit.plugins.module_utils._release.samples import release

SEALED = [release(f"v{number}", sealed=f"2026-01-0{number}") for number in range(1, 7)]
FAILED = [release("f1"), release("f2")]
LIVE6 = {"slot": "blue", "release": "v6"}
STANDBY5 = {"slot": "green", "release": "v5"}


@pytest.mark.parametrize(
    ("releases", "state", "keep", "expected"),
    [
        pytest.param([], State(), 1, [], id="none"),
        pytest.param(SEALED, State(LIVE6, STANDBY5), 5, ["v1"], id="the-oldest"),
        pytest.param(SEALED, State(LIVE6, STANDBY5), 6, [], id="all-kept"),
        pytest.param(SEALED, State(LIVE6, STANDBY5), 99, [], id="more-than-there-are"),
        pytest.param(SEALED, State(LIVE6, STANDBY5), 1, ["v1", "v2", "v3", "v4"], id="standby-is-kept"),
        pytest.param(
            SEALED,
            State({"slot": "blue", "release": "v1"}, {"slot": "green", "release": "v2"}),
            2,
            ["v3", "v4"],
            id="old-ones-in-use-are-kept",
        ),
        pytest.param([*SEALED, *FAILED], State(LIVE6, STANDBY5), 6, ["f1", "f2"], id="failed-never-count"),
        pytest.param(
            [*SEALED, *FAILED], State({"slot": "blue", "release": "f1"}), 6, ["f2"], id="failed-but-live-is-kept"
        ),
        pytest.param(SEALED, State(), 2, ["v1", "v2", "v3", "v4"], id="nothing-serves"),
        pytest.param(reversed(SEALED), State(LIVE6, STANDBY5), 4, ["v1", "v2"], id="by-time-not-by-order"),
    ],
)
def test_which_releases_are_superseded(releases: list[Release], state: State, keep: int, expected: list[str]) -> None:
    assert [item.id for item in choose_superseded({item.id: item for item in releases}, state, keep)] == expected


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path), "shop")
    made.prepare()
    for item in (*SEALED[:3], release("same", image="v3")):
        made.save_release(item, {})
    return made


def image(*tags: str) -> dict[str, t.Any]:
    return {"RepoTags": list(tags)}


def test_images_go_with_the_last_release_that_uses_them(store: Store) -> None:
    api = FakeDocker()
    api.images = {item.image["id"]: image(f"shop:{item.id}", f"shop:{item.id}-abc") for item in SEALED}
    assert prune_releases(api, store, State({"slot": "blue", "release": "v3"}), 1) == ["same", "v1", "v2"]
    assert api.calls == [f"remove_image shop:{name}" for name in ("v1", "v1-abc", "v2", "v2-abc")]
    assert SEALED[2].image["id"] in api.images
    assert list(store.load_releases()) == ["v3"]


def test_a_start_up_cache_goes_with_the_last_release_of_its_image(store: Store) -> None:
    directories = [Path(aot.directory_of(store.root, item.image["id"])) for item in SEALED[:3]]
    for directory in directories:
        directory.mkdir(parents=True)
    prune_releases(FakeDocker(), store, State({"slot": "blue", "release": "v3"}), 1)
    assert [directory.exists() for directory in directories] == [False, False, True]


@pytest.mark.parametrize("status", ["running", "exited"])
def test_an_image_of_a_strangers_container_keeps_its_names(store: Store, status: str) -> None:
    api = FakeDocker(container("stranger", status, image=SEALED[0].image["id"]))
    api.images = {SEALED[0].image["id"]: image("shop:v1")}
    prune_releases(api, store, State(), 1)
    assert api.calls == []


def test_an_image_that_another_service_keeps_stays(store: Store, tmp_path: Path) -> None:
    neighbour = Store(str(tmp_path), "neighbour")
    neighbour.save_release(release("mine", image="v1"), {})
    (tmp_path / "no-service").write_text("", "ascii")
    api = FakeDocker()
    api.images = {SEALED[0].image["id"]: image("shop:v1"), SEALED[1].image["id"]: image("shop:v2")}
    prune_releases(api, store, State(), 1)
    assert api.calls == ["remove_image shop:v2"]


def test_names_that_somebody_else_gave_stay(store: Store) -> None:
    api = FakeDocker()
    api.images = {SEALED[0].image["id"]: image("shop:v1", "host:5000/backup:v1"), SEALED[1].image["id"]: image()}
    prune_releases(api, store, State(), 1)
    assert api.calls == ["remove_image shop:v1", f"remove_image {SEALED[1].image['id']}"]
    assert api.images == {SEALED[0].image["id"]: image("host:5000/backup:v1")}


def test_an_image_that_is_gone_or_in_use_is_no_trouble(store: Store) -> None:
    api = FakeDocker()
    prune_releases(api, store, State(), 2)
    assert list(store.load_releases()) == ["v2", "v3"]
    api.images = {SEALED[1].image["id"]: image("shop:v2")}
    api.broken["remove_image"] = conflict("image is being used by running container")
    prune_releases(api, store, State(), 1)
    assert list(store.load_releases()) == ["v3"]


def test_an_engine_that_cannot_remove_an_image_is_told(store: Store) -> None:
    api = FakeDocker()
    api.images = {SEALED[0].image["id"]: image("shop:v1")}
    api.broken["remove_image"] = docker.errors.APIError("x", explanation="out of order")
    with pytest.raises(DeployError, match="Removing image 'shop:.*' failed: out of order"):
        prune_releases(api, store, State(), 1)

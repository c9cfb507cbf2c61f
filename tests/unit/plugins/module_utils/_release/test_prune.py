# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import docker.errors
import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.prune import choose_superseded, prune_releases
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store

from tests.unit.plugins.module_utils._release.fake_docker import FakeDocker, conflict
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


def test_images_go_with_the_last_release_that_uses_them(store: Store) -> None:
    api = FakeDocker()
    api.images = {item.image["id"]: {} for item in SEALED}
    assert prune_releases(api, store, State({"slot": "blue", "release": "v3"}), 1) == ["same", "v1", "v2"]
    assert api.calls == [f"remove_image {SEALED[0].image['id']}", f"remove_image {SEALED[1].image['id']}"]
    assert list(store.load_releases()) == ["v3"]


def test_an_image_that_is_gone_or_in_use_is_no_trouble(store: Store) -> None:
    api = FakeDocker()
    prune_releases(api, store, State(), 2)
    assert list(store.load_releases()) == ["v2", "v3"]
    api.broken["remove_image"] = conflict("image is being used by running container")
    prune_releases(api, store, State(), 1)
    assert list(store.load_releases()) == ["v3"]


def test_an_engine_that_cannot_remove_an_image_is_told(store: Store) -> None:
    api = FakeDocker()
    api.broken["remove_image"] = docker.errors.APIError("x", explanation="out of order")
    with pytest.raises(DeployError, match="Removing image 'sha256:.*' failed: out of order"):
        prune_releases(api, store, State(), 1)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, SlotView, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import (
    describe_image,
    observe,
    observe_slot,
    unique_id,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store

from tests.unit.plugins.module_utils._release.fake_docker import (
    PROJECT,
    FakeDocker,
    conflict,
    container,
    in_slot,
)
from tests.unit.plugins.module_utils._release.samples import SETTINGS, release, server

ONE_OFF = container("one-off", labels={PROJECT: "shop-green"})


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        pytest.param([], SlotView("green"), id="empty"),
        pytest.param([in_slot("b", "blue"), container("x")], SlotView("green"), id="others-only"),
        pytest.param(
            [in_slot("g", "green", "paused", "v3")],
            SlotView("green", "paused", "g", "v3", "sha256:image", "no", 0),
            id="one",
        ),
        pytest.param([ONE_OFF], SlotView("green", strangers=("one-off",)), id="stranger-only"),
        pytest.param(
            [ONE_OFF, in_slot("g", "green"), in_slot("again", "green")],
            SlotView("green", "running", "g", "v1", "sha256:image", "no", 0, ("again",), ("one-off",)),
            id="with-strays",
        ),
    ],
)
def test_what_is_in_a_slot(containers: list[dict[str, t.Any]], expected: SlotView) -> None:
    found = observe_slot(FakeDocker(*containers), "shop", "green")
    assert found == expected
    assert found.exists is bool(expected.container or expected.strays)


def test_an_engine_that_fails_is_no_empty_slot() -> None:
    api = FakeDocker()
    api.broken["containers"] = conflict("out of order", 500)
    with pytest.raises(DeployError, match="Listing the containers of slot 'blue' failed: out of order"):
        observe_slot(api, "shop", "blue")


def test_the_whole_server(tmp_path: Path) -> None:
    store = Store(str(tmp_path), "shop")
    store.prepare()
    gateway = Gateway(store.path("gateway"), "gateway")
    with pytest.raises(DeployError, match="cannot be read"):
        observe(FakeDocker(), store, gateway, "shop")
    gateway.create()
    gateway.switch("green")
    store.save_state(State())
    found = observe(FakeDocker(in_slot("g", "green"), in_slot("b", "blue", "paused", "v0")), store, gateway, "shop")
    assert (found.flag, found.state, found.releases) == ("green", State(), {})
    assert (found.live, found.idle) == (found.slots["green"], found.slots["blue"])
    assert found.live_release is None
    store.save_release(release("v1"))
    assert observe(FakeDocker(in_slot("g", "green")), store, gateway, "shop").live_release == release("v1")


LABELS = {
    "org.opencontainers.image.version": "1.2.0",
    "org.opencontainers.image.revision": "abcdef0123",
    "io.j4c.artifact.sha256": "f" * 64,
}


@pytest.mark.parametrize(
    ("labels", "tags", "given", "expected"),
    [
        (LABELS, ["shop:1"], {}, ("1.2.0-abcdef0", "1.2.0", "abcdef0123", "shop:1", "f" * 64)),
        (LABELS, ["shop:1"], {"version": "9", "commit": "1234567890"}, ("9-1234567", "9", "1234567890", "shop:1", "f" * 64)),
        (LABELS, ["other:1", "x:2"], {"release_id": "mine"}, ("mine", "1.2.0", "abcdef0123", "other:1", "f" * 64)),
        (None, ["shop:1"], {}, ("0-0123456", "0", "", "shop:1", "")),
        (None, None, {}, ("0-0123456", "0", "", "shop:1", "")),
    ],
)  # fmt: skip
def test_an_image_becomes_a_release(
    labels: t.Any, tags: t.Any, given: dict[str, str], expected: tuple[str, ...]
) -> None:
    api = FakeDocker()
    api.images["shop:1"] = {"Id": "sha256:0123456789", "Config": {"Labels": labels}, "RepoTags": tags}
    found = describe_image(api, SETTINGS, "shop:1", config_hash="c", restart="always", **given)
    assert (found.id, found.version, found.commit, found.image["name"], found.artifact) == expected
    assert (found.image["id"], found.service, found.config_hash) == ("sha256:0123456789", "shop", "c")
    assert (found.restart, found.sealed, bool(found.created)) == ("always", None, True)


def test_an_image_that_is_not_there_is_named() -> None:
    with pytest.raises(DeployError, match=r"has no image 'shop:9' \(option image\)") as caught:
        describe_image(FakeDocker(), SETTINGS, "shop:9", config_hash="", restart="")
    assert "docker load" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (server(), "v1"),
        (server(release("v1")), "v1"),
        (server(release("v1", image="other")), "v1.2"),
        (server(release("v1", config="other")), "v1.2"),
        (server(release("v1", image="other"), release("v1.2", image="v1")), "v1.2"),
        (server(release("v1", image="other"), release("v1.2", image="third")), "v1.3"),
    ],
)
def test_an_id_means_one_image_and_configuration(observed: Observed, expected: str) -> None:
    desired: Release = release("v1")
    assert unique_id(desired, observed) == expected

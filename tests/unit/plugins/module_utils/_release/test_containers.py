# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import SlotView

from tests.unit.plugins.module_utils._release.fake_docker import (
    FakeDocker,
    conflict,
    container,
    in_slot,
)
from tests.unit.plugins.module_utils._release.samples import slot


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("no", "no 0"),
        ("always", "always 0"),
        ("unless-stopped", "unless-stopped 0"),
        ("on-failure", "on-failure 0"),
        ("on-failure:3", "on-failure 3"),
    ],
)
def test_restart_policies_are_set_as_compose_writes_them(policy: str, told: str) -> None:
    api = FakeDocker(in_slot("g", "green"))
    containers.set_restart(api, "g", policy)
    assert api.calls == [f"restart g {told}"]


@pytest.mark.parametrize(
    ("status", "calls"),
    [
        ("paused", ["unpause green-container"]),
        ("exited", ["start green-container"]),
        ("created", ["start green-container"]),
        ("running", []),
    ],
)
def test_a_slot_is_woken_as_it_was_parked(status: str, calls: list[str]) -> None:
    api = FakeDocker(in_slot("green-container", "green", status))
    containers.wake(api, slot("green", status))
    assert api.calls == calls
    assert api.views["green-container"]["State"]["Status"] == "running"


@pytest.mark.parametrize(("inspection", "seconds"), [(None, 10), ({}, 10), ({"Config": {"StopTimeout": 45}}, 45)])
def test_a_container_is_given_the_time_it_asks_for_to_stop(inspection: object, seconds: int) -> None:
    assert containers.stop_grace(inspection) == seconds  # type: ignore[arg-type]


def test_everything_in_a_slot_is_removed_even_what_is_gone() -> None:
    api = FakeDocker(container("a"), container("c"), container("other"))
    containers.remove(api, SlotView("green", "running", "a", strays=("b", "c")))
    assert api.calls == ["remove a", "remove b", "remove c"]
    assert list(api.views) == ["other"]
    containers.remove(api, SlotView("green"))
    assert list(api.views) == ["other"]


@pytest.mark.parametrize("call", ["pause", "stop", "remove"])
def test_an_engine_that_refuses_is_told(call: str) -> None:
    api = FakeDocker(container("g"))
    api.broken[call] = conflict("out of order", 500)
    with pytest.raises(DeployError, match="container 'g'.* failed: out of order"):
        {
            "pause": lambda: containers.pause(api, "g"),
            "stop": lambda: containers.stop(api, "g", 1),
            "remove": lambda: containers.remove(api, SlotView("green", "running", "g")),
        }[call]()


def test_the_evidence_of_a_failed_container_holds_no_secret() -> None:
    view = in_slot("g", "green", "exited", networks={"edge": {"IPAddress": "10.0.0.2"}, "data": {}})
    found = containers.evidence(FakeDocker(view), SlotView("green", "exited", "g"))
    assert found["logs"] == ["started", "broke �"]
    assert found["inspect"] == {
        "id": "g",
        "name": "g",
        "image": "sha256:image",
        "state": view["State"],
        "restart_count": 0,
        "memory_limit": 0,
        "addresses": {"edge": "10.0.0.2", "data": ""},
        "ports": {},
    }
    assert "secret" not in str(found)


def test_an_empty_slot_has_no_evidence() -> None:
    assert containers.evidence(FakeDocker(), SlotView("green")) == {"logs": [], "inspect": None}

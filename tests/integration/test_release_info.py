# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server serves, as release_info tells it."""

from __future__ import annotations

import pytest

from tests.integration.run_module import run_module
from tests.integration.world import GOOD, NEXT, World

pytestmark = pytest.mark.xdist_group("info")


def test_before_the_first_release_there_is_nothing(world: World) -> None:
    info = world.info()
    assert (info["live"], info["standby"], info["health"], info["releases"], info["runs"]) == (None, None, None, [], [])
    assert info["table"][0].split() == ["live", "none"]


def test_live_standby_health_and_runs(world: World) -> None:
    world.release(GOOD)
    world.release(NEXT)
    info = world.info()
    assert info["live"]["release"] == f"11.4.4-{NEXT[:7]}"
    assert info["live"]["status"] == "running"
    assert info["standby"]["release"] == f"11.4.4-{GOOD[:7]}"
    assert info["standby"]["status"] == "paused"
    assert info["health"]["healthy"]
    assert [item["outcome"] for item in info["runs"]] == ["DEPLOYED", "DEPLOYED"]
    assert [item["id"] for item in info["releases"]] == [f"11.4.4-{NEXT[:7]}", f"11.4.4-{GOOD[:7]}"]
    assert info["holder"] == {}
    assert not info["changed"]


def test_a_stack_that_was_never_set_up_is_told(world: World) -> None:
    options = {
        "service": "nobody",
        "state_dir": str(world.state_dir),
        "slot_ports": world.slot_ports,
        "checks": [{"name": "a", "kind": "tcp"}],
    }
    result = run_module("release_info", world.scratch, options)
    assert result["failed"]
    assert "playbooks/stack.yml" in result["msg"]

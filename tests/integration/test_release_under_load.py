# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploys and rollbacks in a row, under open-loop load without retries: no request fails, no insert is lost or doubled."""

from __future__ import annotations

import pytest

from tests.integration.world import GOOD, World
from tests.load.process import Load
from tests.load.verify import missing_keys

pytestmark = pytest.mark.alone

CYCLES = 10


def test_no_request_fails_in_deploys_and_rollbacks(world: World) -> None:
    assert world.release(GOOD)["outcome"] == "DEPLOYED"
    gateway = world.api.inspect_container(f"{world.name}-core-gateway-1")["State"]["StartedAt"]
    load = Load(world.port).start(answered=100)
    for cycle in range(CYCLES):
        commit = "bc"[cycle % 2] * 40
        released = world.release(commit, force_reason="the test releases it again")
        assert released["outcome"] == "DEPLOYED", released["msg"]
        back = world.rollback()
        assert back["outcome"] == "ROLLED_BACK", back["msg"]
        assert back["live"]["release"] == f"11.4.4-{GOOD[:7]}"
    report = load.stop()
    assert report.failed == 0, report.summary()
    assert report.total > CYCLES * 1000
    assert report.posted
    assert missing_keys(world.port, report.posted) == []
    stored = int(world.sql("SELECT count(*) FROM transactions"))
    assert stored == len(report.posted) == len(set(report.posted))
    assert world.api.inspect_container(f"{world.name}-core-gateway-1")["State"]["StartedAt"] == gateway

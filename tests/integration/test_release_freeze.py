# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A freeze with the real release engine: deploys are refused, rollbacks are not."""

from __future__ import annotations

import typing as t

import pytest

from tests.integration.small import SmallWorld, small_world
from tests.integration.world import GOOD, NEXT

pytestmark = pytest.mark.xdist_group("small")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[SmallWorld]:
    yield from small_world(tmp_path_factory.mktemp("freeze"))


def test_deploys_are_refused_and_rollbacks_are_not(small: SmallWorld) -> None:
    for commit in (GOOD, NEXT):
        done = small.release(commit)
        assert done["outcome"] == "DEPLOYED", done
    frozen = small.freeze(reason="audit", owner="ann", end="3h")
    assert frozen["changed"]
    assert "by ann (audit)" in frozen["msg"]
    for check in (True, False):
        refused = small.release("c" * 40, check=check)
        assert refused["failed"]
        assert "by ann (audit)" in refused["msg"]
        assert "j4c_frozen=false" in refused["msg"]
    info = small.info()
    assert info["freeze"]["owner"] == "ann"
    assert any(line.startswith("frozen ") for line in info["table"])
    assert info["runs"][0]["outcome"] == "FAILED_SAFE"
    # nothing to do is nothing to refuse
    assert small.release(NEXT)["outcome"] == "UNCHANGED"
    assert small.rollback()["outcome"] == "ROLLED_BACK"
    small.assert_good(GOOD, "paused")

    planned = small.freeze(state="absent", check=True)
    assert planned["changed"]
    assert small.info()["freeze"]
    assert small.freeze(state="absent")["changed"]
    assert not small.freeze(state="absent")["changed"]
    assert small.release("c" * 40)["outcome"] == "DEPLOYED"

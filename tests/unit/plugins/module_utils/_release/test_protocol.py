# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._health import Check
from ansible_collections.j4c.deploy.plugins.module_utils._release import candidate, identity
from ansible_collections.j4c.deploy.plugins.module_utils._release.engine import Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Identity
from ansible_collections.j4c.deploy.plugins.module_utils._release.protocol import protocol_of, with_protocol

from tests.unit.plugins.module_utils._release.samples import settings
from tests.unit.plugins.module_utils._release.world import World
from tests.unit.web import web

CHECKS = (
    Check("api", "http", "/x", status=(200, 204), json={"/a": 1}, headers={"X": "y"}, version_pointer="/v"),
    Check("port", "port", port=9003),
)
# nothing listens on port 1
NEWER = Check("newer", "port", port=1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[World]:
    monkeypatch.setattr(identity, "PROOF_SECONDS", 0.05)
    monkeypatch.setattr(candidate, "WAKE_SECONDS", 0.2)
    with web() as front:
        made = World(tmp_path, front)
        for name in ("v0", "v1"):
            assert made.release(name)["outcome"] == "DEPLOYED"
        yield made


@pytest.mark.parametrize("known", [None, Identity("/health", "/commit")])
def test_what_is_kept_judges_as_before(known: Identity | None) -> None:
    before = settings(checks=CHECKS, identity=known)
    kept = json.loads(json.dumps(protocol_of(before)))
    assert with_protocol(settings(checks=(NEWER,), identity=Identity("/", "/x")), kept) == before


@pytest.mark.parametrize(
    "kept",
    [None, {}, {"checks": []}, {"checks": [], "identity": None}, {"checks": [{"kind": "of later"}]}, {"checks": 1}],
)
def test_what_cannot_be_used_is_as_good_as_nothing(kept: dict[str, t.Any] | None) -> None:
    today = settings(checks=(NEWER,))
    assert with_protocol(today, kept) == today


@pytest.mark.parametrize("release_id", ["", "v0"])
def test_a_rollback_is_judged_as_its_release_was(world: World, release_id: str) -> None:
    world.settings = replace(world.settings, checks=(NEWER,))
    result = world.run(Wanted("rollback", release_id=release_id), "back")
    assert result["outcome"] == "ROLLED_BACK", result["msg"]
    assert result["live"]["release"] == "v0"


def test_a_release_is_judged_as_is_asked_today(world: World) -> None:
    world.settings = replace(world.settings, checks=(NEWER,))
    result = world.release("v2")
    assert result["outcome"] == "FAILED_SAFE"
    assert "newer" in result["msg"]


def test_without_what_was_kept_today_counts(world: World) -> None:
    Path(world.engine.store.path("releases", "v0", "protocol.json")).write_text("{", encoding="utf-8")
    world.settings = replace(world.settings, checks=(NEWER,))
    result = world.run(Wanted("rollback"), "back")
    assert result["outcome"] == "FAILED_SAFE"
    assert result["live"]["release"] == "v1"

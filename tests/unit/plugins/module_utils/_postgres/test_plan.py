# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup does, decided before anything is done."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.plan import (
    Wanted,
    age,
    compression_for,
    plan_backup,
    schema_hash,
)
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.retention import Retention

MOMENT = "2026-03-29T03:30:00.000Z"
BASE = ("snapshot", "dump", "content", "globals", "seal", "verify")


def manifest(name: str, created: str, release: str = "") -> dict[str, t.Any]:
    return {"id": name, "created": created, "release": release}


def test_a_first_backup() -> None:
    plan = plan_backup(Wanted("db"), [], "new", MOMENT)
    assert plan.steps == (*BASE, "publish")
    assert not plan.pruned


def test_a_drill_and_what_is_too_much() -> None:
    wanted = Wanted("db", verify="drill", retention=Retention(1, 0, 0, 0))
    plan = plan_backup(wanted, [manifest("old", "2026-03-28T03:30:00.000Z")], "new", MOMENT)
    assert plan.steps == (*BASE, "drill", "publish", "prune")
    assert plan.pruned == ("old",)


def test_nothing_is_removed_while_the_kept_releases_are_not_known() -> None:
    wanted = Wanted("db", releases=None, retention=Retention(1, 0, 0, 0))
    assert not plan_backup(wanted, [manifest("old", "2026-03-28T03:30:00.000Z")], "new", MOMENT).pruned


@pytest.mark.parametrize(("max_age", "enough"), [(0, ""), (3599, ""), (3601, "old")])
def test_a_young_backup_is_enough(max_age: float, enough: str) -> None:
    plan = plan_backup(Wanted("db", max_age=max_age), [manifest("old", "2026-03-29T02:30:00.000Z")], "new", MOMENT)
    assert plan.enough == enough
    assert bool(plan.steps) != bool(enough)


def test_age_knows_no_summer_time() -> None:
    assert age("2026-03-29T00:30:00.000Z", MOMENT) == 3 * 3600


@pytest.mark.parametrize(
    ("wanted", "major", "value"),
    [("auto", 17, "zstd:3"), ("auto", 15, "1"), ("gzip:6", 15, "6"), ("gzip:6", 16, "gzip:6"), ("lz4", 17, "lz4")],
)
def test_compression(wanted: str, major: int, value: str) -> None:
    assert compression_for(wanted, major) == value


def test_the_schema_hash_is_of_the_schema_only() -> None:
    one = "-- Dumped on Monday\n\\restrict abc\nCREATE TABLE a ();\n\n"
    assert schema_hash(one) == schema_hash("CREATE TABLE a ();\n\\restrict def\n")
    assert schema_hash(one) != schema_hash("CREATE TABLE b ();")

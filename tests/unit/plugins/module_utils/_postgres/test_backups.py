# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of backups."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.backups import (
    Backups,
    describe_files,
    file_problems,
    new_id,
    settle,
)
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import differences

OLD, NEW = "20260131T120000Z-1a2b3c", "20260201T120000Z-1a2b3c"


def make(folder: Path, backup_id: str, database: str = "db") -> None:
    path = folder / "shop" / backup_id
    path.mkdir(parents=True)
    data = {"schema": 1, "id": backup_id, "created": backup_id, "database": {"name": database}}
    (path / "manifest.json").write_text(json.dumps(data), encoding="utf-8")


def test_only_finished_backups_count(tmp_path: Path) -> None:
    for name in (NEW, OLD, f"{NEW}.partial", "other"):
        make(tmp_path, name)
    backups = Backups(str(tmp_path), "shop")
    assert backups.ids() == [OLD, NEW]
    assert backups.partials() == [f"{NEW}.partial"]
    assert [item["id"] for item in backups.good("db")] == [OLD, NEW]
    assert not backups.good("other")
    assert backups.sweep() == [f"{NEW}.partial"]
    backups.remove(OLD)
    assert backups.ids() == [NEW]
    assert not backups.partials()


def test_no_directory_is_no_backup(tmp_path: Path) -> None:
    backups = Backups(str(tmp_path), "shop")
    assert backups.ids() == []
    with pytest.raises(DeployError, match="There is no backup 'x'"):
        backups.manifest("x")


def test_ids_are_in_the_order_of_time_and_valid(tmp_path: Path) -> None:
    make(tmp_path, new_id())
    assert len(Backups(str(tmp_path), "shop").ids()) == 1


def test_files_as_described(tmp_path: Path) -> None:
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump/a").write_text("abc", encoding="utf-8")
    told = describe_files(str(tmp_path))
    settle(str(tmp_path))
    assert (tmp_path / "dump/a").stat().st_mode & 0o777 == 0o600
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    assert not file_problems(str(tmp_path), told)
    (tmp_path / "dump/a").write_text("abd", encoding="utf-8")
    assert "was altered" in file_problems(str(tmp_path), told)[0]


def content(**tables: tuple[int, str]) -> dict[str, t.Any]:
    listed = [{"schema": "s", "name": name, "rows": rows, "digest": digest} for name, (rows, digest) in tables.items()]
    return {"tables": listed, "large_objects": {"count": 1, "digest": "7"}}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (content(a=(1, "x")), []),
        (content(a=(2, "x")), ['table "s"."a" has 2 rows instead of 1']),
        (content(a=(1, "y")), ['table "s"."a" has other content in its 1 rows']),
        (content(), ['table "s"."a" is missing']),
        (content(a=(1, "x"), b=(0, "")), ['table "s"."b" should not be there']),
        (
            {**content(a=(1, "x")), "large_objects": {"count": 0, "digest": "0"}},
            ["there are 0 large objects instead of 1"],
        ),
        (
            {**content(a=(1, "x")), "large_objects": {"count": 1, "digest": "8"}},
            ["the large objects have other content"],
        ),
    ],
)
def test_differences(found: dict[str, t.Any], told: list[str]) -> None:
    assert differences(content(a=(1, "x")), found, digests=True) == told


def test_digests_can_be_left_out() -> None:
    assert not differences(content(a=(1, "x")), content(a=(1, "y")), digests=False)

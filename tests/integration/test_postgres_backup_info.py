# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_backup_info on a real backup that is damaged in every way that a disk or a person can."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from tests.integration.database import DATABASE, Postgres
from tests.integration.run_module import run_module

pytestmark = pytest.mark.xdist_group("postgres_backup_info")


class Found(t.NamedTuple):
    """A directory with one backup."""

    directory: Path
    folder: Path


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, t.Any]]:
    """A backup of a small table."""
    made = Postgres(tmp_path_factory.mktemp("postgres"))
    try:
        made.start().sql("CREATE TABLE t AS SELECT g FROM generate_series(1, 100) g")
        yield made.backup()["backup"]
    finally:
        made.remove()


@pytest.fixture
def copy(taken: dict[str, t.Any], tmp_path: Path) -> Found:
    folder = tmp_path / "shop" / taken["id"]
    shutil.copytree(taken["path"], folder)
    return Found(tmp_path, folder)


def info(found: Found, scratch: Path, **more: t.Any) -> dict[str, t.Any]:
    scratch.mkdir(exist_ok=True)
    return run_module("postgres_backup_info", scratch, {"directory": str(found.directory), "service": "shop", **more})


def data_file(found: Found) -> Path:
    return next(path for path in sorted(found.folder.rglob("*.dat.*")))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, t.Callable[[Found], object]] = {
    "was altered": lambda found: flip(data_file(found)),
    "bytes instead of": lambda found: data_file(found).write_bytes(data_file(found).read_bytes()[:-1]),
    "is missing": lambda found: data_file(found).unlink(),
    "is not in the manifest": lambda found: (found.folder / "dump/more").write_text("x", encoding="utf-8"),
    "cannot be read": lambda found: (found.folder / "manifest.json").write_text("{", encoding="utf-8"),
    "is not a manifest of schema": lambda found: (found.folder / "manifest.json").write_text("{}", encoding="utf-8"),
}


@pytest.mark.parametrize("told", DAMAGE)
def test_damage_is_found_and_named(copy: Found, tmp_path: Path, told: str) -> None:
    good = info(copy, tmp_path / "scratch", verify=True)
    assert [item["id"] for item in good["backups"]] == [copy.folder.name]
    assert not good["damaged"]
    DAMAGE[told](copy)
    result = info(copy, tmp_path / "scratch", verify=True)
    assert not result["backups"]
    assert told in " ".join(result["damaged"][0]["problems"])
    assert "DAMAGED" in "\n".join(result["table"])


def test_an_empty_directory_and_another_database(copy: Found, tmp_path: Path) -> None:
    result = info(copy, tmp_path / "scratch", database=DATABASE)
    assert result["backups"][0]["rows"] == 100
    assert not info(copy, tmp_path / "scratch", database="other")["backups"]
    nothing = run_module(
        "postgres_backup_info", tmp_path / "scratch", {"directory": str(tmp_path / "none"), "service": "shop"}
    )
    assert nothing["backups"] == []
    assert "no backups" in nothing["table"][0]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed restore left, judged by the oids of its databases."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.heal import heal
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.records import Record, Records
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.swap import block

RECORD = Record("r1", "db", "b1", live_oid=1, side_oid=2, side="db_side", before="db_before")


class Admin:
    """A server with the databases of ``found``."""

    def __init__(self, **found: tuple[int, bool]) -> None:
        self._found = [{"oid": oid, "name": name, "open": is_open} for name, (oid, is_open) in found.items()]
        self.done: list[str] = []

    def rows(self, _query: str, _timeout: float) -> list[dict[str, t.Any]]:
        return self._found

    def run(self, statement: str, _timeout: float) -> list[str]:
        self.done.append(statement)
        return []


OPEN_AGAIN = 'ALTER DATABASE "db" WITH ALLOW_CONNECTIONS true'
REMOVED = 'DROP DATABASE IF EXISTS "db_side" WITH (FORCE)'


@pytest.mark.parametrize(
    ("phase", "found", "ends", "done"),
    [
        ("loading", {"db": (1, True), "db_side": (2, True)}, "failed", [REMOVED]),
        ("loading", {"db": (1, True)}, "failed", [REMOVED]),
        ("swapping", {"db": (1, False), "db_side": (2, True)}, "failed", [OPEN_AGAIN, REMOVED]),
        ("swapping", {"db": (2, True), "db_before": (1, True)}, "restored", []),
        ("undoing", {"db": (2, False), "db_before": (1, True)}, "restored", [OPEN_AGAIN]),
        ("undoing", {"db": (1, True), "db_side": (2, True)}, "undone", []),
    ],
)
def test_every_place_to_die_in(
    tmp_path: Path, phase: str, found: dict[str, tuple[int, bool]], ends: str, done: list[str]
) -> None:
    records = Records(str(tmp_path))
    records.save(RECORD, phase=phase)
    admin: t.Any = Admin(**found)
    assert len(heal(admin, records, "db", 1)) == 1
    assert admin.done == done
    assert records.all("db")[0].phase == ends
    assert heal(admin, records, "db", 1) == []


def test_no_database_of_the_name(tmp_path: Path) -> None:
    records = Records(str(tmp_path))
    records.save(RECORD)
    admin: t.Any = Admin(db_before=(1, True))
    with pytest.raises(DeployError, match="No database of restore 'r1' is named 'db' now"):
        heal(admin, records, "db", 1)


def test_records_of_another_database_and_damaged_ones(tmp_path: Path) -> None:
    records = Records(str(tmp_path))
    assert records.all("db") == []
    records.save(RECORD)
    assert records.all("other") == []
    (tmp_path / "restores/r2.json").write_text("{", encoding="utf-8")
    with pytest.raises(DeployError, match=r"r2.json' cannot be read"):
        records.all("db")


def test_the_block_quotes_names_and_has_a_tag_of_its_own() -> None:
    text = block('a"$x', "b'", "c", 5)
    assert 'ALTER DATABASE "a""$x" RENAME TO "c";' in text
    assert "IN ('a\"$x', 'b''')" in text
    tag = text.split()[1].partition("\n")[0]
    assert text.count(tag) == 2

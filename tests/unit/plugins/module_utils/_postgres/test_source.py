# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is restored from, and what is wrong with it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.backups import Backups
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.source import find_source, unpack_plain

GOOD = b"""--
\\restrict abc
CREATE TABLE a (t text);
COPY public.a (t) FROM stdin;
\\tstarts with a tab
\\N
\\.
\\unrestrict abc
--
-- PostgreSQL database dump complete
--
"""


def unpacked(folder: Path, content: bytes, name: str = "dump.sql") -> bytes:
    path = folder / name
    path.write_bytes(content)
    unpack_plain(find_source(Backups(str(folder), "shop"), "db", str(path)), str(folder / "copy"))
    return (folder / "copy").read_bytes()


def test_a_plain_and_a_packed_dump(tmp_path: Path) -> None:
    assert unpacked(tmp_path, GOOD) == GOOD
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    (tmp_path / "copy").unlink()
    assert unpacked(tmp_path, gzip.compress(GOOD), "dump.sql.gz") == GOOD


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD[:80], "is cut off"),
        (GOOD.replace(b"\\.\n", b""), "is cut off"),
        (b"\\connect other\n" + GOOD, "could leave the database"),
        (b"\\! rm -r /\n" + GOOD, "could leave the database"),
        pytest.param(gzip.compress(GOOD)[:-9], "is damaged", id="cut compression"),
        pytest.param(gzip.compress(GOOD)[:-8] + b"12345678", "is damaged", id="wrong checksum"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(DeployError, match=told):
        unpacked(tmp_path, content)


def test_formats(tmp_path: Path) -> None:
    backups = Backups(str(tmp_path), "shop")
    (tmp_path / "a").write_bytes(b"PGDMP\x01")
    assert find_source(backups, "db", str(tmp_path / "a")).kind == "custom"
    (tmp_path / "b").write_bytes(b"hello")
    with pytest.raises(DeployError, match="neither SQL"):
        find_source(backups, "db", str(tmp_path / "b"))
    with pytest.raises(DeployError, match="There is no good backup of database 'db'"):
        find_source(backups, "db", "latest")

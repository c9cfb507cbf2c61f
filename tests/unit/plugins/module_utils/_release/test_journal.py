# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import Journal, read_journal


def told(path: Path) -> list[tuple[str, ...]]:
    return [(item["run"], item["event"], item["step"]) for item in read_journal(str(path))]


def test_each_record_is_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(str(path), "r1")
    journal.write("intent", "start", slot="green")
    journal.write("failed", "start", detail="two\nlines, ü")
    Journal(str(path), "r2").write("recover", "revert")
    assert path.read_text("utf-8").count("\n") == 3
    assert told(path) == [("r1", "intent", "start"), ("r1", "failed", "start"), ("r2", "recover", "revert")]
    assert read_journal(str(path))[1]["detail"] == "two\nlines, ü"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 10, 30, 60])
def test_a_torn_line_swallows_only_itself(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(str(path), "r1").write("intent", "store")
    Journal(str(path), "r1").write("done", "store")
    os.truncate(path, path.stat().st_size - cut)
    assert told(path)[:1] == [("r1", "intent", "store")]
    Journal(str(path), "r2").write("recover", "revert")
    assert told(path)[0] == ("r1", "intent", "store")
    assert told(path)[-1] == ("r2", "recover", "revert")


@pytest.mark.parametrize("line", [b"\xff\xfe garbage", b"[1]", b"", b'"text"', b"null", b'{"run": '])
def test_damaged_lines_are_left_out(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(str(path), "r1").write("a", "b")
    with open(path, "ab") as file:
        file.write(line + b"\n")
    Journal(str(path), "r1").write("c", "d")
    assert told(path) == [("r1", "a", "b"), ("r1", "c", "d")]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert read_journal(str(tmp_path / "journal.jsonl")) == []

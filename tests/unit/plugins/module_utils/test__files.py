# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import resource
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _files as files


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def test_a_file_is_written_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    mask = os.umask(0o077)
    try:
        files.write_atomic(str(path), "ü\n")
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == ("ü\n".encode(), 0o600)
        files.write_atomic(str(path), "", 0o644)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"", 0o644)
    finally:
        os.umask(mask)
    assert names(tmp_path) == ["secret"]


def test_readers_keep_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    files.write_atomic(str(path), "old")
    with open(path, encoding="utf-8") as reader:
        files.write_atomic(str(path), "new")
        assert reader.read() == "old"
    assert path.read_text("utf-8") == "new"


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_disk_that_refuses_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "state.json"
    path.write_text("old", "utf-8")

    def refuse(*_args: t.Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomic(str(path), "new")
    assert path.read_text("utf-8") == "old"
    assert names(tmp_path) == ["state.json"]


def test_a_file_that_does_not_fit_leaves_the_old_one_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old", "utf-8")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.write_atomic(str(path), "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text("utf-8") == "old"
    assert names(tmp_path) == ["state.json"]


def test_text_that_cannot_be_encoded_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        files.write_atomic(str(tmp_path / "x"), "\ud800")
    assert names(tmp_path) == []


def test_a_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write_atomic(str(tmp_path / "no" / "x"), "")


def test_json_is_for_people_too(tmp_path: Path) -> None:
    files.write_json(str(tmp_path / "x"), {"b": [1], "a": "größer"})
    assert (tmp_path / "x").read_text("utf-8") == '{\n  "a": "größer",\n  "b": [\n    1\n  ]\n}\n'
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
)
def test_the_checksum_of_a_file(tmp_path: Path, content: bytes, digest: str) -> None:
    (tmp_path / "x").write_bytes(content)
    assert files.sha256_file(str(tmp_path / "x")) == digest


def test_a_file_longer_than_a_block_is_hashed_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a" * (1 << 20) + b"b")
    (tmp_path / "y").write_bytes(b"a" * (1 << 20) + b"c")
    assert files.sha256_file(str(tmp_path / "x")) != files.sha256_file(str(tmp_path / "y"))


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [("", 3, ""), ("a", 3, "a"), ("a\nb\nc\nd\n", 2, "c\nd"), ("a\r\nb\r\n", 1, "b"), ("a\nb", 2, "a\nb")],
)
def test_the_tail_of_a_text(text: str, lines: int, expected: str) -> None:
    assert files.tail(text, lines) == expected

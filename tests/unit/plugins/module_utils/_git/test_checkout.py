# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ctypes
import errno
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git import checkout
from ansible_collections.j4c.deploy.plugins.module_utils._git.checkout import Seen, plan, put, repair
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Status
from ansible_collections.j4c.deploy.plugins.module_utils._git.mirror import Found

MAIN = Found("branch", "refs/heads/main", "a" * 40)
SAME = Seen("ours", "url", "a" * 40, "main")
OTHER = Seen("ours", "url", "b" * 40, "main", ignored=("target/", ".env"))
WORK = Seen("ours", "url", "a" * 40, "main", Status(("pom.xml",), ("x", "y")), ("c feat: mine",))


@pytest.mark.parametrize(
    ("seen", "wanted", "steps"),
    [
        (SAME, MAIN, []),
        (Seen("ours", "url", "a" * 40, ""), Found("tag", "refs/tags/v1", "a" * 40), []),
        (Seen("absent"), MAIN, [("make", "check out aaaaaaa of url")]),
        (Seen("empty"), MAIN, [("make", "check out aaaaaaa of url")]),
        (Seen("absent"), Found("commit", "abc1234", ""), [("make", "check out abc1234 of url")]),
        (
            OTHER,
            MAIN,
            [("replace", "check out aaaaaaa of url instead of bbbbbbb, without 2 paths that git ignores")],
        ),
        (
            Seen("ours", "old", "a" * 40, "main"),
            MAIN,
            [("replace", "check out aaaaaaa of url instead of aaaaaaa")],
        ),
        (Seen("ours", "url", "a" * 40, ""), MAIN, [("replace", "check out aaaaaaa of url instead of aaaaaaa")]),
    ],
)
@pytest.mark.parametrize("set_aside", [False, True])
def test_what_is_to_be_done(seen: Seen, wanted: Found, steps: list[tuple[str, str]], set_aside: bool) -> None:
    assert plan("/p", "url", wanted, seen, set_aside) == steps


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (Seen("foreign"), "there is something that was not checked out by this module"),
        (Seen("damaged"), "that checkout would be lost, git cannot read it"),
        (
            WORK,
            "would be lost, 1 tracked file is changed (pom.xml); 2 files are not tracked (x, y); "
            "1 commit is not in its repository (c feat: mine).",
        ),
    ],
)
def test_nothing_of_somebody_is_lost(seen: Seen, told: str) -> None:
    with pytest.raises(DeployError) as error:
        plan("/p", "url", MAIN, seen, False)
    assert told in error.value.msg
    if seen.state != "foreign":
        assert [name for name, _detail in plan("/p", "url", MAIN, seen, True)] == ["set_aside", "make"]


class NoExchange:
    """A C library, or a file system, that cannot exchange two names."""

    def __init__(self, code: int) -> None:
        if code:
            self.renameat2 = self.refuse
        self._code = code

    def refuse(self, *_arguments: t.Any) -> int:
        """Refuse as the system call does."""
        ctypes.set_errno(self._code)
        return -1


def folder(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("code", [None, 0, errno.EINVAL, errno.ENOSYS])
def test_two_directories_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None) -> None:
    if code is not None:
        monkeypatch.setattr(checkout.ctypes, "CDLL", lambda *_names, **_how: NoExchange(code))
    new, path = folder(tmp_path / ".p.new", "new"), folder(tmp_path / "p", "old")
    put(str(new), str(path))
    assert [(item / "file").read_text(encoding="utf-8") for item in (path, new)] == ["new", "old"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_system_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout.ctypes, "CDLL", lambda *_names, **_how: NoExchange(errno.EACCES))
    new, path = folder(tmp_path / ".p.new", "new"), folder(tmp_path / "p", "old")
    with pytest.raises(OSError, match="denied"):
        put(str(new), str(path))
    assert (path / "file").read_text(encoding="utf-8") == "old"


def test_what_a_killed_run_left_is_put_right(tmp_path: Path) -> None:
    path = tmp_path / "p"
    assert repair(str(path), 60) == ""
    # between its two renames, where names cannot be exchanged
    folder(tmp_path / ".p.old", "old")
    folder(tmp_path / ".p.new", "new")
    assert repair(str(path), 60) == "repaired what a killed run left"
    assert [item.name for item in tmp_path.iterdir()] == ["p"]
    assert (path / "file").read_text(encoding="utf-8") == "old"
    folder(tmp_path / ".p.new", "new")
    assert repair(str(path), 60) == "removed what a killed run left"
    assert [item.name for item in tmp_path.iterdir()] == ["p"]

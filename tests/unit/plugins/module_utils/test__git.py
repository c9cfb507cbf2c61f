# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _git as git

COMMIT = {"id": "a" * 40, "short": "aaaaaaa", "subject": "feat: x", "branch": "main"}
SAME = git.Observed("main", COMMIT, (), (), "a" * 40, 0, 0)


def seen(**changes: t.Any) -> git.Observed:
    return git.Observed(**{**SAME.__dict__, **changes})


@pytest.mark.parametrize(
    ("changes", "codes", "told"),
    [
        ({}, [], ""),
        ({"changed": ("pom.xml",)}, ["dirty"], "1 tracked file is changed: pom.xml."),
        ({"changed": ("a", "b")}, ["dirty"], "2 tracked files are changed: a, b."),
        ({"untracked": ("new",)}, ["untracked"], "1 file is not tracked: new."),
        ({"untracked": tuple(map(str, range(25)))}, ["untracked"], "25 files are not tracked: 0, 1,"),
        ({"untracked": tuple(map(str, range(25)))}, ["untracked"], "18, 19 and 5 more."),
        ({"branch": ""}, ["detached"], "HEAD is detached at aaaaaaa. Check out 'main'."),
        ({"branch": "topic", "ahead": 3}, ["branch"], "The branch is 'topic', releases are made from 'main'."),
        ({"upstream": "", "behind": None}, ["no_upstream"], "Push it with 'git push origin main'."),
        ({"ahead": 1}, ["ahead"], "1 commit is not pushed to 'origin/main'. Run 'git push origin main'."),
        ({"ahead": 2}, ["ahead"], "2 commits are not pushed to 'origin/main'."),
        ({"behind": 1}, ["behind"], "'origin/main' is 1 commit further. Run 'git pull --ff-only origin main'."),
        ({"upstream": "b" * 40, "behind": None}, ["behind"], "'origin/main' is at bbbbbbb, which is not here."),
        ({"ahead": 2, "behind": 1}, ["diverged"], "have diverged: 2 commits here, 1 there."),
        (
            {"changed": ("a",), "untracked": ("b",), "branch": "x", "upstream": ""},
            ["dirty", "untracked", "branch", "no_upstream"],
            "",
        ),
        ({"changed": ("a",), "ahead": 1}, ["dirty", "ahead"], ""),
    ],
)
def test_every_reason_is_told(changes: dict[str, t.Any], codes: list[str], told: str) -> None:
    reasons = git.judge(seen(**changes), "main", "origin")
    assert [item["code"] for item in reasons] == codes
    assert told in " ".join(f"{item['msg']} {item['hint']}" for item in reasons)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", ((), ())),
        (" M pom.xml\0", (("pom.xml",), ())),
        ("?? new file\0 D gone\0M  staged\0UU both\0", (("both", "gone", "staged"), ("new file",))),
        ("R  new\0old\0?? x\0", (("new",), ("x",))),
        ("C  copy\0from\0 M y\0", (("copy", "y"), ())),
        ("A  -n\0", (("-n",), ())),
    ],
)
def test_the_status_is_read(status: str, expected: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    assert git._parse_status(status.split("\0")) == expected


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("", "exit status 128."),
        (
            "fatal: unable to access 'https://me:secret@host/x.git/': no\n",
            "fatal: unable to access 'https://***@host/x.git/': no.",
        ),
        ("warning: x\nfatal: no.\nCheck the rights.\n", "fatal: no."),
    ],
)
def test_credentials_are_masked(stderr: str, expected: str) -> None:
    assert git._complaint(git.Completed(("git",), 128, "", stderr)) == expected

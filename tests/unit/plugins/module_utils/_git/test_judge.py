# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Status
from ansible_collections.j4c.deploy.plugins.module_utils._git.judge import Observed, Wanted, judge

COMMIT = {"id": "a" * 40, "short": "aaaaaaa", "subject": "feat: x", "branch": "main"}
SAME = Observed(COMMIT, upstream="a" * 40, behind=0)
WANTED = Wanted("main", "origin")


def seen(branch: str = "main", **changes: t.Any) -> Observed:
    status = {key: changes.pop(key) for key in ("changed", "untracked", "unmerged", "submodules") if key in changes}
    return dataclasses.replace(SAME, commit={**COMMIT, "branch": branch}, status=Status(**status), **changes)


@pytest.mark.parametrize(
    ("changes", "codes", "told"),
    [
        ({}, [], ""),
        ({"changed": ("pom.xml",)}, ["dirty"], "1 tracked file is changed: pom.xml."),
        ({"changed": ("a", "b")}, ["dirty"], "2 tracked files are changed: a, b."),
        ({"changed": ("a", "sub"), "submodules": {"sub": "M"}}, ["dirty"], "1 tracked file is changed: a."),
        ({"changed": ("a",), "unmerged": ("a",)}, ["unmerged"], "1 file is in conflict: a."),
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
    reasons = judge(seen(**changes), WANTED)
    assert [item["code"] for item in reasons] == codes
    assert told in " ".join(f"{item['msg']} {item['hint']}" for item in reasons)


@pytest.mark.parametrize(
    ("commit", "changes", "codes", "told"),
    [
        ("a" * 40, {"branch": ""}, [], ""),
        ("a" * 40, {"branch": "", "behind": 7}, [], ""),
        ("a" * 40, {"branch": "", "upstream": "b" * 40, "behind": None}, [], ""),
        ("b" * 40, {}, ["commit"], "HEAD is aaaaaaa, bbbbbbb is to be released."),
        ("a" * 40, {"branch": "", "ahead": 1, "behind": 0}, ["not_on_branch"], "is not part of 'origin/main'."),
        ("a" * 40, {"branch": "", "upstream": ""}, ["no_upstream"], "'origin' has no branch 'main'."),
        ("a" * 40, {"branch": "", "changed": ("a",)}, ["dirty"], ""),
    ],
)
def test_a_commit_that_is_named(commit: str, changes: dict[str, t.Any], codes: list[str], told: str) -> None:
    reasons = judge(seen(**changes), dataclasses.replace(WANTED, commit=commit))
    assert [item["code"] for item in reasons] == codes
    assert told in "".join(item["msg"] for item in reasons)


@pytest.mark.parametrize(
    ("tags", "pattern", "codes"),
    [((), "", []), ((), "v*", ["tag"]), (("rc1",), "v*", ["tag"]), (("rc1", "v2"), "v*", []), (("v2",), "v1", ["tag"])],
)
def test_a_tag_that_is_required(tags: tuple[str, ...], pattern: str, codes: list[str]) -> None:
    reasons = judge(seen(tags=tags), dataclasses.replace(WANTED, tag=pattern))
    assert [item["code"] for item in reasons] == codes


def test_a_reason_names_its_files() -> None:
    reasons = judge(seen(changed=("a", "b"), untracked=("c",)), WANTED)
    assert [item["places"] for item in reasons] == [[{"path": "a"}, {"path": "b"}], [{"path": "c"}]]

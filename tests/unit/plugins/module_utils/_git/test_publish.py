# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.publish import Seen, plan
from ansible_collections.j4c.deploy.plugins.module_utils._git.revert import Reverted

SAME = Seen("h", "old", "old", "h", "old", (), ())


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, []),
        ({"tree": "new"}, [("commit", "feat: x"), ("push", "push 1 commit to 'origin/main'")]),
        ({"ahead": ("a",)}, [("push", "push 1 commit to 'origin/main'")]),
        ({"tree": "new", "ahead": ("a",)}, [("commit", "feat: x"), ("push", "push 2 commits to 'origin/main'")]),
        ({"upstream": "", "upstream_tree": ""}, [("push", "push 0 commits to 'origin/main'")]),
        (
            {"tree": "new", "upstream": "u", "upstream_tree": "new", "behind": ("u feat: x",)},
            [("adopt", "move 'main' to u feat: x, which is pushed already")],
        ),
    ],
)
def test_what_is_to_be_done(changes: dict[str, t.Any], steps: list[tuple[str, str]]) -> None:
    assert plan(dataclasses.replace(SAME, **changes), "main", "origin", "feat: x") == steps


@pytest.mark.parametrize(
    ("changes", "here", "there"),
    [
        ({"behind": ("u feat: theirs",)}, [], ["u feat: theirs"]),
        ({"tree": "new", "behind": ("u feat: theirs",)}, ["(new) feat: x"], ["u feat: theirs"]),
        ({"tree": "new", "ahead": ("a b",), "behind": ("u x", "v y")}, ["(new) feat: x", "a b"], ["u x", "v y"]),
        ({"tree": "new", "upstream": "u", "upstream_tree": "new", "behind": ("u", "v")}, ["(new) feat: x"], ["u", "v"]),
        ({"upstream": "u" * 40, "upstream_tree": "", "behind": None}, [], ["u" * 7]),
    ],
)
def test_somebody_was_faster(changes: dict[str, t.Any], here: list[str], there: list[str]) -> None:
    with pytest.raises(DeployError) as error:
        plan(dataclasses.replace(SAME, **changes), "main", "origin", "feat: x")
    assert error.value.fields == {"code": "rejected", "evidence": {"here": here, "there": there}}


@pytest.mark.parametrize(
    ("commits", "reason", "message"),
    [
        (["a feat: bad"], "", "revert: feat: bad\n\nThis reverts commit 0."),
        (["b x", "a y"], "Why.", "revert: 2 commits\n\nWhy.\n\nThis reverts commit 0.\nThis reverts commit 1."),
    ],
)
def test_the_message_of_what_is_taken_back(commits: list[str], reason: str, message: str) -> None:
    assert Reverted("tree", commits, [str(number) for number in range(len(commits))]).message(reason) == message

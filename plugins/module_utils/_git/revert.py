# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes back a range of commits with one new commit, whatever came after them.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import tempfile
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Clone, complaint
from ansible_collections.j4c.deploy.plugins.module_utils._git.reasons import at, counted, listed, plural

# of commits that nobody ever sees
NOBODY = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "j4c"), ("EMAIL", "j4c@localhost"), ("DATE", "2000-01-01T00:00:00Z"))
}


@dataclass(frozen=True)
class Reverted:
    """The outcome of taking back a range.

    :param tree: the tree without it.
    :param commits: the commits of the range (``<short id> <subject>``), newest first.
    :param ids: their full ids.
    """

    tree: str
    commits: list[str]
    ids: list[str]

    def message(self, reason: str) -> str:
        """Return the message of the new commit.

        :param reason: why, ``""`` when nobody said.
        """
        what = self.commits[0].partition(" ")[2] if len(self.commits) == 1 else plural(len(self.commits), "commit")
        listing = "\n".join(f"This reverts commit {commit}." for commit in self.ids)
        return "\n\n".join(part for part in (f"revert: {what}", reason, listing) if part)

    def require_room(self, clone: Clone, objects: t.Mapping[str, str]) -> None:
        """Check that the working tree can be brought to the new tree.

        :param objects: environment of where objects were written.
        :raises DeployError: something that is not tracked is in the way.
        """
        done = clone.git("read-tree", "--dry-run", "-m", "-u", "HEAD", self.tree, check=False, env=objects)
        if done.rc != 0:
            raise DeployError(
                f"The working tree cannot be changed: {complaint(done)}",
                hint="Move what is in the way, and run this again.",
            )


def revert(clone: Clone, since: str, until: str, objects: t.Mapping[str, str]) -> Reverted:
    """Return the tree of HEAD without the commits after ``since`` up to ``until``; the clone is not changed.

    :param until: HEAD when it is ``""``.
    :param objects: environment of where objects are written.
    :raises DeployError: there is no such range, files are changed, or what came after does not fit.
    """
    changed = clone.status().changed
    if changed:
        raise DeployError(
            f"{counted(len(changed), 'tracked file')} changed: {listed([at(path) for path in changed])}.",
            hint="Commit or restore them: reverting would mix with them.",
        )
    head = clone.line("rev-parse", "HEAD")
    first, last = _known(clone, "since", since, head), _known(clone, "until", until, head) if until else head
    if not clone.contains(first, last):
        raise DeployError(
            f"Option since is '{since}': it is not before '{until or 'HEAD'}'.", hint="Give the last good commit."
        )
    ids = clone.git("rev-list", f"{first}..{last}", "--").stdout.split()
    trees = [clone.line("rev-parse", f"{commit}^{{tree}}") for commit in (first, last, head)]
    if trees[1] in (trees[0], trees[2]):
        tree = trees[0] if trees[1] == trees[2] else trees[2]
    else:
        tree = _merge(clone, head, trees[1], trees[0], objects)
    return Reverted(tree, clone.subjects(f"{first}..{last}"), ids)


def _known(clone: Clone, option: str, revision: str, head: str) -> str:
    commit = clone.resolve(revision)
    if not commit or not clone.contains(commit, head):
        raise DeployError(
            f"Option {option} is '{revision}': no such commit is in the history of HEAD.",
            hint="Give a commit of the branch (git log).",
        )
    return commit


def _merge(clone: Clone, head: str, base: str, theirs: str, objects: t.Mapping[str, str]) -> str:
    """Apply the difference of two trees to HEAD, in a working tree of its own.

    :raises DeployError: it does not fit; names the files.
    """
    real = clone.git("rev-parse", "--path-format=absolute", "--git-path", "objects").stdout.rstrip("\n")
    env = {"GIT_OBJECT_DIRECTORY": real, **objects, **NOBODY}
    with tempfile.TemporaryDirectory(prefix="j4c-revert-") as folder:
        path = os.path.join(folder, "tree")
        clone.git("init", "--quiet", "--template=", path)
        beside = clone.at(path)
        one = beside.git("commit-tree", base, "-m", "base", env=env).stdout.strip()
        two = beside.git("commit-tree", theirs, "-p", one, "-m", "back", env=env).stdout.strip()
        beside.git("checkout", "--quiet", "--detach", head, env=env)
        done = beside.git("cherry-pick", "--no-commit", two, check=False, env=env)
        if done.rc == 0:
            return beside.git("write-tree", env=env).stdout.strip()
        conflicts = [
            item
            for item in beside.git("diff", "--name-only", "--diff-filter=U", "-z", env=env).stdout.split("\0")
            if item
        ]
    raise DeployError(
        f"What came after does not fit: {listed([at(path) for path in conflicts]) or complaint(done)}. The clone is as it was.",
        hint="Revert by hand ('git revert'), or take back what came after too (until).",
        code="conflict",
        evidence={"conflicts": conflicts},
    )

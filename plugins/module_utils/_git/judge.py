# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what is here what everybody agreed to release? The pure part of the answer.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Status
from ansible_collections.j4c.deploy.plugins.module_utils._git.reasons import Reason, at, counted, listed, plural, reason


@dataclass(frozen=True)
class Observed:
    """A clone as it is.

    :param commit: the ``commit`` noun of HEAD; its branch is ``""`` when HEAD is detached.
    :param status: what is not committed.
    :param upstream: commit of the branch on the remote, ``""`` when it has none.
    :param ahead: commits that the remote lacks.
    :param behind: commits of the remote that are not here, ``None`` when that cannot be counted without fetching.
    :param tags: the tags of HEAD.
    :param shallow: whether the clone has only the newest commits.
    """

    commit: t.Mapping[str, str]
    status: Status = field(default_factory=Status)
    upstream: str = ""
    ahead: int = 0
    behind: int | None = None
    tags: tuple[str, ...] = ()
    shallow: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a release is made from.

    :param branch: the branch, on ``remote``.
    :param commit: exactly this commit of the branch, whether it is the last one or not; ``""`` for the last one.
    :param tag: pattern of the tag that HEAD must have, ``""`` when it needs none.
    """

    branch: str
    remote: str
    commit: str = ""
    tag: str = ""


def judge(seen: Observed, wanted: Wanted) -> list[Reason]:
    """Return every reason against releasing this clone. Pure."""
    reasons = _tree(seen.status)
    reasons += _named(seen, wanted) if wanted.commit else _newest(seen, wanted)
    if wanted.tag and not any(fnmatch.fnmatchcase(tag, wanted.tag) for tag in seen.tags):
        reasons.append(
            reason(
                "tag",
                f"{seen.commit['short']} has no tag like '{wanted.tag}' (its tags: {', '.join(seen.tags) or 'none'}).",
                "Tag it and push the tag, or empty tag (j4c_source_tag).",
            )
        )
    return reasons


def _tree(status: Status) -> list[Reason]:
    files = [at(path) for path in status.changed if path not in (*status.submodules, *status.unmerged)]
    unmerged, untracked = [at(path) for path in status.unmerged], [at(path) for path in status.untracked]
    reasons = []
    if files:
        told = f"{counted(len(files), 'tracked file')} changed: {listed(files)}."
        reasons.append(reason("dirty", told, "Commit or restore them.", files))
    if unmerged:
        told = f"{counted(len(unmerged), 'file')} in conflict: {listed(unmerged)}."
        reasons.append(reason("unmerged", told, "Finish the merge or give it up ('git merge --abort').", unmerged))
    if untracked:
        told = f"{counted(len(untracked), 'file')} not tracked: {listed(untracked)}."
        reasons.append(reason("untracked", told, "Commit, ignore or remove them.", untracked))
    return reasons


def _named(seen: Observed, wanted: Wanted) -> list[Reason]:
    """Judge a clone that is to be at one commit of the branch."""
    place = f"'{wanted.remote}/{wanted.branch}'"
    if seen.commit["id"] != wanted.commit:
        told = f"HEAD is {seen.commit['short']}, {wanted.commit[:7]} is to be released."
        return [reason("commit", told, f"Check out {wanted.commit}.")]
    if not seen.upstream:
        return [_no_upstream(wanted)]
    if seen.behind is not None and seen.ahead:
        told = f"{seen.commit['short']} is not part of {place}."
        hint = f"Merge it into '{wanted.branch}', or set branch (j4c_branch) to the one that it is released from."
        return [reason("not_on_branch", told, hint)]
    return []


def _newest(seen: Observed, wanted: Wanted) -> list[Reason]:
    """Judge a clone that is to be the same as the branch of the remote."""
    branch, remote = wanted.branch, wanted.remote
    here, place = seen.commit["branch"], f"'{wanted.remote}/{wanted.branch}'"
    pull, push = f"Run 'git pull --ff-only {remote} {branch}'.", f"Run 'git push {remote} {branch}'."
    reasons = []
    if not here:
        reasons.append(reason("detached", f"HEAD is detached at {seen.commit['short']}.", f"Check out '{branch}'."))
    elif here != branch:
        told = f"The branch is '{here}', releases are made from '{branch}'."
        reasons.append(reason("branch", told, f"Check out '{branch}', or set branch (j4c_branch)."))
    if not seen.upstream:
        reasons.append(_no_upstream(wanted))
    elif here != branch:
        # how far another branch is from the remote one says nothing about this one
        return reasons
    elif seen.behind is None:
        reasons.append(reason("behind", f"{place} is at {seen.upstream[:7]}, which is not here.", pull))
    elif seen.ahead and seen.behind:
        told = f"'{branch}' and {place} have diverged: {seen.ahead} commits here, {seen.behind} there."
        reasons.append(reason("diverged", told, f"Rebase on {place} and push."))
    elif seen.ahead:
        reasons.append(reason("ahead", f"{counted(seen.ahead, 'commit')} not pushed to {place}.", push))
    elif seen.behind:
        reasons.append(reason("behind", f"{place} is {plural(seen.behind, 'commit')} further.", pull))
    return reasons


def _no_upstream(wanted: Wanted) -> Reason:
    told = f"'{wanted.remote}' has no branch '{wanted.branch}'."
    return reason("no_upstream", told, f"Push it with 'git push {wanted.remote} {wanted.branch}'.")

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies that a clone is fit for a release: everything is looked at, and every reason against it told at once.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git import policy
from ansible_collections.j4c.deploy.plugins.module_utils._git.access import access_to_remote
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import PLAIN_DIFF, Access, Clone
from ansible_collections.j4c.deploy.plugins.module_utils._git.judge import Observed, Wanted, judge
from ansible_collections.j4c.deploy.plugins.module_utils._git.reasons import Reason, reason
from ansible_collections.j4c.deploy.plugins.module_utils._git.secrets import find_secrets
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "git_verification"
ABORT, OFF = "abort", "off"


def verify(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Return the result of the module ``git_verify``; see its documentation.

    :raises DeployError: it is no clone, its remote does not answer, or an option names something that is not there.
    """
    log = StepLog()
    try:
        with access_to_remote(params["path"], params["remote"], params) as access:
            return _verify(params, access, check_mode, log)
    except DeployError as exc:
        exc.steps = log.results
        exc.fields = {**verdict(PHASE, "ABORT"), **exc.fields}
        raise


def _verify(params: t.Mapping[str, t.Any], access: Access, check_mode: bool, log: StepLog) -> dict[str, t.Any]:
    clone = Clone(params["path"], params["timeout"], access)
    wanted = Wanted(params["branch"], params["remote"], params["commit"], params["tag"])
    with log.step("repository"):
        clone.require()
    with log.step("remote") as note:
        fetch = params["fetch"] and not check_mode
        upstream = clone.update(wanted.remote, wanted.branch, fetch, tags=bool(wanted.tag))
        note["detail"] = f"{wanted.remote}/{wanted.branch} at {upstream[:7] or 'nothing'}"
    with log.step("tree") as note:
        seen = observe(clone, upstream)
        reasons = [*judge(seen, wanted), *policy.submodules(clone, seen.status)]
        note["detail"] = f"{seen.commit['short']} {seen.commit['subject']}"
    released, changes = "", None
    if params["released_commit"]:
        with log.step("changes") as note:
            missing = unknown_range(clone, params["released_commit"], seen.shallow, wanted.remote)
            reasons += missing
            if missing:
                note["detail"] = missing[0]["msg"]
            else:
                released = clone.resolve(params["released_commit"])
                changes = changes_since(clone, params["released_commit"], released)
                note["detail"] = changes["stat"][-1].strip() if changes["stat"] else "nothing changed"
    with log.step("policy") as note:
        found, remarks = _policy(params, clone, released, seen)
        reasons += found
        note["detail"] = ", ".join(item["code"] for item in (*found, *remarks)) or "nothing found"
    result = {
        "changed": False,
        "commit": dict(seen.commit),
        "tags": list(seen.tags),
        "changes": changes,
        "reasons": reasons,
        "remarks": remarks,
        "warnings": [f"{item['msg']} {item['hint']}" for item in remarks],
        "steps": log.results,
        "evidence": {
            "changed": list(seen.status.changed),
            "untracked": list(seen.status.untracked),
            "upstream": seen.upstream,
            "ahead": seen.ahead,
            "behind": seen.behind,
            "shallow": seen.shallow,
        },
        **verdict(PHASE, "ABORT" if reasons else "PROCEED"),
    }
    if reasons:
        told = " ".join(f"{item['msg']} {item['hint']}" for item in reasons)
        return {**result, "failed": True, "msg": f"ABORT: '{params['path']}' is not fit for a release. {told}"}
    return {**result, "msg": f"PROCEED: {seen.commit['short']} {seen.commit['subject']}"}


def observe(clone: Clone, upstream: str) -> Observed:
    """Look at the clone.

    :param upstream: commit of the branch on the remote, ``""`` when it has none.
    """
    ahead, behind = 0, None
    if upstream:
        counts = clone.git("rev-list", "--left-right", "--count", f"HEAD...{upstream}", check=False)
        if counts.rc == 0:
            ahead, behind = (int(item) for item in counts.stdout.split())
    return Observed(
        commit=clone.commit(),
        status=clone.status(),
        upstream=upstream,
        ahead=ahead,
        behind=behind,
        tags=tuple(clone.git("tag", "--points-at", "HEAD").stdout.splitlines()),
        shallow=clone.line("rev-parse", "--is-shallow-repository") == "true",
    )


def unknown_range(clone: Clone, released: str, shallow: bool, remote: str) -> list[Reason]:
    """Return the reason why it cannot be told what changed since the released commit, if there is one."""
    known = clone.resolve(released)
    if shallow and (not known or _cut_off(clone, known)):
        told = f"The clone is shallow: what changed since '{released}' cannot be told."
        return [reason("shallow", told, f"Run 'git fetch --unshallow {remote}', or leave released_commit empty.")]
    if known:
        return []
    told = f"Option released_commit is '{released}': this clone does not have that commit."
    hint = f"Fetch it ('git fetch --tags {remote}'), or leave released_commit (j4c_released_commit) empty."
    return [reason("released_unknown", told, hint)]


def _cut_off(clone: Clone, released: str) -> bool:
    """Tell whether a commit since the released one is where a shallow clone ends."""
    path = clone.git("rev-parse", "--git-path", "shallow").stdout.rstrip("\n")
    with open(os.path.join(clone.path, path), encoding="ascii") as file:
        ends = set(file.read().split())
    return bool(ends & set(clone.git("rev-list", f"{released}..HEAD", "--").stdout.split()))


def changes_since(clone: Clone, name: str, released: str) -> dict[str, t.Any]:
    """Return what changed since the released commit.

    :param name: what it was called.
    :param released: its id.
    :returns: ``since``, ``files``, ``insertions``, ``deletions``, ``stat`` and ``commits`` (lines of git), ``undone`` (the
        commits that were released and are not part of HEAD).
    """
    counts = clone.git("diff", *PLAIN_DIFF, "--numstat", released, "HEAD").stdout
    rows = [line.split("\t") for line in counts.splitlines()]
    return {
        "since": name,
        "files": len(rows),
        "insertions": sum(int(row[0]) for row in rows if row[0].isdigit()),
        "deletions": sum(int(row[1]) for row in rows if row[1].isdigit()),
        "stat": clone.git("diff", *PLAIN_DIFF, "--stat", released, "HEAD").stdout.splitlines(),
        "commits": clone.subjects(f"{released}..HEAD"),
        "undone": clone.subjects(f"HEAD..{released}"),
    }


def _policy(
    params: t.Mapping[str, t.Any], clone: Clone, released: str, seen: Observed
) -> tuple[list[Reason], list[Reason]]:
    """Return the reasons that the options make a release abort for, and those that they only want to be told."""
    exempt = params["exempt"]
    reasons = policy.conflict_markers(clone, exempt)
    if params["max_file_mb"] > 0:
        reasons += policy.large_files(clone, released, seen.status, params["max_file_mb"], exempt)
    remarks: list[Reason] = []
    if params["commit_messages"] != OFF:
        found = policy.messages(clone, released, params["commit_types"], params["commit_scopes"])
        (reasons if params["commit_messages"] == ABORT else remarks).extend(found)
    if params["secrets"] != OFF:
        found = find_secrets(clone, released, seen.status, params["secrets_baseline"], exempt)
        (reasons if params["secrets"] == ABORT else remarks).extend(found)
    return reasons, remarks

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes a change: a commit of named paths, or one that takes back a range of commits, pushed and verified.

The commit is made beside the clone and pushed before the clone's branch moves: a push that is refused leaves the clone as it
was, and history is never rewritten.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.access import access_to_remote, explain
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import (
    ADDED_ONLY,
    PLAIN_DIFF,
    Access,
    Clone,
    complaint,
)
from ansible_collections.j4c.deploy.plugins.module_utils._git.policy import message_fault
from ansible_collections.j4c.deploy.plugins.module_utils._git.reasons import plural
from ansible_collections.j4c.deploy.plugins.module_utils._git.revert import Reverted, revert
from ansible_collections.j4c.deploy.plugins.module_utils._git.secrets import added_lines, judge_texts
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "git_verification"
OBJECTS = "GIT_OBJECT_DIRECTORY"
SHOWN_LINES = 2000

Step = t.Literal["commit", "push", "adopt"]


@dataclass(frozen=True)
class Seen:
    """The clone and its remote, and what is to be published.

    :param head: commit of the branch.
    :param head_tree: its tree.
    :param tree: the tree that is wanted.
    :param upstream: commit of the branch on the remote, ``""`` when it has none.
    :param upstream_tree: its tree, ``""`` when it is not here.
    :param ahead: commits that the remote lacks (``<short id> <subject>``).
    :param behind: commits of the remote that are not part of the branch; ``None`` when they are not here.
    """

    head: str
    head_tree: str
    tree: str
    upstream: str
    upstream_tree: str
    ahead: tuple[str, ...]
    behind: tuple[str, ...] | None


def plan(seen: Seen, branch: str, remote: str, subject: str) -> list[tuple[Step, str]]:
    """Return what is to be done, each step with a sentence; nothing when everything is published. Pure.

    :raises DeployError: the remote is further: somebody was faster.
    """
    new = seen.tree != seen.head_tree
    if seen.behind is None or seen.behind:
        if not seen.ahead and seen.behind and len(seen.behind) == 1 and new and seen.tree == seen.upstream_tree:
            # a run that was killed after its push
            return [("adopt", f"move '{branch}' to {seen.behind[0]}, which is pushed already")]
        raise faster(
            branch, remote, (*([f"(new) {subject}"] if new else []), *seen.ahead), seen.behind or (seen.upstream[:7],)
        )
    steps: list[tuple[Step, str]] = [("commit", subject)] if new else []
    if new or seen.ahead or not seen.upstream:
        steps.append(("push", f"push {plural(len(seen.ahead) + new, 'commit')} to '{remote}/{branch}'"))
    return steps


def faster(branch: str, remote: str, here: t.Sequence[str], there: t.Sequence[str]) -> DeployError:
    """Return the error for a remote that has commits which are not here, with those of both sides."""
    return DeployError(
        f"'{remote}/{branch}' has {plural(len(there), 'commit')} that the clone does not have ({'; '.join(there[:5])}); to be pushed: "
        f"{'; '.join(here[:5]) or 'nothing'}. Nothing was changed.",
        hint=f"Run 'git pull --rebase {remote} {branch}', look whether both fit together, and run this again.",
        code="rejected",
        evidence={"here": list(here), "there": list(there)},
    )


def publish(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Return the result of the module ``git_publish``; see its documentation.

    :raises DeployError: it cannot be published; the clone is as it was.
    """
    log = StepLog()
    try:
        with access_to_remote(params["path"], params["remote"], params) as access:
            return _publish(params, access, check_mode, log)
    except DeployError as exc:
        exc.steps = log.results
        exc.fields = {**verdict(PHASE, "ABORT"), **exc.fields}
        raise


def _publish(params: t.Mapping[str, t.Any], access: Access, check_mode: bool, log: StepLog) -> dict[str, t.Any]:
    clone, branch, remote = Clone(params["path"], params["timeout"], access), params["branch"], params["remote"]
    with log.step("repository"):
        clone.require()
        _require_branch(clone, branch)
        identity = _identity(clone, params)
    with log.step("remote") as note:
        upstream = clone.update(remote, branch, fetch=not check_mode)
        note["detail"] = f"{remote}/{branch} at {upstream[:7] or 'nothing'}"
    with _objects(clone, check_mode) as objects, contextlib.ExitStack() as index:
        with log.step("stage") as note:
            reverted: Reverted | None = None
            if params["state"] == "reverted":
                reverted = revert(clone, params["since"], params["until"], objects)
                tree, message = reverted.tree, params["commit_message"] or reverted.message(params["reason"])
            else:
                tree, message = (
                    _stage(clone, params["paths"], {**objects, **index.enter_context(_index())}),
                    params["commit_message"],
                )
            _check_message(message, params)
            seen = _observe(clone, tree, upstream)
            patch = clone.git("diff", *PLAIN_DIFF, seen.head_tree, tree, env=objects).stdout
            names = clone.git(
                "diff", *PLAIN_DIFF, "--name-status", seen.head_tree, tree, env=objects
            ).stdout.splitlines()
            note["detail"] = plural(len(names), "path")
            if params["secrets"] == "abort" and not reverted:
                _require_no_secrets(clone, params, seen, objects)
        subject = message.split("\n", 1)[0]
        steps = plan(seen, branch, remote, subject)
        result: dict[str, t.Any] = {
            **verdict(PHASE, "PROCEED"),
            "changed": bool(steps),
            "commit": clone.commit(),
            "pushed": [],
            "steps": log.results,
            "evidence": {
                "paths": names,
                "before": seen.head,
                "upstream": upstream,
                "reverted": reverted.commits if reverted else [],
            },
            "diff": {"prepared": _cut(patch)},
            "msg": f"PROCEED: nothing to publish, '{remote}/{branch}' is at {upstream[:7]}",
        }
        if reverted and steps:
            reverted.require_room(clone, objects)
        if check_mode:
            for name, detail in steps:
                log.add(name, "planned", detail)
            return (
                {**result, "msg": f"PROCEED: would {'; '.join(detail for _name, detail in steps)}"} if steps else result
            )
        if not steps:
            return result
        target = _apply(clone, params, seen, steps, message, identity, log)
    with log.step("clone"):
        if reverted:
            clone.git("merge", "--quiet", "--ff-only", target, what="Bringing the working tree to the new commit")
        else:
            clone.git("update-ref", "-m", "git_publish", f"refs/heads/{branch}", target, seen.head)
            clone.git("reset", "--quiet", "HEAD", "--", *params["paths"])
    pushed = clone.subjects(f"{upstream}..{target}" if upstream else target)
    return {
        **result,
        "commit": clone.commit(),
        "pushed": pushed,
        "msg": f"PROCEED: {target[:7]} is in '{remote}/{branch}'",
    }


def _apply(
    clone: Clone,
    params: t.Mapping[str, t.Any],
    seen: Seen,
    steps: t.Sequence[tuple[Step, str]],
    message: str,
    identity: t.Mapping[str, str],
    log: StepLog,
) -> str:
    """Make the commit, push it, see it in the remote's history, and return its id."""
    branch, remote = params["branch"], params["remote"]
    target = seen.head
    for name, _detail in steps:
        with log.step(name) as note:
            if name == "adopt":
                target = seen.upstream
            elif name == "commit":
                made = clone.git(
                    "commit-tree", seen.tree, "-p", seen.head, "-F", "-", stdin=message.strip() + "\n", env=identity
                )
                target = made.stdout.strip()
            else:
                _push(clone, branch, remote, target, seen, message.split("\n", 1)[0])
            note["detail"] = target[:7]
    with log.step("verify") as note:
        upstream = clone.update(remote, branch, fetch=True)
        if not upstream or not clone.contains(target, upstream):
            raise DeployError(
                f"{target[:7]} was pushed, but is not in the history of '{remote}/{branch}' ({upstream[:7] or 'which is gone'}).",
                hint=f"Somebody rewrote it: look at '{remote}/{branch}' before anything else.",
            )
        note["detail"] = f"{remote}/{branch} at {upstream[:7]}"
    return target


def _push(clone: Clone, branch: str, remote: str, target: str, seen: Seen, subject: str) -> None:
    done = clone.git("push", "--porcelain", "--no-follow-tags", remote, f"{target}:refs/heads/{branch}", check=False)
    if done.rc == 0:
        return
    refused = next((line for line in done.stdout.splitlines() if line.startswith("!")), "")
    if "[rejected]" in refused:
        upstream = clone.update(remote, branch, fetch=True)
        here = (*([f"(new) {subject}"] if target != seen.head else []), *seen.ahead)
        raise faster(branch, remote, here, clone.subjects(f"{seen.head}..{upstream}"))
    told = refused.split("\t")[-1] if refused else complaint(done).rstrip(".")
    said = "; ".join(
        line[len("remote: ") :].strip() for line in done.stderr.splitlines() if line.startswith("remote: ")
    )
    raise DeployError(
        f"'{remote}' did not take the push to '{branch}': {told}{f' ({said})' if said else ''}. The clone is as it was.",
        hint="Look at the rules that it has for this branch." if refused else explain(done.stderr),
        rc=done.rc,
        code="refused",
    )


def _require_branch(clone: Clone, branch: str) -> None:
    here = clone.branch()
    if here != branch:
        where = f"branch '{here}' is" if here else "no branch is"
        raise DeployError(
            f"Option branch is '{branch}': {where} checked out in '{clone.path}'.",
            hint=f"Run 'git switch {branch}', or set branch.",
        )


def _identity(clone: Clone, params: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the environment that says who commits."""
    name, email = params["author_name"], params["author_email"]
    if name and email:
        return {
            f"GIT_{who}_{what}": text
            for who in ("AUTHOR", "COMMITTER")
            for what, text in (("NAME", name), ("EMAIL", email))
        }
    # git would make an address up from the name of the machine
    known = clone.git("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT", check=False)
    if known.rc != 0:
        raise DeployError(
            "Git does not know who commits.",
            hint="Set author_name and author_email, or git's user.name and user.email.",
        )
    return {}


def _check_message(message: str, params: t.Mapping[str, t.Any]) -> None:
    fault = message_fault(message.split("\n", 1)[0], params["commit_types"], params["commit_scopes"])
    if fault:
        raise DeployError(
            f"Option commit_message begins with '{message.split(chr(10), 1)[0]}': {fault}.",
            hint="Write for example 'fix(api): answer in time'.",
        )


@contextlib.contextmanager
def _index() -> t.Iterator[dict[str, str]]:
    """Yield the environment of an index of its own: what somebody has staged is neither published nor lost."""
    with tempfile.TemporaryDirectory(prefix="j4c-index-") as folder:
        yield {"GIT_INDEX_FILE": os.path.join(folder, "index")}


@contextlib.contextmanager
def _objects(clone: Clone, check_mode: bool) -> t.Iterator[dict[str, str]]:
    """Yield the environment of where objects are written: in check mode, to nowhere that lasts."""
    if not check_mode:
        yield {}
        return
    real = clone.git("rev-parse", "--path-format=absolute", "--git-path", "objects").stdout.rstrip("\n")
    with tempfile.TemporaryDirectory(prefix="j4c-objects-") as folder:
        yield {OBJECTS: folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": real}


def _stage(clone: Clone, paths: t.Sequence[str], env: t.Mapping[str, str]) -> str:
    """Return the tree of HEAD with the paths as they are in the working tree."""
    clone.git("read-tree", "HEAD", env=env)
    left = [path for path in paths if not _is_gone(clone, path)]
    # without a path, git would add everything
    if left:
        done = clone.git("add", "--all", "--", *left, check=False, env=env)
        if done.rc != 0:
            raise DeployError(
                f"Option paths is {', '.join(paths)}: {complaint(done)}",
                hint="Name files and directories of the clone that git does not ignore.",
            )
    return clone.git("write-tree", env=env).stdout.strip()


def _is_gone(clone: Clone, path: str) -> bool:
    """Tell whether a path was there once and its removal is published already."""
    if (
        os.path.lexists(os.path.join(clone.path, path))
        or clone.git("ls-tree", "-z", "HEAD", "--", path, check=False).stdout
    ):
        return False
    return bool(clone.line("rev-list", "-1", "HEAD", "--", path))


def _observe(clone: Clone, tree: str, upstream: str) -> Seen:
    head = clone.line("rev-parse", "HEAD")
    here = bool(upstream) and clone.git("cat-file", "-e", f"{upstream}^{{commit}}", check=False).rc == 0
    behind: tuple[str, ...] | None = ()
    if upstream:
        behind = tuple(clone.subjects(f"{head}..{upstream}")) if here else None
    return Seen(
        head=head,
        head_tree=clone.line("rev-parse", "HEAD^{tree}"),
        tree=tree,
        upstream=upstream,
        upstream_tree=clone.line("rev-parse", f"{upstream}^{{tree}}") if here else "",
        ahead=tuple(clone.subjects(f"{upstream}..{head}")) if here else (),
        behind=behind,
    )


def _require_no_secrets(clone: Clone, params: t.Mapping[str, t.Any], seen: Seen, env: t.Mapping[str, str]) -> None:
    texts = added_lines(clone.git("diff", *ADDED_ONLY, seen.head_tree, seen.tree, env=env).stdout)
    found = judge_texts(clone, texts, params["secrets_baseline"], ())
    if found:
        raise DeployError(found[0]["msg"], hint=found[0]["hint"], code=found[0]["code"], reasons=found)


def _cut(patch: str) -> str:
    lines = patch.splitlines(keepends=True)
    more = f"({len(lines) - SHOWN_LINES} more lines)\n" if len(lines) > SHOWN_LINES else ""
    return "".join(lines[:SHOWN_LINES]) + more

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A working clone: is what is here what everybody agreed to release?

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._run import Completed, Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "git_verification"
SHOWN_PATHS = 20
# nobody is there to answer; without a terminal ssh does not ask either
ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "SSH_ASKPASS_REQUIRE": "never"}
# no program that the repository's own configuration names is started; paths are shown as they are
SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
PLAIN_DIFF = ("--no-ext-diff", "--no-textconv")
PATH_HINT = "Clone the service there, or set path (j4c_source)."
RELEASED = re.compile(r"^[0-9A-Za-z][\w./-]*$")
FIELDS = ("id", "author", "email", "time", "subject")
USERINFO = re.compile(r"://[^/@\s]+@")


@dataclass(frozen=True)
class Observed:
    """A clone as it is.

    :param branch: its branch, ``""`` when HEAD is detached.
    :param commit: the ``commit`` noun: id, short, author, email, subject, time, branch.
    :param changed: tracked files with changes.
    :param untracked: files that are neither tracked nor ignored.
    :param upstream: commit of the branch on the remote, ``""`` when it has none.
    :param ahead: commits that the remote lacks.
    :param behind: commits of the remote that are not here, ``None`` when that cannot be counted without fetching.
    """

    branch: str
    commit: t.Mapping[str, str]
    changed: tuple[str, ...]
    untracked: tuple[str, ...]
    upstream: str
    ahead: int
    behind: int | None


def judge(seen: Observed, branch: str, remote: str) -> list[dict[str, str]]:
    """Return every reason against releasing this clone, each with ``code``, ``msg`` and ``hint``. Pure."""
    reasons = []

    def add(code: str, msg: str, hint: str) -> None:
        reasons.append({"code": code, "msg": msg, "hint": hint})

    if seen.changed:
        add(
            "dirty",
            f"{_counted(len(seen.changed), 'tracked file')} changed: {_list(seen.changed)}.",
            "Commit or restore them.",
        )
    if seen.untracked:
        add(
            "untracked",
            f"{_counted(len(seen.untracked), 'file')} not tracked: {_list(seen.untracked)}.",
            "Commit, ignore or remove them.",
        )
    if not seen.branch:
        add("detached", f"HEAD is detached at {seen.commit['short']}.", f"Check out '{branch}'.")
    elif seen.branch != branch:
        add(
            "branch",
            f"The branch is '{seen.branch}', releases are made from '{branch}'.",
            f"Check out '{branch}', or set branch (j4c_branch).",
        )
    if not seen.upstream:
        add("no_upstream", f"'{remote}' has no branch '{branch}'.", f"Push it with 'git push {remote} {branch}'.")
    elif seen.branch != branch:
        # how far another branch is from the remote one says nothing about this one
        return reasons
    elif seen.behind is None:
        add(
            "behind",
            f"'{remote}/{branch}' is at {seen.upstream[:7]}, which is not here.",
            f"Run 'git pull --ff-only {remote} {branch}'.",
        )
    elif seen.ahead and seen.behind:
        add(
            "diverged",
            f"'{branch}' and '{remote}/{branch}' have diverged: {seen.ahead} commits here, {seen.behind} there.",
            f"Rebase on '{remote}/{branch}' and push.",
        )
    elif seen.ahead:
        add(
            "ahead",
            f"{_counted(seen.ahead, 'commit')} not pushed to '{remote}/{branch}'.",
            f"Run 'git push {remote} {branch}'.",
        )
    elif seen.behind:
        add(
            "behind",
            f"'{remote}/{branch}' is {_plural(seen.behind, 'commit')} further.",
            f"Run 'git pull --ff-only {remote} {branch}'.",
        )
    return reasons


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _counted(number: int, noun: str) -> str:
    return f"{_plural(number, noun)} {'is' if number == 1 else 'are'}"


def _list(paths: t.Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN_PATHS} more" if len(paths) > SHOWN_PATHS else ""
    return ", ".join(paths[:SHOWN_PATHS]) + more


class Clone:
    """A working clone on this machine.

    :param path: its directory.
    :param timeout: seconds that one git command may take.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._runner = Runner(ENVIRONMENT, timeout)

    def git(self, *args: str, check: bool = True, what: str | None = None) -> Completed:
        """Run git in the clone.

        :param check: raise when it fails.
        :param what: subject of the error message.
        :raises DeployError: it failed, or did not end in time; credentials in a URL are masked.
        """
        done = self._runner.run(["git", "-C", self._path, *SAFE, *args], check=False, what=what)
        if check and done.rc != 0:
            raise DeployError(f"{what or 'git ' + args[0]} failed: {_complaint(done)}", rc=done.rc)
        return done

    def require(self) -> None:
        """Check that this is a working clone with at least one commit.

        :raises DeployError: it is not.
        """
        self._runner.find("git", "Install git on the builder.")
        if not os.path.isdir(self._path):
            raise DeployError(f"Option path is '{self._path}': there is no such directory.", hint=PATH_HINT)
        done = self.git("rev-parse", "--is-inside-work-tree", "--verify", "--quiet", "HEAD^{commit}", check=False)
        inside = done.stdout.split("\n", 1)[0]
        if "dubious ownership" in done.stderr:
            raise DeployError(
                f"Option path is '{self._path}': git refuses it, because it belongs to another user.",
                hint=f"Run as its owner, or 'git config --global --add safe.directory {self._path}'.",
            )
        if inside == "false":
            raise DeployError(f"Option path is '{self._path}': that repository has no working tree.", hint=PATH_HINT)
        if inside != "true":
            raise DeployError(f"Option path is '{self._path}': that is not a git repository.", hint=PATH_HINT)
        if done.rc != 0:
            raise DeployError(
                f"Option path is '{self._path}': that repository has no commit yet.",
                hint="Commit and push what is to be released.",
            )

    def update(self, remote: str, branch: str, fetch: bool) -> str:
        """Return the commit of the branch on the remote, ``""`` when it has none.

        :param fetch: bring its commits here; otherwise the remote is only asked.
        :raises DeployError: there is no such remote, or it does not answer.
        """
        known = self.git("remote").stdout.split()
        if remote not in known:
            raise DeployError(
                f"Option remote is '{remote}': the repository has no such remote "
                f"(it has {', '.join(known) or 'none'}).",
                hint=f"Add it with 'git remote add {remote} <url>', or set remote (j4c_remote).",
            )
        what = f"Asking the remote '{remote}'"
        try:
            if not fetch:
                listed = self.git("ls-remote", "--heads", remote, f"refs/heads/{branch}", what=what).stdout
                return listed.partition("\t")[0].strip()
            tracking = f"refs/remotes/{remote}/{branch}"
            refspec = f"+refs/heads/{branch}:{tracking}"
            done = self.git("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", remote, refspec, check=False)
            if "couldn't find remote ref" in done.stderr:
                return ""
            if done.rc != 0:
                raise DeployError(f"{what} failed: {_complaint(done)}", rc=done.rc)
            return self.git("rev-parse", "--verify", "--quiet", tracking).stdout.strip()
        except DeployError as exc:
            hint = "Check that it can be reached and that this user may read it (SSH agent or credential helper)."
            raise DeployError(exc.msg, hint=hint, rc=exc.rc) from exc

    def observe(self, upstream: str) -> Observed:
        """Look at the clone.

        :param upstream: commit of the branch on the remote, ``""`` when it has none.
        """
        status = self.git("status", "--porcelain=v1", "-z", "--untracked-files=all").stdout.split("\0")
        changed, untracked = _parse_status(status)
        current = self.git("symbolic-ref", "--quiet", "--short", "HEAD", check=False).stdout.strip()
        shown = self.git("log", "-1", "--no-show-signature", "--format=%H%x00%an%x00%ae%x00%cI%x00%s").stdout
        commit = {**dict(zip(FIELDS, shown.rstrip("\n").split("\0"))), "branch": current}
        commit["short"] = commit["id"][:7]
        ahead, behind = 0, None
        if upstream:
            counts = self.git("rev-list", "--left-right", "--count", f"HEAD...{upstream}", check=False)
            if counts.rc == 0:
                ahead, behind = (int(item) for item in counts.stdout.split())
        return Observed(current, commit, changed, untracked, upstream, ahead, behind)

    def changes_since(self, released: str) -> dict[str, t.Any]:
        """Return what changed since the released commit.

        :returns: ``since``, ``files``, ``insertions``, ``deletions``, ``stat`` and ``commits`` (lines of git).
        :raises DeployError: the commit is not in this clone.
        """
        known = RELEASED.match(released) and self.git("cat-file", "-e", f"{released}^{{commit}}", check=False).rc == 0
        if not known:
            raise DeployError(
                f"Option released_commit is '{released}': this clone does not have that commit.",
                hint="Fetch it ('git fetch --unshallow' for a shallow clone), or leave released_commit empty.",
            )
        counts = self.git("diff", *PLAIN_DIFF, "--numstat", released, "HEAD").stdout
        rows = [line.split("\t") for line in counts.splitlines()]
        return {
            "since": released,
            "files": len(rows),
            "insertions": sum(int(row[0]) for row in rows if row[0].isdigit()),
            "deletions": sum(int(row[1]) for row in rows if row[1].isdigit()),
            "stat": self.git("diff", *PLAIN_DIFF, "--stat", released, "HEAD").stdout.splitlines(),
            "commits": self.git(
                "log", "--no-show-signature", "--format=%h %s", f"{released}..HEAD"
            ).stdout.splitlines(),
        }


def _complaint(done: Completed) -> str:
    """Return what git said, on one line and without credentials."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    chosen = (
        [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:] or [f"exit status {done.rc}"]
    )
    return USERINFO.sub("://***@", "; ".join(chosen)).rstrip(".") + "."


def _parse_status(entries: t.Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split ``git status --porcelain=v1 -z`` into changed and untracked paths (git-status(1))."""
    changed, untracked = [], []
    rest = iter(entries)
    for entry in rest:
        if not entry:
            continue
        code, path = entry[:2], entry[3:]
        if code == "??":
            untracked.append(path)
        else:
            changed.append(path)
            # a rename or copy has the old path as an entry of its own
            if code[0] in "RC":
                next(rest, None)
    return tuple(sorted(changed)), tuple(sorted(untracked))


def verify(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Return the result of the module ``git_verify``; see its documentation.

    :raises DeployError: it is no clone, its remote does not answer, or an option names something that is not there.
    """
    log = StepLog()
    try:
        return _verify(params, check_mode, log)
    except DeployError as exc:
        exc.steps = log.results
        exc.fields = {**verdict(PHASE, "ABORT"), **exc.fields}
        raise


def _verify(params: t.Mapping[str, t.Any], check_mode: bool, log: StepLog) -> dict[str, t.Any]:
    clone, branch, remote = Clone(params["path"], params["timeout"]), params["branch"], params["remote"]
    with log.step("repository"):
        clone.require()
    with log.step("remote") as note:
        upstream = clone.update(remote, branch, params["fetch"] and not check_mode)
        note["detail"] = f"{remote}/{branch} at {upstream[:7] or 'nothing'}"
    with log.step("tree") as note:
        seen = clone.observe(upstream)
        note["detail"] = f"{seen.commit['short']} {seen.commit['subject']}"
    changes = None
    if params["released_commit"]:
        with log.step("changes") as note:
            changes = clone.changes_since(params["released_commit"])
            note["detail"] = changes["stat"][-1].strip() if changes["stat"] else "nothing changed"
    reasons = judge(seen, branch, remote)
    result = {
        "changed": False,
        "commit": dict(seen.commit),
        "changes": changes,
        "reasons": reasons,
        "steps": log.results,
        "evidence": {
            "changed": list(seen.changed),
            "untracked": list(seen.untracked),
            "upstream": seen.upstream,
            "ahead": seen.ahead,
            "behind": seen.behind,
        },
        **verdict(PHASE, "ABORT" if reasons else "PROCEED"),
    }
    if reasons:
        told = " ".join(f"{item['msg']} {item['hint']}" for item in reasons)
        return {**result, "failed": True, "msg": f"ABORT: '{params['path']}' is not fit for a release. {told}"}
    return {**result, "msg": f"PROCEED: {seen.commit['short']} {seen.commit['subject']}"}

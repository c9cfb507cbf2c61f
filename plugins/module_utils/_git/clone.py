# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A working clone on this machine: runs git in it and reads what git says.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._run import Completed, Runner

ENVIRONMENT: dict[str, str | None] = {
    # nobody is there to answer; without a terminal ssh does not ask either
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "SSH_ASKPASS_REQUIRE": "never",
    # paths are paths, never patterns
    "GIT_LITERAL_PATHSPECS": "1",
    # a remote that names a command must not start it
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    # of a hook or a worktree that this was started from
    **dict.fromkeys(
        ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
    ),
}
# no program that the repository's own configuration names is started; paths are shown as they are
SAFE = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "color.ui=false"),
    # a user who forbids bare repositories found by accident has not these in mind
    *("-c", "safe.bareRepository=all"),
)
PLAIN_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short")
PATH_HINT = "Clone the service there, or set path (j4c_source)."
ADDED_ONLY = ("--unified=0", "--inter-hunk-context=0", "--no-renames", *PLAIN_DIFF)
REVISION = re.compile(r"^[0-9A-Za-z][\w./-]*$")
FIELDS = ("id", "author", "email", "time", "subject")
USERINFO = re.compile(r"://[^/@\s]+@")
REMOTE_HINT = (
    "Check that it can be reached and that this user may read it (SSH agent, credential helper or credentials_file)."
)


@dataclass(frozen=True)
class Status:
    """What is not as it was committed, sorted paths.

    :param changed: tracked files with changes, those of ``unmerged`` and ``submodules`` among them.
    :param untracked: files that are neither tracked nor ignored.
    :param unmerged: files that a merge left with a conflict.
    :param submodules: submodules with changes: ``C`` another commit is checked out, ``M`` changed files, ``U`` untracked files.
    """

    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    unmerged: tuple[str, ...] = ()
    submodules: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """How git gets at a remote: variables of its environment and settings (``name=value``), none of them a secret."""

    environment: t.Mapping[str, str | None] = field(default_factory=dict)
    settings: tuple[str, ...] = ()


class Clone:
    """A repository on this machine.

    :param path: its directory.
    :param timeout: seconds that one git command may take.
    :param access: how its remote is got at.
    :param keep_open: descriptors of locks that are to last as long as git does, even when this process is killed.
    """

    def __init__(
        self, path: str, timeout: float, access: Access | None = None, keep_open: t.Collection[int] = ()
    ) -> None:
        self.path = path
        self._keep_open = keep_open
        self._timeout = timeout
        self._access = access = access or Access()
        self._settings = tuple(part for item in access.settings for part in ("-c", item))
        self._runner = Runner({**ENVIRONMENT, **access.environment}, timeout)

    def at(self, path: str) -> Clone:
        """Return another repository that is treated as this one."""
        return Clone(path, self._timeout, self._access, self._keep_open)

    def git(
        self,
        *args: str,
        check: bool = True,
        what: str | None = None,
        stdin: str | None = None,
        env: t.Mapping[str, str | None] | None = None,
    ) -> Completed:
        """Run git in the repository.

        :param check: raise when it fails.
        :param what: subject of the error message.
        :param stdin: text for its standard input.
        :param env: variables to add to its environment.
        :raises DeployError: it failed, or did not end in time; credentials in a URL are masked.
        """
        argv = ["git", "-C", self.path, *SAFE, *self._settings, *args]
        done = self._runner.run(argv, check=False, what=what, stdin=stdin, env=env, keep_open=self._keep_open)
        if check and done.rc != 0:
            raise DeployError(f"{what or 'git ' + args[0]} failed: {complaint(done)}", rc=done.rc)
        return done

    def line(self, *args: str) -> str:
        """Run git and return the one line that it says, ``""`` when it fails."""
        done = self.git(*args, check=False)
        return done.stdout.strip() if done.rc == 0 else ""

    def lines(self, *args: str) -> list[str]:
        """Run git and return the entries of its output, which end with NUL (``-z``)."""
        return [item for item in self.git(*args).stdout.split("\0") if item]

    def require(self, name: str = "path", hint: str = PATH_HINT) -> None:
        """Check that this is a working clone with at least one commit.

        :param name: option that names it.
        :param hint: what to do when there is none.
        :raises DeployError: it is not.
        """
        self._runner.find("git", "Install git on the builder.")
        told = f"Option {name} is '{self.path}'"
        if not os.path.isdir(self.path):
            raise DeployError(f"{told}: there is no such directory.", hint=hint)
        done = self.git("rev-parse", "--is-inside-work-tree", "--verify", "--quiet", "HEAD^{commit}", check=False)
        inside = done.stdout.split("\n", 1)[0]
        if "dubious ownership" in done.stderr:
            raise DeployError(
                f"{told}: git refuses it, because it belongs to another user.",
                hint=f"Run as its owner, or 'git config --global --add safe.directory {self.path}'.",
            )
        if inside == "false":
            raise DeployError(f"{told}: that repository has no working tree.", hint=hint)
        if inside != "true":
            raise DeployError(f"{told}: that is not a git repository.", hint=hint)
        if done.rc != 0:
            raise DeployError(
                f"{told}: that repository has no commit yet.", hint="Commit and push what is to be released."
            )
        # git names paths from there
        self.path = self.git("rev-parse", "--show-toplevel").stdout.rstrip("\n")

    def update(self, remote: str, branch: str, fetch: bool, tags: bool = False) -> str:
        """Return the commit of the branch on the remote, ``""`` when it has none.

        :param fetch: bring its commits here; otherwise the remote is only asked.
        :param tags: bring all its tags too.
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
            how = ("--quiet", "--no-recurse-submodules", "--tags" if tags else "--no-tags")
            done = self.git("fetch", *how, remote, refspec, check=False)
            if "couldn't find remote ref" in done.stderr:
                return ""
            if done.rc != 0:
                raise DeployError(f"{what} failed: {complaint(done)}", rc=done.rc)
            return self.git("rev-parse", "--verify", "--quiet", tracking).stdout.strip()
        except DeployError as exc:
            raise DeployError(exc.msg, hint=REMOTE_HINT, rc=exc.rc) from exc

    def status(self) -> Status:
        """Return what is not as it was committed."""
        entries = self.git("status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=none").stdout
        return parse_status(entries.split("\0"))

    def branch(self) -> str:
        """Return the branch that is checked out, ``""`` when HEAD is detached."""
        return self.line("symbolic-ref", "--quiet", "--short", "HEAD")

    def commit(self, revision: str = "HEAD") -> dict[str, str]:
        """Return the ``commit`` noun: id, short, author, email, time, subject, branch (the one that is checked out)."""
        shown = self.git("log", "-1", "--no-show-signature", "--format=%H%x00%an%x00%ae%x00%cI%x00%s", revision).stdout
        commit = {**dict(zip(FIELDS, shown.rstrip("\n").split("\0"))), "branch": self.branch()}
        commit["short"] = commit["id"][:7]
        return commit

    def resolve(self, revision: str) -> str:
        """Return the id of the commit that an id, tag or branch names, ``""`` when there is none."""
        if not REVISION.match(revision):
            return ""
        return self.line("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")

    def contains(self, commit: str, tip: str) -> bool:
        """Tell whether a commit is part of the history of another one that is here."""
        return self.git("merge-base", "--is-ancestor", commit, tip, check=False).rc == 0

    def subjects(self, *revisions: str) -> list[str]:
        """Return ``<short id> <subject>`` of the commits of a range, newest first."""
        return self.git("log", "--no-show-signature", "--format=%h %s", *revisions, "--").stdout.splitlines()


def complaint(done: Completed) -> str:
    """Return what git said, on one line and without credentials."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    chosen = (
        [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:] or [f"exit status {done.rc}"]
    )
    return USERINFO.sub("://***@", "; ".join(chosen)).rstrip(".") + "."


def parse_status(entries: t.Sequence[str]) -> Status:
    """Read ``git status --porcelain=v2 -z`` (git-status(1))."""
    changed, untracked, unmerged = [], [], []
    submodules: dict[str, str] = {}
    rest = iter(entries)
    for entry in rest:
        kind = entry[:1]
        if kind == "?":
            untracked.append(entry[2:])
        elif kind in ("1", "2", "u"):
            # fields before the path: 8 of a change, 9 of a rename or copy, 10 of a conflict
            *fields, path = entry.split(" ", {"1": 8, "2": 9, "u": 10}[kind])
            changed.append(path)
            if kind == "u":
                unmerged.append(path)
            if kind == "2":
                # its old path is an entry of its own
                next(rest, None)
            flags = fields[2]
            if flags.startswith("S") and flags != "S...":
                submodules[path] = flags[1:].replace(".", "")
    return Status(tuple(sorted(changed)), tuple(sorted(untracked)), tuple(sorted(unmerged)), submodules)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkout that is one commit of a repository: looked at, made beside, and put in place by one rename.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import shutil
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Clone, Status
from ansible_collections.j4c.deploy.plugins.module_utils._git.mirror import KEPT, Found, Mirror
from ansible_collections.j4c.deploy.plugins.module_utils._git.reasons import at, counted, listed, plural

MARK = "j4c.checkout"
REMOTE = "origin"
AT_FDCWD, RENAME_EXCHANGE = -100, 2
# the file system, the kernel or the C library cannot do it
NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.ENOTSUP)

State = t.Literal["absent", "empty", "foreign", "damaged", "ours"]
Step = t.Literal["make", "replace", "set_aside"]


@dataclass(frozen=True)
class Seen:
    """The directory of a checkout as it is.

    :param state: ``absent``, ``empty``, ``foreign`` (not made by this), ``damaged`` (git cannot read it) or ``ours``.
    :param url: where it came from.
    :param head: its commit.
    :param branch: the branch that is checked out, ``""`` when HEAD is detached.
    :param status: what is not committed.
    :param commits: commits of its branches and stash that came from nowhere else (``<short id> <subject>``).
    :param ignored: files and directories that git ignores.
    """

    state: State
    url: str = ""
    head: str = ""
    branch: str = ""
    status: Status = field(default_factory=Status)
    commits: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def work(self) -> list[str]:
        """What somebody did here and nobody else has, as sentences."""
        told = []
        if self.status.changed:
            told.append(
                f"{counted(len(self.status.changed), 'tracked file')} changed ({listed([at(path) for path in self.status.changed])})"
            )
        if self.status.untracked:
            told.append(
                f"{counted(len(self.status.untracked), 'file')} not tracked ({listed([at(path) for path in self.status.untracked])})"
            )
        if self.commits:
            told.append(f"{counted(len(self.commits), 'commit')} not in its repository ({', '.join(self.commits[:5])})")
        return told


def look(path: str, timeout: float) -> Seen:
    """Look at the directory of a checkout."""
    if not os.path.lexists(path):
        return Seen("absent")
    if not os.path.isdir(path) or os.path.islink(path):
        return Seen("foreign")
    if not os.listdir(path):
        return Seen("empty")
    clone = Clone(path, timeout)
    if not os.path.isdir(os.path.join(path, ".git")):
        return Seen("foreign")
    if clone.line("config", "--local", "--get", MARK) != "true":
        return Seen("foreign" if clone.line("rev-parse", "--verify", "--quiet", "HEAD") else "damaged")
    try:
        status = clone.status()
        stash = clone.line("rev-parse", "--verify", "--quiet", "refs/stash")
        own = ("HEAD", "--branches", *([stash] if stash else []))
        commits = clone.subjects(*own, "--not", "--remotes", "--tags", f"--glob={KEPT}*")
        ignored = clone.lines("status", "--porcelain", "-z", "--ignored=traditional", "--untracked-files=normal")
        return Seen(
            state="ours",
            url=clone.line("config", "--local", "--get", f"remote.{REMOTE}.url"),
            head=clone.git("rev-parse", "--verify", "HEAD").stdout.strip(),
            branch=clone.branch(),
            status=status,
            commits=tuple(commits),
            ignored=tuple(item[3:] for item in ignored if item.startswith("!! ")),
        )
    except DeployError:
        return Seen("damaged")


def plan(path: str, url: str, wanted: Found, seen: Seen, set_aside: bool) -> list[tuple[Step, str]]:
    """Return what is to be done, each step with a sentence; nothing when the checkout is as it is wanted. Pure.

    :param set_aside: whether a checkout that somebody worked in is moved to another name.
    :raises DeployError: it would throw away what is not in the repository.
    """
    told = f"Option path is '{path}'"
    name = wanted.commit[:7] or wanted.name
    if seen.state == "foreign":
        raise DeployError(
            f"{told}: there is something that was not checked out by this module.",
            hint="Name another directory in path (j4c_source), or move this one away.",
        )
    if seen.state in ("absent", "empty"):
        return [("make", f"check out {name} of {url}")]
    if seen.state == "damaged" or seen.work:
        why = "; ".join(seen.work) or "git cannot read it"
        if not set_aside:
            raise DeployError(
                f"{told}: that checkout would be lost, {why}.",
                hint="Commit and push it, move the directory away, or set own_work (j4c_source_own_work) to set_aside.",
            )
        return [("set_aside", f"keep what is here under another name, {why}"), ("make", f"check out {name} of {url}")]
    branch = wanted.name[len("refs/heads/") :] if wanted.kind == "branch" else ""
    if (seen.url, seen.head, seen.branch) == (url, wanted.commit, branch):
        return []
    lost = f", without {plural(len(seen.ignored), 'path')} that git ignores" if seen.ignored else ""
    return [("replace", f"check out {name} of {url} instead of {seen.head[:7]}{lost}")]


def beside(path: str, what: str) -> str:
    """Return the name of a hidden file or directory next to the checkout."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{what}")


def build(path: str, url: str, wanted: Found, mirror: Mirror, submodules: bool) -> None:
    """Make a checkout from a mirror in a directory of its own.

    :raises DeployError: the mirror does not have all of the commit, or a submodule cannot be brought.
    """
    shutil.rmtree(path, ignore_errors=True)
    clone = mirror.repository(path)
    mirror.repository("/").git("init", "--quiet", "--template=", path)
    clone.git("config", MARK, "true")
    clone.git("remote", "add", REMOTE, url)
    # every object is read and checked on its way
    refs = (f"+refs/heads/*:refs/remotes/{REMOTE}/*", "+refs/tags/*:refs/tags/*", f"+{KEPT}*:{KEPT}*")
    how = ("-c", "gc.auto=0", "fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    clone.git(*how, "--", mirror.path, *refs, what="Reading the mirror")
    if wanted.kind == "branch":
        branch = wanted.name[len("refs/heads/") :]
        clone.git("checkout", "--quiet", "--force", "-B", branch, wanted.commit, what="Checking out")
        clone.git("config", f"branch.{branch}.remote", REMOTE)
        clone.git("config", f"branch.{branch}.merge", wanted.name)
    else:
        clone.git("checkout", "--quiet", "--force", "--detach", wanted.commit, what="Checking out")
    if submodules:
        # a repository must not have this machine's other repositories for its submodules
        local = {} if os.path.isabs(url) or url.startswith("file:") else {"GIT_ALLOW_PROTOCOL": "git:http:https:ssh"}
        clone.git(
            "submodule", "--quiet", "update", "--init", "--recursive", what="Checking out the submodules", env=local
        )


def put(new: str, path: str) -> None:
    """Put a directory in the place of another one, which gets its name: there is always one of the two."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.isdir(path):
        os.rename(new, path)
        return
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 and renameat2(AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(path), RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno() if renameat2 else errno.ENOSYS
    if code not in NO_EXCHANGE:
        raise OSError(code, os.strerror(code), path)
    # a run that is killed between these two is repaired by the next one
    os.rename(path, beside(path, "old"))
    os.rename(new, path)
    os.rename(beside(path, "old"), new)


def repair(path: str, timeout: float) -> str:
    """Put right what a killed run left next to the checkout, and say what that was; work of somebody is kept."""
    old, new = beside(path, "old"), beside(path, "new")
    told = ""
    if os.path.isdir(old):
        if not os.path.lexists(path):
            os.rename(old, path)
        elif look(old, timeout).work:
            os.rename(old, free_name(path))
        else:
            shutil.rmtree(old)
        told = "repaired what a killed run left"
    if os.path.isdir(new):
        shutil.rmtree(new)
        told = told or "removed what a killed run left"
    return told


def free_name(path: str) -> str:
    """Return a name for what was at a path until now."""
    stem = f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    return next(
        name for number in itertools.count() if not os.path.lexists(name := f"{stem}-{number}" if number else stem)
    )

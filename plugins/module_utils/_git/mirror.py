# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror of a repository in a cache: all its branches and tags, for checkouts to be made from.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.access import Address, explain
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Access, Clone, complaint

REF = re.compile(r"^[0-9A-Za-z_@][\w.@+#/-]*$")
ID = re.compile(r"^[0-9a-f]{7,40}$")
FULL_ID = 40
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
# commits that no branch or tag has
KEPT = "refs/j4c/"


class Found(t.NamedTuple):
    """What a ref names: ``kind`` (branch, tag, commit), its full ``name`` and the ``commit``; ``""`` where it is not known."""

    kind: str
    name: str
    commit: str


def find(ref: str, known: t.Mapping[str, str], url: str) -> Found:
    """Return what a ref names. Pure.

    :param known: full names of branches and tags with their commits, as the repository has them.
    :raises DeployError: it is no ref, there is none like it, or there are two.
    """
    told = f"Option ref is '{ref}'"
    if not REF.match(ref) or ".." in ref:
        raise DeployError(
            f"{told}: that is no name of a branch or tag and no commit.", hint="Set ref (j4c_source_ref)."
        )
    if not known:
        raise DeployError(f"'{url}' has no commit yet.", hint="Push what is to be released.")
    names = [ref] if ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
    hits = [name for name in names if name in known]
    if len(hits) > 1:
        raise DeployError(
            f"{told}: '{url}' has a branch and a tag of that name.", hint=f"Write '{hits[0]}' or '{hits[1]}'."
        )
    if hits:
        kind = {"refs/heads/": "branch", "refs/tags/": "tag"}.get(hits[0][: hits[0].index("/", 5) + 1], "commit")
        return Found(kind, hits[0], known[hits[0]])
    if ID.match(ref):
        return Found("commit", "", ref if len(ref) == FULL_ID else "")
    raise unknown(ref, known, url)


def unknown(ref: str, known: t.Iterable[str], url: str) -> DeployError:
    """Return the error for a ref that a repository does not have."""
    some = sorted(name.partition("/")[2].partition("/")[2] for name in known)[:10]
    return DeployError(
        f"Option ref is '{ref}': '{url}' has no such branch, tag or commit.",
        hint=f"Set ref (j4c_source_ref) to one of its branches or tags ({', '.join(some)}), or push what is missing.",
    )


class Mirror:
    """The mirror of one repository.

    :param cache: directory of all mirrors.
    :param address: the repository.
    :param timeout: seconds that one git command may take.
    :param access: how the repository is got at.
    :param keep_open: descriptors of locks, for git to keep.
    """

    def __init__(
        self, cache: str, address: Address, timeout: float, access: Access, keep_open: t.Collection[int] = ()
    ) -> None:
        self._url = address.url
        self._timeout = timeout
        self._access = access
        self._keep_open = keep_open
        self.path = mirror_path(cache, address.url)

    def repository(self, path: str) -> Clone:
        """Return a repository that git treats as it treats the mirror: same access, same locks."""
        return Clone(path, self._timeout, self._access, self._keep_open)

    def ask(self) -> dict[str, str]:
        """Return the full names of the repository's branches and tags with their commits.

        :raises DeployError: it does not answer.
        """
        done = self.repository("/").git(
            "ls-remote",
            "--heads",
            "--tags",
            "--",
            self._url,
            check=False,
            what=f"Asking '{self._url}'",
        )
        if done.rc != 0:
            said = complaint(done)
            raise DeployError(f"'{self._url}' does not answer: {said}", hint=explain(done.stderr), rc=done.rc)
        known: dict[str, str] = {}
        for line in done.stdout.splitlines():
            commit, _tab, name = line.partition("\t")
            # the commit that an annotated tag is of comes after the tag itself
            known[name[: -len("^{}")] if name.endswith("^{}") else name] = commit
        return known

    def update(self) -> str:
        """Bring everything that the repository has, and forget what it lost.

        :returns: ``new``, ``updated``, ``unchanged``, or ``remade`` when the mirror was damaged.
        :raises DeployError: the repository does not answer.
        """
        if not os.path.isdir(self.path):
            self._make()
            return "new"
        known = self.ask()
        clone = self.repository(self.path)
        self._unlock()
        if clone.git("rev-parse", "--git-dir", check=False).rc == 0:
            if known == self.refs(clone):
                return "unchanged"
            if self._fetch(clone).rc == 0:
                return "updated"
        self._make()
        return "remade"

    def remake(self) -> None:
        """Make the mirror anew."""
        self._make()

    def refs(self, clone: Clone | None = None) -> dict[str, str]:
        """Return the full names of the mirror's branches and tags with their commits."""
        shape = "--format=%(refname)%09%(objectname)%09%(*objectname)"
        shown = (
            (clone or self.repository(self.path))
            .git("for-each-ref", shape, "refs/heads", "refs/tags", check=False)
            .stdout
        )
        rows = [line.split("\t") for line in shown.splitlines()]
        return {name: peeled or commit for name, commit, peeled in rows}

    def commit(self, revision: str) -> str:
        """Return the id of a commit that the mirror has, ``""`` when it does not."""
        return self.repository(self.path).resolve(revision) if os.path.isdir(self.path) else ""

    def bring(self, commit: str) -> bool:
        """Bring a commit that no branch or tag has, and tell whether the repository gave it."""
        done = self.repository(self.path).git(
            "fetch", "--quiet", "--no-tags", "--", self._url, f"+{commit}:{KEPT}{commit}", check=False
        )
        return done.rc == 0

    def _unlock(self) -> None:
        """Remove what a killed git left: nobody else is here, the lock is ours."""
        for folder, _folders, names in os.walk(self.path):
            for name in names:
                if name.endswith(".lock"):
                    os.unlink(os.path.join(folder, name))

    def _make(self) -> None:
        partial = f"{self.path}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self.repository("/").git("init", "--quiet", "--bare", "--template=", partial)
        done = self._fetch(self.repository(partial))
        if done.rc != 0:
            shutil.rmtree(partial, ignore_errors=True)
            raise DeployError(
                f"'{self._url}' does not answer: {complaint(done)}", hint=explain(done.stderr), rc=done.rc
            )
        shutil.rmtree(self.path, ignore_errors=True)
        os.rename(partial, self.path)

    def _fetch(self, clone: Clone) -> t.Any:
        # what tidies up must have ended before the lock is given back
        quiet = ("-c", "gc.autoDetach=false", "fetch", "--quiet", "--prune", "--no-tags", "--no-recurse-submodules")
        return clone.git(*quiet, "--", self._url, *EVERYTHING, check=False)


def mirror_path(cache: str, url: str) -> str:
    """Return the directory of the mirror of a URL, with a name that people recognise."""
    name = (
        re.sub(r"[^\w.-]+", "-", url.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]).removesuffix(".git")
        or "repository"
    )
    return os.path.join(cache, f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}.git")

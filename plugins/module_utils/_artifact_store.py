# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verified artifacts, outside ``target/``: ``<store>/<name>/<fingerprint>/`` with a manifest and the files.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import posixpath
import shutil
import time
import typing as t
import urllib.parse
import zipfile
import zlib

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._events import now
from ansible_collections.j4c.deploy.plugins.module_utils._files import (
    sha256_file,
    sync_directory,
    write_atomic,
    write_json,
)
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import BUSY
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import marked
from ansible_collections.j4c.deploy.plugins.module_utils._run import end_processes

SCHEMA = 1
MANIFEST = "manifest.json"
LOG = "build.log"
LATEST = "latest"
# one commit a line: the artifact is what each of them builds
COMMITS = "commits"
# what a build leaves in the environment of all that it starts
MARK = "J4C_BUILD"
SHORTEST_NAME = 7
DAY_SECONDS = 86400.0
# what was not finished when a build was killed
PARTIAL, REPLACED = ".partial", ".replaced"
POLL_SECONDS = 0.1
TELL_SECONDS = 4.0
SHOWN = 5


def copy_file(source: str, target: str) -> dict[str, t.Any]:
    """Copy a file with its mode, make the copy durable, and return ``{size, sha256}`` of what was written.

    :raises OSError: it cannot be read or written.
    """
    digest, size = hashlib.sha256(), 0
    with open(source, "rb") as reader, open(target, "wb") as writer:
        for block in iter(lambda: reader.read(1 << 20), b""):
            digest.update(block)
            size += len(block)
            writer.write(block)
        os.fchmod(writer.fileno(), os.fstat(reader.fileno()).st_mode & 0o777)
        writer.flush()
        os.fsync(writer.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def digest_of(files: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Return the sha256 over the list of files: the artifact's own checksum."""
    lines = "".join(f"{item['sha256']}  {item['path']}\n" for item in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def check_archives(root: str, files: t.Sequence[t.Mapping[str, t.Any]]) -> int:
    """Read every jar to its end and return how many there are.

    :raises DeployError: one is empty, truncated or damaged; names it.
    """
    jars = [item for item in files if str(item["path"]).endswith((".jar", ".war"))]
    for item in jars:
        try:
            with zipfile.ZipFile(os.path.join(root, item["path"])) as archive:
                broken = archive.testzip()
        except (OSError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile) as exc:
            raise DeployError(
                f"The jar '{item['path']}' ({item['size']} bytes) cannot be read: {exc}.", hint="Build again."
            ) from exc
        if broken:
            raise DeployError(f"The jar '{item['path']}' is damaged at '{broken}'.", hint="Build again.")
    return len(jars)


def class_path(jar: str) -> list[str]:
    """Return the paths, relative to the jar, that its manifest's ``Class-Path`` names.

    :raises DeployError: it is no jar.
    """
    try:
        with zipfile.ZipFile(jar) as archive:
            text = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
    except KeyError:
        return []
    except (OSError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as exc:
        size = os.path.getsize(jar) if os.path.exists(jar) else 0
        raise DeployError(
            f"The jar '{os.path.basename(jar)}' ({size} bytes) cannot be read: {exc}.", hint="Build again."
        ) from exc
    # a line of a manifest has at most 72 bytes, the next one goes on after a space
    lines = text.replace("\r\n", "\n").replace("\n ", "").splitlines()
    found = next((line.partition(":")[2] for line in lines if line.lower().startswith("class-path:")), "")
    return [urllib.parse.unquote(entry) for entry in found.split() if ":" not in entry and not entry.startswith("/")]


def _unlock(file: t.TextIO) -> None:
    file.seek(0)
    file.truncate()
    # a process that inherited the descriptor and outlived the build must not keep it
    fcntl.flock(file, fcntl.LOCK_UN)


class ArtifactStore:
    """The artifacts of one name.

    :param root: directory of the store.
    :param name: the artifact's name.
    """

    def __init__(self, root: str, name: str) -> None:
        self._root = os.path.join(root, name)
        self._name = name

    def path(self, *parts: str) -> str:
        """Return a path below the artifact's directory."""
        return os.path.join(self._root, *parts)

    def prepare(self) -> None:
        """Make the directory.

        :raises DeployError: it cannot be written.
        """
        try:
            os.makedirs(self._root, exist_ok=True)
            if not os.access(self._root, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as exc:
            raise self._unwritable(exc) from exc

    @contextlib.contextmanager
    def lock(
        self, timeout: float, project: str = "", waiting: t.Callable[[str], None] = lambda who: None
    ) -> t.Iterator[list[int]]:
        """Hold the store, and the project, against a second build; yields the descriptors of the locks.

        A process that inherits them keeps the locks when this one is killed; the next build ends it.

        :param timeout: seconds to wait for both.
        :param project: directory of the project; builds into other stores write to its ``target`` as well.
        :param waiting: called with who holds it, every ``TELL_SECONDS`` while it is waited for.
        :raises DeployError: somebody else still holds one; names the process and since when.
        """
        deadline = time.monotonic() + timeout
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(self.path("lock"), "a+", encoding="utf-8"))
            self._wait(file.fileno(), deadline, timeout, waiting)
            handles = [file.fileno()]
            stack.callback(_unlock, file)
            if project:
                handles.append(os.open(project, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                stack.callback(os.close, handles[1])
                # some network file systems cannot lock a directory
                with contextlib.suppress(OSError):
                    self._wait(handles[1], deadline, timeout, waiting)
                # a process that inherited the descriptor and outlived the build must not keep it
                stack.callback(fcntl.flock, handles[1], fcntl.LOCK_UN)
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} of user {os.getuid()} since {now()}")
            file.flush()
            self._tidy()
            yield handles

    def _wait(self, handle: int, deadline: float, timeout: float, waiting: t.Callable[[str], None]) -> None:
        told = 0.0
        while True:
            try:
                return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                orphans = self._orphans()
                if orphans:
                    end_processes(orphans)
                    time.sleep(POLL_SECONDS)
                    continue
                who = self.holder() or "one of the same project into another store"
                if time.monotonic() >= deadline:
                    raise DeployError(
                        f"Another build of '{self._name}' is running: {who}. It was waited for {timeout:g} s.",
                        hint=" ".join(BUSY.remedies),
                        failure=BUSY.result(),
                    ) from None
                if time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    waiting(who)
                time.sleep(POLL_SECONDS)

    @property
    def mark(self) -> str:
        """Return the value of the variable ``MARK`` for what a build of this artifact starts."""
        return f"{os.path.abspath(self._root)}:{os.getpid()}:"

    def _orphans(self) -> list[int]:
        """Return what a build that was killed started and left: nobody waits for it, and it keeps the locks."""
        builder = next((int(word) for word in self.holder().split() if word.isdigit()), 0)
        if not builder or os.path.exists(f"/proc/{builder}"):
            return []
        return marked(MARK, f"{os.path.abspath(self._root)}:{builder}:")

    def holder(self) -> str:
        """Return who holds the store's lock, ``""`` when nobody does."""
        try:
            with open(self.path("lock"), encoding="utf-8") as file:
                return file.read().strip()
        except OSError:
            return ""

    def _tidy(self) -> None:
        for name in os.listdir(self._root):
            if name.endswith(PARTIAL):
                shutil.rmtree(self.path(name), ignore_errors=True)
            elif name.endswith(REPLACED):
                kept = name[: -len(REPLACED)]
                if os.path.exists(self.path(kept)):
                    shutil.rmtree(self.path(name), ignore_errors=True)
                else:
                    os.rename(self.path(name), self.path(kept))

    def load(self, fingerprint: str) -> dict[str, t.Any] | None:
        """Return the manifest of an artifact, or ``None`` when there is none that can be read."""
        try:
            with open(self.path(fingerprint, MANIFEST), encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError):
            return None
        usable = isinstance(data, dict) and data.get("schema") == SCHEMA and data.get("fingerprint") == fingerprint
        return data if usable else None

    def damage(self, manifest: t.Mapping[str, t.Any]) -> str:
        """Return what is wrong with a stored artifact, ``""`` when every file is as its manifest says."""
        root = self.path(manifest["fingerprint"])
        try:
            if digest_of(manifest["files"]) != manifest["sha256"]:
                return "its manifest was changed"
            for item in manifest["files"]:
                path = os.path.join(root, item["path"])
                if os.path.getsize(path) != item["size"]:
                    return f"'{item['path']}' has {os.path.getsize(path)} bytes instead of {item['size']}"
                if sha256_file(path) != item["sha256"]:
                    return f"'{item['path']}' has another checksum"
        except OSError as exc:
            return f"'{os.path.relpath(str(exc.filename), root)}' cannot be read: {exc.strerror}"
        except (KeyError, TypeError) as exc:
            return f"its manifest cannot be used: {exc!r}"
        return ""

    def latest(self) -> dict[str, t.Any] | None:
        """Return the manifest of the artifact that was published last, or ``None``."""
        try:
            with open(self.path(LATEST), encoding="ascii") as file:
                return self.load(file.read().strip())
        except OSError:
            return None

    def publish(
        self, fingerprint: str, files: t.Mapping[str, str], facts: t.Mapping[str, t.Any], log: str = ""
    ) -> dict[str, t.Any]:
        """Copy files into the store, verify the copies, and give the artifact its final name.

        :param files: where each file is now, by its path below the artifact's directory.
        :param facts: further keys of the manifest: version, main, groups, profile, build.
        :param log: log of the build, kept beside the files.
        :returns: the manifest.
        :raises DeployError: the main file is missing or empty, a jar is damaged or lacks another, or the disk is full.
        """
        partial, final = self.path(fingerprint + PARTIAL), self.path(fingerprint)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            os.mkdir(partial)
            listed = []
            for path in sorted(files):
                target = os.path.join(partial, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                listed.append({"path": path, **copy_file(files[path], target)})
            self._verify(partial, listed, facts["main"])
            if log:
                shutil.copyfile(log, os.path.join(partial, LOG))
            manifest = {
                "schema": SCHEMA,
                "name": self._name,
                "fingerprint": fingerprint,
                "created": now(),
                "sha256": digest_of(listed),
                "files": listed,
                **facts,
            }
            write_json(os.path.join(partial, MANIFEST), manifest, 0o644)
            for folder, _folders, _names in os.walk(partial):
                sync_directory(folder)
            if os.path.exists(final):
                os.rename(final, final + REPLACED)
            os.rename(partial, final)
            sync_directory(self._root)
            write_atomic(self.path(LATEST), fingerprint + "\n", 0o644)
            shutil.rmtree(final + REPLACED, ignore_errors=True)
        except OSError as exc:
            raise DeployError(
                f"Keeping the artifact in '{self._root}' failed: {exc.strerror} ({exc.filename}).",
                hint="Make room there, or set another store (j4c_artifact_store).",
            ) from exc
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return manifest

    def _verify(self, root: str, files: t.Sequence[t.Mapping[str, t.Any]], main: str) -> None:
        sizes = {str(item["path"]): int(item["size"]) for item in files}
        if not sizes.get(main):
            raise DeployError(f"The artifact '{main}' is missing or empty.", hint="Look at the build's log.")
        check_archives(root, files)
        if main.endswith(".jar"):
            home = posixpath.dirname(main)
            needed = [posixpath.normpath(posixpath.join(home, item)) for item in class_path(os.path.join(root, main))]
            missing = [item for item in needed if item not in sizes and not os.path.isdir(os.path.join(root, item))]
            if missing:
                more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
                raise DeployError(
                    f"The artifact '{main}' needs {', '.join(missing[:SHOWN])}{more}: the build did not make it.",
                    hint="Look at the build's log, and build again.",
                )

    def select(self, fingerprint: str, commit: str = "") -> None:
        """Make an artifact the latest one, and remember a commit that it is built from.

        :raises DeployError: the store cannot be written.
        """
        current = self.latest()
        try:
            if current is None or current["fingerprint"] != fingerprint:
                write_atomic(self.path(LATEST), fingerprint + "\n", 0o644)
            known = self.commits(fingerprint)
            if commit and commit not in known:
                write_atomic(self.path(fingerprint, COMMITS), "".join(f"{item}\n" for item in [*known, commit]), 0o644)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def commits(self, fingerprint: str) -> list[str]:
        """Return the commits that an artifact is known to be built from."""
        try:
            with open(self.path(fingerprint, COMMITS), encoding="ascii") as file:
                return file.read().split()
        except (OSError, ValueError):
            return []

    def prune(self, keep: int, released: t.Collection[str], days: float = 0.0) -> list[str]:
        """Remove all but the newest ``keep`` artifacts, and those that are older than ``days`` (0: of any age).

        The latest stays, and so do the released ones.

        :param released: fingerprints or commits, or at least their first 7 digits.
        :returns: the fingerprints of those that were removed.
        :raises DeployError: the store cannot be written.
        """
        found = [(self._age(name), name) for name in os.listdir(self._root) if self.load(name) is not None]
        newest = [name for _age, name in sorted(found, reverse=True)]
        oldest = time.time() - days * DAY_SECONDS if days else 0.0
        young = {name for age, name in found if age >= oldest * 1e9}
        latest = self.latest()
        spared = {name for name in newest[:keep] if name in young} | {latest["fingerprint"] if latest else ""}
        wanted = tuple(item for item in released if len(item) >= SHORTEST_NAME)
        removed = []
        for name in newest:
            known = (name, *self.commits(name))
            if name in spared or name in released or any(item.startswith(wanted) for item in known if wanted):
                continue
            try:
                # first the name goes, so that no half of it is ever taken for an artifact
                os.rename(self.path(name), self.path(name + PARTIAL))
            except OSError as exc:
                raise self._unwritable(exc) from exc
            shutil.rmtree(self.path(name + PARTIAL), ignore_errors=True)
            removed.append(name)
        return removed

    def _unwritable(self, exc: OSError) -> DeployError:
        return DeployError(
            f"Option store is '{os.path.dirname(self._root)}': '{exc.filename or self._root}' cannot be written: "
            f"{exc.strerror}.",
            hint="Give store (j4c_artifact_store) a place that the builder's user may write to.",
        )

    def _age(self, fingerprint: str) -> int:
        return os.stat(self.path(fingerprint, MANIFEST)).st_mtime_ns

    def noun(self, manifest: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the ``artifact`` noun of module results."""
        return {
            "name": manifest["name"],
            "version": manifest.get("version", ""),
            "path": self.path(manifest["fingerprint"]),
            "main": manifest["main"],
            "fingerprint": manifest["fingerprint"],
            "sha256": manifest["sha256"],
            "files": len(manifest["files"]),
            "size": sum(item["size"] for item in manifest["files"]),
            "created": manifest["created"],
        }

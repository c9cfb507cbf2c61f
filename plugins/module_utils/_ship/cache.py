# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory with the blobs of images, each read once from the engine and named by its sha256.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file, sync_directory, write_json
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import LAYOUT, blob_name

BLOCK = 1 << 20
POLL_SECONDS = 0.05
DAY = 86400.0
ARCHIVES = "archives"
USED = "used.json"


class WrongBytesError(Exception):
    """What was read has not the digest that it should have."""


@contextlib.contextmanager
def disk_errors(path: str, doing: str) -> t.Iterator[None]:
    """Turn errors of the file system into a ``DeployError`` that says what was being done, and how much is free."""
    try:
        yield
    except OSError as exc:
        hint = "Check the owner, mode and file system of that directory, or name another one (j4c_ship_cache)."
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(path).free
                hint = f"There are {free >> 20} MiB free. Free some, or name another directory (j4c_ship_cache)."
        raise DeployError(f"{doing} in '{path}' failed: {exc.strerror or exc}.", hint=hint) from exc


class BlobCache:
    """Blobs below ``<root>/blobs/sha256``, as in an OCI layout, and archives made of them.

    :param root: the directory; it is made when it is needed.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, *parts: str) -> str:
        """Return a path below the directory."""
        return os.path.join(self.root, *parts)

    def blob(self, digest: str) -> str:
        """Return the path of a blob, whether it is there or not."""
        return self.path(blob_name(digest))

    def prepare(self) -> None:
        """Make the directories, and take away what a killed run left.

        :raises OSError: they cannot be written.
        """
        os.makedirs(self.path("blobs", "sha256"), mode=0o755, exist_ok=True)
        os.makedirs(self.path(ARCHIVES), mode=0o755, exist_ok=True)
        if not os.path.exists(self.path("oci-layout")):
            with open(self.path("oci-layout"), "wb") as file:
                file.write(LAYOUT)
        for folder in (self.path("blobs", "sha256"), self.path(ARCHIVES)):
            for name in os.listdir(folder):
                if name.endswith(".partial"):
                    _remove(os.path.join(folder, name))

    @contextlib.contextmanager
    def lock(self, timeout: float) -> t.Iterator[None]:
        """Hold the directory against another process.

        :param timeout: seconds to wait.
        :raises DeployError: another process still holds it.
        :raises OSError: the directory cannot be made or written.
        """
        os.makedirs(self.root, mode=0o755, exist_ok=True)
        deadline = time.monotonic() + timeout
        with open(self.path("lock"), "a+", encoding="ascii") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        file.seek(0)
                        raise DeployError(
                            f"The cache '{self.root}' is in use by process {file.read(32).strip() or 'unknown'}, "
                            f"also after {timeout:g} s.",
                            hint="Wait until it has ended, or give the option lock_timeout more seconds.",
                        ) from None
                    time.sleep(POLL_SECONDS)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def has(self, digest: str) -> bool:
        """Return whether a blob is there with the right bytes; one that is damaged is removed."""
        path = self.blob(digest)
        try:
            if f"sha256:{sha256_file(path)}" == digest:
                return True
            os.unlink(path)
        except FileNotFoundError:
            pass
        return False

    def add(self, digest: str, blocks: t.Iterable[bytes]) -> int:
        """Write a blob so that it is whole or not there, and return its size in bytes.

        :raises WrongBytesError: the bytes have another digest; nothing is kept of them.
        :raises OSError: it cannot be written, or its source cannot be read.
        """
        path, found, size = self.blob(digest), hashlib.sha256(), 0
        temporary = f"{path}.partial"
        try:
            with open(temporary, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                for block in blocks:
                    found.update(block)
                    size += len(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            if f"sha256:{found.hexdigest()}" != digest:
                raise WrongBytesError(f"sha256:{found.hexdigest()} instead of {digest}")
            os.replace(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
        sync_directory(os.path.dirname(path))
        return size

    @contextlib.contextmanager
    def workspace(self) -> t.Iterator[str]:
        """Yield an empty directory on the same file system, which is gone afterwards."""
        made = tempfile.mkdtemp(suffix=".partial", dir=self.path(ARCHIVES))
        try:
            yield made
        finally:
            _remove(made)

    def size(self, digest: str) -> int:
        """Return the bytes of a blob that is there."""
        return os.path.getsize(self.blob(digest))

    def known(self) -> dict[str, dict[str, t.Any]]:
        """Return what was noted of images with ``use``, by their id."""
        with contextlib.suppress(OSError, ValueError), open(self.path(USED), encoding="utf-8") as file:
            return dict(json.load(file))
        return {}

    def use(self, image: str, about: t.Mapping[str, t.Any], keep: int, max_days: float, now: float) -> list[str]:
        """Note that an image was used, and remove what only images of before need.

        :param about: what to note; ``blobs`` are the digests of its blobs.
        :param keep: number of images, this one among them, whose blobs stay.
        :param max_days: days after their last use when they go anyway.
        :param now: seconds since 1970.
        :returns: the images that were forgotten.
        """
        known = {**self.known(), image: {**about, "time": now}}
        newest = sorted(known, key=_time_in(known), reverse=True)
        kept = [item for item in newest[: max(1, keep)] if item == image or known[item]["time"] > now - max_days * DAY]
        write_json(self.path(USED), {item: known[item] for item in kept})
        needed = {os.path.basename(self.blob(digest)) for item in kept for digest in known[item]["blobs"]}
        for name in os.listdir(self.path("blobs", "sha256")):
            if name not in needed:
                _remove(self.path("blobs", "sha256", name))
        return sorted(set(known) - set(kept))


def _time_in(known: t.Mapping[str, t.Mapping[str, t.Any]]) -> t.Callable[[str], float]:
    def time_of(image: str) -> float:
        return float(known[image]["time"])

    return time_of


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def blocks_of(file: t.IO[bytes]) -> t.Iterator[bytes]:
    """Yield what a file has left, a block at a time."""
    return iter(lambda: file.read(BLOCK), b"")

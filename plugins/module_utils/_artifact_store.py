# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verified artifacts, outside ``target/``: ``<store>/<name>/<fingerprint>/`` with a manifest and the files.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import shutil
import time
import typing as t
import zipfile

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import (
    sha256_file,
    sync_directory,
    write_atomic,
    write_json,
)

SCHEMA = 1
MANIFEST = "manifest.json"
LATEST = "latest"
PARTIAL = ".partial"


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_files(root: str) -> list[dict[str, t.Any]]:
    """Return ``{path, size, sha256}`` of every file below a directory, sorted by path."""
    found = []
    for folder, _folders, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            if relative != MANIFEST:
                found.append({"path": relative, "size": os.path.getsize(path), "sha256": sha256_file(path)})
    return sorted(found, key=lambda item: str(item["path"]))


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
        except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile) as exc:
            raise DeployError(
                f"The jar '{item['path']}' ({item['size']} bytes) cannot be read: {exc}.", hint="Build again."
            ) from exc
        if broken:
            raise DeployError(f"The jar '{item['path']}' is damaged at '{broken}'.", hint="Build again.")
    return len(jars)


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
            raise DeployError(
                f"Option store is '{os.path.dirname(self._root)}': '{self._root}' cannot be written: {exc.strerror}.",
                hint="Give store (j4c_artifact_store) a place that the builder's user may write to.",
            ) from exc

    @contextlib.contextmanager
    def lock(self, timeout: float) -> t.Iterator[None]:
        """Hold the store against a second build.

        :param timeout: seconds to wait.
        :raises DeployError: somebody else still holds it; names the process and since when.
        """
        deadline = time.monotonic() + timeout
        with open(self.path("lock"), "a+", encoding="utf-8") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        file.seek(0)
                        raise DeployError(
                            f"Another build of '{self._name}' is running: {file.read().strip() or 'unknown'}.",
                            hint="Wait until it has ended.",
                        ) from None
                    time.sleep(0.1)
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} since {_now()}")
            file.flush()
            try:
                yield
            finally:
                file.seek(0)
                file.truncate()

    def load(self, fingerprint: str) -> dict[str, t.Any] | None:
        """Return the manifest of an artifact, or ``None`` when there is none that can be read."""
        try:
            with open(self.path(fingerprint, MANIFEST), encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError):
            return None
        return data if isinstance(data, dict) and data.get("schema") == SCHEMA else None

    def damage(self, manifest: t.Mapping[str, t.Any]) -> str:
        """Return what is wrong with a stored artifact, ``""`` when every file is as its manifest says."""
        root = self.path(manifest["fingerprint"])
        for item in manifest["files"]:
            path = os.path.join(root, item["path"])
            try:
                if os.path.getsize(path) != item["size"]:
                    return f"'{item['path']}' has {os.path.getsize(path)} bytes instead of {item['size']}"
                if sha256_file(path) != item["sha256"]:
                    return f"'{item['path']}' has another checksum"
            except OSError as exc:
                return f"'{item['path']}' cannot be read: {exc.strerror}"
        return ""

    def latest(self) -> dict[str, t.Any] | None:
        """Return the manifest of the artifact that was published last, or ``None``."""
        try:
            with open(self.path(LATEST), encoding="ascii") as file:
                return self.load(file.read().strip())
        except OSError:
            return None

    def publish(self, fingerprint: str, source: str, facts: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Copy the files below ``source`` into the store, verify the copy, and give it its final name.

        :param facts: further keys of the manifest: version, main, groups, profile, build.
        :returns: the manifest.
        :raises DeployError: the main file is missing or empty, a jar is damaged, or the disk is full.
        """
        partial, final = self.path(fingerprint + PARTIAL), self.path(fingerprint)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            shutil.copytree(source, partial)
            files = list_files(partial)
            by_path = {item["path"]: item for item in files}
            if not by_path.get(facts["main"], {}).get("size"):
                raise DeployError(
                    f"The artifact '{facts['main']}' is missing or empty.", hint="Look at the build's log."
                )
            check_archives(partial, files)
            manifest = {
                "schema": SCHEMA,
                "name": self._name,
                "fingerprint": fingerprint,
                "created": _now(),
                "sha256": digest_of(files),
                "files": files,
                **facts,
            }
            write_json(os.path.join(partial, MANIFEST), manifest, 0o644)
            shutil.rmtree(final, ignore_errors=True)
            os.rename(partial, final)
            sync_directory(self._root)
            write_atomic(self.path(LATEST), fingerprint + "\n", 0o644)
        except OSError as exc:
            raise DeployError(
                f"Keeping the artifact in '{self._root}' failed: {exc.strerror}.",
                hint="Make room, or choose another store.",
            ) from exc
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return manifest

    def select(self, fingerprint: str) -> None:
        """Make an artifact the latest one."""
        current = self.latest()
        if current is None or current["fingerprint"] != fingerprint:
            write_atomic(self.path(LATEST), fingerprint + "\n", 0o644)

    def prune(self, keep: int, protect: t.Collection[str]) -> list[str]:
        """Remove all but the newest ``keep`` artifacts; the latest and those in ``protect`` stay. Return what was removed."""
        manifests = [item for item in map(self.load, sorted(os.listdir(self._root))) if item is not None]
        manifests.sort(key=lambda item: str(item["created"]), reverse=True)
        latest = self.latest()
        spared = (
            {item["fingerprint"] for item in manifests[:keep]}
            | set(protect)
            | ({latest["fingerprint"]} if latest else set())
        )
        removed = [item["fingerprint"] for item in manifests if item["fingerprint"] not in spared]
        for fingerprint in removed:
            shutil.rmtree(self.path(fingerprint), ignore_errors=True)
        return removed

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

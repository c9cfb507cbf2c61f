# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a service's backups: what is in it, what is whole, what a killed run left.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file, sync_directory
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.retention import Dated

SCHEMA = 1
MANIFEST = "manifest.json"
DUMP = "dump"
GLOBALS = "globals.sql"
PARTIAL = ".partial"
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


def new_id() -> str:
    """Return the id of a new backup or restore: the UTC time, and something that makes it the only one."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


class Backups:
    """Everything below ``<directory>/<service>``.

    :param directory: root of the backups of all services.
    """

    def __init__(self, directory: str, service: str) -> None:
        self.root = os.path.join(directory, service)
        self.service = service

    def path(self, *parts: str) -> str:
        """Return a path below the service's directory."""
        return os.path.join(self.root, *parts)

    def prepare(self) -> None:
        """Make the directory, for its owner only.

        :raises DeployError: it cannot be made.
        """
        try:
            os.makedirs(self.root, mode=0o700, exist_ok=True)
            os.chmod(self.root, 0o700)
        except OSError as exc:
            raise DeployError(
                f"The backup directory '{self.root}' cannot be written: {exc.strerror}.",
                hint="Give directory (j4c_backup_dir) a place that the remote user may write to, or use become.",
            ) from exc

    def ids(self) -> list[str]:
        """Return the ids of the finished backups, oldest first."""
        return [name for name in self._names() if ID.fullmatch(name)]

    def partials(self) -> list[str]:
        """Return the names of what unfinished backups left, or are making now."""
        return [name for name in self._names() if name.endswith(PARTIAL) and ID.fullmatch(name[: -len(PARTIAL)])]

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self.root))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise DeployError(
                f"The backup directory '{self.root}' cannot be read: {exc.strerror}.",
                hint="Use become, or a remote user that may read it.",
            ) from exc

    def sweep(self) -> list[str]:
        """Remove what unfinished backups left; only the holder of the lock may. Return their names."""
        left = self.partials()
        for name in left:
            self.remove(name)
        return left

    def remove(self, name: str) -> None:
        """Remove a backup so that a crash leaves an unfinished one, never half of a finished one."""
        path = self.path(name)
        if not name.endswith(PARTIAL):
            os.rename(path, path + PARTIAL)
            path += PARTIAL
        shutil.rmtree(path)

    def manifest(self, backup_id: str) -> dict[str, t.Any]:
        """Return the manifest of a backup.

        :raises DeployError: there is no such backup, or its manifest is missing, damaged or newer than this version reads.
        """
        path = self.path(backup_id, MANIFEST)
        if backup_id not in self.ids():
            kept = ", ".join(self.ids()[-5:]) or "none"
            raise DeployError(
                f"There is no backup '{backup_id}' in '{self.root}'.",
                hint=f"The newest ones are: {kept}. The module postgres_backup_info lists all.",
            )
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError) as exc:
            raise DeployError(
                f"The manifest '{path}' cannot be read: {exc}.", hint="Choose another backup; this one proves nothing."
            ) from exc
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise DeployError(
                f"'{path}' is not a manifest of schema {SCHEMA}, which this version of j4c.deploy reads.",
                hint="Use the version of j4c.deploy that wrote it, or choose another backup.",
            )
        return data

    def good(self, database: str | None = None) -> list[dict[str, t.Any]]:
        """Return the manifests that can be read, oldest first, of one database when it is named."""
        found = []
        for backup_id in self.ids():
            try:
                data = self.manifest(backup_id)
            except DeployError:
                continue
            if database is None or data["database"]["name"] == database:
                found.append(data)
        return sorted(found, key=lambda item: (item["created"], item["id"]))

    def problems(self, manifest: t.Mapping[str, t.Any]) -> list[str]:
        """Read every file of a backup and return what is not as its manifest says, a sentence each."""
        folder = self.path(manifest["id"])
        return file_problems(folder, manifest["files"])


def dated(manifest: t.Mapping[str, t.Any]) -> Dated:
    """Return what retention needs to know of a backup."""
    return Dated(manifest["id"], manifest["created"], manifest["release"])


def files_below(folder: str) -> list[str]:
    """Return the paths of all files below a folder, relative to it."""
    found = []
    for parent, _folders, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in names]
    return sorted(found)


def describe_files(folder: str) -> dict[str, dict[str, t.Any]]:
    """Return size and sha256 of every file below a folder, by relative path."""
    return {
        name: {"bytes": os.path.getsize(os.path.join(folder, name)), "sha256": sha256_file(os.path.join(folder, name))}
        for name in files_below(folder)
    }


def file_problems(folder: str, expected: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Compare the files below a folder with what ``describe_files`` told of them, a sentence for each difference."""
    there = set(files_below(folder)) - {MANIFEST}
    problems = [f"'{name}' is not in the manifest" for name in sorted(there - set(expected))]
    for name, wanted in expected.items():
        path = os.path.join(folder, name)
        if name not in there:
            problems.append(f"'{name}' is missing")
        elif os.path.getsize(path) != wanted["bytes"]:
            problems.append(f"'{name}' has {os.path.getsize(path)} bytes instead of {wanted['bytes']}")
        elif sha256_file(path) != wanted["sha256"]:
            problems.append(f"'{name}' was altered: its sha256 is another one")
    return problems


def settle(folder: str) -> None:
    """Make a tree durable and private: every file 0600, every directory 0700, on disk, and read from there the next time."""
    for parent, _folders, names in os.walk(folder, topdown=False):
        os.chmod(parent, 0o700)
        for name in names:
            handle = os.open(os.path.join(parent, name), os.O_RDONLY)
            try:
                os.fchmod(handle, 0o600)
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)
        sync_directory(parent)

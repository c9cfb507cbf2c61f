# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is restored from: a backup with its manifest, or a dump that was made elsewhere.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import gzip
import os
import shutil
import typing as t
import zlib
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres import backups as store
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import Helper

FOLDER = "/source"
PLAIN_END = b"-- PostgreSQL database dump complete"
ALLOWED_COMMANDS = (b"\\restrict", b"\\unrestrict")
READ_SECONDS = 600.0
MIB = 1 << 20


@dataclass(frozen=True)
class Source:
    """Something to restore.

    :param name: id of the backup, or path of the file.
    :param folder: the directory on this host that a helper gets to see.
    :param file: the dump in it.
    :param kind: ``directory`` and ``custom`` are read by pg_restore, ``plain`` by psql.
    :param manifest: what must come out of it; empty for a dump that was made elsewhere.
    """

    name: str
    folder: str
    file: str
    kind: t.Literal["directory", "custom", "plain"]
    manifest: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def inside(self) -> str:
        """Path of the dump in a helper."""
        return f"{FOLDER}/{self.file}"

    @property
    def bytes(self) -> int:
        """Size that the database will have about, from the manifest or from the size of the file."""
        if self.manifest:
            return int(self.manifest["database"]["bytes"])
        return 2 * os.path.getsize(os.path.join(self.folder, self.file))


def find_source(backups: store.Backups, database: str, wanted: str) -> Source:
    """Return what the option ``source`` names: ``latest``, the id of a backup, or the absolute path of a dump.

    :raises DeployError: there is nothing of that name, or it is of no known format.
    """
    if os.path.isabs(wanted):
        return _file(wanted)
    if wanted == "latest":
        good = backups.good(database)
        if not good:
            raise DeployError(
                f"There is no good backup of database '{database}' in '{backups.root}'.",
                hint="Take one with playbooks/backup.yml, or name the path of a dump.",
            )
        manifest = good[-1]
    else:
        manifest = backups.manifest(wanted)
    return Source(manifest["id"], backups.path(manifest["id"]), store.DUMP, "directory", manifest)


def _file(path: str) -> Source:
    folder, name = os.path.split(path)
    try:
        with open(path, "rb") as file:
            start = file.read(5)
    except OSError as exc:
        raise DeployError(
            f"Option source is '{path}', and it cannot be read: {exc.strerror}.", hint="Name a backup's id, or a dump."
        ) from exc
    if start == b"PGDMP":
        return Source(path, folder, name, "custom")
    if start[:2] == b"\x1f\x8b" or name.endswith((".sql", ".sql.gz")):
        return Source(path, folder, name, "plain")
    raise DeployError(
        f"Option source is '{path}', and that is neither SQL (.sql, .sql.gz) nor a custom-format dump of pg_dump.",
        hint="Name a backup's id, or a dump made with pg_dump.",
    )


def check_backup(source: Source, entries: t.Callable[[], int]) -> list[str]:
    """Return what is wrong with a backup or a custom-format dump, as far as its format tells; a sentence for each finding.

    :param entries: counts the entries in the table of contents.
    """
    if source.manifest:
        problems = store.file_problems(source.folder, source.manifest["files"])
        if problems:
            return [f"The backup '{source.name}' is damaged: {'; '.join(problems[:5])}. Choose another one."]
    try:
        count = entries()
    except DeployError as exc:
        return [f"The dump cannot be read by this server's tools: {exc.msg}"]
    if source.manifest and count != source.manifest["toc_entries"]:
        return [f"The dump lists {count} entries instead of {source.manifest['toc_entries']}. Choose another backup."]
    return []


def toc_entries(helper: Helper, source: Source) -> int:
    """Return the number of entries in a dump's table of contents."""
    listed = helper.run(["pg_restore", "--list", source.inside], "Listing the dump", timeout=READ_SECONDS)
    return sum(1 for line in listed.stdout.splitlines() if line.strip() and not line.startswith(";"))


def unpack_plain(source: Source, target: str) -> None:
    """Copy an SQL dump to where psql reads it, and check all of it on the way.

    :param target: path of the copy, for its owner only.
    :raises DeployError: it is cut off, cannot be unpacked, or has commands of psql that could leave the database.
    """
    path = os.path.join(source.folder, source.file)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    ended, in_copy = False, False
    try:
        with (
            gzip.open(path, "rb") if packed else open(path, "rb") as dump,
            open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy,
        ):
            for line in dump:
                if in_copy:
                    in_copy = line.rstrip(b"\r\n") != b"\\."
                elif line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;"):
                    in_copy = True
                elif line.startswith(b"\\") and not line.startswith(ALLOWED_COMMANDS):
                    raise DeployError(
                        f"'{path}' has the command {line.strip().decode('utf-8', 'replace')!r} of psql, which could leave the database "
                        "that is restored beside the live one.",
                        hint="Use a dump of one database, made by pg_dump without --create.",
                    )
                ended = ended or line.startswith(PLAIN_END)
                copy.write(line)
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise DeployError(f"'{path}' is damaged: {exc}.", hint="Choose another dump.") from exc
    if not ended or in_copy:
        raise DeployError(
            f"'{path}' is cut off: its last line does not say that the dump is complete.", hint="Choose another dump."
        )


def unpacked_bytes(source: Source, free: int) -> int:
    """Return the space that the copy of an SQL dump may take: its size, or three quarters of what is ``free`` when packed."""
    size = os.path.getsize(os.path.join(source.folder, source.file))
    return size if source.file.endswith(".sql") else min(10 * size, free * 3 // 4)


def free_bytes(path: str) -> int:
    """Return what is free on the file system of a path."""
    return shutil.disk_usage(path).free

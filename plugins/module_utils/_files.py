# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole or not there: atomic writes, checksums, tails.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import typing as t


def sync_directory(path: str) -> None:
    """Make renames inside a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a crash at any moment, sees the old text or the new one.

    :raises OSError: the file system refused (full, read-only); the old file is untouched and no temp file is left.
    """
    directory = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", suffix=".tmp", dir=directory)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(directory)


def write_json(path: str, data: t.Any, mode: int = 0o600) -> None:
    """Write JSON with ``write_atomic``: sorted keys, two spaces, newline at the end."""
    write_atomic(path, json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n", mode)


def sha256_file(path: str) -> str:
    """Return the hex sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def tail(text: str, lines: int) -> str:
    """Return the last ``lines`` lines of a text."""
    return "\n".join(text.splitlines()[-lines:])

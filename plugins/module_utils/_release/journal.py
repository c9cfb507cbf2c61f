# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The append-only history of what each run did on the server.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import errno
import json
import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._files import write_atomic
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now


class Journal:
    """``journal.jsonl``: one JSON object a line, on disk before the call returns.

    :param path: the file.
    :param run: id of the run that writes.
    """

    def __init__(self, path: str, run: str) -> None:
        self._path = path
        self._run = run

    def write(self, event: str, step: str, **fields: t.Any) -> None:
        """Append one record: ``{time, run, event, step, ...}``.

        A torn last line (a crash while it was written) is closed first, so that it never swallows this record.
        """
        record = {"time": now(), "run": self._run, "event": event, "step": step, **fields}
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            text = ("\n" if torn else "").encode() + _line(record).encode() + b"\n"
            if os.write(handle, text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
            os.fsync(handle)
        finally:
            os.close(handle)

    def prune(self, kept: t.Collection[str]) -> None:
        """Forget all runs but those in ``kept``; the file is replaced at once, or stays as it is."""
        records = read_journal(self._path)
        newest = [record for record in records if record.get("run") in kept or record.get("run") == self._run]
        if len(newest) < len(records):
            write_atomic(self._path, "".join(f"{_line(record)}\n" for record in newest))


def _line(record: t.Mapping[str, t.Any]) -> str:
    return json.dumps(record, sort_keys=True, ensure_ascii=False)


def read_journal(path: str) -> list[dict[str, t.Any]]:
    """Return all records; lines that are torn or damaged are left out, a missing file is an empty journal."""
    records = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    records.append(record)
    except FileNotFoundError:
        pass
    return records

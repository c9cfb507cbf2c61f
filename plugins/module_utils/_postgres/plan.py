# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup is to be like, and what will be done for it: pure functions.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import datetime
import hashlib
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._postgres.backups import dated
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import Digest
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.retention import Dated, Retention, to_remove


@dataclass(frozen=True)
class Wanted:
    """What a backup is to be like: the module's options. Times are in seconds.

    :param release: the release that is live.
    :param releases: the releases that are kept, ``None`` when that is not known: then nothing is removed.
    :param max_age: a good backup younger than this is enough.
    """

    database: str
    release: str = ""
    releases: tuple[str, ...] | None = ()
    jobs: int = 2
    compression: str = "auto"
    digest: Digest = "content"
    verify: t.Literal["checksum", "drill"] = "checksum"
    retention: Retention = Retention()
    max_age: float = 0.0
    min_free_bytes: int = 1 << 30
    lock_timeout: float = 0.0
    timeout: float = 3600.0


@dataclass(frozen=True)
class Plan:
    """What will be done: the steps by name, the young backup that makes them needless, the backups that will be removed."""

    steps: tuple[str, ...]
    enough: str = ""
    pruned: tuple[str, ...] = ()


def plan_backup(wanted: Wanted, good: t.Sequence[t.Mapping[str, t.Any]], new_id: str, moment: str) -> Plan:
    """Decide what to do.

    :param good: the manifests of this database's good backups, oldest first.
    :param new_id: id that the new backup will have.
    :param moment: the current time.
    """
    if good and wanted.max_age > 0 and age(good[-1]["created"], moment) < wanted.max_age:
        return Plan((), enough=good[-1]["id"])
    steps = ["snapshot", "dump", "content", "globals", "seal", "verify"]
    steps += ["drill"] if wanted.verify == "drill" else []
    pruned: tuple[str, ...] = ()
    if wanted.releases is not None:
        expected = [dated(item) for item in good] + [Dated(new_id, moment, wanted.release)]
        pruned = tuple(to_remove(expected, wanted.retention, wanted.releases))
    return Plan((*steps, "publish", *(["prune"] if pruned else [])), pruned=pruned)


def age(created: str, moment: str) -> float:
    """Return the seconds between two times as ``now()`` writes them."""
    read = [datetime.datetime.fromisoformat(item[:19]) for item in (created, moment)]
    return (read[1] - read[0]).total_seconds()


def compression_for(wanted: str, tool_major: int) -> str:
    """Return the value of pg_dump's option ``--compress``: ``auto`` is zstd where pg_dump knows it (16), otherwise gzip."""
    chosen = ("zstd:3" if tool_major >= 16 else "gzip:1") if wanted == "auto" else wanted
    return chosen.rpartition(":")[2] if tool_major < 16 else chosen


def schema_hash(text: str) -> str:
    """Return the sha256 of a schema as SQL, without comments and what is another in each dump."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith(("--", "\\")))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def summary(manifest: t.Mapping[str, t.Any], path: str) -> dict[str, t.Any]:
    """Return the noun ``backup`` of module results."""
    keys = ("id", "service", "release", "created", "seconds", "bytes", "compression", "digest", "verified")
    counts = [item.get("rows") for item in manifest["tables"]]
    return {
        **{key: manifest[key] for key in keys},
        "path": path,
        "database": manifest["database"]["name"],
        "server_version": manifest["server"]["version"],
        "tables": len(counts),
        "rows": None if None in counts else sum(counts),
        "snapshot": manifest["snapshot"],
    }

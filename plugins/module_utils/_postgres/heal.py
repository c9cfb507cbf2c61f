# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings to a good end what a killed restore left. Databases are told apart by their oid: names move, oids do not.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.records import OPEN, Record, Records
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.side import drop
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.swap import names, reopen


def heal(admin: Psql, records: Records, database: str, timeout: float) -> list[str]:
    """End every restore that is recorded as under way; only the holder of the lock may. Return a sentence for each.

    :param admin: a session with another database.
    :raises DeployError: no database has the name; says which ones there are.
    """
    return [heal_one(admin, records, item, timeout)[1] for item in records.all(database) if item.phase in OPEN]


def heal_one(admin: Psql, records: Records, record: Record, timeout: float) -> tuple[Record, str]:
    """End one restore and return its record and what was found.

    Before the swap the live database is opened again and the other one removed; after it, everything is done already.

    :raises DeployError: neither of its databases has the name.
    """
    found = names(admin, record.live_oid, record.side_oid)
    holder = next((item for item in found.values() if item["name"] == record.database), None)
    if holder is None:
        raise DeployError(
            f"No database of restore '{record.id}' is named '{record.database}' now.",
            hint=f"Look with '\\l' in psql: the old one is '{record.before}', the restored one '{record.side}'.",
        )
    if not holder["open"]:
        reopen(admin, record.database)
    swapped = holder["oid"] == record.side_oid
    if swapped:
        told = "was complete" if record.phase == "swapping" else "was not taken back, the restored database serves"
        return records.save(record, phase="restored"), f"Restore '{record.id}' {told}."
    if record.phase == "undoing":
        return records.save(record, phase="undone"), f"Restore '{record.id}' was taken back completely."
    drop(admin, record.side, timeout)
    return (
        records.save(record, phase="failed"),
        f"Restore '{record.id}' did not get to its end: the live database serves unchanged, the copy was removed.",
    )

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of restores: what each was about to do, on disk before it does it.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import asdict, dataclass, fields, replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json

FOLDER = "restores"
# what a run that died in it leaves to be healed
OPEN = ("loading", "swapping", "undoing")


@dataclass(frozen=True)
class Record:
    """One restore.

    :param database: the name that clients use.
    :param source: the backup or file that was restored.
    :param live_oid: the database that had the name before.
    :param side_oid: the restored one; 0 before it was made.
    :param side: its name while it is not the live one.
    :param before: the name of the other one after the swap.
    :param phase: ``loading``, ``swapping``, ``restored``, ``undoing``, ``undone``, ``failed`` or ``pruned``.
    :param created: when the restore began.
    :param swapped: when it was swapped in.
    :param reference: content and snapshot of the moment of the swap, to tell what was written since.
    """

    id: str
    database: str
    source: str
    live_oid: int
    side: str
    before: str
    phase: str = "loading"
    side_oid: int = 0
    created: str = ""
    swapped: str = ""
    reference: t.Mapping[str, t.Any] | None = None

    def result(self) -> dict[str, t.Any]:
        """Return the noun ``restore`` of module results."""
        return {key: value for key, value in asdict(self).items() if key != "reference"}


class Records:
    """``<root>/restores``: one file a restore.

    :param root: the service's backup directory.
    """

    def __init__(self, root: str) -> None:
        self._folder = os.path.join(root, FOLDER)

    def save(self, record: Record, **changes: t.Any) -> Record:
        """Write a record with some fields changed, and return it."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        changed = replace(record, **changes)
        write_json(os.path.join(self._folder, f"{changed.id}.json"), asdict(changed))
        return changed

    def all(self, database: str) -> list[Record]:
        """Return the records of a database, oldest first.

        :raises DeployError: one is damaged.
        """
        found = []
        known = {item.name for item in fields(Record)}
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json") and name[0] != ".")
        except FileNotFoundError:
            return []
        for name in names:
            path = os.path.join(self._folder, name)
            try:
                with open(path, encoding="utf-8") as file:
                    data = json.load(file)
                record = Record(**{key: value for key, value in data.items() if key in known})
            except (OSError, ValueError, TypeError, AttributeError) as exc:
                raise DeployError(
                    f"The record '{path}' cannot be read: {exc}.",
                    hint="Move it away; look with '\\l' in psql which databases there are.",
                ) from exc
            if record.database == database:
                found.append(record)
        return found

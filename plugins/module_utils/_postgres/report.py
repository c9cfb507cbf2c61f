# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to restore from, for people and for playbooks.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.backups import Backups
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.plan import summary


def backups_report(backups: Backups, database: str | None, verify: bool) -> dict[str, t.Any]:
    """Return the result of the module ``postgres_backup_info``; see its documentation.

    :param database: only the backups of this one.
    :param verify: read every file.
    :raises DeployError: the directory cannot be read.
    """
    good: list[dict[str, t.Any]] = []
    damaged: list[dict[str, t.Any]] = []
    for backup_id in reversed(backups.ids()):
        try:
            manifest = backups.manifest(backup_id)
            problems = backups.problems(manifest) if verify else []
        except DeployError as exc:
            damaged.append({"id": backup_id, "problems": [exc.msg]})
            continue
        if database is not None and manifest["database"]["name"] != database:
            continue
        if problems:
            damaged.append({"id": backup_id, "problems": problems})
        else:
            good.append(summary(manifest, backups.path(backup_id)))
    unfinished = backups.partials()
    table = [
        f"{item['id']}  {item['database']}  {item['bytes'] / 1e6:.1f} MB  {item['tables']} tables  {item['rows']} rows"
        f"  release {item['release'] or 'unknown'}{'  drilled' if 'drill' in item['verified'] else ''}"
        for item in good
    ]
    table += [f"{item['id']}  DAMAGED: {'; '.join(item['problems'][:3])}" for item in damaged]
    table += [f"{name}  unfinished" for name in unfinished]
    return {
        "changed": False,
        "backups": good,
        "damaged": damaged,
        "unfinished": unfinished,
        "table": table or [f"There are no backups in '{backups.root}'."],
    }

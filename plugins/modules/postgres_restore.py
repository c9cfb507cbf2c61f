#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_restore
short_description: Restore a PostgreSQL database beside the live one, and swap it in
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Restores a backup into a new database while the live one serves, compares it with what was backed up, and then gives it the
    name of the live one in some milliseconds. The old database is kept under another name, so that this can be undone.
  - Everything that can stand in the way is looked at first. Rows that were written since the backup are counted for each
    table, and when there are some, nothing is done without O(accept_loss=true).
  - A run that was killed at any moment leaves the live database as it was, or the swap complete. The next run says which, and
    removes what is left.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._postgres
  - j4c.deploy._postgres.server
attributes:
  check_mode:
    support: full
    details: Tells which rows would be lost.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Every run with O(state=restored) restores.
requirements:
  - docker (Python library)
options:
  accept_loss:
    description: Restore although rows that were written since the backup are lost with it.
    type: bool
    default: false
  jobs:
    description: Number of tables and indexes that are restored at the same time. A dump in one file is restored in one transaction.
    type: int
    default: 2
  keep_hours:
    description: With O(state=pruned), databases that were swapped out less than this ago are kept.
    type: float
    default: 168
  restore:
    description: With O(state=undone), the restore that must be undone, C(id) in RV(restore) of it. The last one when empty.
    type: str
    default: ""
  source:
    description:
      - Id of a backup of M(j4c.deploy.postgres_backup), V(latest) for the newest one of the database, or the absolute path of a
        dump that was made elsewhere.
      - A dump that was made elsewhere is one of C(pg_dump) as C(.sql), C(.sql.gz) or in custom format. It has no counts to be
        compared with, so what would be lost is not known either and O(accept_loss) is needed.
    type: str
    default: latest
  state:
    description:
      - V(restored) restores O(source).
      - V(undone) gives the name back to the database from before the last restore, in milliseconds.
      - V(pruned) removes databases that were swapped out and are older than O(keep_hours).
    type: str
    choices: [restored, undone, pruned]
    default: restored
  swap_timeout:
    description: Seconds that the sessions of the live database have to end. After that the swap is given up and they are let in again.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: See what a restore of the last backup would lose
  j4c.deploy.postgres_restore: &database
    directory: /var/backups/j4c
    service: aurigraph-v11
    container: aurigraph-v11-core-postgres-1
    database: aurigraph
    user: aurigraph
  check_mode: true

- name: Restore a backup
  j4c.deploy.postgres_restore:
    <<: *database
    source: 20260131T120000Z-1a2b3c
    accept_loss: true

- name: Undo it
  j4c.deploy.postgres_restore:
    <<: *database
    state: undone
"""

RETURN = r"""
outcome:
  description:
    - How it ended. With V(FAILED_SAFE) the live database is as it was, see RV(live_unchanged).
  type: str
  returned: always
  choices: [RESTORED, UNDONE, PRUNED, UNCHANGED, PLANNED, FAILED_SAFE]
  sample: RESTORED
restore:
  description: The restore. V(before) is the name of the old database while it is kept, V(side) that of the restored one when it was undone.
  type: dict
  returned: success
  sample:
    id: 20260201T080000Z-7a8b9c
    database: aurigraph
    source: 20260131T120000Z-1a2b3c
    phase: restored
    before: aurigraph_before_20260201T080000Z-7a8b9c
    side: aurigraph_restore_20260201T080000Z-7a8b9c
    live_oid: 16384
    side_oid: 24576
    created: "2026-02-01T08:00:00.000Z"
    swapped: "2026-02-01T08:00:41.000Z"
backup:
  description: The backup that was restored, as RV(j4c.deploy.postgres_backup#module:backup). Null for a dump that was made elsewhere.
  type: dict
  returned: success
loss:
  description:
    - Tables whose rows are other ones than in the backup. C(newer) rows were inserted or updated since, C(gone) ones updated
      or deleted. C(inserted), C(updated) and C(deleted) are told after the restore, for tables with a primary key.
    - What is null is not known, for example because the backup is from another database.
  type: list
  elements: dict
  returned: always
  sample: [{schema: public, name: accounts, rows: 501, then: 500, newer: 3, gone: 2, inserted: 1, updated: 2, deleted: 0}]
report:
  description: The same as sentences.
  type: list
  elements: str
  returned: always
downtime_seconds:
  description: The time without a database of that name, on the server.
  type: float
  returned: success
  sample: 0.014
sequences_advanced:
  description: Sequences that were moved past those of the live database, so that no id is given twice.
  type: list
  elements: str
  returned: success
pruned:
  description: Databases that were removed, or in check mode would be.
  type: list
  elements: str
  returned: with O(state=pruned)
healed:
  description: What was found and done about earlier runs that were killed.
  type: list
  elements: str
  returned: always
live_unchanged:
  description: Whether the live database is as it was. Null when the server could not be asked.
  type: bool
  returned: failure
findings:
  description: Everything that stands in the way.
  type: list
  elements: str
  returned: when something does
steps:
  description: The steps that were done, or in check mode would be.
  type: list
  elements: dict
  returned: always
  sample: [{name: swap, seconds: 0.04, result: ok, detail: 14 ms without a database}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.options import RESTORE_SPEC, run_restore


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=RESTORE_SPEC, supports_check_mode=True)
    require(module, "docker", DOCKER_IMPORT_ERROR)
    run_module(module, lambda: run_restore(module.params, module.check_mode))


if __name__ == "__main__":
    main()

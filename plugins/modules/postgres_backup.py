#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_backup
short_description: Take a backup of a PostgreSQL database that is proven to be whole
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Dumps a database with the tools of its own image, in a helper container beside it, while everybody goes on reading and
    writing. Row counts and digests of all tables are taken in the same snapshot.
  - A backup has its final name only when it was written to disk, read again and found to be whole. Until then its name ends
    with C(.partial), and the next run removes what a killed one left.
  - A directory of a backup has C(dump) (a directory dump of pg_dump), C(globals.sql) (the roles, without passwords) and
    C(manifest.json) with the sha256 of every file.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._postgres
  - j4c.deploy._postgres.server
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Every run takes a backup, unless a good one is younger than O(max_age).
requirements:
  - docker (Python library)
options:
  compression:
    description:
      - Compression of the dump, V(none) or a method and level of pg_dump such as V(zstd:3), V(lz4) or V(gzip:6).
      - V(auto) is V(zstd:3) where pg_dump is of version 16 or newer, otherwise V(gzip:1).
    type: str
    default: auto
  digest:
    description:
      - What is remembered of the rows. V(content) takes a digest of every row, V(counts) only counts them.
      - With V(none) a restore cannot be compared with what was backed up.
    type: str
    choices: [content, counts, none]
    default: content
  jobs:
    description: Number of tables that are dumped at the same time.
    type: int
    default: 2
  max_age:
    description: Seconds. A good backup of this database that is younger is enough, nothing is done then.
    type: float
    default: 0
  release:
    description: Id of the release that is live. Read from O(state_dir) when omitted.
    type: str
  retention:
    description:
      - How many backups are kept. Only good ones count. The newest one is always kept, and so is the newest one of each release
        that is kept in O(state_dir).
    type: dict
    suboptions:
      daily:
        description: Keep the newest one of this many days that have one.
        type: int
        default: 7
      last:
        description: Keep this many of the newest ones.
        type: int
        default: 3
      monthly:
        description: Keep the newest one of this many months that have one.
        type: int
        default: 6
      weekly:
        description: Keep the newest one of this many weeks that have one.
        type: int
        default: 4
  state_dir:
    description: Directory with the state of all services on this server, to read which release is live and which are kept.
    type: path
  verify:
    description:
      - V(checksum) reads every file again from disk and the table of contents from the dump.
      - V(drill) also restores the backup into a server of its own, without a network, and compares the rows.
    type: str
    choices: [checksum, drill]
    default: checksum
"""

EXAMPLES = r"""
- name: Back up the database
  j4c.deploy.postgres_backup:
    directory: /var/backups/j4c
    service: aurigraph-v11
    container: aurigraph-v11-core-postgres-1
    database: aurigraph
    user: aurigraph
    verify: drill
  register: backup
"""

RETURN = r"""
backup:
  description: The new backup, or the one that is young enough. Null in check mode.
  type: dict
  returned: success
  sample:
    id: 20260131T120000Z-1a2b3c
    path: /var/backups/j4c/aurigraph-v11/20260131T120000Z-1a2b3c
    service: aurigraph-v11
    database: aurigraph
    release: 11.4.4-0a1b2c3
    created: "2026-01-31T12:00:00.000Z"
    seconds: 20.4
    bytes: 292552704
    compression: zstd:3
    digest: content
    tables: 3
    rows: 4500000
    server_version: "17.6"
    snapshot: {visible: "801:801:", lsn: 0/3A000148}
    verified: {files: 25, time: "2026-01-31T12:00:21.000Z", drill: {seconds: 40.2, tables: 3, rows: 4500000}}
pruned:
  description: Ids of the backups that were removed, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [20251231T120000Z-4d5e6f]
steps:
  description: The steps that were done, or in check mode would be.
  type: list
  elements: dict
  returned: always
  sample: [{name: dump, seconds: 12.2, result: ok, detail: "2 jobs, zstd:3"}]
evidence:
  description: The backups that are there now.
  type: dict
  returned: always
  sample: {kept: [20260131T120000Z-1a2b3c]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.options import BACKUP_SPEC, run_backup


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=BACKUP_SPEC, supports_check_mode=True)
    require(module, "docker", DOCKER_IMPORT_ERROR)
    run_module(module, lambda: run_backup(module.params, module.check_mode))


if __name__ == "__main__":
    main()

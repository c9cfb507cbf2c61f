#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_backup_info
short_description: Tell which backups of a service's databases there are
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Reads the manifests of a service's backups, and their files when asked. Changes nothing and needs no database.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._postgres
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  database:
    description: Only the backups of the database with this name.
    type: str
  verify:
    description: Read every file of every backup, and compare it with the sha256 in the manifest.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what can be restored
  j4c.deploy.postgres_backup_info:
    directory: /var/backups/j4c
    service: aurigraph-v11
    verify: true
  register: backups
"""

RETURN = r"""
backups:
  description: The good backups, the newest first, as RV(j4c.deploy.postgres_backup#module:backup).
  type: list
  elements: dict
  returned: success
damaged:
  description: Backups that cannot be relied on, and why.
  type: list
  elements: dict
  returned: success
  sample: [{id: 20260131T120000Z-1a2b3c, problems: ["'dump/3371.dat.zst' was altered: its sha256 is another one"]}]
unfinished:
  description: What backups that are being made now, or were killed, have in the directory.
  type: list
  elements: str
  returned: success
  sample: [20260131T120000Z-4d5e6f.partial]
table:
  description: The same as lines of text.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.options import PLACE_SPEC, backups_from
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.report import backups_report


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PLACE_SPEC,
            "database": {"type": "str"},
            "verify": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    run_module(module, lambda: backups_report(backups_from(params), params["database"], params["verify"]))


if __name__ == "__main__":
    main()

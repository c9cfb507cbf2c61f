#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_freeze
short_description: Refuse deploys of a service until a time, for a reason
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - While a service is frozen, M(j4c.deploy.compose_release) refuses every deploy that would change what serves, and tells reason,
    owner and end. Rollbacks are always allowed, and so is the seal of a release that waits for it.
  - A freeze ends by itself.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - A duration in O(end) counts from now, so that it moves the end each time.
options:
  end:
    description: When deploys are allowed again, a time with its zone such as V(2026-12-24T18:00:00Z) or a duration such as V(4h).
    type: str
    default: 4h
  owner:
    description: Who asked for it. Required for O(state=present).
    type: str
    default: ""
  reason:
    description: Why. Required for O(state=present).
    type: str
    default: ""
  service:
    description: Name of the service.
    type: str
    required: true
  state:
    description: Whether deploys are refused.
    type: str
    choices: [present, absent]
    default: present
  state_dir:
    description: Directory for the state of all services on this server.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: No deploys during the audit
  j4c.deploy.release_freeze:
    service: aurigraph-v11
    state_dir: /var/lib/j4c
    reason: audit
    owner: ann
    end: 2026-12-24T18:00:00Z

- name: Allow them again
  j4c.deploy.release_freeze:
    service: aurigraph-v11
    state_dir: /var/lib/j4c
    state: absent
"""

RETURN = r"""
freeze:
  description: The freeze that is in force, or null.
  type: dict
  returned: success
  sample: {reason: audit, owner: ann, since: "2026-01-31T12:00:00.000Z", end: "2026-12-24T18:00:00.000Z"}
msg:
  description: The same as a sentence.
  type: str
  returned: always
  sample: Deploys of 'aurigraph-v11' are frozen until 2026-12-24T18:00:00.000Z by ann (audit).
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module
from ansible_collections.j4c.deploy.plugins.module_utils._release.freeze import set_freeze


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "end": {"type": "str", "default": "4h"},
            "owner": {"type": "str", "default": ""},
            "reason": {"type": "str", "default": ""},
            "service": {"type": "str", "required": True},
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "state_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: set_freeze(module.params, module.check_mode))


if __name__ == "__main__":
    main()

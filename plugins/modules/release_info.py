#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Tell what a server serves and what it can go back to
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Reads the live and the standby slot, the kept releases and the last runs of a service. Changes nothing.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._health
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
requirements:
  - docker (Python library)
  - requests (Python library)
options:
  history:
    description: Number of runs to return, the newest first.
    type: int
    default: 10
  service:
    description: Name of the service.
    type: str
    required: true
  slot_ports:
    description: Ports on 127.0.0.1 where the slots are checked, a dictionary with the keys V(blue) and V(green).
    type: dict
    required: true
  state_dir:
    description: Directory for the state of all services on this server.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: See what serves
  j4c.deploy.release_info:
    service: aurigraph-v11
    state_dir: /var/lib/j4c
    slot_ports: {blue: 19003, green: 29003}
    checks:
      - name: health
        kind: http
        path: /q/health
  register: status
"""

RETURN = r"""
live:
  description: The slot that serves, or null before the first release.
  type: dict
  returned: success
  sample: {slot: green, release: 11.4.4-0a1b2c3, version: 11.4.4, image: "sha256:6f1e", status: running, since: "2026-01-31T12:00:12.000Z"}
standby:
  description: The other slot, or null when it is empty.
  type: dict
  returned: success
  sample: {slot: blue, release: 11.4.3-9f8e7d6, version: 11.4.3, image: "sha256:0b2c", status: paused, since: "2026-01-31T12:00:12.000Z"}
health:
  description: One round of checks on the live slot.
  type: dict
  returned: success
releases:
  description: The kept releases, the newest first.
  type: list
  elements: dict
  returned: success
  sample: [{id: 11.4.4-0a1b2c3, version: 11.4.4, commit: 0a1b2c3, sealed: "2026-01-31T12:00:12.000Z"}]
runs:
  description: The last runs, the newest first.
  type: list
  elements: dict
  returned: success
  sample: [{run: 20260131T120000000Z-1a2b3c, release: 11.4.4-0a1b2c3, outcome: DEPLOYED, seconds: 8.2}]
problems:
  description:
    - What is not as it should be, as sentences. The records and the gateway's switch disagree, the live container does not run, a
      run was interrupted, the standby is gone, a file is damaged.
  type: list
  elements: str
  returned: success
  sample: ["Release '11.4.4-0a1b2c3' should serve in slot 'green', but its container is gone (removed by hand?)."]
freeze:
  description: Until when deploys are refused, and why. Null when they are not.
  type: dict
  returned: success
  sample: {reason: audit, owner: ann, since: "2026-01-31T12:00:00.000Z", end: "2026-02-01T06:00:00.000Z"}
holder:
  description: The run that is at work now, empty when there is none.
  type: dict
  returned: success
  sample: {}
table:
  description: The same as lines of text.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR
from ansible_collections.j4c.deploy.plugins.module_utils._health import HEALTH_CHECK_OPTIONS
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._release.status import status


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict", "required": True, "options": HEALTH_CHECK_OPTIONS},
            "history": {"type": "int", "default": 10},
            "service": {"type": "str", "required": True},
            "slot_ports": {"type": "dict", "required": True},
            "state_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    run_module(module, lambda: status(module.params))


if __name__ == "__main__":
    main()

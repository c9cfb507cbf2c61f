#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_probe
short_description: Check the health of a service
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Runs a health protocol against a service, once or until it passes, and fails when it does not.
  - The release engine uses the same checks, see M(j4c.deploy.compose_release).
  - Requests go to the service directly. Proxies in the environment are ignored and redirects are not followed.
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
  - docker (Python library), when O(container) is given
options:
  container:
    description: Name or id of the service's container, for the kinds V(container) and V(port).
    type: str
  host:
    description: Host to ask.
    type: str
    default: 127.0.0.1
  interval:
    description: Seconds between two rounds of checks.
    type: float
    default: 0.1
  port:
    description: Port to ask.
    type: int
    required: true
  timeout:
    description:
      - Seconds to wait until all checks pass. With V(0) they are run once.
      - A round that has begun is ended, so it may take longer by the longest O(checks[].timeout).
    type: float
    default: 0
  version:
    description: Version that checks with O(checks[].version_pointer) expect.
    type: str
"""

EXAMPLES = r"""
- name: Wait until the service is healthy
  j4c.deploy.health_probe:
    port: 9003
    timeout: 30
    checks:
      - name: health
        kind: http
        path: /q/health
        json:
          /status: UP
      - name: metrics
        kind: metrics
        path: /q/metrics

- name: Check once that the container runs the right version
  j4c.deploy.health_probe:
    port: 9003
    container: shop-api-1
    version: 11.4.4
    checks:
      - name: api
        kind: http
        path: /api/v11/health
        version_pointer: /version
      - name: container
        kind: container
      - name: port
        kind: port
"""

RETURN = r"""
health:
  description:
    - The last round of checks, the number of rounds and the seconds that they took in all.
    - C(observed) is cut after 500 characters. C(detail) says why a check failed.
  type: dict
  returned: success, or when the service is not healthy
  sample:
    healthy: true
    attempts: 1
    elapsed: 0.02
    checks:
      - name: health
        kind: http
        healthy: true
        seconds: 0.01
        observed: '{"status": "UP"}'
        expected: status 200, /status = UP
        detail: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR
from ansible_collections.j4c.deploy.plugins.module_utils._health import HEALTH_CHECK_OPTIONS, probe_service
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict", "required": True, "options": HEALTH_CHECK_OPTIONS},
            "container": {"type": "str"},
            "host": {"type": "str", "default": "127.0.0.1"},
            "interval": {"type": "float", "default": 0.1},
            "port": {"type": "int", "required": True},
            "timeout": {"type": "float", "default": 0.0},
            "version": {"type": "str"},
        },
        supports_check_mode=True,
    )
    if module.params["container"]:
        require(module, "docker", DOCKER_IMPORT_ERROR)
    run_module(module, lambda: probe_service(module.params))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_stack
short_description: Keep the compose project around a service running as declared
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Starts what is not running or not as the compose file declares it, and reloads services whose configuration files changed.
  - What is as declared is not touched.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - docker (Python library)
  - Docker Compose 2.20 or newer
options:
  file:
    description: Path of the compose file on the server. Relative paths in it start at its directory.
    type: path
    required: true
  project:
    description: Name of the compose project.
    type: str
    required: true
  reload:
    description: Services that read their configuration again on SIGHUP.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Directory with the configuration files on the server.
        type: path
        required: true
      service:
        description: Name of the service in the compose file.
        type: str
        required: true
      test:
        description: Command that checks the configuration inside the container before it is loaded.
        type: list
        elements: str
        required: true
  switch_dir:
    description: Directory of the gateway's switch files. They are made when there are none, the live slot is never changed.
    type: path
  timeout:
    description: Seconds until every started service must be healthy.
    type: float
    default: 120
"""

EXAMPLES = r"""
- name: Keep the stack of a service running
  j4c.deploy.compose_stack:
    project: aurigraph-v11-core
    file: /var/lib/j4c/aurigraph-v11/core/compose.yaml
    switch_dir: /var/lib/j4c/aurigraph-v11/gateway
    reload:
      - service: gateway
        path: /var/lib/j4c/aurigraph-v11/core/nginx
        test: [nginx, -t]
"""

RETURN = r"""
services:
  description: The declared services, and what was done with each.
  type: list
  elements: dict
  returned: success
  sample: [{name: gateway, state: running, health: healthy, image: "nginx:1.28", action: none}]
steps:
  description: The steps that were done, or in check mode would be.
  type: list
  elements: dict
  returned: always
  sample: [{name: start gateway, seconds: 1.2, result: ok, detail: ""}]
evidence:
  description: The last log lines of services that did not come up.
  type: dict
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR, connect
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._stack import Reload, Stack


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "file": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "reload": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "service": {"type": "str", "required": True},
                    "test": {"type": "list", "elements": "str", "required": True},
                },
            },
            "switch_dir": {"type": "path"},
            "timeout": {"type": "float", "default": 120.0},
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    params = module.params
    reloads = [Reload(item["service"], item["path"], tuple(item["test"])) for item in params["reload"]]
    switch = Gateway(params["switch_dir"], f"{params['project']}-gateway-1") if params["switch_dir"] else None

    def work() -> dict[str, object]:
        record = f"{params['file']}.applied.json"
        stack = Stack(connect(), Runner(), params["project"], params["file"], reloads, record, switch)
        return stack.converge(module.check_mode, params["timeout"])

    run_module(module, work)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_aot
short_description: Train the start-up cache of the live release on its server
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Makes the ahead-of-time cache (JEP 483 and 514, JDK 25) of the image that serves, once for each image and on the server
    that uses it, so that it fits the JVM, the files and the processor, and nothing is shipped.
  - A container is started beside the slots with the settings of the live one, which no user reaches. It gets the health checks
    and the requests of the warm-up, is stopped, and writes the cache while it ends. A second one must start with that
    cache and really have it in its memory. Only then the containers of the release get it, each with its next start.
  - It works for releases that M(j4c.deploy.compose_release) made with O(j4c.deploy.compose_release#module:aot).
  - A training that fails changes nothing but the time of the next start. It is told as a warning, and not tried again for the
    same image. Where disk or memory are short it is not begun, and tried again next time.
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
  - Docker Compose 2.20 or newer
options:
  env:
    description:
      - Further environment of the training, for example to switch jobs off that must not run twice.
      - What decides the class path or the garbage collector must not change, or the cache does not fit.
    type: dict
    default: {}
  max_mb:
    description: MiB that the cache may have.
    type: int
    default: 512
  min_free_mb:
    description: MiB that must stay free below O(state_dir).
    type: int
    default: 1024
  mode:
    description:
      - What the next start is told. V(cache) is to use the cache.
      - V(fast) is to use only the quick one of the JVM's two compilers as well (C(-XX:TieredStopAtLevel=1)). The service
        starts faster still, and works slower under load.
    type: str
    choices: [cache, fast]
    default: cache
  service:
    description: Name of the service.
    type: str
    required: true
  state_dir:
    description: Directory for the state of all services.
    type: path
    required: true
  timeout:
    description: Seconds that each part of the training may take (start, end, and the start with the cache).
    type: float
    default: 180
  warm_up:
    description: The requests of the training. The more of the service they use, the more of it is in the cache.
    type: dict
    suboptions:
      paths:
        description: Paths to GET.
        type: list
        elements: str
        required: true
      requests:
        description: Number of requests, spread over the paths.
        type: int
        default: 50
seealso:
  - module: j4c.deploy.compose_release
"""

EXAMPLES = r"""
- name: Train the start-up cache
  j4c.deploy.release_aot:
    service: aurigraph-v11
    state_dir: /var/lib/j4c
    checks:
      - name: health
        kind: http
        path: /q/health
    warm_up:
      paths: [/api/v11/health, /api/v11/transactions]
    env:
      QUARKUS_SCHEDULER_ENABLED: "false"
"""

RETURN = r"""
msg:
  description: What was done and why.
  type: str
  returned: always
  sample: "train, verify, publish: this image has no cache yet."
phase:
  description: The phase of the pipeline.
  type: str
  returned: always
  sample: container_build
decision:
  description: Always V(PROCEED). A service without a cache serves as well.
  type: str
  returned: always
  sample: PROCEED
steps:
  description: What was done, or would be in check mode.
  type: list
  elements: dict
  returned: always
  sample: [{name: verify, seconds: 3.1, result: ok, detail: healthy after 1.93 s with the cache in use}]
evidence:
  description:
    - The C(image), the number of its JDK (C(java)), whether the live JVM has the cache in its memory (C(used), null when that
      cannot be seen), and the C(cache) with its size, checksum, time, and the seconds that the verified start took.
    - After a training that failed, C(logs) has the last lines of its container.
  type: dict
  returned: always
  sample: {image: "sha256:8a1f6c0e", java: 25, used: true, cache: {size: 65536000, seconds: 1.93}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._aot_plan import wanted_from
from ansible_collections.j4c.deploy.plugins.module_utils._aot_train import Trainer
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR, connect
from ansible_collections.j4c.deploy.plugins.module_utils._health import HEALTH_CHECK_OPTIONS
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict", "required": True, "options": HEALTH_CHECK_OPTIONS},
            "env": {"type": "dict", "default": {}},
            "max_mb": {"type": "int", "default": 512},
            "min_free_mb": {"type": "int", "default": 1024},
            "mode": {"type": "str", "choices": ["cache", "fast"], "default": "cache"},
            "service": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "timeout": {"type": "float", "default": 180.0},
            "warm_up": {
                "type": "dict",
                "options": {
                    "paths": {"type": "list", "elements": "str", "required": True},
                    "requests": {"type": "int", "default": 50},
                },
            },
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    run_module(module, lambda: Trainer(connect, Runner(), wanted_from(module.params)).converge(module.check_mode))


if __name__ == "__main__":
    main()

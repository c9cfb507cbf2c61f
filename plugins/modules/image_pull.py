#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
short_description: Pull an image from a registry by its digest
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Pulls what a digest names, so that nobody who moves a tag decides what a server runs.
  - The registry is asked for the manifest first. Its content must have the digest, and the image that the engine has
    afterwards must be the one that it names.
  - When the engine has the image of that digest, nothing is done, and the registry need not be there.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._registry
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  digest:
    description:
      - Digest of the image, such as RV(j4c.deploy.image_push#module:image.digest).
      - It may be empty in check mode, where the image may not be pushed yet.
    type: str
    required: true
  tags:
    description: Tags that the image gets on this engine. Without one, C(docker image prune) takes it for waste.
    type: list
    elements: str
    default: []
seealso:
  - module: j4c.deploy.image_push
"""

EXAMPLES = r"""
- name: Pull the image that was pushed
  j4c.deploy.image_pull:
    name: registry.example.com/shop/orders
    digest: "{{ pushed.image.digest }}"
    tags: [2.1.0-4f1c2ab]
    credentials: /etc/j4c/registry.json
"""

RETURN = r"""
image:
  description:
    - The image as RV(j4c.deploy.container_image#module:image) describes it, with its name and tags in the registry.
    - Null in check mode when it would be pulled.
  type: dict
  returned: success
  contains:
    digest:
      description: Its digest in the registry.
      type: str
      sample: sha256:eafff520
    id:
      description: Its id on this engine.
      type: str
      sample: sha256:8a1f6c0e
phase:
  description: The phase of the pipeline.
  type: str
  returned: always
  sample: container_build
decision:
  description: V(PROCEED), or V(ROLLBACK) when there is no image to go on with.
  type: str
  returned: always
  sample: PROCEED
steps:
  description: What was done, or would be in check mode. A step that was tried again is there more than once.
  type: list
  elements: dict
  returned: always
  sample: [{name: pull, seconds: 0.4, result: ok, detail: "1 layers, 6 were there"}]
evidence:
  description:
    - The C(registry), what was done (C(reason)), what became of the layers (C(layers_moved), C(layers_present),
      C(layers_retried)) and the C(bytes) that were received.
    - On failure its class (C(code)), what was said (C(detail)), and how often it was tried (C(tries)).
  type: dict
  returned: always
  sample: {registry: registry.example.com, reason: pull, layers_moved: 1, layers_present: 6, bytes: 309112}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR, connect
from ansible_collections.j4c.deploy.plugins.module_utils._image_pull import Puller, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "credentials": {"type": "path", "default": "", "no_log": False},
            "digest": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "retries": {"type": "int", "default": 2},
            "tags": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 600.0},
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    wanted = Wanted(**{**module.params, "tags": tuple(module.params["tags"])})
    run_module(module, lambda: Puller(connect, wanted).converge(module.check_mode))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_push
short_description: Push an image to a registry, and verify there that it arrived
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Tags an image of the host's Docker engine and pushes it, unless the registry has it under all of the tags.
  - After that the registry itself is asked for the digest that the engine named. The manifest must have that digest and be
    that of the image, and the registry must have each layer.
  - Before, it is asked for the tags. What they name is told, and an image of which it lost a layer is pushed again.
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
  image:
    description:
      - Id or name of an image of the host's engine, such as RV(j4c.deploy.container_image#module:image.id).
      - It may be empty in check mode, where the image may not be built yet.
    type: str
    required: true
  tags:
    description: Tags that the image gets in the registry. One that names another image there is moved.
    type: list
    elements: str
    required: true
seealso:
  - module: j4c.deploy.container_image
  - module: j4c.deploy.image_pull
"""

EXAMPLES = r"""
- name: Push the image that was built
  j4c.deploy.image_push:
    image: "{{ built.image.id }}"
    name: registry.example.com/shop/orders
    tags: [2.1.0-4f1c2ab, 2.1.0]
    credentials: /etc/j4c/registry.json
"""

RETURN = r"""
image:
  description:
    - The image as RV(j4c.deploy.container_image#module:image) describes it, with its name and tags in the registry.
    - Null in check mode when it is not built yet.
  type: dict
  returned: success
  contains:
    digest:
      description: Its digest in the registry, to pull it by. Null in check mode when it would be pushed.
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
  sample: [{name: push, seconds: 0.9, result: ok, detail: "2.1.0: sha256:eafff520, 830212 bytes; it names sha256:11a0 now"}]
evidence:
  description:
    - The C(registry), why it was pushed or not (C(reason)), what became of the layers (C(layers_moved),
      C(layers_present), C(layers_retried)) and the C(bytes) that were read to be sent, before compression.
    - On failure its class (C(code)), what was said (C(detail)), and how often it was tried (C(tries)).
  type: dict
  returned: always
  sample: {registry: registry.example.com, reason: "2.1.0: the registry does not have it", layers_moved: 1, bytes: 830212}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR, connect
from ansible_collections.j4c.deploy.plugins.module_utils._image_push import Pusher, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "credentials": {"type": "path", "default": "", "no_log": False},
            "image": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "retries": {"type": "int", "default": 2},
            "tags": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "float", "default": 600.0},
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    wanted = Wanted(**{**module.params, "tags": tuple(module.params["tags"])})
    run_module(module, lambda: Pusher(connect, wanted).converge(module.check_mode))


if __name__ == "__main__":
    main()

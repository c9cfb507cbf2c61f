#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_ship
short_description: Bring an image to a server without a registry, sending only the layers that it lacks
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Asked without O(archives), tells which layers of an image the engine of the server lacks.
  - With the archives that M(j4c.deploy.image_layers) made of such answers, sends the one that fits over Ansible's own
    connection, lets the engine load it, and checks that it has the image then.
  - Both image stores of the engine are known. They name the same image differently, so RV(image) has the id that the image
    has on this server.
  - What a cut connection left is used by the next run, or removed by it.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
requirements:
  - docker (Python library)
  - Docker 20.10 or newer
options:
  archives:
    description: What M(j4c.deploy.image_layers) packed for the servers of this run. Without any, the server is only asked.
    type: list
    elements: dict
    default: []
  image:
    description: The image as RV(j4c.deploy.container_image#module:image) describes it.
    type: dict
    required: true
  incoming:
    description:
      - Directory on the server where the archive is received. The action plugin makes one of its own in it, for this user
        and image.
    type: path
    default: /var/tmp
  local:
    description: Whether the archive goes over no network, so that it need not be compressed. The action plugin sets it.
    type: bool
    default: false
  request:
    description: What this server answered when it was asked, see RV(request).
    type: dict
    default: {}
  reserve_mb:
    description: MiB that must stay free on the server. An image that would take them is refused.
    type: int
    default: 1024
  state_dir:
    description: Directory on the server for the record of what was shipped.
    type: path
    required: true
  timeout:
    description: Seconds that the engine may take to load the archive.
    type: float
    default: 900
seealso:
  - module: j4c.deploy.image_layers
"""

EXAMPLES = r"""
- name: Ask the server what it lacks
  j4c.deploy.image_ship:
    image: "{{ built.image }}"
    state_dir: /var/lib/j4c
  register: asked

- name: Ship the image
  j4c.deploy.image_ship:
    image: "{{ built.image }}"
    request: "{{ asked.request }}"
    archives: "{{ packed.archives }}"
    state_dir: /var/lib/j4c
  register: shipped
  when: asked.request is truthy
"""

RETURN = r"""
damaged:
  description: Parts of the archive that did not arrive whole. The action plugin sends them again.
  type: list
  elements: str
  returned: when there are any
image:
  description: The image with the id that it has on this server. Null when the server has not got it.
  type: dict
  returned: success
request:
  description: What the server lacks, for M(j4c.deploy.image_layers). Null when it has the image.
  type: dict
  returned: success
  contains:
    disks:
      description: Free bytes where the archive is received (C(incoming)) and where the engine is (C(engine)).
      type: dict
    formats:
      description: Formats that the server takes, the best first.
      type: list
      elements: str
    layers:
      description: Ids of the layers that it lacks.
      type: list
      elements: str
ship:
  description: What was sent, or would be in check mode.
  type: dict
  returned: always
  contains:
    bytes_image:
      description: Bytes of the whole image.
      type: int
    bytes_resumed:
      description: Bytes of the archive that a run before had sent.
      type: int
    bytes_sent:
      description: Bytes that went over the connection.
      type: int
    format:
      description: V(none), V(gzip), V(xz) or V(zstd).
      type: str
    layers_present:
      description: Layers that the server had.
      type: int
    layers_sent:
      description: Layers that were sent.
      type: int
    seconds:
      description: Seconds for sending and loading.
      type: float
phase:
  description: The phase of the pipeline.
  type: str
  returned: always
  sample: container_build
decision:
  description: V(PROCEED), or V(ROLLBACK) when the server has not got the image.
  type: str
  returned: always
  sample: PROCEED
steps:
  description: What was done, or would be in check mode.
  type: list
  elements: dict
  returned: always
  sample: [{name: send, seconds: 0.1, result: ok, detail: "309112 bytes in 1 parts"}]
evidence:
  description: The C(reason), the C(store) of the engine; on failure a C(code) and numbers or the engine's C(output).
  type: dict
  returned: always
  sample: {reason: loaded, store: classic}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR, connect
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._ship.server import Server, Wanted


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "archives": {"type": "list", "elements": "dict", "default": []},
            "image": {"type": "dict", "required": True},
            "incoming": {"type": "path", "default": "/var/tmp"},
            "local": {"type": "bool", "default": False},
            "request": {"type": "dict", "default": {}},
            "reserve_mb": {"type": "int", "default": 1024},
            "state_dir": {"type": "path", "required": True},
            "timeout": {"type": "float", "default": 900.0},
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    params = dict(module.params)
    timeout = params.pop("timeout")
    # what the action plugin chose the archive by
    del params["request"]
    server = Server(lambda: connect(timeout), Wanted(**params))
    run_module(module, lambda: server.converge(module.check_mode))


if __name__ == "__main__":
    main()

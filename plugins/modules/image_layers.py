#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_layers
short_description: Read the layers of an image that servers lack, once, and pack them
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Runs on the builder. Reads layers from the engine into a directory, where they are kept by their digest, and makes one
    archive for each kind of request that M(j4c.deploy.image_ship) got from servers.
  - The engine's API gives an image only as a whole. Where this user may read the files of an engine with the classic
    store (overlay2), single layers are made from them instead, and compared with their digest. That takes as long as
    these layers are large.
  - A kept layer is compared with its digest when it is used, and read again when it is damaged.
  - When the builder is another machine than the one where Ansible runs, the archives are fetched to that one, once for
    all servers of a run.
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
options:
  directory:
    description: Directory for layers and archives. One for each service, because one process uses it at a time.
    type: path
    required: true
  image:
    description: Name or id of the image on this machine's engine.
    type: str
    required: true
  keep:
    description: Number of images whose layers stay in the directory.
    type: int
    default: 3
  lock_timeout:
    description: Seconds to wait for another process that uses the directory.
    type: float
    default: 600
  max_days:
    description: Days after its last use when an image goes from the directory anyway.
    type: float
    default: 30
  owner:
    description: Id of the user that must be able to read the archives. The action plugin sets it.
    type: int
    default: 0
  part_mb:
    description: Archives are cut into parts of this size in MiB. What was sent of them need not be sent again.
    type: int
    default: 32
  requests:
    description:
      - What servers lack, as RV(j4c.deploy.image_ship#module:request) says. Requests that ask for the same are answered
        by one archive. Without any, all layers are read and nothing is packed.
    type: list
    elements: dict
    default: []
  tags:
    description: Names that the image gets on the servers.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that reading the image, or compressing an archive, may take.
    type: float
    default: 900
seealso:
  - module: j4c.deploy.image_ship
"""

EXAMPLES = r"""
- name: Pack what the servers lack
  j4c.deploy.image_layers:
    image: "{{ built.image.id }}"
    tags: "{{ built.image.tags }}"
    directory: /var/lib/j4c/ship/aurigraph-v11
    requests: "{{ ansible_play_batch | map('extract', hostvars, ['asked', 'request']) | select }}"
  delegate_to: build.example.org
  run_once: true
  register: packed
"""

RETURN = r"""
archives:
  description: One archive for each kind of request.
  type: list
  elements: dict
  returned: success
  contains:
    bytes:
      description: Bytes of the archive.
      type: int
    bytes_image:
      description: Bytes of all layers of the image.
      type: int
    bytes_layers:
      description: Bytes of the layers in the archive, before compression.
      type: int
    format:
      description: V(none), V(gzip), V(xz) or V(zstd).
      type: str
    ids:
      description: Ids that the image has where it is loaded, on the classic and on the containerd store.
      type: list
      elements: str
    key:
      description: Name of the archive.
      type: str
    layers:
      description: Ids of the layers in it.
      type: list
      elements: str
    parts:
      description: Its parts, each with C(name), C(bytes) and C(sha256).
      type: list
      elements: dict
    path:
      description: Directory with the parts.
      type: str
image:
  description: The image, with C(id), C(size), C(tags) and C(layers); the sizes of layers are those of their tars.
  type: dict
  returned: success
phase:
  description: The phase of the pipeline.
  type: str
  returned: always
  sample: container_build
decision:
  description: V(PROCEED), or V(ROLLBACK) when there is nothing to ship.
  type: str
  returned: always
  sample: PROCEED
steps:
  description: What was done, or would be in check mode.
  type: list
  elements: dict
  returned: always
  sample: [{name: read, seconds: 0.1, result: ok, detail: "4 cached, 2 files, 0 saved"}]
evidence:
  description:
    - How many layers were C(cached), made from the engine's C(files), or C(saved) by the engine (C(read)), and which
      images were C(forgotten).
  type: dict
  returned: always
  sample: {read: {cached: 4, files: 2, saved: 0}, forgotten: []}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR, connect
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layers import ImageLayers, Wanted


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "image": {"type": "str", "required": True},
            "keep": {"type": "int", "default": 3},
            "lock_timeout": {"type": "float", "default": 600.0},
            "max_days": {"type": "float", "default": 30.0},
            "owner": {"type": "int", "default": 0},
            "part_mb": {"type": "int", "default": 32},
            "requests": {"type": "list", "elements": "dict", "default": []},
            "tags": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 900.0},
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    wanted = Wanted(**{**module.params, "tags": tuple(module.params["tags"])})
    layers = ImageLayers(lambda: connect(wanted.timeout), wanted)
    run_module(module, lambda: layers.converge(module.check_mode))


if __name__ == "__main__":
    main()

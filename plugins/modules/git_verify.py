#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_verify
short_description: Verify that a clone is fit for a release
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Looks whether a clone is clean, on the branch that releases are made from, and the same as its remote.
  - Every reason against a release is told at once. The clone is never changed, fetching only updates what git knows of the remote.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
    details: The remote is asked, nothing is fetched.
  diff_mode:
    support: none
  idempotent:
    support: full
requirements:
  - git 2.25 or newer
options:
  branch:
    description: Branch that releases are made from.
    type: str
    default: main
  fetch:
    description: Whether commits of the remote are fetched. Otherwise the remote is only asked.
    type: bool
    default: true
  path:
    description: Directory of the clone.
    type: path
    required: true
  released_commit:
    description: Id or tag of the commit that is released now. When it is given, what changed since is in RV(changes).
    type: str
    default: ""
  remote:
    description: Name of the remote.
    type: str
    default: origin
  timeout:
    description: Seconds that one git command may take.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Verify the source
  j4c.deploy.git_verify:
    path: /srv/build/aurigraph-v11
    branch: main
"""

RETURN = r"""
decision:
  description: V(PROCEED), or V(ABORT) when there is a reason against a release. The module fails then.
  type: str
  returned: always
  sample: PROCEED
phase:
  description: The phase of the pipeline.
  type: str
  returned: always
  sample: git_verification
commit:
  description: The commit that is checked out.
  type: dict
  returned: when the clone could be read
  sample:
    id: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
    short: 0a1b2c3
    author: A. Developer
    email: dev@example.org
    subject: "feat: add transfers"
    time: "2026-01-31T12:00:00+00:00"
    branch: main
changes:
  description: What changed since O(released_commit), or null.
  type: dict
  returned: when the clone could be read
  sample: {since: 9f8e7d6, files: 2, insertions: 10, deletions: 3, stat: [" 2 files changed"], commits: ["0a1b2c3 feat: add transfers"]}
reasons:
  description: The reasons against a release.
  type: list
  elements: dict
  returned: when the clone could be read
  sample: [{code: dirty, msg: "1 tracked file is changed: pom.xml.", hint: Commit or restore them.}]
steps:
  description: The steps that were done.
  type: list
  elements: dict
  returned: always
evidence:
  description: The paths and counts behind the reasons.
  type: dict
  returned: when the clone could be read
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._git import verify
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "branch": {"type": "str", "default": "main"},
            "fetch": {"type": "bool", "default": True},
            "path": {"type": "path", "required": True},
            "released_commit": {"type": "str", "default": ""},
            "remote": {"type": "str", "default": "origin"},
            "timeout": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: verify(module.params, module.check_mode))


if __name__ == "__main__":
    main()

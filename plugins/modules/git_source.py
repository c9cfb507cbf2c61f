#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_source
short_description: Bring exactly one commit of a repository
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Keeps a mirror of the repository in a cache and makes a checkout of one commit from it.
  - The checkout is made in a directory of its own and put in place by one rename, so that a run that is killed leaves the old one or the new
    one. The next run tidies up. What git ignores is not carried over.
  - Work in the checkout that is in no repository is never thrown away. Directories that this module did not make are never touched.
  - A second run with the same repository or the same checkout waits.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._git_access
attributes:
  check_mode:
    support: full
    details: The repository is asked, nothing is written.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - git 2.25 or newer
options:
  cache:
    description: Directory of the mirrors.
    type: path
    required: true
  lock_timeout:
    description: Seconds to wait for another run.
    type: float
    default: 300
  own_work:
    description:
      - What happens to a checkout with changes, files or commits that are in no repository, or one that is damaged.
      - V(refuse) fails and changes nothing, V(set_aside) gives it another name.
    type: str
    choices: [refuse, set_aside]
    default: refuse
  path:
    description: Directory of the checkout.
    type: path
    required: true
  ref:
    description: Branch, tag or commit id. Write V(refs/heads/name) or V(refs/tags/name) when there is a branch and a tag of that name.
    type: str
    default: main
  submodules:
    description: Whether submodules are checked out too.
    type: bool
    default: false
  timeout:
    description: Seconds that one git command may take.
    type: float
    default: 600
  url:
    description:
      - The repository, as an C(https), C(ssh), C(file) or loopback C(http) URL, as C(user@host:path), or as an absolute path.
      - A URL with a user, password or token in it is refused, except the user of C(ssh).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Bring the source with the keys of the SSH agent
  j4c.deploy.git_source:
    url: ssh://git@git.example.org/orders.git
    ref: main
    cache: /var/cache/j4c/git
    path: /srv/build/orders

- name: Bring a tag with a password
  j4c.deploy.git_source:
    url: https://git.example.org/orders.git
    ref: v1.4.0
    cache: /var/cache/j4c/git
    path: /srv/build/orders
    credentials_file: /etc/j4c/git-credentials
"""

RETURN = r"""
decision:
  description: V(PROCEED), or V(ABORT) when the module fails.
  type: str
  returned: always
  sample: PROCEED
phase:
  description: The phase of the pipeline.
  type: str
  returned: always
  sample: git_verification
commit:
  description: The commit that is checked out. In check mode, as much of it as is known.
  type: dict
  returned: success
  sample:
    id: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
    short: 0a1b2c3
    author: A. Developer
    email: dev@example.org
    subject: "feat: add transfers"
    time: "2026-01-31T12:00:00+00:00"
    branch: main
ref:
  description: What O(ref) was, and whether it is a V(branch), a V(tag) or a V(commit).
  type: dict
  returned: success
  sample: {name: main, kind: branch}
path:
  description: Directory of the checkout.
  type: str
  returned: success
mirror:
  description: Directory of the mirror, and whether it is V(new), was V(updated), V(unchanged), or V(remade) because it was damaged.
  type: dict
  returned: success and not in check mode
  sample: {path: /var/cache/j4c/git/orders-0a1b2c3d4e5f.git, state: updated}
set_aside:
  description: Where the checkout is that somebody worked in, or an empty string.
  type: str
  returned: when a checkout was made
steps:
  description: The steps that were done, or would be.
  type: list
  elements: dict
  returned: always
evidence:
  description: The checkout before and after, and the paths that git ignored in it, which are gone.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._git.source import bring
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "cache": {"type": "path", "required": True},
            "credentials_file": {"type": "path"},
            "lock_timeout": {"type": "float", "default": 300.0},
            "own_work": {"type": "str", "choices": ["refuse", "set_aside"], "default": "refuse"},
            "path": {"type": "path", "required": True},
            "ref": {"type": "str", "default": "main"},
            "ssh_key": {"type": "path", "no_log": False},
            "ssh_known_hosts": {"type": "path"},
            "submodules": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 600.0},
            "url": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: bring(module.params, module.check_mode))


if __name__ == "__main__":
    main()

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
  - Looks whether a clone is clean, on the branch that releases are made from, and the same as its remote, and whether it has
    something that must not be released, such as secrets, files that are too large, conflict markers, or submodules that are not as
    committed.
  - Every reason against a release is told at once, with the files, lines and commits that it is about. The clone is never changed,
    fetching only updates what git knows of the remote.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._git_access
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
  - detect-secrets 1.5 or newer, unless O(secrets) is V(off)
options:
  branch:
    description: Branch that releases are made from.
    type: str
    default: main
  commit:
    description:
      - Id of the commit that is to be released. HEAD must be at it, and it must be part of the branch of the remote.
      - Empty for the last commit of the branch, which must be checked out.
    type: str
    default: ""
  commit_messages:
    description:
      - Whether messages that are not conventional are a reason against a release, are only told, or are not looked at.
      - Looks at the commits since O(released_commit), or at the last one. Merges may be called anything.
    type: str
    choices: ["off", warn, abort]
    default: warn
  commit_scopes:
    description: The scopes that a conventional message may have. Any when empty.
    type: list
    elements: str
    default: []
  commit_types:
    description: The types that a conventional message may have.
    type: list
    elements: str
    default: [build, chore, ci, docs, feat, fix, perf, refactor, revert, style, test]
  exempt:
    description:
      - Patterns of paths that are neither looked at for secrets and conflict markers nor measured.
      - C(*) matches slashes too.
    type: list
    elements: str
    default: []
  fetch:
    description: Whether commits of the remote are fetched. Otherwise the remote is only asked.
    type: bool
    default: true
  max_file_mb:
    description:
      - Megabytes (10^6 bytes) that a file may have, in the tree or in a commit since O(released_commit).
      - V(0) for no limit.
    type: float
    default: 10
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
  secrets:
    description:
      - Whether suspected secrets are a reason against a release, are only told, or are not looked for.
      - Looks at the lines that were added since O(released_commit), committed or not, or at the whole working tree.
      - The secrets themselves are in no result, and nobody is asked whether they are valid.
    type: str
    choices: ["off", warn, abort]
    default: "off"
  secrets_baseline:
    description: File of detect-secrets with the findings that are known to be none, relative to the clone. Empty for none.
    type: str
    default: ""
  tag:
    description: Pattern of the tag that HEAD must have, for example V(v*). Empty when it needs none.
    type: str
    default: ""
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

- name: Verify what is new since the release that runs
  j4c.deploy.git_verify:
    path: /srv/build/aurigraph-v11
    released_commit: v11.4.4
    commit_messages: abort
    secrets: abort
    secrets_baseline: .secrets.baseline
    exempt: ["src/test/*"]
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
tags:
  description: The tags of that commit, as far as the clone has them.
  type: list
  elements: str
  returned: when the clone could be read
  sample: [v11.4.5]
changes:
  description: What changed since O(released_commit), or null. C(undone) are commits that were released and are not part of HEAD.
  type: dict
  returned: when the clone could be read
  sample:
    since: 9f8e7d6
    files: 2
    insertions: 10
    deletions: 3
    stat: [" 2 files changed"]
    commits: ["0a1b2c3 feat: add transfers"]
    undone: []
reasons:
  description:
    - The reasons against a release, each with a code that stays the same and the places that it is about.
    - A place has C(path), and C(line) and C(commit) where there is one.
    - The codes are V(dirty), V(unmerged), V(untracked), V(detached), V(branch), V(no_upstream), V(behind), V(ahead), V(diverged),
      V(commit), V(not_on_branch), V(tag), V(submodule_missing), V(submodule_moved), V(submodule_dirty), V(shallow),
      V(released_unknown), V(conflict_marker), V(large_file), V(message), V(secret) and V(secrets_not_looked_for).
  type: list
  elements: dict
  returned: when the clone could be read
  sample: [{code: dirty, msg: "1 tracked file is changed: pom.xml.", hint: Commit or restore them., places: [{path: pom.xml}]}]
remarks:
  description: The same of what is only told, because O(commit_messages) or O(secrets) is V(warn).
  type: list
  elements: dict
  returned: when the clone could be read
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
from ansible_collections.j4c.deploy.plugins.module_utils._git.policy import TYPES
from ansible_collections.j4c.deploy.plugins.module_utils._git.verify import verify
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "branch": {"type": "str", "default": "main"},
            "commit": {"type": "str", "default": ""},
            "commit_messages": {"type": "str", "choices": ["off", "warn", "abort"], "default": "warn"},
            "commit_scopes": {"type": "list", "elements": "str", "default": []},
            "commit_types": {"type": "list", "elements": "str", "default": list(TYPES)},
            "credentials_file": {"type": "path"},
            "exempt": {"type": "list", "elements": "str", "default": []},
            "fetch": {"type": "bool", "default": True},
            "max_file_mb": {"type": "float", "default": 10.0},
            "path": {"type": "path", "required": True},
            "released_commit": {"type": "str", "default": ""},
            "remote": {"type": "str", "default": "origin"},
            "secrets": {"type": "str", "choices": ["off", "warn", "abort"], "default": "off", "no_log": False},
            "secrets_baseline": {"type": "str", "default": "", "no_log": False},
            "ssh_key": {"type": "path", "no_log": False},
            "ssh_known_hosts": {"type": "path"},
            "tag": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: verify(module.params, module.check_mode))


if __name__ == "__main__":
    main()

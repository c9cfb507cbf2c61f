#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_publish
short_description: Publish a commit, or take commits back with a new one
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Commits named paths with a conventional message, pushes the commit and verifies that it is in the history of the remote's branch.
  - Takes the commits of a failed release back with a new commit. History is never rewritten, and nothing is pushed by force.
  - The commit is pushed before the branch of the clone moves. When the push is refused, or the commits cannot be taken back, the clone is as it was.
  - Commits of the branch that are not pushed yet are pushed with it. Hooks of the clone are not run, commits are not signed.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._git_access
attributes:
  check_mode:
    support: full
    details: The remote is asked, nothing is fetched, committed or pushed.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - git 2.31 or newer
  - detect-secrets 1.5 or newer, when O(secrets) is V(abort)
options:
  author_email:
    description: Address of whoever commits. Git's own settings count when this or O(author_name) is empty.
    type: str
    default: ""
  author_name:
    description: Name of whoever commits.
    type: str
    default: ""
  branch:
    description: Branch that is checked out and pushed.
    type: str
    default: main
  commit_message:
    description:
      - Message of the commit. Its first line must be conventional, that is a type, a scope in parentheses or none, a colon, and a description.
      - May be empty when O(state=reverted). It names the commits then.
    type: str
    default: ""
  commit_scopes:
    description: The scopes that the message may have. Any when empty.
    type: list
    elements: str
    default: []
  commit_types:
    description: The types that the message may have.
    type: list
    elements: str
    default: [build, chore, ci, docs, feat, fix, perf, refactor, revert, style, test]
  path:
    description: Directory of the clone.
    type: path
    required: true
  paths:
    description: Files and directories, relative to the clone, that are committed as they are. What is gone is removed.
    type: list
    elements: str
    default: []
  reason:
    description: Why the commits are taken back, for the message.
    type: str
    default: ""
  remote:
    description: Name of the remote.
    type: str
    default: origin
  secrets:
    description: Whether the lines that are added are looked at for secrets, and refused when they are suspected of having one.
    type: str
    choices: ["off", abort]
    default: "off"
  secrets_baseline:
    description: File of detect-secrets with the findings that are known to be none, relative to the clone. Empty for none.
    type: str
    default: ""
  since:
    description: Id or tag of the last good commit. What came after it, up to O(until), is taken back.
    type: str
    default: ""
  state:
    description: Whether O(paths) are V(published), or the commits after O(since) are V(reverted).
    type: str
    choices: [published, reverted]
    default: published
  timeout:
    description: Seconds that one git command may take.
    type: float
    default: 60
  until:
    description: Id or tag of the last commit that is taken back. Empty for the last one of the branch.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Publish the new version
  j4c.deploy.git_publish:
    path: /srv/build/orders
    paths: [pom.xml, CHANGELOG.md]
    commit_message: "chore(release): make version 1.4.0"

- name: Take back what was released
  j4c.deploy.git_publish:
    path: /srv/build/orders
    state: reverted
    since: v1.3.0
    reason: Orders were booked twice.
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
code:
  description:
    - Why it failed. V(rejected) when somebody was faster (both sides' commits are in RV(evidence)), V(refused) when the remote does not take
      it, V(conflict) when what came after does not fit, V(secret) or V(secrets_not_looked_for).
  type: str
  returned: when one of these is why
  sample: rejected
commit:
  description: The commit that the branch is at.
  type: dict
  returned: success
  sample:
    id: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
    short: 0a1b2c3
    author: A. Developer
    email: dev@example.org
    subject: "chore(release): make version 1.4.0"
    time: "2026-01-31T12:00:00+00:00"
    branch: main
pushed:
  description: The commits that the remote got.
  type: list
  elements: str
  returned: success
  sample: ["0a1b2c3 chore(release): make version 1.4.0"]
steps:
  description: The steps that were done, or would be.
  type: list
  elements: dict
  returned: always
evidence:
  description: The paths that change, the commits of both sides before, and the commits that were taken back.
  type: dict
  returned: success, and when somebody was faster
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._git.policy import TYPES
from ansible_collections.j4c.deploy.plugins.module_utils._git.publish import publish
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "author_email": {"type": "str", "default": ""},
            "author_name": {"type": "str", "default": ""},
            "branch": {"type": "str", "default": "main"},
            "commit_message": {"type": "str", "default": ""},
            "commit_scopes": {"type": "list", "elements": "str", "default": []},
            "commit_types": {"type": "list", "elements": "str", "default": list(TYPES)},
            "credentials_file": {"type": "path"},
            "path": {"type": "path", "required": True},
            "paths": {"type": "list", "elements": "str", "default": []},
            "reason": {"type": "str", "default": ""},
            "remote": {"type": "str", "default": "origin"},
            "secrets": {"type": "str", "choices": ["off", "abort"], "default": "off", "no_log": False},
            "secrets_baseline": {"type": "str", "default": "", "no_log": False},
            "since": {"type": "str", "default": ""},
            "ssh_key": {"type": "path", "no_log": False},
            "ssh_known_hosts": {"type": "path"},
            "state": {"type": "str", "choices": ["published", "reverted"], "default": "published"},
            "timeout": {"type": "float", "default": 60.0},
            "until": {"type": "str", "default": ""},
        },
        required_if=[("state", "published", ("paths", "commit_message")), ("state", "reverted", ("since",))],
        supports_check_mode=True,
    )
    run_module(module, lambda: publish(module.params, module.check_mode))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_release
short_description: Release a docker compose service without a failed request, and roll it back
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Starts a new version of a service beside the live one, checks it, moves the traffic by one rename that the gateway reads for
    each request, and parks the old version so that it is back in milliseconds.
  - The work is done by an engine process on the server that goes on when the connection or the controller dies. A run that was
    killed is brought to a good end by the next one. A signal makes the engine go back in order.
  - The role C(j4c.deploy.stack) sets up the gateway and the networks that this module needs.
extends_documentation_fragment:
  - j4c.deploy._attributes
  - j4c.deploy._health
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - docker (Python library)
  - requests (Python library)
  - Docker Compose 2.20 or newer
options:
  addresses:
    description: Fixed addresses of the slots on the edge network, a dictionary with the keys V(blue) and V(green).
    type: dict
    required: true
  aot:
    description:
      - Give the containers of the release a place for a start-up cache, which M(j4c.deploy.release_aot) trains.
      - It is mounted read-only at C(/j4c-aot), and the JVM is told by C(JDK_JAVA_OPTIONS) to read its options from a file there,
        which is empty as long as there is no cache.
    type: bool
    default: false
  commit:
    description: Commit that the image was built from. Read from the image's label C(org.opencontainers.image.revision) when empty.
    type: str
    default: ""
  compose:
    description: Text of the service's compose file. Required for O(state=released).
    type: str
  database:
    description:
      - PostgreSQL container whose sessions of a slot are watched. A slot is parked only when it has no open transaction, and its
        sessions are ended.
    type: dict
    suboptions:
      container:
        description: Name of the container.
        type: str
        required: true
      name:
        description: Name of the database.
        type: str
        required: true
      user:
        description: Name of a superuser that may connect from inside the container without a password.
        type: str
        required: true
  decision:
    description: What is decided about a release that waits for its seal, for O(state=sealed).
    type: str
    choices: [SUCCESS, REVIEW, ROLLBACK]
    default: SUCCESS
  drain_timeout:
    description:
      - Seconds to wait until nothing is open on the slot that lost its traffic. It is not parked when something still is, nothing
        is cut off.
    type: float
    default: 120
  force_reason:
    description: Why a release that was taken back may be released again, or be rolled back to.
    type: str
    default: ""
  gateway_url:
    description: URL of the gateway as this server reaches it, for example V(http://127.0.0.1:9003).
    type: str
    required: true
  identity:
    description: Where the service tells its commit. Without it the image id of the container is the proof.
    type: dict
    suboptions:
      path:
        description: Path of a JSON document.
        type: str
        required: true
      pointer:
        description: JSON pointer to the commit in it.
        type: str
        required: true
  image:
    description: Name or id of the image to release. Required for O(state=released).
    type: str
  keep:
    description: Number of sealed releases that are kept with their images, besides the live one and the standby.
    type: int
    default: 5
  lock_timeout:
    description: Seconds to wait for another run on the same service. V(0) refuses at once and names it.
    type: float
    default: 0
  min_free_mb:
    description: MiB that must be free for the state and for the Docker engine before anything is changed.
    type: int
    default: 1024
  port:
    description: Port that the service listens on in its container.
    type: int
    required: true
  project_dir:
    description: Directory on the server that relative paths in the compose file start at.
    type: path
    required: true
  reason:
    description: Why a release is rolled back. It is kept, and shown when somebody tries to release it again.
    type: str
    default: ""
  release:
    description:
      - Id of the release. For O(state=released) the id that it gets, C(<version>-<commit>) when empty. For
        O(state=rolled_back) the kept release to go back to, the one that was sealed before the live one when empty.
    type: str
    default: ""
  run:
    description: The run whose release is sealed, RV(run) of the release. The waiting one when empty.
    type: str
    default: ""
  seal_timeout:
    description:
      - Seconds that a release waits for O(state=sealed) after its switch before it takes itself back.
      - With V(0) it seals itself.
    type: float
    default: 0
  service:
    description: Name of the service in the compose file.
    type: str
    required: true
  slot_ports:
    description: Ports on 127.0.0.1 where the slots are checked, a dictionary with the keys V(blue) and V(green).
    type: dict
    required: true
  standby:
    description: What becomes of the old version.
    type: str
    choices: [paused, running, stopped, none]
    default: paused
  startup_timeout:
    description: Seconds that a new version has to become healthy.
    type: float
    default: 90
  state:
    description:
      - V(released) brings O(image) live.
      - V(rolled_back) goes back to an earlier release.
      - V(sealed) gives a release that waits for its seal the decision O(decision).
    type: str
    choices: [released, rolled_back, sealed]
    default: released
  state_dir:
    description: Directory for the state of all services on this server.
    type: path
    required: true
  strategy:
    description:
      - V(blue_green) starts the new version beside the old one.
      - V(recreate) stops the old one first, for services that must never run twice. The time without an answer is in
        RV(downtime_seconds).
    type: str
    choices: [blue_green, recreate]
    default: blue_green
  version:
    description: Version of the release. Read from the image's label C(org.opencontainers.image.version) when empty.
    type: str
    default: ""
  warm_up:
    description: Requests to a new version before it gets traffic.
    type: dict
    suboptions:
      paths:
        description: Paths that are asked for in turn.
        type: list
        elements: str
        required: true
      requests:
        description: Number of requests.
        type: int
        default: 50
  watch_seconds:
    description: Seconds that the checks are repeated after the switch before the release counts as good.
    type: float
    default: 3
"""

EXAMPLES = r"""
- name: Release version 11.4.4
  j4c.deploy.compose_release: &service
    service: aurigraph-v11
    image: aurigraph-v11:11.4.4
    compose: "{{ lookup('ansible.builtin.file', 'compose.yaml') }}"
    state_dir: /var/lib/j4c
    project_dir: /var/lib/j4c/aurigraph-v11/config
    port: 9003
    gateway_url: http://127.0.0.1:9003
    addresses: {blue: 10.193.93.11, green: 10.193.93.12}
    slot_ports: {blue: 19003, green: 29003}
    checks:
      - name: health
        kind: http
        path: /q/health
        json:
          /status: UP

- name: Go back to the release before
  j4c.deploy.compose_release:
    <<: *service
    state: rolled_back
    reason: error rate
"""

RETURN = r"""
outcome:
  description:
    - How it ended. V(UNCHANGED) means that it was live already, V(FAILED_SAFE) that nothing was changed, V(PREPARED) that the
      release serves and waits for its seal, V(PLANNED) that check mode stopped after the plan,
      V(INTERRUPTED) that the engine was killed or could not move the traffic back; the next run ends it first.
    - The module fails when a release ends as V(ROLLED_BACK) or V(FAILED_SAFE).
  type: str
  returned: always
  choices: [DEPLOYED, ROLLED_BACK, REVIEW, FAILED_SAFE, UNCHANGED, PREPARED, PLANNED, INTERRUPTED, RUNNING]
  sample: DEPLOYED
release:
  description: The release that this run was about, null when it was refused before one was known.
  type: dict
  returned: always
  sample:
    id: 11.4.4-0a1b2c3
    service: aurigraph-v11
    version: 11.4.4
    commit: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
    image: {id: "sha256:6f1e", name: "aurigraph-v11:11.4.4"}
    artifact: 0d6c
    config_hash: 5b3f
    created: "2026-01-31T12:00:00.000Z"
    sealed: "2026-01-31T12:00:12.000Z"
    restart: unless-stopped
slot:
  description: The slot that the release is in, empty when it was refused.
  type: str
  returned: always
  sample: green
live:
  description: What serves now.
  type: dict
  returned: always
  sample: {slot: green, release: 11.4.4-0a1b2c3, since: "2026-01-31T12:00:12.000Z"}
standby:
  description: What can be gone back to in a moment, and the mode it waits in.
  type: dict
  returned: always
  sample: {slot: blue, release: 11.4.3-9f8e7d6, since: "2026-01-31T12:00:12.000Z", mode: paused}
run:
  description: Id of the run, the name of its record on the server.
  type: str
  returned: always
  sample: 20260131T120000000Z-1a2b3c
phase:
  description: The phase of the pipeline.
  type: str
  returned: always
  sample: service_deployment
decision:
  description: What the phase decided.
  type: str
  returned: always
  sample: SUCCESS
steps:
  description: The steps that were done, or in check mode would be.
  type: list
  elements: dict
  returned: always
  sample: [{name: switch, seconds: 0.01, result: ok, detail: from blue to green}]
health:
  description: The last round of checks.
  type: dict
  returned: always
evidence:
  description: What a failed version left, its answers to the checks, its last 50 log lines and its container's state.
  type: dict
  returned: always
problems:
  description: What of the way back failed, or could not be recorded.
  type: list
  elements: str
  returned: when a release was taken back
  sample: []
seconds:
  description: How long the run took on the server.
  type: float
  returned: always
  sample: 8.2
downtime_seconds:
  description: How long the service did not answer. Always 0 with O(strategy=blue_green).
  type: float
  returned: always
  sample: 0.0
recovered:
  description: What was done about an earlier run that was interrupted.
  type: str
  returned: always
  sample: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._release.commands import MODULE_SPEC, run_state


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=MODULE_SPEC,
        required_if=[("state", "released", ("image", "compose"))],
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    run_module(module, lambda: run_state(module.params, module.check_mode))


if __name__ == "__main__":
    main()

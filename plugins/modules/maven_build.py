#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maven_build
short_description: Build a Maven project into a store of verified artifacts
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Runs the project's Maven wrapper and keeps the verified artifact outside C(target/), so that a failed build leaves the one
    before usable.
  - When everything that decides the artifact is the same as for a stored one, Maven is not run.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
    details: RV(artifact) is null when Maven would be run.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - A JDK that the pom asks for
  - Maven wrapper in the project
options:
  build_fallback:
    description:
      - What is built instead when a native build cannot be made, or fails for a reason that lies in native code.
      - The result says so in RV(fallback), in the message and in a warning.
    type: str
    choices: [none, jvm]
    default: none
  events:
    description:
      - File that progress messages are appended to, one JSON object a line, for each goal and at least every 5 seconds.
      - Empty for none.
    type: path
    default: ""
  goals:
    description: Goals and further arguments of Maven.
    type: list
    elements: str
    default: [package]
  inputs:
    description: Files and directories, relative to O(project), that decide the artifact beside those that are found.
    type: list
    elements: str
    default: []
  java_home:
    description: JDK to build with. When empty, C(JAVA_HOME) if it is new enough, otherwise the newest one that is installed.
    type: path
    default: ""
  keep:
    description: Number of artifacts that are kept, at least 1. The latest one and those in O(released) are kept in any case.
    type: int
    default: 5
  keep_days:
    description: Days after which an artifact is removed, the latest one and those in O(released) excepted. 0 is for ever.
    type: float
    default: 0
  limits:
    description: Limits of the build and its artifact, where those of the profile do not fit. 0 is without a limit.
    type: dict
    default: {}
    suboptions:
      artifact_mb:
        description: Size of all files of the artifact, in MiB.
        type: float
      memory_mb:
        description: The most that all processes of the build hold at a time, in MiB. Beyond it the build is ended.
        type: float
      startup_ms:
        description: Budget of the service's start in milliseconds. It is told in RV(limits) and compared by who starts it.
        type: int
  lock_timeout:
    description: Seconds to wait for another build of the same project or in the same store. 0 says at once who holds it.
    type: float
    default: 1800
  main:
    description:
      - Main file that the build makes, below O(project), for example V(target/app.jar). Its last part may have a C(*).
      - A file directly in C(target) is kept with what the C(Class-Path) of its manifest names, one in a directory of its own
        with all of that directory.
      - When empty, C(target/quarkus-app/quarkus-run.jar), or C(target/*-runner) for native profiles.
    type: str
    default: ""
  name:
    description: Name of the artifact.
    type: str
    required: true
  profile:
    description:
      - What is built, a JVM application or a native executable.
      - V(native-fast) and V(native) need Maven profiles of these names in the pom, and C(native-image) or a builder image
        on the builder. The module fails at once when there is neither.
    type: str
    choices: [jvm, native-fast, native]
    default: jvm
  project:
    description: Directory of the Maven project.
    type: path
    required: true
  properties:
    description:
      - Properties to set, without C(-D).
      - They are arguments of a process, which everybody on the builder can see. Secrets belong into Maven's settings.
    type: dict
    default: {}
  released:
    description: Fingerprints or commits whose artifacts are never removed, whole or at least their first 7 digits.
    type: list
    elements: str
    default: []
  retries:
    description: How often Maven is run again after a fault of the network.
    type: int
    default: 1
  store:
    description: Directory of the artifact store.
    type: path
    required: true
  task_id:
    description: Name of the work in O(events). Empty makes one.
    type: str
    default: ""
  tests:
    description: Whether the unit tests are run.
    type: bool
    default: false
  timeout:
    description: Seconds until a build is ended, with every process that it started. 0 takes those of the profile.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Build the service
  j4c.deploy.maven_build:
    project: /srv/build/aurigraph-v11
    name: aurigraph-v11-standalone
    store: /var/lib/j4c/artifacts

- name: Build a native executable, or the JVM application where that cannot be done
  j4c.deploy.maven_build:
    project: /srv/build/aurigraph-v11
    name: aurigraph-v11-standalone
    store: /var/lib/j4c/artifacts
    profile: native-fast
    build_fallback: jvm
    events: /var/lib/j4c/events.jsonl

- name: Build a Spring Boot service
  j4c.deploy.maven_build:
    project: /srv/build/orders
    name: orders
    store: /var/lib/j4c/artifacts
    main: target/orders-*.jar
    limits:
      artifact_mb: 80
"""

RETURN = r"""
artifact:
  description: The verified artifact. After a failure the one that stays usable, or null.
  type: dict
  returned: always
  sample:
    name: aurigraph-v11-standalone
    version: 11.4.4
    path: /var/lib/j4c/artifacts/aurigraph-v11-standalone/5f2c
    main: quarkus-app/quarkus-run.jar
    fingerprint: 5f2c
    sha256: 9b1d
    files: 166
    size: 25165824
    created: "2026-01-31T12:00:00Z"
build:
  description: What the build took, or null when Maven was not run.
  type: dict
  returned: always
  sample: {seconds: 11.2, peak_memory_bytes: 612000000, cpu_seconds: 19.8, profile: jvm, command: ./mvnw -B package -DskipTests, log: build.log}
reason:
  description: Why Maven was run, or V(fingerprint).
  type: str
  returned: success
  sample: "changed inputs: src"
changed_inputs:
  description: The groups of inputs that differ from those of the latest artifact.
  type: list
  elements: str
  returned: success
  sample: [src]
failure:
  description: What the build died of, with evidence, what it is about, and remedies in order.
  type: dict
  returned: when the build failed for a reason that is known by name
  sample:
    code: compile
    evidence: ["42: [ERROR] COMPILATION ERROR :"]
    subjects: ["src/main/java/org/example/App.java:[5,28]"]
    remedies: [Mend the named lines.]
    retry: false
fallback:
  description: The profile that was asked for, the one that was built instead, and why. Null when it is the one asked for.
  type: dict
  returned: success
  sample: {from: native-fast, to: jvm, failure: {code: native_missing}}
limits:
  description: The limits of the build and its artifact; 0 is without a limit.
  type: dict
  returned: success
  sample: {seconds: 1800, memory_bytes: 8589934592, artifact_bytes: 367001600, startup_ms: 5000}
phase:
  description: The phase of the pipeline that was reached.
  type: str
  returned: always
  sample: artifact_verification
decision:
  description: What the phase decided.
  type: str
  returned: always
  sample: PROCEED
steps:
  description: The steps that were done.
  type: list
  elements: dict
  returned: always
evidence:
  description:
    - Hashes of the groups of inputs, and the JDK with its version.
    - When Maven failed, its errors and the lines of the log that show the cause.
    - When a native build failed, where ForkJoinPool is initialised at run time (C(forkjoinpool_flag)), and the sources
      that use its common pool (C(forkjoinpool_users)).
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._maven_build import build
from ansible_collections.j4c.deploy.plugins.module_utils._maven_profiles import PROFILES
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module

LIMITS = {
    "artifact_mb": {"type": "float"},
    "memory_mb": {"type": "float"},
    "startup_ms": {"type": "int"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "build_fallback": {"type": "str", "default": "none", "choices": ["none", "jvm"]},
            "events": {"type": "path", "default": ""},
            "goals": {"type": "list", "elements": "str", "default": ["package"]},
            "inputs": {"type": "list", "elements": "str", "default": []},
            "java_home": {"type": "path", "default": ""},
            "keep": {"type": "int", "default": 5},
            "keep_days": {"type": "float", "default": 0.0},
            "limits": {"type": "dict", "default": {}, "options": LIMITS},
            "lock_timeout": {"type": "float", "default": 1800.0},
            "main": {"type": "str", "default": ""},
            "name": {"type": "str", "required": True},
            "profile": {"type": "str", "default": "jvm", "choices": list(PROFILES)},
            "project": {"type": "path", "required": True},
            "properties": {"type": "dict", "default": {}},
            "released": {"type": "list", "elements": "str", "default": []},
            "retries": {"type": "int", "default": 1},
            "store": {"type": "path", "required": True},
            "task_id": {"type": "str", "default": ""},
            "tests": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 0.0},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: build(module.params, module.check_mode))


if __name__ == "__main__":
    main()

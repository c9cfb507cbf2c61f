#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_image
short_description: Build an image from a verified artifact when something that decides it has changed
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Builds with BuildKit from a context that holds only the files of the artifact, sorted by how often they change,
    all with the same time and mode. What did not change is the same layer in the next image, and the same inputs give
    the same image.
  - The context has the directories C(10-libraries), C(15-own-libraries), C(20-framework) and C(30-application), each
    to be copied onto C(/) with C(COPY 10-libraries/ /) and so on. The files come to lie below C(/app). For a Quarkus
    fast-jar the libraries, what Quarkus generates once, and what every build writes anew are in different
    directories. For anything else the folders C(lib), C(libs) and C(dependency) beside the main file are libraries,
    the rest is the application. C(15-own-libraries) has files only when the Dockerfile copies it, see
    O(own_libraries).
  - Every file is compared with the checksum of the artifact's manifest while it is copied.
  - Before anything is built, the Dockerfile must parse and pass the policy, see O(policy).
  - What was built gets its name only when it has passed its own checks, see O(budget) and O(leak_scan). Until then, the
    tags name the image that they named before.
  - A bill of materials (CycloneDX) and a statement of provenance (in-toto, SLSA) are kept beside the artifact.
  - Nothing is built when the image that has the tag was built from the same inputs. The inputs are the files of the
    artifact, the Dockerfile, the build arguments, the labels, the commit and the base images. A base image that the
    engine does not have is pulled first, so that it has its name there. Another image behind that name, or none, is
    noticed with the next run; a newer one in the registry is not, before somebody pulls it.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - docker (Python library)
  - Docker Buildx 0.13 or newer
options:
  args:
    description: Build arguments. They can be read in the history of the image, so no secret belongs here.
    type: dict
    default: {}
  artifact:
    description:
      - The artifact as RV(j4c.deploy.maven_build#module:artifact) describes it.
      - V(path) is a directory with a C(manifest.json) and the files that it names. V(name), V(version), V(main),
        V(fingerprint) and V(sha256) are taken from the manifest when they are not given.
      - In check mode the directory need not exist.
    type: dict
    required: true
  budget:
    description: Limits of the image's size, in MB of 1,000,000 bytes; V(0) is no limit.
    type: dict
    default: {}
    suboptions:
      action:
        description: What happens to an image that is over a limit.
        type: str
        choices: [refuse, warn]
        default: refuse
      new_mb:
        description: Limit of the layers that O(released_image) does not have.
        type: float
        default: 0
      size_mb:
        description: Limit of the image.
        type: float
        default: 0
  cache:
    description:
      - Let BuildKit use the layers that it built before. Without them, a needed build takes longer.
      - BuildKit knows files by their content. A layer that another build on this engine made from the same files, with
        other times, is used as it is. V(false) gives the same image on every engine of the same kind.
    type: bool
    default: true
  cache_from:
    description:
      - Images whose layers BuildKit may use too, besides what the engine has in its own cache. They must have been
        built with cache metadata.
      - This module makes none, because it would give each build of the same image another id.
    type: list
    elements: str
    default: []
  commit:
    description:
      - The commit that the artifact was built from, with V(id), V(short) and V(time) as
        RV(j4c.deploy.git_verify#module:commit) describes it.
      - Its time is the time of the image. Without a commit that is the time of the artifact.
    type: dict
    default: {}
  dockerfile:
    description: Path of the Dockerfile.
    type: path
    required: true
  documents:
    description: Directory for the bill of materials and the provenance. That of the artifact when omitted or empty.
    type: path
    default: ''
  labels:
    description: Further labels. They win over the labels C(org.opencontainers.image.*) made here.
    type: dict
    default: {}
  layout:
    description: How the files of the artifact are sorted. V(auto) knows a Quarkus fast-jar by its files.
    type: str
    choices: [auto, files, quarkus]
    default: auto
  leak_scan:
    description:
      - Looks for secrets in the history of the image, in its environment, and in the layers that neither the base image
        nor O(released_image) has, also inside of jars. It knows private keys, tokens, passwords in URLs and settings,
        files that are secrets by their name, and the values of O(secrets).
      - Where the layers of the engine cannot be read (not root, another image store, an engine elsewhere), the image
        is saved for this, which takes seconds.
    type: dict
    default: {}
    suboptions:
      action:
        description: What happens to an image with a secret. V(skip) does not look, and does not measure what is wasted.
        type: str
        choices: [refuse, warn, skip]
        default: refuse
      exceptions:
        description: What is let pass.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Path in the image as RV(evidence) shows it, V(*) is anything.
            type: str
            required: true
          reason:
            description: Why this may be in the image.
            type: str
            required: true
  min_free_mb:
    description:
      - MB that must be free besides the size of the artifact, on the disk of the build context and on that of the
        engine.
    type: float
    default: 256
  name:
    description: Name of the image without a tag, with its registry if it has one.
    type: str
    required: true
  own_libraries:
    description:
      - Patterns of file names of libraries that change more often than others, for example V(com.example.*). They and
        all snapshots are in the directory C(15-own-libraries) when the Dockerfile copies that, else among the other
        libraries.
    type: list
    elements: str
    default: []
  policy:
    description:
      - What a Dockerfile must not have. Every finding has a rule, a severity, a line and a remedy; all are in
        C(findings) of RV(evidence), those that are not refused are warnings, except for V(info).
      - Errors are a base image that is deprecated (V(base_deprecated)), gets no security updates any more
        (V(base_end_of_life)), is not allowed (V(base_denied), V(base_not_allowed)) or has no version (V(base_latest));
        a secret in C(ARG), C(ENV), C(COPY) or any text (V(secret_arg), V(secret_env), V(secret_copy), V(secret_text));
        something copied that the context does not have (V(copy_missing)), or not copied that it has
        (V(artifact_incomplete)).
      - Warnings are a service that runs as root (V(user_root)), C(ADD) of a URL without a checksum (V(add_url)), and
        an order of layers that makes more of them new than must be (V(layer_order), V(layers_merged)).
      - A base image without a digest (V(base_not_pinned)) is V(info).
      - The days on which base images end are data of this collection, each with its source.
    type: dict
    default: {}
    suboptions:
      allow:
        description:
          - Patterns of base images that may be used, all when empty. V(*) is anything; a pattern without a tag is for
            every tag.
        type: list
        elements: str
        default: []
      deny:
        description: Patterns of base images that may not be used.
        type: list
        elements: str
        default: []
      exceptions:
        description: Findings that are let pass.
        type: list
        elements: dict
        default: []
        suboptions:
          reason:
            description: Why they may pass.
            type: str
            required: true
          rule:
            description: Name of the rule, one of this module or of hadolint.
            type: str
            required: true
      hadolint:
        description:
          - Ask hadolint too, where it is installed on the builder. Its rules C(DL...) and C(SC...) count like the others.
        type: bool
        default: true
      refuse:
        description: Findings of this severity or a worse one end the module before anything is built.
        type: str
        choices: [error, warning, info, never]
        default: error
      severities:
        description: Other severities, V(error), V(warning) or V(info), by the name of the rule.
        type: dict
        default: {}
  released_image:
    description: Name or id of the image that is released now, to say which layers are new.
    type: str
    default: ''
  secrets:
    description:
      - Build secrets, each to be mounted with C(RUN --mount=type=secret,id=...) by the command that needs it. They are
        neither in the image nor in its history, nor in the arguments of a command.
      - One that the Dockerfile mounts and that is not given is an error before anything is built, unless the mount says
        C(required=false). The values do not count as inputs of the image.
    type: list
    elements: dict
    default: []
    suboptions:
      env:
        description: Variable in the environment of the module that has the secret.
        type: str
      file:
        description: File on the builder that has the secret.
        type: path
      id:
        description: Its id in the Dockerfile.
        type: str
        required: true
  source:
    description:
      - Address of the source code, for the label C(org.opencontainers.image.source). User, password and query are taken
        out of it.
    type: str
    default: ''
  timeout:
    description: Seconds that the build, and each pull of a base image, may take.
    type: float
    default: 600
  version:
    description:
      - Version of the image. The artifact's version when omitted or empty.
      - The tags are C(name:version) and, with O(commit), C(name:version-commit).
    type: str
    default: ''
seealso:
  - module: j4c.deploy.maven_build
"""

EXAMPLES = r"""
- name: Build the image of a service
  j4c.deploy.container_image:
    name: aurigraph-v11
    commit: "{{ verified.commit }}"
    artifact: "{{ built.artifact }}"
    dockerfile: /srv/aurigraph-v11/Dockerfile
    args:
      RUNTIME: eclipse-temurin:25-jre
    released_image: "{{ serving.image.id }}"
    budget:
      size_mb: 350
      new_mb: 5

- name: Build the image of a Spring Boot service from its own fat jar
  j4c.deploy.container_image:
    name: registry.example.com/shop/orders
    version: 2.1.0
    artifact:
      path: /var/lib/j4c/artifacts/orders/9f2c4a
    dockerfile: /srv/orders/Dockerfile
    source: https://git.example.com/shop/orders
    policy:
      refuse: warning
      allow: ["eclipse-temurin:25-*"]
      severities:
        base_not_pinned: warning
      exceptions:
        - rule: DL3008
          reason: the mirror keeps the newest version of a package only
    own_libraries: ["shop-*.jar"]
    secrets:
      - id: mirror
        file: /etc/j4c/mirror-password
    leak_scan:
      exceptions:
        - path: app/orders.jar!/demo/server.key
          reason: the key of the demo, known to everybody
"""

RETURN = r"""
documents:
  description: The files about the image, each with C(path) and C(sha256). Null where there is no image yet.
  type: dict
  returned: success
  contains:
    provenance:
      description: What it was made from, how, when and by what, an in-toto statement with a SLSA predicate.
      type: dict
    sbom:
      description: The bill of materials, CycloneDX 1.6, with every jar of the artifact.
      type: dict
      sample: {path: /var/lib/j4c/artifacts/orders/9f2c4a/sbom.cdx.json, sha256: 41b0e3}
image:
  description: The image. Null in check mode when it would be built.
  type: dict
  returned: success
  contains:
    created:
      description: The time of the commit or of the artifact.
      type: str
      sample: "2026-11-21T14:35:00Z"
    digest:
      description: Its digest in a registry, null when it was neither pushed nor pulled.
      type: str
    id:
      description: Its id on the engine.
      type: str
      sample: sha256:8a1f6c0e
    labels:
      description: Its labels.
      type: dict
    layers:
      description: Its layers from the lowest up, each with C(id), C(size) in bytes and C(command).
      type: list
      elements: dict
      sample: [{id: "sha256:83de54a9", size: 830212, command: COPY 30-application/ /}]
    name:
      description: Its name without a tag.
      type: str
    size:
      description: Size in bytes.
      type: int
    tags:
      description: Its full names.
      type: list
      elements: str
      sample: ["aurigraph-v11:11.4.4-4f1c2ab", "aurigraph-v11:11.4.4"]
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
  description: What was done, or would be in check mode.
  type: list
  elements: dict
  returned: always
  sample: [{name: build, seconds: 0.9, result: ok, detail: "sha256:8a1f6c0e"}]
evidence:
  description:
    - Why it was built or not (C(reason), C(changed_inputs)), the C(fingerprint) of the inputs, the C(layout) and the
      C(bases), and what the policy found (C(findings)).
    - The C(layers) from the lowest up, each with C(size), C(command), whether it C(changed) against the C(released)
      image, and bytes that it C(wasted) by hiding files below it. Their C(sums) (C(size), C(new), C(wasted) in bytes,
      C(efficiency)). The C(leaks) that are let pass.
    - On failure its class (C(code)), the place in the Dockerfile, and the last C(output) of the step
      that failed.
  type: dict
  returned: always
  sample: {reason: "changed: artifact", changed_inputs: [artifact], layout: quarkus}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._docker import DOCKER_IMPORT_ERROR, connect
from ansible_collections.j4c.deploy.plugins.module_utils._image import ImageBuilder, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner


def exceptions_of(what: str) -> dict[str, t.Any]:
    """Return the argument spec of exceptions: what is let pass, by ``what``, and why."""
    text = {"type": "str", "required": True}
    return {"type": "list", "elements": "dict", "default": [], "options": {"reason": text, what: text}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "args": {"type": "dict", "default": {}},
            "artifact": {"type": "dict", "required": True},
            "budget": {
                "type": "dict",
                "default": {},
                "options": {
                    "action": {"type": "str", "choices": ["refuse", "warn"], "default": "refuse"},
                    "new_mb": {"type": "float", "default": 0.0},
                    "size_mb": {"type": "float", "default": 0.0},
                },
            },
            "cache": {"type": "bool", "default": True},
            "cache_from": {"type": "list", "elements": "str", "default": []},
            "commit": {"type": "dict", "default": {}},
            "dockerfile": {"type": "path", "required": True},
            "documents": {"type": "path", "default": ""},
            "labels": {"type": "dict", "default": {}},
            "layout": {"type": "str", "choices": ["auto", "files", "quarkus"], "default": "auto"},
            "leak_scan": {
                "type": "dict",
                "default": {},
                "options": {
                    "action": {"type": "str", "choices": ["refuse", "warn", "skip"], "default": "refuse"},
                    "exceptions": exceptions_of("path"),
                },
            },
            "min_free_mb": {"type": "float", "default": 256.0},
            "name": {"type": "str", "required": True},
            "own_libraries": {"type": "list", "elements": "str", "default": []},
            "policy": {
                "type": "dict",
                "default": {},
                "options": {
                    "allow": {"type": "list", "elements": "str", "default": []},
                    "deny": {"type": "list", "elements": "str", "default": []},
                    "exceptions": exceptions_of("rule"),
                    "hadolint": {"type": "bool", "default": True},
                    "refuse": {"type": "str", "choices": ["error", "warning", "info", "never"], "default": "error"},
                    "severities": {"type": "dict", "default": {}},
                },
            },
            "released_image": {"type": "str", "default": ""},
            "secrets": {
                "type": "list",
                "elements": "dict",
                "default": [],
                # where they are, never what they are
                "no_log": False,
                "options": {"env": {"type": "str"}, "file": {"type": "path"}, "id": {"type": "str", "required": True}},
            },
            "source": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 600.0},
            "version": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    require(module, "docker", DOCKER_IMPORT_ERROR)
    params = dict(module.params)
    for option in ("args", "labels"):
        params[option] = {key: str(value) for key, value in params[option].items()}
    builder = ImageBuilder(connect, Runner(), Wanted(**params))
    run_module(module, lambda: builder.converge(module.check_mode))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_validate
short_description: Validate a released service with smoke requests and a latency baseline
version_added: 0.1.0
author:
  - The j4c.deploy authors (@j4c)
description:
  - Sends requests to a service, usually through its gateway, and decides from the answers whether the release is good.
  - The module does not fail when the decision is bad, unless O(fail_on) says so. A later task acts on it.
  - Proxies in the environment are ignored, redirects are not followed, and no request is sent twice.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
    details: Smoke requests other than C(GET), C(HEAD) and C(OPTIONS) are left out, and RV(steps) says so.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  fail_on:
    description: Decisions that make the module fail.
    type: list
    elements: str
    choices: [REVIEW, ROLLBACK]
    default: []
  identity:
    description: Proof of which release answers. It counts as a smoke request.
    type: dict
    suboptions:
      path:
        description: Path that is asked for.
        type: str
        required: true
      pointer:
        description: JSON pointer (RFC 6901) to what the service calls itself.
        type: str
        required: true
      value:
        description: What must be there.
        type: str
        required: true
  latency:
    description:
      - The latency baseline. It is left out when this is not given.
      - A request that fails, or is answered with a status other than 2xx, decides for V(ROLLBACK). After five of them no
        more are sent.
    type: dict
    suboptions:
      concurrency:
        description: Requests that are under way at the same time.
        type: int
        default: 1
      on_breach:
        description: What is decided when the baseline is exceeded.
        type: str
        choices: [REVIEW, ROLLBACK]
        default: REVIEW
      p95_ms:
        description: Milliseconds that 95 % of the requests must not exceed, by the nearest-rank method.
        type: float
        default: 500
      path:
        description: Path that is asked for.
        type: str
        required: true
      samples:
        description: Number of requests.
        type: int
        default: 50
      timeout:
        description: Seconds that a whole answer may take.
        type: float
        default: 5
  smoke:
    description: The smoke requests. Each must pass.
    type: list
    elements: dict
    default: []
    suboptions:
      body:
        description: Text to send. It cannot be given together with O(smoke[].json_body).
        type: str
      headers:
        description: Headers to send. Set C(no_log) on the task when one of them is a secret.
        type: dict
      json:
        description: JSON pointers (RFC 6901) and the values that the answer must have there.
        type: dict
      json_body:
        description: Value to send as JSON.
        type: raw
      method:
        description: Method of the request, in capitals.
        type: str
        default: GET
      name:
        description: Name of the request in results, another one for each.
        type: str
        required: true
      path:
        description: Path that is asked for.
        type: str
        required: true
      regex:
        description: Regular expression that must be found in the answer.
        type: str
      status:
        description: Statuses that are good. The default is V([200]).
        type: list
        elements: int
      timeout:
        description: Seconds that the whole answer may take. The default is 5.
        type: float
  url:
    description: Base URL of the service, for example C(http://127.0.0.1:9003).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Validate the release
  j4c.deploy.service_validate:
    url: http://127.0.0.1:9003
    smoke:
      - name: transactions can be listed
        path: /api/v11/transactions
        regex: '"count":[0-9]+'
      - name: a transaction is accepted
        method: POST
        path: /api/v11/transactions
        headers:
          Idempotency-Key: smoke-test
        json_body:
          amount: 1
        status: [200, 201]
    latency:
      path: /api/v11/health
      samples: 50
      p95_ms: 500
"""

RETURN = r"""
decision:
  description:
    - V(ROLLBACK) when a request failed, O(latency.on_breach) when the baseline is exceeded, otherwise V(SUCCESS).
  type: str
  returned: success, or when O(fail_on) holds the decision
  sample: SUCCESS
phase:
  description: The phase of the pipeline.
  type: str
  returned: success, or when O(fail_on) holds the decision
  sample: post_deployment_validation
smoke:
  description: How each smoke request went. C(observed) is cut after 500 characters.
  type: list
  elements: dict
  returned: success, or when O(fail_on) holds the decision
  sample: [{name: list, passed: true, seconds: 0.01, observed: "status 200: {}", expected: status 200, detail: ""}]
latency:
  description:
    - The measured latencies, nearest-rank percentiles of the good answers in milliseconds.
    - C(samples) is the number of requests that were sent, C(failed) of those that failed.
  type: dict
  returned: success, or when O(fail_on) holds the decision
  sample:
    path: /api/v11/health
    samples: 50
    failed: 0
    p50_ms: 3.1
    p95_ms: 5.2
    p99_ms: 9.9
    max_ms: 9.9
    limit_ms: 500
    detail: ""
steps:
  description: The steps that were done or left out, with seconds.
  type: list
  elements: dict
  returned: success, or when O(fail_on) holds the decision
  sample: [{name: latency, seconds: 0.21, result: ok, detail: p95 of /api/v11/health is 5.2 ms.}]
evidence:
  description: What speaks against the release, the smoke requests that failed or the latencies.
  type: dict
  returned: success, or when O(fail_on) holds the decision
  sample: {smoke: [], latency: null}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module
from ansible_collections.j4c.deploy.plugins.module_utils._validate import validate


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "fail_on": {"type": "list", "elements": "str", "default": [], "choices": ["REVIEW", "ROLLBACK"]},
            "identity": {
                "type": "dict",
                "options": {
                    "path": {"type": "str", "required": True},
                    "pointer": {"type": "str", "required": True},
                    "value": {"type": "str", "required": True},
                },
            },
            "latency": {
                "type": "dict",
                "options": {
                    "concurrency": {"type": "int", "default": 1},
                    "on_breach": {"type": "str", "default": "REVIEW", "choices": ["REVIEW", "ROLLBACK"]},
                    "p95_ms": {"type": "float", "default": 500.0},
                    "path": {"type": "str", "required": True},
                    "samples": {"type": "int", "default": 50},
                    "timeout": {"type": "float", "default": 5.0},
                },
            },
            "smoke": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "mutually_exclusive": [["body", "json_body"]],
                "options": {
                    "body": {"type": "str"},
                    "headers": {"type": "dict"},
                    "json": {"type": "dict"},
                    "json_body": {"type": "raw"},
                    "method": {"type": "str", "default": "GET"},
                    "name": {"type": "str", "required": True},
                    "path": {"type": "str", "required": True},
                    "regex": {"type": "str"},
                    "status": {"type": "list", "elements": "int"},
                    "timeout": {"type": "float"},
                },
            },
            "url": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: validate(module.params, module.check_mode))


if __name__ == "__main__":
    main()

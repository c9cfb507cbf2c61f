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
  - The module does not fail when the decision is bad. A later task acts on it.
extends_documentation_fragment:
  - j4c.deploy._attributes
attributes:
  check_mode:
    support: full
    details: Smoke requests that may change something are left out.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  latency:
    description: The latency baseline. It is left out when this is not given.
    type: dict
    suboptions:
      on_breach:
        description: What is decided when the baseline is exceeded.
        type: str
        choices: [REVIEW, ROLLBACK]
        default: REVIEW
      p95_ms:
        description: Milliseconds that 95 % of the requests must not exceed.
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
        description: Seconds that an answer may take.
        type: float
        default: 5
  smoke:
    description: The smoke requests. Each must pass.
    type: list
    elements: dict
    default: []
    suboptions:
      body:
        description: Text to send.
        type: str
      headers:
        description: Headers to send.
        type: dict
      json:
        description: JSON pointers and the values that the answer must have there.
        type: dict
      json_body:
        description: Value to send as JSON.
        type: raw
      method:
        description: Method of the request.
        type: str
        default: GET
      name:
        description: Name of the request in results.
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
        description: Seconds that the answer may take. The default is 5.
        type: float
  url:
    description: Base URL of the service.
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
  returned: success
  sample: SUCCESS
phase:
  description: The phase of the pipeline.
  type: str
  returned: success
  sample: post_deployment_validation
smoke:
  description: How each smoke request went.
  type: list
  elements: dict
  returned: success
  sample: [{name: list, passed: true, seconds: 0.01, observed: "status 200: {}", expected: status 200, detail: ""}]
latency:
  description: The measured latencies, nearest-rank percentiles of the answers that came.
  type: dict
  returned: success
  sample: {path: /api/v11/health, samples: 50, failed: 0, p50_ms: 3.1, p95_ms: 5.2, p99_ms: 9.9, max_ms: 9.9, limit_ms: 500}
steps:
  description: The steps that were done.
  type: list
  elements: dict
  returned: success
evidence:
  description: The smoke requests that failed.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.j4c.deploy.plugins.module_utils._module import run_module
from ansible_collections.j4c.deploy.plugins.module_utils._validate import (
    baseline_from_options,
    smoke_from_options,
    validate,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "latency": {
                "type": "dict",
                "options": {
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
    params = module.params

    def work() -> dict[str, object]:
        smoke, baseline = smoke_from_options(params["smoke"]), baseline_from_options(params["latency"])
        return validate(params["url"].rstrip("/"), smoke, baseline, module.check_mode)

    run_module(module, work)


if __name__ == "__main__":
    main()

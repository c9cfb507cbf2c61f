# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option checks: a health protocol.

This doc fragment is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the option ``checks``."""

    DOCUMENTATION = r"""
options:
  checks:
    description: The health protocol. A service is healthy when every check passes.
    type: list
    elements: dict
    required: true
    suboptions:
      headers:
        description:
          - Headers to send, for the kinds V(http) and V(metrics).
          - Set C(no_log) on the task when one of them is a secret.
        type: dict
      json:
        description: JSON pointers (RFC 6901) and the values that the answer must have there, for the kind V(http).
        type: dict
      json_not_empty:
        description: Whether the answer must be JSON that is not empty, for the kind V(http).
        type: bool
      kind:
        description:
          - V(http) asks for a path and looks at the answer.
          - V(metrics) wants metrics in the text format of Prometheus or OpenMetrics.
          - V(container) wants the container to run, not to have been restarted in the last ten minutes, and its own
            health check, when it has one, not to fail.
          - V(port) wants the port to be bound on the host. Without a container it is V(tcp).
          - V(tcp) wants the port to accept connections.
          - V(grpc) wants C(SERVING) from the health service C(grpc.health.v1) over plain HTTP/2.
        type: str
        required: true
        choices: [container, grpc, http, metrics, port, tcp]
      min_lines:
        description: The metrics must have more lines than this, for the kind V(metrics). The default is 10.
        type: int
      name:
        description: Name of the check in results, another one for each.
        type: str
        required: true
      path:
        description: Path of the URL, for the kinds V(http) and V(metrics). The default is V(/). Redirects are not followed.
        type: str
      port:
        description: Port to use instead of the service's.
        type: int
      service:
        description: Name of the gRPC service, for the kind V(grpc). Without it the server as a whole is asked for.
        type: str
      status:
        description: HTTP statuses that are good, for the kinds V(http) and V(metrics). The default is V([200]).
        type: list
        elements: int
      timeout:
        description: Seconds that the whole answer may take. The default is 2.
        type: float
      version_pointer:
        description:
          - JSON pointer to the version in the answer, for the kind V(http). It is compared when a version is expected.
        type: str
"""

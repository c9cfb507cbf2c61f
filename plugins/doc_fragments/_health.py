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
        description: Headers to send, for the kinds V(http) and V(metrics).
        type: dict
      json:
        description: JSON pointers and the values that the answer must have there, for the kind V(http).
        type: dict
      json_not_empty:
        description: Whether the answer must be JSON that is not empty, for the kind V(http).
        type: bool
      kind:
        description:
          - V(http) asks for a path and looks at the answer.
          - V(metrics) wants Prometheus metrics.
          - V(container) wants the container to run, without having been restarted.
          - V(port) wants the port to be bound on the host.
          - V(tcp) wants the port to accept connections.
        type: str
        required: true
        choices: [container, http, metrics, port, tcp]
      min_lines:
        description: The metrics must have more lines than this. The default is 10.
        type: int
      name:
        description: Name of the check in results.
        type: str
        required: true
      path:
        description: Path of the URL. The default is V(/).
        type: str
      port:
        description: Port to use instead of the target's.
        type: int
      status:
        description: HTTP statuses that are good. The default is V([200]).
        type: list
        elements: int
      timeout:
        description: Seconds that an answer may take. The default is 2.
        type: float
      version_pointer:
        description: JSON pointer to the version in the answer. It is compared when a version is expected.
        type: str
"""

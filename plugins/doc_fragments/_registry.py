# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that use a registry.

This doc fragment is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the options ``credentials``, ``name``, ``retries`` and ``timeout``."""

    DOCUMENTATION = r"""
requirements:
  - docker (Python library)
notes:
  - Whether a registry may speak plain HTTP, and which authorities may sign its certificate, is what the Docker engine of
    the host says (C(insecure-registries) in its settings, and F(/etc/docker/certs.d)). A registry on an address of the
    host itself, 127.0.0.0/8, needs no certificate.
  - Logins that C(docker login) has left are not used.
options:
  credentials:
    description:
      - Path of a file on the host with the login, as JSON with C(username) and C(password). A token is a password.
      - Only its owner may read it (mode 0600), who is root or the user of the task.
      - No login when omitted or empty. It goes to the engine with the request and nowhere else.
    type: path
    default: ''
  name:
    description: Name of the image with its registry and without a tag, such as V(registry.example.com/shop/orders).
    type: str
    required: true
  retries:
    description:
      - How often a step is tried again that failed for a reason that may pass (registry not reached, its own error, too
        many requests), after 1, 2, 4 and so on up to 30 seconds.
      - The engine itself repeats the upload of a layer four times before that.
    type: int
    default: 2
  timeout:
    description: Seconds for everything, with all tries.
    type: float
    default: 600
"""

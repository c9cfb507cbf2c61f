# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that work on a PostgreSQL database and its backups.

This doc fragment is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the shared options."""

    DOCUMENTATION = r"""
options:
  directory:
    description: Directory for the backups of all services. Those of this one are in a directory of its name in it.
    type: path
    required: true
  service:
    description: Name of the service that the database belongs to.
    type: str
    required: true
"""

    SERVER = r"""
options:
  container:
    description: Name of the container that the database server runs in.
    type: str
    required: true
  database:
    description: Name of the database.
    type: str
    required: true
  lock_timeout:
    description: Seconds to wait for another backup or restore of the same service. V(0) refuses at once and names it.
    type: float
    default: 0
  min_free_mb:
    description: MiB that must stay free, besides what is needed.
    type: int
    default: 1024
  password_file:
    description:
      - File on the managed node with the password of O(user). It is not needed when the server trusts connections from inside
        its container, as the official image does.
      - The password gets into a file of mode 0600 in the helper container, which is removed with it. It is never in a list of
        arguments or in an environment.
    type: path
  port:
    description: Port of the server in its container.
    type: int
    default: 5432
  timeout:
    description: Seconds that each part of the work may take.
    type: float
    default: 3600
  user:
    description: User to log in as. It must be able to read, or for a restore to make, the whole database.
    type: str
    required: true
"""

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules get at a git repository.

This doc fragment is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options of credentials, none of which is a secret itself."""

    DOCUMENTATION = r"""
options:
  credentials_file:
    description:
      - File on the managed node with lines C(https://user:password@host), special characters percent-encoded. Its mode must be 0600.
      - Git is answered from it for the host of the repository only, and asks no other credential helper.
      - C(http) is refused with it, except on the loopback interface.
    type: path
  ssh_key:
    description:
      - File on the managed node with the private key for SSH, without a passphrase. Its mode must be 0600.
      - Without it, the keys of the user and its SSH agent are used.
    type: path
  ssh_known_hosts:
    description: File on the managed node with the keys of the hosts that are trusted. Without it, the user's own.
    type: path
"""

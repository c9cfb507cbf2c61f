# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes and requirements that every module documents.

This doc fragment is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Shared parts of the modules' DOCUMENTATION."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and say what it would do, without changing anything.
  diff_mode:
    description: Returns in C(diff_mode) what changed, or in C(check_mode) what would change.
  idempotent:
    description: Run again with nothing changed, it changes nothing and says so.
  action_group:
    description: Use C(group/j4c.deploy.deploy) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - j4c.deploy.deploy
"""

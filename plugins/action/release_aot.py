# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts release_aot from code that is kept on the target."""

from __future__ import annotations

from ansible_collections.j4c.deploy.plugins.plugin_utils._kept import KeptAction


class ActionModule(KeptAction):
    """The action of release_aot."""

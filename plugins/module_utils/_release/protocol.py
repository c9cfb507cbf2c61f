# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release is judged: its health checks and its identity.

They are kept with it. A rollback that were judged by the checks of today would fail where the newer version has something
that the older one never had.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, replace

from ansible_collections.j4c.deploy.plugins.module_utils._health import Check
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Identity, Settings


def protocol_of(settings: Settings) -> dict[str, t.Any]:
    """Return what is kept with a release that is released with ``settings``."""
    identity = asdict(settings.identity) if settings.identity else None
    return {"checks": [asdict(check) for check in settings.checks], "identity": identity}


def with_protocol(settings: Settings, kept: t.Mapping[str, t.Any] | None) -> Settings:
    """Return settings that judge as it was kept; those that are given when nothing usable was."""
    try:
        checks = tuple(Check(**{**item, "status": tuple(item["status"])}) for item in (kept or {})["checks"])
        identity = Identity(**kept["identity"]) if kept and kept["identity"] else None
    except (KeyError, TypeError):
        return settings
    return replace(settings, checks=checks, identity=identity) if checks else settings

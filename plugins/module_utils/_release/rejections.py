# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that were taken back, and may come again only when somebody says why.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, Settings

Rejected = t.Mapping[str, t.Mapping[str, str]]
KEPT = 50


def covers(release_id: str, why: t.Mapping[str, str], release: Release) -> bool:
    """Tell whether a rejection is about a release, whatever id it has by now and whether or not the rejected one is still stored."""
    return release_id == release.id or (why.get("image"), why.get("config_hash")) == (
        release.image["id"],
        release.config_hash,
    )


def reject(rejected: Rejected, release: Release, reason: str, at: str) -> Rejected:
    """Return the rejections with one more; the oldest are forgotten when there are too many."""
    entry = {"at": at, "reason": reason, "image": release.image["id"], "config_hash": release.config_hash}
    ordered = sorted({**rejected, release.id: entry}.items(), key=lambda item: item[1].get("at", ""))
    return dict(ordered[-KEPT:])


def accept(rejected: Rejected, release: Release) -> Rejected:
    """Return the rejections without those of a release."""
    return {key: why for key, why in rejected.items() if not covers(key, why, release)}


def refuse_rejected(wanted: Release, observed: Observed, settings: Settings) -> None:
    """Refuse a release that was taken back before, unless a reason is given.

    :raises DeployError: it was, and there is none.
    """
    if settings.force_reason:
        return
    for release_id, why in observed.state.rejected.items():
        if covers(release_id, why, wanted):
            raise DeployError(
                f"Release '{release_id}' was rolled back at {why.get('at')} ({why.get('reason')}) and '{wanted.id}' is the same "
                "image with the same configuration.",
                hint="Choose another version, or say why it is good now with -e j4c_force_reason='...'.",
            )

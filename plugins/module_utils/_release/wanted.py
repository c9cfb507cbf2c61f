# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the release engine is asked for.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Kind
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release


@dataclass(frozen=True)
class Wanted:
    """What a run is asked for.

    :param kind: ``release`` brings ``release`` with the resolved compose file ``document`` live; ``rollback`` goes back to
        the kept release ``release_id``, or to the one before the live one when that is empty.
    :param reason: why a rollback is asked for.
    """

    kind: Kind
    release: Release | None = None
    document: t.Mapping[str, t.Any] | None = None
    release_id: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """Id of the release that is asked for, as far as it is known."""
        return self.release.id if self.release else self.release_id

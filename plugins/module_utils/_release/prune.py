# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases are kept: the live one, the standby, and the newest sealed ones.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store


def choose_superseded(releases: t.Mapping[str, Release], state: State, keep: int) -> list[Release]:
    """Return the releases to remove. Only sealed ones count against ``keep``; live and standby always stay. Pure."""
    in_use = {entry["release"] for entry in (state.live, state.standby) if entry}
    sealed = sorted(
        (item for item in releases.values() if item.sealed), key=lambda item: item.sealed or "", reverse=True
    )
    kept = in_use | {item.id for item in sealed[:keep]}
    return sorted((item for item in releases.values() if item.id not in kept), key=lambda item: item.id)


def prune_releases(api: t.Any, store: Store, state: State, keep: int) -> list[str]:
    """Remove superseded releases and the images that no kept release uses; return their ids."""
    releases = store.load_releases()
    superseded = choose_superseded(releases, state, keep)
    gone = {item.id for item in superseded}
    needed = {item.image["id"] for item in releases.values() if item.id not in gone}
    for item in superseded:
        store.remove_release(item.id)
        if item.image["id"] not in needed:
            _remove_image(api, item.image["id"])
    return [item.id for item in superseded]


def _remove_image(api: t.Any, image: str) -> None:
    with engine.engine_errors(f"Removing image '{image}'"):
        try:
            api.remove_image(image, force=True)
        except engine.docker.errors.ImageNotFound:
            return
        except engine.docker.errors.APIError as exc:
            # a container that is not ours uses it
            if exc.response is None or exc.response.status_code != 409:
                raise

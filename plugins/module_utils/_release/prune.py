# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases are kept: the live one, the standby, and the newest sealed ones.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import shutil
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
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
    """Remove superseded releases and the images that nothing else uses; return their ids."""
    releases = store.load_releases()
    superseded = choose_superseded(releases, state, keep)
    for item in superseded:
        store.remove_release(item.id)
    if superseded:
        kept = {item.image["id"] for item in releases.values() if item not in superseded}
        for image in {item.image["id"] for item in superseded} - kept:
            shutil.rmtree(aot.directory_of(store.root, image), ignore_errors=True)
        needed = store.images_in_use() | _images_of_containers(api)
        for item in superseded:
            if item.image["id"] and item.image["id"] not in needed:
                _remove_image(api, item.image)
    return [item.id for item in superseded]


def _images_of_containers(api: t.Any) -> set[str]:
    with engine.engine_errors("Listing all containers"):
        return {item["ImageID"] for item in api.containers(all=True)}


def _remove_image(api: t.Any, image: t.Mapping[str, str]) -> None:
    """Take a release's names from its image, and remove it when nobody has given it other names."""
    found = engine.inspect_image(api, image["id"])
    if found is None:
        return
    repository = _repository(image["name"])
    tags = list(found.get("RepoTags") or [])
    ours = [tag for tag in tags if _repository(tag) == repository]
    with engine.engine_errors(f"Removing image '{image['name']}'"):
        # without force: an image that a container has begun to use meanwhile stays
        for name in ours if tags else [image["id"]]:
            try:
                api.remove_image(name, force=False)
            except engine.docker.errors.ImageNotFound:
                continue
            except engine.docker.errors.APIError as exc:
                if exc.response is None or exc.response.status_code != 409:
                    raise


def _repository(name: str) -> str:
    head, _colon, tail = name.rpartition(":")
    return head if head and "/" not in tail else name

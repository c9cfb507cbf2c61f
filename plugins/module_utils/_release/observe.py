# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the server: slots, gateway flag, records.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import LABEL, project
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import read_journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import (
    SLOTS,
    Observed,
    Release,
    Settings,
    SlotView,
    State,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.rebuild import rebuild
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store, now

PROJECT_LABEL = "com.docker.compose.project"


def observe(api: t.Any, store: Store, gateway: Gateway, service: str, *, certain: bool = True) -> Observed:
    """Return the server as it is now.

    Records that are lost are made anew from the rest, in memory only.

    :param certain: refuse to go on when they cannot; otherwise that is only told.
    :raises DeployError: the gateway's flag, the records or the Docker engine cannot be read.
    """
    damaged: list[str] = []
    flag = gateway.flag()
    releases = store.load_releases(damaged)
    state, why = store.read_state()
    slots = {slot: observe_slot(api, service, slot) for slot in SLOTS}
    if state is not None:
        return Observed(flag, state, slots, releases, damaged=tuple(damaged))
    if why == "is missing" and not releases and not any(view.container for view in slots.values()):
        # nothing was ever released
        return Observed(flag, State(), slots, releases, damaged=tuple(damaged))
    try:
        state, told = rebuild(why, flag, slots, releases, read_journal(store.path("journal.jsonl")))
    except DeployError as exc:
        if certain:
            raise
        return Observed(flag, State(), slots, releases, damaged=(str(exc), *damaged))
    return Observed(flag, state, slots, releases, told, tuple(damaged))


def observe_slot(api: t.Any, service: str, slot: str) -> SlotView:
    """Return what is in a slot: the container of the service, further ones that are ours, and those of strangers in its project."""
    with engine.engine_errors(f"Listing the containers of slot '{slot}'"):
        found = api.containers(all=True, filters={"label": f"{PROJECT_LABEL}={project(service, slot)}"})
    mine = [item for item in found if item["Labels"].get(f"{LABEL}.slot") == slot]
    # the one that runs is the one that matters, when a killed compose has left two
    mine.sort(key=lambda item: item["State"] not in ("running", "paused"))
    strays = tuple(sorted(item["Id"] for item in mine[1:]))
    strangers = tuple(sorted(item["Names"][0].lstrip("/") for item in found if item not in mine))
    view = engine.inspect_container(api, mine[0]["Id"]) if mine else None
    if view is None:
        return SlotView(slot, strays=strays, strangers=strangers)
    return SlotView(
        name=slot,
        status=view["State"]["Status"],
        container=view["Id"],
        release=view["Config"]["Labels"].get(f"{LABEL}.release", ""),
        image=view["Image"],
        restart=view["HostConfig"]["RestartPolicy"]["Name"],
        exit_code=view["State"].get("ExitCode"),
        strays=strays,
        strangers=strangers,
    )


def describe_image(
    api: t.Any,
    settings: Settings,
    name: str,
    *,
    config_hash: str,
    restart: str,
    version: str = "",
    commit: str = "",
    release_id: str = "",
) -> Release:
    """Return the release that an image and a configuration make.

    :param name: name or id of an image that the engine has.
    :param version: its version; read from the image's OCI labels when empty, like ``commit``.
    :param release_id: its id; ``<version>-<commit>`` with seven characters of the commit (or of the image id) when empty.
    :raises DeployError: the engine does not have the image.
    """
    image = engine.inspect_image(api, name)
    if image is None:
        raise DeployError(
            f"The engine on this server has no image '{name}' (option image).",
            hint="Build it with playbooks/deploy.yml, or bring it here with docker pull or docker load.",
        )
    labels = (image.get("Config") or {}).get("Labels") or {}
    version = version or labels.get("org.opencontainers.image.version") or "0"
    commit = commit or labels.get("org.opencontainers.image.revision") or ""
    tail = (commit or image["Id"].partition(":")[2])[:7]
    tags = image.get("RepoTags") or []
    # it names a directory and goes into a compose file
    own_id = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{version}-{tail}").lstrip("._-") or tail
    return Release(
        id=release_id or own_id,
        service=settings.service,
        version=version,
        commit=commit,
        image={"id": image["Id"], "name": name if name in tags or not tags else tags[0]},
        config_hash=config_hash,
        artifact=labels.get(f"{LABEL}.artifact.sha256", ""),
        created=now(),
        restart=restart,
    )


def unique_id(release: Release, observed: Observed) -> str:
    """Return the release's id, with ``.2``, ``.3`` and so on when another image or configuration has it already."""
    candidate, number = release.id, 1
    while candidate in observed.releases and not observed.releases[candidate].same_as(release):
        number += 1
        candidate = f"{release.id}.{number}"
    return candidate

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single actions on a slot's containers through the engine's API.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import SlotView

LOG_LINES = 50


def named(container: str, doing: str) -> str:
    """Return a container's id.

    :raises DeployError: it is empty: an engine that is asked about no container at all answers for all of them, or breaks.
    """
    if not container:
        raise DeployError(
            f"{doing} failed: the container is gone.", hint="Was it removed by hand? Run the playbook again."
        )
    return container


def set_restart(api: t.Any, container: str, policy: str) -> None:
    """Set a container's restart policy (``no``, ``always``, ``unless-stopped``, ``on-failure:3``)."""
    name, _unused, count = policy.partition(":")
    with engine.engine_errors(f"Setting the restart policy of container '{container[:12]}'"):
        api.update_container(
            named(container, "Setting the restart policy"),
            restart_policy={"Name": name, "MaximumRetryCount": int(count or 0)},
        )


def pause(api: t.Any, container: str) -> None:
    """Freeze a container."""
    with engine.engine_errors(f"Pausing container '{container[:12]}'"):
        api.pause(named(container, "Pausing a slot"))


def wake(api: t.Any, view: SlotView) -> None:
    """Make a parked container run again, whether it was paused or stopped."""
    with engine.engine_errors(f"Waking slot '{view.name}'"):
        container = named(view.container, f"Waking slot '{view.name}'")
        if view.status == "paused":
            api.unpause(container)
        elif view.status != "running":
            api.start(container)


def stop(api: t.Any, container: str, timeout: int) -> None:
    """Stop a container: its stop signal, then KILL after ``timeout`` seconds."""
    with engine.engine_errors(f"Stopping container '{container[:12]}'"):
        api.stop(named(container, "Stopping a slot"), timeout=timeout)


def stop_grace(inspection: t.Mapping[str, t.Any] | None, default: int = 10) -> int:
    """Return the seconds that a container is given to stop, as its compose file says."""
    return int(((inspection or {}).get("Config") or {}).get("StopTimeout") or default)


def remove(api: t.Any, view: SlotView) -> None:
    """Remove everything that is in a slot, running or not."""
    for container in filter(None, (view.container, *view.strays)):
        with engine.engine_errors(f"Removing container '{container[:12]}' of slot '{view.name}'"):
            try:
                api.remove_container(container, force=True, v=True)
            except engine.docker.errors.NotFound:
                continue


def evidence(api: t.Any, view: SlotView) -> dict[str, t.Any]:
    """Return what a failed container leaves for people: its last log lines, state, and the facts that explain it.

    The environment is left out: it may hold secrets.
    """
    if not view.container:
        return {"logs": [], "inspect": None}
    with engine.engine_errors(f"Reading the log of container '{view.container[:12]}'"):
        log = api.logs(view.container, tail=LOG_LINES).decode("utf-8", "replace")
    found = engine.inspect_container(api, view.container)
    if found is None:
        return {"logs": log.splitlines(), "inspect": None}
    networks = found["NetworkSettings"].get("Networks") or {}
    return {
        "logs": log.splitlines(),
        "inspect": {
            "id": found["Id"],
            "name": found["Name"].lstrip("/"),
            "image": found["Image"],
            "state": found["State"],
            "restart_count": found["RestartCount"],
            "memory_limit": found["HostConfig"].get("Memory", 0),
            "addresses": {name: item.get("IPAddress", "") for name, item in networks.items()},
            "ports": found["NetworkSettings"].get("Ports") or {},
        },
    }

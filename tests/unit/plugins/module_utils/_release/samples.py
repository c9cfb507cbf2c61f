# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short ways to write down releases, slots and servers for the tables of these tests."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.j4c.deploy.plugins.module_utils._health import Check
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import (
    Observed,
    Release,
    Settings,
    SlotView,
    State,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.repairs import true_state

SETTINGS = Settings(
    service="shop",
    state_dir="/var/lib/j4c",
    project_dir="/srv/shop",
    port=8080,
    slot_ports={"blue": 18081, "green": 18082},
    addresses={"blue": "172.30.0.11", "green": "172.30.0.12"},
    edge_network="shop-edge",
    networks=("shop-data",),
    gateway_container="shop-core-gateway-1",
    gateway_url="http://127.0.0.1:18080",
    checks=(Check("up", "tcp"),),
)


def settings(**changes: t.Any) -> Settings:
    """Return ``SETTINGS`` with changes."""
    return replace(SETTINGS, **changes)


def release(
    name: str, *, image: str = "", config: str = "c", sealed: str | None = None, commit: str = "", **more: t.Any
) -> Release:
    """Return a release whose image is its own name unless told otherwise."""
    image_name = image or name
    pinned = {"id": "sha256:" + image_name.ljust(64, "0"), "name": f"shop:{image_name}"}
    return Release(name, "shop", name, commit, pinned, config, sealed=sealed, **more)


def slot(name: str, status: str = "running", of: str = "", **more: t.Any) -> SlotView:
    """Return what is in a slot: a container with the release ``of``."""
    return SlotView(name, status, f"{name}-container", of, f"sha256:{of}".ljust(71, "0"), **more)


def server(
    *releases: Release,
    flag: str = "blue",
    blue: SlotView | None = None,
    green: SlotView | None = None,
    **state: t.Any,
) -> Observed:
    """Return a server; slots that are not given are empty, records that are not given are what they should be."""
    slots = {"blue": blue or SlotView("blue"), "green": green or SlotView("green")}
    seen = Observed(flag, State(**state), slots, {item.id: item for item in releases})
    true = true_state(seen)
    return replace(seen, state=replace(seen.state, **{"live": true.live, "standby": true.standby, **state}))

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the release engine works with.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._health import Check

SLOTS = ("blue", "green")
STANDBY_MODES = ("paused", "running", "stopped", "none")
STRATEGIES = ("blue_green", "recreate")


def other(slot: str) -> str:
    """Return the name of the other slot."""
    return SLOTS[1] if slot == SLOTS[0] else SLOTS[0]


@dataclass(frozen=True)
class Identity:
    """Where the running service says which commit it is: a JSON document at ``path``, the value at ``pointer``."""

    path: str
    pointer: str


@dataclass(frozen=True)
class WarmUp:
    """Requests sent to a candidate before it gets traffic: ``requests`` GETs spread over ``paths``."""

    paths: tuple[str, ...] = ()
    requests: int = 0


@dataclass(frozen=True)
class Database:
    """The database container whose sessions of a slot are watched: its name, and the superuser's and database's names."""

    container: str
    user: str
    name: str


@dataclass(frozen=True)
class Settings:
    """How a service is released on this server: the module's options, checked. Times are in seconds."""

    service: str
    state_dir: str
    project_dir: str
    port: int
    slot_ports: t.Mapping[str, int]
    addresses: t.Mapping[str, str]
    edge_network: str
    networks: tuple[str, ...]
    gateway_container: str
    gateway_url: str
    checks: tuple[Check, ...]
    identity: Identity | None = None
    warm_up: WarmUp = WarmUp()
    database: Database | None = None
    strategy: str = "blue_green"
    standby: str = "paused"
    aot: bool = False
    keep: int = 5
    lock_timeout: float = 0.0
    startup_timeout: float = 90.0
    watch_seconds: float = 3.0
    drain_timeout: float = 120.0
    hold_seconds: float = 0.0
    min_free_bytes: int = 1 << 30
    force_reason: str = ""


@dataclass(frozen=True)
class Release:
    """An immutable image and configuration, as its manifest on disk tells it.

    ``image`` is ``{id, name}``, ``created`` and ``sealed`` are UTC times (``sealed`` is ``None`` until it served for good).
    """

    id: str
    service: str
    version: str
    commit: str
    image: t.Mapping[str, str]
    config_hash: str
    artifact: str = ""
    created: str = ""
    sealed: str | None = None
    restart: str = "unless-stopped"

    def result(self) -> dict[str, t.Any]:
        """Return the ``release`` noun of module results."""
        return asdict(self)

    def same_as(self, other_release: Release) -> bool:
        """Tell whether both are the same image with the same configuration."""
        return self.image["id"] == other_release.image["id"] and self.config_hash == other_release.config_hash


@dataclass(frozen=True)
class SlotView:
    """What the engine (Docker) has in a slot. ``status`` is the container's, or ``absent``.

    ``strays`` are ids of further containers of the slot, ``strangers`` names of containers in its project that are not ours.
    """

    name: str
    status: str = "absent"
    container: str = ""
    release: str = ""
    image: str = ""
    restart: str = ""
    exit_code: int | None = None
    strays: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether there is any container in the slot."""
        return self.status != "absent" or bool(self.strays)


@dataclass(frozen=True)
class State:
    """What state.json records. ``live`` and ``standby`` are ``{slot, release, since}`` (standby with ``mode``)."""

    live: t.Mapping[str, str] | None = None
    standby: t.Mapping[str, str] | None = None
    run: t.Mapping[str, t.Any] | None = None
    rejected: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """The server as it is: where the gateway points, what is in the slots, what is recorded.

    ``rebuilt`` tells what of the records had to be made anew, ``damaged`` which files cannot be read.
    """

    flag: str
    state: State
    slots: t.Mapping[str, SlotView]
    releases: t.Mapping[str, Release]
    rebuilt: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def live(self) -> SlotView | None:
        """The slot that serves, or ``None`` before the first release. The gateway's flag decides, not the record."""
        view = self.slots[self.flag]
        return view if view.status != "absent" else None

    @property
    def live_release(self) -> Release | None:
        """The release in the live slot, when its manifest is known; by the record when its container is gone."""
        if self.live is not None:
            return self.releases.get(self.live.release)
        record = self.state.live
        return self.releases.get(record["release"]) if record and record["slot"] == self.flag else None

    @property
    def idle(self) -> SlotView:
        """The slot that the gateway does not point to."""
        return self.slots[other(self.flag)]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where records and server disagree, and what the records should say. The gateway's switch and the containers are right.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, SlotView, State

MODES = {"paused": "paused", "running": "running", "exited": "stopped", "created": "stopped"}


def true_state(observed: Observed) -> State:
    """Return the recorded state, corrected by what runs. Pure.

    A release that should serve and has no container stays recorded: that it is missing is told by ``losses``.
    """
    return replace(observed.state, live=_live(observed), standby=_standby(observed))


def _entry(view: SlotView, release: Release, record: t.Mapping[str, str] | None) -> dict[str, str]:
    same = record is not None and (record["slot"], record["release"]) == (view.name, release.id)
    since = record["since"] if record is not None and same else release.sealed or release.created
    return {"slot": view.name, "release": release.id, "since": since}


def _live(observed: Observed) -> t.Mapping[str, str] | None:
    view, record = observed.live, observed.state.live
    release = observed.live_release
    if view is None or release is None:
        return record
    entry = _entry(view, release, record)
    return record if record is not None and dict(record) == entry else entry


def _standby(observed: Observed) -> t.Mapping[str, str] | None:
    view, record = observed.idle, observed.state.standby
    release = observed.releases.get(view.release)
    if release is None or not release.sealed or view.status not in MODES:
        return None
    entry = {**_entry(view, release, record), "mode": MODES[view.status]}
    return record if record is not None and dict(record) == entry else entry


def unsealed(observed: Observed) -> Release | None:
    """Return the release that serves for good by the record, but whose manifest does not say so yet."""
    release, record = observed.live_release, observed.state.live
    if release is None or release.sealed or record is None or record["release"] != release.id:
        return None
    return release


def repairs(observed: Observed) -> tuple[str, ...]:
    """Return what has to be mended, as sentences. Pure."""
    state, true, found = observed.state, true_state(observed), list(observed.rebuilt)
    live, idle, release = observed.live, observed.idle, observed.live_release
    if state.live != true.live:
        found.append(f"The records name {_named(state.live)} as live, the gateway's switch {_named(true.live)}.")
    if state.standby != true.standby:
        found.append(f"The records name {_named(state.standby)} as standby, there is {_named(true.standby)}.")
    if unsealed(observed) is not None and release is not None:
        found.append(f"Release '{release.id}' serves, but its manifest is not sealed.")
    if live is not None and release is not None and live.status == "running" and live.restart == "no":
        found.append(f"The live container in slot '{live.name}' would not come back after a reboot.")
    if idle.container and idle.restart not in ("", "no"):
        found.append(f"The container in slot '{idle.name}' would start beside the live one after a reboot.")
    return tuple(found)


def _named(record: t.Mapping[str, str] | None) -> str:
    if record is None:
        return "nothing"
    mode = f" ({record['mode']})" if "mode" in record else ""
    return f"'{record['release']}' in slot '{record['slot']}'{mode}"


def losses(observed: Observed) -> tuple[str, ...]:
    """Return what should run and does not, as sentences. Pure."""
    view, record = observed.live, observed.state.live
    if view is None and record is not None and record["slot"] == observed.flag:
        return (
            f"Release '{record['release']}' should serve in slot '{observed.flag}', but its container is gone (removed by hand?).",
        )
    if view is not None and view.status != "running":
        return (
            f"Release '{view.release}' should serve in slot '{view.name}', but its container is {view.status}"
            + (
                f" with exit status {view.exit_code}."
                if view.exit_code is not None and view.status != "paused"
                else "."
            ),
        )
    return ()

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that are lost or damaged, made anew from the containers' labels, the manifests and the journal where that is certain.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, SlotView, State, other
from ansible_collections.j4c.deploy.plugins.module_utils._release.repairs import MODES

HINT = "Bring back 'state.json' from a backup. Or remove the containers that are named here, which ends what they serve, and release again."


def rebuild(
    why: str,
    flag: str,
    slots: t.Mapping[str, SlotView],
    releases: t.Mapping[str, Release],
    records: t.Sequence[t.Mapping[str, t.Any]],
) -> tuple[State, tuple[str, ...]]:
    """Return the state that the server must have had, and what a person should know about it. Pure.

    :param why: what is the matter with the recorded state, as the end of a sentence.
    :param records: the journal.
    :raises DeployError: it cannot be told for certain.
    """
    run = unfinished(records)
    taken = {name: view for name, view in slots.items() if view.container}
    if not taken:
        return State(run=run), (f"The recorded state {why}; no container of the service is here.",)
    for name, view in taken.items():
        release = releases.get(view.release)
        # a release that was never sealed is only at home in the slot of an unfinished run
        certain = release is not None and (release.sealed or (run is not None and run.get("target") == name))
        if not certain or release is None or release.image["id"] != view.image:
            raise DeployError(
                f"The recorded state {why}, and it cannot be told what slot '{name}' holds: its container {view.container[:12]} is of "
                f"release '{view.release}', of which there is no sealed manifest with the same image.",
                hint=HINT,
            )
    settled = str(run["previous"] or other(str(run["target"]))) if run and not run.get("sealed") else flag
    live, idle = slots[settled], slots[other(settled)]
    state = State(_entry(live, releases), _entry(idle, releases, standby=True), run, _rejected(records))
    return state, (f"The recorded state {why}; it was made anew from the containers, the manifests and the journal.",)


def _entry(view: SlotView, releases: t.Mapping[str, Release], standby: bool = False) -> dict[str, str] | None:
    release = releases.get(view.release)
    if release is None or not release.sealed:
        return None
    entry = {"slot": view.name, "release": release.id, "since": release.sealed}
    return {**entry, "mode": MODES.get(view.status, "stopped")} if standby else entry


def unfinished(records: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any] | None:
    """Return the run that the journal tells of last when nothing says that it has ended, as state.json would have it."""
    run: dict[str, t.Any] | None = None
    for record in records:
        event = record.get("event")
        if event == "start" and isinstance(record.get("record"), dict):
            run = dict(record["record"])
        elif event in ("end", "recovered"):
            run = None
        elif run is not None and record.get("run") == run.get("id") and (event, record.get("step")) == ("done", "seal"):
            run["sealed"] = True
    return run


def _rejected(records: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, dict[str, str]]:
    for record in reversed(records):
        if record.get("event") in ("end", "recovered") and isinstance(record.get("rejected"), dict):
            return dict(record["rejected"])
    return {}

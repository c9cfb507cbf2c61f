# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server serves, for people and for programs.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._health import Target, checks_from_options, probe
from ansible_collections.j4c.deploy.plugins.module_utils._release.freeze import Freeze, read_freeze
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, SlotView
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import observe
from ansible_collections.j4c.deploy.plugins.module_utils._release.repairs import losses, repairs
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store


def status(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of the module ``release_info``; see its documentation.

    :raises DeployError: the records, the gateway's switch or the engine cannot be read.
    """
    store = Store(params["state_dir"], params["service"])
    api = engine.connect()
    seen = observe(api, store, Gateway(store.path("gateway"), ""), params["service"], certain=False)
    live = _slot(seen, seen.live, seen.state.live)
    standby = _slot(seen, seen.idle if seen.idle.exists else None, seen.state.standby)
    health = None
    if seen.live is not None:
        target = Target("127.0.0.1", int(params["slot_ports"][seen.live.name]), seen.live.container)
        health = probe(
            checks_from_options(params["checks"]), target, lambda name: engine.inspect_container(api, name)
        ).result()
    holder = read_holder(store.root)
    freeze = read_freeze(store.root)
    newest = store.runs()[::-1][: max(0, params["history"])]
    releases = sorted(seen.releases.values(), key=lambda item: item.sealed or "", reverse=True)
    result = {
        "live": live,
        "standby": standby,
        "health": health,
        "releases": [item.result() for item in releases],
        "runs": [_run(store, run_id, holder) for run_id in newest],
        "holder": holder,
        "problems": list(problems(seen, holder)),
        "freeze": asdict(freeze) if freeze else None,
        "rejected": dict(seen.state.rejected),
    }
    return {**result, "table": table(result)}


def _slot(seen: Observed, view: SlotView | None, record: t.Mapping[str, str] | None) -> dict[str, t.Any] | None:
    if view is None:
        return None
    release: Release | None = seen.releases.get(view.release)
    return {
        "slot": view.name,
        "release": view.release,
        "version": release.version if release else "",
        "image": view.image,
        "image_name": release.image["name"] if release else "",
        "status": view.status,
        "since": record["since"] if record and record["release"] == view.release else "",
    }


def problems(seen: Observed, holder: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Return what is not as it should be on a server, as sentences.

    :param holder: the run that is at work; what it is about to change is not told.
    """
    run = seen.state.run
    if not holder:
        if run is not None:
            yield (
                f"Run {run['id']} (a {run['kind']} of '{run['release']}') was interrupted. "
                "The next deploy or rollback ends it first."
            )
        yield from losses(seen)
        if run is None:
            yield from repairs(seen)
    yield from seen.damaged
    for view in seen.slots.values():
        for name in view.strangers:
            yield f"Container '{name}' is in the project of slot '{view.name}', but no release made it."


def _run(store: Store, run_id: str, holder: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    data = store.load_run(run_id) or {"event": ""}
    result = data.get("result") or {}
    at_work = "RUNNING" if holder.get("run") == run_id else "INTERRUPTED"
    return {
        "run": run_id,
        "release": (result.get("release") or {}).get("id", ""),
        "outcome": result.get("outcome", "") if data.get("event") == "end" else at_work,
        "seconds": result.get("seconds", 0.0),
        "msg": result.get("msg", ""),
    }


def table(result: t.Mapping[str, t.Any]) -> list[str]:
    """Return the status as lines: the slots, what is wrong, the health, and the runs."""
    lines = []
    for name in ("live", "standby"):
        slot = result[name]
        if slot is None:
            lines.append(f"{name:<8} none")
        else:
            since = f" since {slot['since']}" if slot["since"] else ""
            lines.append(
                f"{name:<8} {slot['slot']:<6} {slot['release']:<24} {slot['status']:<8} "
                f"version {slot['version']}, image {slot['image_name']} {slot['image'][7:19]}{since}"
            )
    lines += [f"PROBLEM  {item}" for item in result["problems"]]
    if result["freeze"]:
        lines.append(f"frozen   {Freeze(**result['freeze']).told()}; rollbacks are allowed")
    health = result["health"]
    if health is not None:
        parts = [
            f"{item['name']} {'ok' if item['healthy'] else 'FAILED: ' + (item['detail'] or item['observed'])}"
            for item in health["checks"]
        ]
        lines.append("health   " + ", ".join(parts))
    if result["holder"]:
        holder = result["holder"]
        lines.append(
            f"at work  {holder.get('kind')} of '{holder.get('release')}' since {holder.get('since')}, run {holder.get('run')}"
        )
    for run in result["runs"]:
        lines.append(f"run      {run['run'][:15]} {run['outcome']:<12} {run['release']:<24} {run['seconds']:>7.1f} s")
    return lines

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a run: each has an apply, and an undo where it changes something.

Every one may be repeated, and a process killed in the middle of any leaves a server that recovery (engine.py) brings to an end.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._compose import Compose
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._health import probe, wait_healthy
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.database import Sessions
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import project, slot_document
from ansible_collections.j4c.deploy.plugins.module_utils._release.identity import prove_gateway, prove_slot, warm_up
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import TIDY_PATIENCE, UNDO_PATIENCE
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Step
from ansible_collections.j4c.deploy.plugins.module_utils._release.prune import prune_releases
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now

WAKE_SECONDS = 10.0
UNDO_DRAIN_SECONDS = 10.0
WATCH_INTERVAL = 0.5
PARK_TRIES = 40


@dataclass(frozen=True)
class Action:
    """``apply`` does a step and returns one line about it; ``undo`` takes it back after a later step has failed."""

    apply: t.Callable[[Context, Step], str]
    undo: t.Callable[[Context, Step], None] | None = None


def _store(ctx: Context, step: Step) -> str:
    ctx.store.save_release(ctx.release, ctx.document)
    return f"image {ctx.release.image['id'][7:19]}, config {ctx.release.config_hash[:12]}"


def _unstore(ctx: Context, step: Step) -> None:
    known = ctx.observed.releases.get(step.release)
    if known is None or not known.sealed:
        ctx.store.remove_release(step.release)


def _clear(ctx: Context, step: Step) -> str:
    if ctx.open_connections:
        ctx.warnings.append(f"{ctx.open_connections} connections that were still open on slot '{step.slot}' were cut.")
        ctx.open_connections = 0
    ctx.save(standby=None)
    containers.remove(ctx.api, ctx.view(step.slot))
    return f"removed {step.release}" if step.release else "removed"


def _start(ctx: Context, step: Step) -> str:
    path = ctx.store.path("slots", f"{step.slot}.json")
    write_json(path, slot_document(ctx.document, ctx.settings, step.slot, ctx.release))
    compose = Compose(ctx.runner, project(ctx.settings.service, step.slot), [path], ctx.settings.project_dir)
    compose.up([ctx.settings.service], timeout=ctx.settings.startup_timeout)
    return f"container {ctx.view(step.slot).container[:12]}"


def _unstart(ctx: Context, step: Step) -> None:
    view = ctx.view(step.slot)
    if ctx.switched and view.container:
        ctx.wait(lambda: _open(ctx, step.slot) == 0, UNDO_DRAIN_SECONDS)
    containers.remove(ctx.api, view)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(ctx.store.path("slots", f"{step.slot}.json"))


def _wake(ctx: Context, step: Step) -> str:
    view = ctx.view(step.slot)
    containers.wake(ctx.api, view)
    return f"was {view.status}"


def _unwake(ctx: Context, step: Step) -> None:
    if ctx.switched:
        ctx.wait(lambda: _open(ctx, step.slot) == 0, UNDO_DRAIN_SECONDS)
    _retire(ctx, step)


def _check(ctx: Context, step: Step) -> str:
    target = ctx.target(step.slot)
    container = target.container or ""

    def gone() -> str | None:
        view = ctx.view(step.slot)
        return None if view.status == "running" else f"the container is {view.status}, exit status {view.exit_code}"

    woken = ctx.kind == "rollback" and ctx.observed.slots[step.slot].container == container
    ctx.health = wait_healthy(
        ctx.settings.checks,
        target,
        ctx.inspect,
        version=ctx.release.version if ctx.release.version != "0" else None,
        timeout=WAKE_SECONDS
        if woken and ctx.observed.slots[step.slot].status != "exited"
        else ctx.settings.startup_timeout,
        give_up=gone,
    )
    if not ctx.health.healthy:
        why = ctx.health.reason or f"not healthy after {ctx.health.elapsed:.1f} s"
        raise DeployError(
            f"Release '{step.release}' did not become healthy in slot '{step.slot}': {why}. {ctx.health.failures()}",
            hint="The evidence has the answers, the last log lines and the container's state.",
        )
    return f"{len(ctx.health.checks)} checks passed after {ctx.health.elapsed:.1f} s, {ctx.health.attempts} rounds"


def _prove(ctx: Context, step: Step) -> str:
    with HttpClient() as client:
        return prove_slot(client, ctx.settings, step.slot, ctx.release, ctx.view(step.slot).image)


def _warm_up(ctx: Context, step: Step) -> str:
    with HttpClient() as client:
        return warm_up(client, f"http://127.0.0.1:{ctx.settings.slot_ports[step.slot]}", ctx.settings.warm_up)


def _halt(ctx: Context, step: Step) -> str:
    view = ctx.view(step.slot)
    containers.set_restart(ctx.api, view.container, "no")
    ctx.halted_at = time.monotonic()
    containers.stop(ctx.api, view.container, containers.stop_grace(ctx.inspect(view.container)))
    return "stopped; the service does not answer until the switch"


def _unhalt(ctx: Context, step: Step) -> None:
    view = ctx.view(step.slot)
    containers.wake(ctx.api, view)
    old = ctx.observed.releases.get(step.release)
    containers.set_restart(ctx.api, view.container, old.restart if old else "unless-stopped")
    wait_healthy(ctx.settings.checks, ctx.target(step.slot), ctx.inspect, timeout=ctx.settings.startup_timeout)
    _count_downtime(ctx)


def _count_downtime(ctx: Context) -> None:
    if ctx.halted_at is not None:
        ctx.downtime = time.monotonic() - ctx.halted_at


def _switch(ctx: Context, step: Step) -> str:
    containers.set_restart(ctx.api, ctx.view(step.slot).container, ctx.release.restart)
    ctx.gateway.switch(step.slot)
    ctx.switched = True
    _count_downtime(ctx)
    return f"from {ctx.observed.flag} to {step.slot}"


def _unswitch(ctx: Context, step: Step) -> None:
    ctx.gateway.switch(ctx.observed.flag)


def _prove_gateway(ctx: Context, step: Step) -> str:
    # a fresh connection for each answer: new requests are what counts
    with HttpClient(keep_alive=False) as client:
        return prove_gateway(client, ctx.settings, step.slot, ctx.release)


def _watch(ctx: Context, step: Step) -> str:
    target = ctx.target(step.slot)
    deadline = time.monotonic() + ctx.settings.watch_seconds
    rounds, bad = 0, 0
    while time.monotonic() < deadline:
        report = probe(ctx.settings.checks, target, ctx.inspect)
        rounds += 1
        bad = 0 if report.healthy else bad + 1
        if bad > 1 or ctx.view(step.slot).status != "running":
            ctx.health = report
            raise DeployError(
                f"Release '{step.release}' failed its checks while it was watched in slot '{step.slot}'. {report.failures()}"
            )
        time.sleep(min(WATCH_INTERVAL, max(0.0, deadline - time.monotonic())))
    return f"{rounds} rounds of checks in {ctx.settings.watch_seconds:g} s"


def _hold(ctx: Context, step: Step) -> str:
    """Wait for the word to seal; without it in time the release is taken back."""
    path = ctx.store.path("runs", f"{ctx.run_id}.verdict")
    ctx.save(run={**(ctx.state.run or {}), "prepared": True})
    # when the controller has died, the next run finds it like this until the time is over
    ctx.lock.phase("prepared", ctx.settings.hold_seconds + UNDO_PATIENCE)
    ctx.report("prepared")
    ctx.wait(lambda: os.path.exists(path), ctx.settings.hold_seconds, 0.02)
    try:
        with open(path, encoding="utf-8") as file:
            verdict, _newline, reason = file.read().strip().partition("\n")
    except FileNotFoundError:
        raise DeployError(
            f"Nobody sealed release '{step.release}' within {ctx.settings.hold_seconds:g} s, so it was taken back."
        ) from None
    finally:
        ctx.lock.phase("work", UNDO_PATIENCE)
    os.unlink(path)
    if verdict == "ROLLBACK":
        raise DeployError(f"Release '{step.release}' was not accepted by its validation. {reason}".strip())
    ctx.decision = verdict
    return verdict


def _seal(ctx: Context, step: Step) -> str:
    ctx.release = ctx.store.seal_release(ctx.release)
    old = ctx.previous
    rejected = {key: why for key, why in ctx.state.rejected.items() if key != ctx.release.id}
    left = ctx.observed.live_release
    # going forward again does not condemn the older release
    if (
        ctx.kind == "rollback"
        and old is not None
        and (left is None or (left.sealed or "") > (ctx.release.sealed or ""))
    ):
        rejected[old.release] = {"at": now(), "reason": ctx.reason or "rolled back"}
    standby = {"slot": old.name, "release": old.release, "since": now(), "mode": "running"} if old else None
    ctx.save(
        live={"slot": step.slot, "release": ctx.release.id, "since": now()},
        standby=standby,
        rejected=rejected,
        run={**(ctx.state.run or {}), "sealed": True},
    )
    ctx.lock.phase("tidy", TIDY_PATIENCE)
    ctx.report("sealed")
    return f"'{ctx.release.id}' serves"


def _open(ctx: Context, slot: str) -> int:
    return ctx.gateway.open_connections(ctx.api, ctx.settings.addresses[slot], ctx.settings.port)


def _drain(ctx: Context, step: Step) -> str:
    started = time.monotonic()
    ctx.drained = False
    first = ctx.open_connections = _open(ctx, step.slot)

    def settled() -> bool:
        ctx.open_connections = _open(ctx, step.slot)
        return ctx.open_connections == 0 or ctx.lock.wanted()

    ctx.wait(settled, ctx.settings.drain_timeout)
    ctx.drained = ctx.open_connections == 0
    took = f"{first} open connections, {time.monotonic() - started:.1f} s"
    if not ctx.drained:
        return f"{took}; {ctx.open_connections} still open"
    return took


def _park(ctx: Context, step: Step) -> str:
    mode = _retire(ctx, step) if ctx.drained else "running"
    if not ctx.drained:
        ctx.warnings.append(
            f"Slot '{step.slot}' keeps running: {ctx.open_connections} connections are open on it. The next run parks it."
        )
    if mode == "none":
        ctx.save(standby=None)
    elif ctx.state.standby is not None:
        ctx.save(standby={**ctx.state.standby, "mode": mode})
    return mode


def _retire(ctx: Context, step: Step) -> str:
    """Bring a slot without traffic into the standby mode that was asked for; return the mode it is in."""
    view = ctx.view(step.slot)
    mode = (
        "stopped" if ctx.settings.strategy == "recreate" and ctx.settings.standby == "paused" else ctx.settings.standby
    )
    if not view.container:
        return "none"
    if mode == "none":
        containers.remove(ctx.api, view)
        return mode
    # a reboot must not start both slots
    containers.set_restart(ctx.api, view.container, "no")
    if mode == "stopped" or view.status != "running":
        if view.status == "running":
            containers.stop(ctx.api, view.container, containers.stop_grace(ctx.inspect(view.container)))
        return "stopped" if view.status != "paused" else "paused"
    return _pause(ctx, step.slot, view.container) if mode == "paused" else mode


def _pause(ctx: Context, slot: str, container: str) -> str:
    sessions = Sessions(ctx.api, ctx.settings.database, container)
    for _attempt in range(PARK_TRIES):
        containers.pause(ctx.api, container)
        if sessions.busy() == 0:
            sessions.end()
            return "paused"
        # frozen in a transaction it would keep its row locks: let it go on and try again
        containers.wake(ctx.api, ctx.view(slot))
        time.sleep(0.05)
    ctx.warnings.append("The old slot keeps running: it was always in a database transaction. The next run parks it.")
    return "running"


def _prune(ctx: Context, step: Step) -> str:
    removed = prune_releases(ctx.api, ctx.store, ctx.state, ctx.settings.keep)
    ctx.store.prune_runs()
    return "removed " + ", ".join(removed) if removed else "nothing to remove"


STEPS: dict[str, Action] = {
    "store": Action(_store, _unstore),
    "clear": Action(_clear),
    "halt": Action(_halt, _unhalt),
    "start": Action(_start, _unstart),
    "wake": Action(_wake, _unwake),
    "check": Action(_check),
    "prove": Action(_prove),
    "warm_up": Action(_warm_up),
    "switch": Action(_switch, _unswitch),
    "prove_gateway": Action(_prove_gateway),
    "watch": Action(_watch),
    "hold": Action(_hold),
    "seal": Action(_seal),
    "drain": Action(_drain),
    "park": Action(_park),
    "prune": Action(_prune),
}

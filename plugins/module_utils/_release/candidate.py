# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a slot that is about to serve: filled or woken, checked, proven, warmed up; and how that is taken back.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils._compose import Compose
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._health import HealthReport, wait_healthy
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import project, slot_document
from ansible_collections.j4c.deploy.plugins.module_utils._release.identity import prove_slot, warm_up
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, other
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Step
from ansible_collections.j4c.deploy.plugins.module_utils._release.protocol import protocol_of
from ansible_collections.j4c.deploy.plugins.module_utils._release.standby import retire

WAKE_SECONDS = 10.0
UNDO_DRAIN_SECONDS = 10.0


def store(ctx: Context, step: Step) -> str:
    """Write down what is about to be released."""
    ctx.store.save_release(ctx.release, ctx.document, protocol_of(ctx.settings))
    return f"image {ctx.release.image['id'][7:19]}, config {ctx.release.config_hash[:12]}"


def leave_what_serves(ctx: Context, slot: str) -> None:
    """Insist that a slot does not have the traffic before it is taken out of service.

    :raises DeployError: it still has it, because the switch could not be moved back, or that cannot be told.
    """
    if ctx.switched and ctx.gateway.flag() == slot:
        raise DeployError(f"Slot '{slot}' has the traffic, so it is left as it is.")


def unstore(ctx: Context, step: Step) -> None:
    """Forget it, unless it served before."""
    leave_what_serves(ctx, step.slot)
    known = ctx.observed.releases.get(step.release)
    if known is None or not known.sealed:
        ctx.store.remove_release(step.release)


def clear(ctx: Context, step: Step) -> str:
    """Make the idle slot empty."""
    if ctx.open_connections:
        ctx.warnings.append(f"{ctx.open_connections} connections that were still open on slot '{step.slot}' were cut.")
        ctx.open_connections = 0
    ctx.save(standby=None)
    containers.remove(ctx.api, ctx.view(step.slot))
    return f"removed {step.release}" if step.release else "removed"


def start(ctx: Context, step: Step) -> str:
    """Start the release in its empty slot."""
    launch(ctx, step.slot, ctx.release, ctx.document)
    return f"container {ctx.view(step.slot).container[:12]}"


def launch(ctx: Context, slot: str, release: Release, document: t.Mapping[str, t.Any], *, started: bool = True) -> None:
    """Make a container of a release in an empty slot.

    :param document: its compose file, as it was resolved when it was released.
    :param started: start it; otherwise it is only made.
    :raises DeployError: compose could not.
    """
    path = ctx.store.path("slots", f"{slot}.json")
    aot.prepare(document, ctx.settings.service)
    write_json(path, slot_document(document, ctx.settings, slot, release))
    compose = Compose(ctx.runner, project(ctx.settings.service, slot), [path], ctx.settings.project_dir)
    compose.up([ctx.settings.service], timeout=ctx.settings.startup_timeout, start=started)


def unstart(ctx: Context, step: Step) -> None:
    """Remove what was started, when the requests that it still answers have ended."""
    leave_what_serves(ctx, step.slot)
    view = ctx.view(step.slot)
    if ctx.switched and view.container:
        ctx.wait(lambda: ctx.open_on(step.slot) == 0, UNDO_DRAIN_SECONDS)
    containers.remove(ctx.api, view)
    with contextlib.suppress(OSError):
        os.unlink(ctx.store.path("slots", f"{step.slot}.json"))


def wake(ctx: Context, step: Step) -> str:
    """Let what is parked in the slot run again."""
    view = ctx.view(step.slot)
    containers.wake(ctx.api, view)
    return f"was {view.status}"


def unwake(ctx: Context, step: Step) -> None:
    """Park it again."""
    leave_what_serves(ctx, step.slot)
    if ctx.switched:
        ctx.wait(lambda: ctx.open_on(step.slot) == 0, UNDO_DRAIN_SECONDS)
    retire(ctx, step.slot)


def check(ctx: Context, step: Step) -> str:
    """Run the health protocol until all of it passes."""
    before = ctx.observed.slots[step.slot]
    woken = ctx.kind == "rollback" and before.status != "exited" and before.container == ctx.view(step.slot).container
    release = ctx.known(step.release)
    ctx.health = probe_until_healthy(ctx, step.slot, release, WAKE_SECONDS if woken else ctx.settings.startup_timeout)
    insist(ctx.health, step.slot, release)
    return f"{len(ctx.health.checks)} checks passed after {ctx.health.elapsed:.1f} s, {ctx.health.attempts} rounds"


def probe_until_healthy(ctx: Context, slot: str, release: Release, timeout: float) -> HealthReport:
    """Run the health protocol on a slot until all of it passes, the time is over or the container has ended."""

    def gone() -> str | None:
        view = ctx.view(slot)
        return None if view.status == "running" else f"the container is {view.status}, exit status {view.exit_code}"

    return wait_healthy(
        ctx.judged(release).checks,
        ctx.target(slot),
        ctx.inspect,
        version=release.version if release.version != "0" else None,
        timeout=timeout,
        give_up=gone,
    )


def insist(report: HealthReport, slot: str, release: Release) -> None:
    """Go on only when a slot is healthy.

    :raises DeployError: it is not; says why.
    """
    if not report.healthy:
        why = report.reason or f"not healthy after {report.elapsed:.1f} s"
        raise DeployError(
            f"Release '{release.id}' did not become healthy in slot '{slot}': {why}. {report.failures()}",
            hint="The evidence has the answers, the last log lines and the container's state.",
        )


def check_slot(ctx: Context, slot: str, release: Release) -> None:
    """Insist that a slot becomes healthy, one that this run is not about.

    :raises DeployError: it does not.
    """
    insist(probe_until_healthy(ctx, slot, release, ctx.settings.startup_timeout), slot, release)


def prove(ctx: Context, step: Step) -> str:
    """Ask the slot which release it is."""
    with HttpClient() as client:
        return prove_slot(client, ctx.judged(ctx.release), step.slot, ctx.release, ctx.view(step.slot).image)


def send_first_requests(ctx: Context, step: Step) -> str:
    """Send a cold service its first requests."""
    with HttpClient() as client:
        return warm_up(client, f"http://127.0.0.1:{ctx.settings.slot_ports[step.slot]}", ctx.settings.warm_up)


def halt(ctx: Context, step: Step) -> str:
    """Stop what serves, because the next one must not run beside it."""
    view = ctx.view(step.slot)
    ctx.halted_at = time.monotonic()
    if view.container:
        containers.set_restart(ctx.api, view.container, "no")
        containers.stop(ctx.api, view.container, containers.stop_grace(ctx.inspect(view.container)))
    return "stopped; the service does not answer until the switch"


def unhalt(ctx: Context, step: Step) -> None:
    """Let what served before serve again, never beside the one that was to replace it."""
    leave_what_serves(ctx, other(step.slot))
    try:
        make_serve(ctx, step.slot, ctx.known(step.release))
    finally:
        count_downtime(ctx)


def count_downtime(ctx: Context) -> None:
    """Take note of how long nothing has answered."""
    if ctx.halted_at is not None:
        ctx.downtime = time.monotonic() - ctx.halted_at


def make_serve(ctx: Context, slot: str, release: Release) -> None:
    """Have a release run in a slot and pass its checks: woken, started, or made anew from what was stored with it.

    Nothing else runs beside it when it must be alone.

    :raises DeployError: it does not, or the other slot cannot be stopped.
    """
    if ctx.alone:
        silence(ctx, other(slot))
    view = ctx.view(slot)
    if view.container:
        containers.wake(ctx.api, view)
    else:
        launch(ctx, slot, release, ctx.store.load_document(release.id))
        view = ctx.view(slot)
    containers.set_restart(ctx.api, view.container, release.restart)
    check_slot(ctx, slot, release)


def silence(ctx: Context, slot: str) -> None:
    """Stop what is in a slot, for good until something starts it.

    :raises DeployError: it cannot be stopped.
    """
    view = ctx.view(slot)
    if view.status in ("absent", "created", "exited"):
        return
    containers.set_restart(ctx.api, view.container, "no")
    containers.stop(ctx.api, view.container, containers.stop_grace(ctx.inspect(view.container)))

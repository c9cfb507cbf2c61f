# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done, decided without touching anything.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, Settings, SlotView
from ansible_collections.j4c.deploy.plugins.module_utils._release.rejections import covers, refuse_rejected
from ansible_collections.j4c.deploy.plugins.module_utils._release.repairs import repairs

# once sealed, nothing takes a release back: the steps after it only tidy up
SEAL = "seal"
SWITCH = "switch"


@dataclass(frozen=True)
class Step:
    """One step: its ``name`` (a key of ``steps.STEPS``), the ``slot`` and the ``release`` it is about."""

    name: str
    slot: str
    release: str

    def describe(self) -> str:
        """Return one line for check mode and the plan."""
        return f"{self.name} {self.slot} {self.release}".rstrip()


@dataclass(frozen=True)
class Plan:
    """Steps in order, the release that will serve afterwards (``None`` when nothing changes) and the slot it will serve in."""

    steps: tuple[Step, ...]
    release: Release | None = None
    slot: str = ""

    @property
    def switches(self) -> bool:
        """Whether traffic will move."""
        return any(step.name == SWITCH for step in self.steps)


def _steps(slot: str, release: str, *names: str) -> list[Step]:
    return [Step(name, slot, release) for name in names]


def _mend(observed: Observed) -> list[Step]:
    """Return what brings the records in line with what runs."""
    return _steps(observed.flag, observed.live.release if observed.live else "", "mend") if repairs(observed) else []


def _retire(settings: Settings, old: SlotView | None) -> list[Step]:
    """Return how the slot that has lost its traffic goes to standby."""
    if old is None or old.status in ("absent", "paused"):
        return []
    return _steps(old.name, old.release, "drain", "park")


def _clear(target: SlotView) -> list[Step]:
    """Return how a slot is made empty; one that still runs may still be answering."""
    if not target.exists:
        return []
    names = ("drain", "clear") if target.status == "running" else ("clear",)
    return _steps(target.name, target.release, *names)


def _replace(settings: Settings, observed: Observed) -> list[Step]:
    """Return what must happen to the live slot before another container of the service may run."""
    live = observed.live
    if settings.strategy == "recreate" and live is not None:
        return _steps(live.name, live.release, "halt")
    return []


def plan_nothing(observed: Observed) -> Plan:
    """Plan only what brings the records in line with what runs."""
    return Plan(tuple(_mend(observed)))


def plan_release(desired: Release, observed: Observed, settings: Settings) -> Plan:
    """Plan how ``desired`` becomes the live release.

    Nothing is planned when the same image with the same configuration serves already; what an earlier run left undone then
    is done.

    :raises DeployError: the release was taken back before and no reason to release it again is given.
    """
    live, current = observed.live, observed.live_release
    if live is not None and live.status == "running" and current is not None and current.same_as(desired):
        return Plan((*_mend(observed), *_unfinished(observed, settings)))
    refuse_rejected(desired, observed, settings)
    target = observed.idle
    steps = [*_mend(observed), *_steps(target.name, desired.id, "store"), *_clear(target)]
    steps += _replace(settings, observed)
    steps += _steps(target.name, desired.id, "start", "check", "prove", "warm_up", SWITCH, "prove_gateway", "watch")
    if settings.hold_seconds > 0:
        steps += _steps(target.name, desired.id, "hold")
    steps += _steps(target.name, desired.id, SEAL)
    steps += _retire(settings, live)
    steps += _steps(target.name, desired.id, "prune")
    return Plan(tuple(steps), desired, target.name)


def plan_rollback(wanted: str | None, observed: Observed, settings: Settings) -> Plan:
    """Plan how an earlier release becomes the live one again.

    :param wanted: id of a kept release; the one that was sealed last before the live one when ``None``.
    :raises DeployError: there is no such release, none to go back to, or it was taken back before and no reason is given.
    """
    target_release = choose_rollback(wanted, observed)
    live, target = observed.live, observed.idle
    steps = _mend(observed)
    if live is not None and live.release == target_release.id and live.status == "running":
        return Plan(tuple(steps))
    refuse_rejected(target_release, observed, settings)
    if target.status in ("paused", "running", "exited") and target.release == target_release.id:
        steps += _replace(settings, observed)
        steps += _steps(target.name, target_release.id, "wake", "check", "prove")
    else:
        steps += _clear(target)
        steps += _replace(settings, observed)
        steps += _steps(target.name, target_release.id, "start", "check", "prove", "warm_up")
    steps += _steps(target.name, target_release.id, SWITCH, "prove_gateway", SEAL)
    steps += _retire(settings, live)
    return Plan(tuple(steps), target_release, target.name)


def choose_rollback(wanted: str | None, observed: Observed) -> Release:
    """Return the release to go back to; the rules are those of ``plan_rollback``."""
    releases = observed.releases
    live = observed.live_release
    kept = ", ".join(sorted(key for key, item in releases.items() if item.sealed)) or "none"
    if wanted:
        if wanted not in releases:
            raise DeployError(
                f"There is no release '{wanted}' on this server (kept: {kept}).",
                hint="Choose one of the kept releases, or deploy that version.",
            )
        if not releases[wanted].sealed:
            raise DeployError(
                f"Release '{wanted}' never served for good, so there is nothing to go back to (kept: {kept}).",
                hint="Choose one of the kept releases, or deploy that version.",
            )
        return releases[wanted]
    rejected = observed.state.rejected.items()
    candidates = [
        item
        for item in releases.values()
        if item.sealed
        and (live is None or item.id != live.id)
        and not any(covers(key, why, item) for key, why in rejected)
    ]
    if live is not None and live.sealed:
        candidates = [item for item in candidates if item.sealed and item.sealed < live.sealed]
    if not candidates:
        serving = f"; '{live.id}' serves" if live else "; nothing serves"
        raise DeployError(
            f"There is no earlier release to go back to{serving} (kept: {kept}).",
            hint="Deploy a good version with playbooks/deploy.yml, or name a release with -e j4c_release=<id>.",
        )
    return max(candidates, key=lambda item: item.sealed or "")


def _unfinished(observed: Observed, settings: Settings) -> list[Step]:
    """Return what an earlier run left to do in the idle slot."""
    idle = observed.idle
    if settings.standby == "running":
        return []
    if idle.status == "running":
        return _retire(settings, idle)
    if half_parked(idle, observed.state.standby) and settings.strategy != "recreate":
        return _steps(idle.name, idle.release, "wake", "drain", "park")
    return []


def half_parked(view: SlotView, standby: t.Mapping[str, t.Any] | None) -> bool:
    """Whether a slot was paused by a run that was killed before it knew that no transaction was frozen with it.

    :param standby: the recorded standby.
    """
    recorded = standby is not None and (standby["slot"], standby.get("mode")) == (view.name, "running")
    return view.status == "paused" and recorded


def plan_recovery(run: t.Mapping[str, t.Any], observed: Observed) -> tuple[str, ...]:
    """Decide how to end a run that was interrupted: the ways to try, the best first.

    ``tidy`` does what is left after the seal, ``revert`` goes back to what served before, ``finish`` seals after all, ``keep``
    makes do when nothing is healthy. After the switch the older release is preferred, because it has proven itself, unless
    the new one was validated.

    :param run: the unfinished run as state.json has it: ``target`` is its slot, ``previous`` the one before or ``''``, ``sealed``
        whether it got that far, ``validated`` what its validation said.
    """
    if run.get("sealed"):
        return ("tidy",)
    if observed.flag != run.get("target") or run.get("validated") == "ROLLBACK":
        return ("revert", "keep")
    if not run.get("previous") or run.get("kind") == "rollback" or run.get("validated"):
        return ("finish", "revert", "keep")
    return ("revert", "finish", "keep")

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step that brings the records, and what a half-done seal left, in line with what runs.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import Step
from ansible_collections.j4c.deploy.plugins.module_utils._release.repairs import repairs, true_state, unsealed


def mend(ctx: Context, step: Step) -> str:
    """Correct the records; what runs is not touched, but for what would happen to it at a reboot."""
    observed = ctx.observed
    told = repairs(observed)
    true = true_state(observed)
    ctx.save(live=true.live, standby=true.standby)
    half = unsealed(observed)
    if half is not None:
        sealed = ctx.store.seal_release(half)
        ctx.observed = replace(observed, releases={**observed.releases, sealed.id: sealed})
    live, idle, release = observed.live, observed.idle, observed.live_release
    if live is not None and release is not None and live.status == "running" and live.restart == "no":
        containers.set_restart(ctx.api, live.container, release.restart)
    if idle.container and idle.restart not in ("", "no"):
        containers.set_restart(ctx.api, idle.container, "no")
    ctx.warnings += told
    return " ".join(told)

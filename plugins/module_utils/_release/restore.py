# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A standby that a failed release had to make room for comes back, so that a quick rollback stays possible.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import containers
from ansible_collections.j4c.deploy.plugins.module_utils._release.candidate import check_slot, launch
from ansible_collections.j4c.deploy.plugins.module_utils._release.context import Context
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release
from ansible_collections.j4c.deploy.plugins.module_utils._release.rejections import covers
from ansible_collections.j4c.deploy.plugins.module_utils._release.standby import retire, wanted_mode
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now


def restore_standby(ctx: Context) -> None:
    """Make the standby that there was when the run began again, from what was stored with its release, and park it.

    Nothing is done when it is still there, when there was none, when it was rejected, or when somebody wants the engine to end.

    :raises DeployError: it could not be made; the slot is empty then.
    """
    before = ctx.run.get("standby")
    if not before or ctx.state.standby is not None or ctx.termination.asked:
        return
    slot, release = before["slot"], ctx.observed.releases.get(before["release"])
    rejected = ctx.state.rejected.items()
    if release is None or any(covers(key, why, release) for key, why in rejected) or ctx.view(slot).exists:
        return
    mode = wanted_mode(ctx)
    if mode == "none":
        return
    ctx.record("intent", "restore_standby", slot=slot, release=release.id)
    with ctx.log.step("restore_standby"):
        _restore(ctx, slot, release, mode)


def _restore(ctx: Context, slot: str, release: Release, mode: str) -> None:
    try:
        launch(ctx, slot, release, ctx.store.load_document(release.id), started=mode != "stopped")
        if mode != "stopped":
            check_slot(ctx, slot, release)
            mode = retire(ctx, slot)
    except DeployError:
        containers.remove(ctx.api, ctx.view(slot))
        raise
    ctx.save(standby={"slot": slot, "release": release.id, "since": now(), "mode": mode})

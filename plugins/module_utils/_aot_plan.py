# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start-up cache needs, seen from the live release: the decision, without doing anything.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils._aot_cache import Cache
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._health import Check, checks_from_options
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import WarmUp

MIB = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """What was asked for. Times are in seconds.

    :param mode: ``cache``, or ``fast`` for a JVM that starts faster still and works slower.
    :param environment: further environment of the training, for example to switch jobs off.
    :param timeout: for everything.
    :param max_bytes: of the cache.
    :param min_free_bytes: that must stay free where the cache is.
    """

    service: str
    state_dir: str
    mode: str
    checks: tuple[Check, ...]
    warm_up: WarmUp
    environment: t.Mapping[str, str] = field(default_factory=dict)
    timeout: float = 180.0
    max_bytes: int = 512 * MIB
    min_free_bytes: int = 1024 * MIB


@dataclass(frozen=True)
class Observed:
    """The live release and its cache.

    :param directory: where its containers get their cache from, ``None`` when they get none.
    :param java: number of the image's JDK, ``None`` when there is none.
    :param used: whether the live JVM has the cache in its memory, ``None`` when that cannot be seen.
    """

    slot: str = ""
    container: str = ""
    image: str = ""
    slot_file: t.Mapping[str, t.Any] = field(default_factory=dict)
    directory: str | None = None
    java: int | None = None
    cache: Cache = Cache()
    options: str = ""
    used: bool | None = None


def plan(observed: Observed, mode: str) -> tuple[list[str], str]:
    """Return the steps (``discard``, ``train``, ``verify``, ``publish``, ``set``), and why. Pure."""
    if not observed.container:
        return [], "no release runs on this server"
    if observed.directory is None:
        return [], "the live release was made without a start-up cache (j4c_aot); the next one gets it"
    if observed.java is None:
        return [], "the image has no program 'java' on its PATH, so there is nothing to train"
    if observed.java < aot.FIRST_JDK:
        return [], f"the image has JDK {observed.java}; a start-up cache needs JDK {aot.FIRST_JDK} or newer"
    train = ["train", "verify", "publish"]
    if observed.cache.status == "absent":
        return train, "this image has no cache yet"
    if observed.cache.status == "damaged":
        return ["discard", *train], "the cache of this image is damaged"
    if observed.cache.status == "failed":
        return [], f"training failed for this image at {observed.cache.manifest['created']}"
    if observed.options != aot.options_text(mode):
        return ["set"], f"the mode is {mode} now"
    return [], "this image has its cache"


def wanted_from(params: t.Mapping[str, t.Any]) -> Wanted:
    """Return what the module's options ask for.

    :raises DeployError: one of them makes no sense.
    """
    for option in ("timeout", "max_mb"):
        if params[option] <= 0:
            raise DeployError(f"Option {option} is '{params[option]}': it is not positive.", hint="Give more than 0.")
    warm_up = params.get("warm_up")
    return Wanted(
        service=params["service"],
        state_dir=params["state_dir"],
        mode=params["mode"],
        checks=checks_from_options(params["checks"]),
        warm_up=WarmUp(tuple(warm_up["paths"]), warm_up["requests"]) if warm_up else WarmUp(),
        environment={key: str(value) for key, value in params["env"].items()},
        timeout=params["timeout"],
        max_bytes=params["max_mb"] * MIB,
        min_free_bytes=params["min_free_mb"] * MIB,
    )

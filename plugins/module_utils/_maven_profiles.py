# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be built, as a table: Maven's arguments, what they make, and the limits that hold.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a build may take and its artifact may need; 0 is without a limit.

    :param seconds: time of the build.
    :param memory_bytes: the most that all its processes hold at a time.
    :param artifact_bytes: size of all files of the artifact.
    :param startup_ms: budget from the start of the service until it is healthy; whoever starts it compares.
    """

    seconds: float
    memory_bytes: int
    artifact_bytes: int
    startup_ms: int

    def as_result(self) -> dict[str, t.Any]:
        """Return the ``limits`` of the module's result."""
        return dict(vars(self))


@dataclass(frozen=True)
class Profile:
    """What a profile means.

    :param arguments: Maven's arguments.
    :param main: the main file that it makes.
    :param limits: what holds unless the options say otherwise.
    :param native: whether it compiles to native code.
    """

    arguments: tuple[str, ...]
    main: str
    limits: Limits
    native: bool = False


PROFILES: dict[str, Profile] = {
    "jvm": Profile(
        (),
        "target/quarkus-app/quarkus-run.jar",
        Limits(seconds=1800, memory_bytes=8192 * MIB, artifact_bytes=350 * MIB, startup_ms=5000),
    ),
    "native-fast": Profile(
        ("-Pnative-fast", "-Dquarkus.native.container-build=true"),
        "target/*-runner",
        Limits(seconds=1800, memory_bytes=32768 * MIB, artifact_bytes=120 * MIB, startup_ms=500),
        native=True,
    ),
    "native": Profile(
        ("-Pnative",),
        "target/*-runner",
        Limits(seconds=3600, memory_bytes=32768 * MIB, artifact_bytes=120 * MIB, startup_ms=300),
        native=True,
    ),
}
# names of the option's keys, and how many of the limit's units one of theirs is
UNITS = {"memory_mb": ("memory_bytes", MIB), "artifact_mb": ("artifact_bytes", MIB), "startup_ms": ("startup_ms", 1)}


def limits_of(profile: Profile, timeout: float, given: t.Mapping[str, t.Any]) -> Limits:
    """Return the limits of a build: those of the options, and where they say nothing those of the profile.

    :param timeout: seconds, 0 for the profile's.
    :param given: option ``limits``; ``None`` says nothing, 0 takes a limit away.
    :raises DeployError: one is less than 0.
    """
    told = {key: value for key, value in {"timeout": timeout, **given}.items() if value is not None}
    for key, value in told.items():
        if value < 0:
            raise DeployError(
                f"Option {key if key == 'timeout' else 'limits.' + key} is {value:g}: it must not be less than 0.",
                hint="Leave it out to have the profile's, see docs/build.md.",
            )
    limits = replace(profile.limits, seconds=timeout) if timeout else profile.limits
    changed = {UNITS[key][0]: int(value * UNITS[key][1]) for key, value in told.items() if key in UNITS}
    return replace(limits, **t.cast("t.Any", changed))

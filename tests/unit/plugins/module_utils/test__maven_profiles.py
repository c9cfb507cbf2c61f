# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_profiles as profiles
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

JVM = profiles.PROFILES["jvm"]


def test_native_fast_is_built_in_a_container() -> None:
    fast = profiles.PROFILES["native-fast"]
    assert fast.arguments == ("-Pnative-fast", "-Dquarkus.native.container-build=true")
    assert (fast.main, fast.native, fast.limits.startup_ms) == ("target/*-runner", True, 500)


@pytest.mark.parametrize(
    ("timeout", "given", "changed"),
    [
        (0.0, {}, {}),
        (0.0, {"memory_mb": None, "artifact_mb": None, "startup_ms": None}, {}),
        (60.0, {}, {"seconds": 60.0}),
        (0.0, {"memory_mb": 1.5}, {"memory_bytes": 3 << 19}),
        (0.0, {"artifact_mb": 0.0, "startup_ms": 7000}, {"artifact_bytes": 0, "startup_ms": 7000}),
    ],
)
def test_an_option_takes_the_place_of_a_limit(
    timeout: float, given: dict[str, t.Any], changed: dict[str, t.Any]
) -> None:
    assert profiles.limits_of(JVM, timeout, given).as_result() == {**JVM.limits.as_result(), **changed}


@pytest.mark.parametrize(
    ("timeout", "given", "told"),
    [(-1.0, {}, "Option timeout is -1:"), (0.0, {"memory_mb": -5.0}, r"Option limits\.memory_mb is -5:")],
)
def test_a_limit_below_nothing_is_refused(timeout: float, given: dict[str, t.Any], told: str) -> None:
    with pytest.raises(DeployError, match=told):
        profiles.limits_of(JVM, timeout, given)


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_every_profile_has_all_limits(name: str) -> None:
    assert all(value > 0 for value in profiles.PROFILES[name].limits.as_result().values())


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_the_documentation_tells_the_profile(name: str) -> None:
    profile = profiles.PROFILES[name]
    text = (Path(__file__).parents[4] / "docs/build.md").read_text("utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    limits = profile.limits
    told = (
        " ".join(profile.arguments),
        profile.main,
        f"{limits.seconds} s",
        f"{limits.memory_bytes >> 30} GiB",
        f"{limits.artifact_bytes >> 20} MiB",
        f"{limits.startup_ms} ms",
    )
    assert [cell.strip(" `") for cell in row.split("|")[2:-1]] == list(told)

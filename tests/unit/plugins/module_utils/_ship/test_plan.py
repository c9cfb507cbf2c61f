# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._ship import plan

MIB = 1 << 20
# what engines answer to /version
DOCKER_19 = {"Version": "19.03.15", "ApiVersion": "1.40"}
DOCKER_20 = {"Version": "20.10.24", "ApiVersion": "1.41"}
DOCKER_26 = {"Version": "26.1.5+dfsg1", "ApiVersion": "1.45"}


@pytest.mark.parametrize("version", [DOCKER_20, DOCKER_26])
def test_an_engine_that_is_new_enough(version: dict[str, str]) -> None:
    plan.check_engine(version)


@pytest.mark.parametrize("version", [DOCKER_19, {}])
def test_an_engine_that_is_too_old_is_named(version: dict[str, str]) -> None:
    with pytest.raises(DeployError, match=r"Docker engine is version (19\.03\.15|unknown) with API") as caught:
        plan.check_engine(version)
    assert "Upgrade the engine" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("version", "local", "expected"),
    [
        pytest.param(DOCKER_26, True, ["none"], id="no-network"),
        pytest.param(DOCKER_26, False, ["zstd", "xz", "gzip"], id="new"),
        pytest.param(DOCKER_20, False, ["xz", "gzip"], id="old"),
    ],
)
def test_formats(version: dict[str, str], local: bool, expected: list[str]) -> None:
    assert plan.formats_for(version, local) == expected


@pytest.mark.parametrize(
    ("formats", "size", "has_zstd", "expected"),
    [
        pytest.param(["none"], 1, True, "none", id="local"),
        pytest.param(["zstd", "xz", "gzip"], 8 * MIB, True, "xz", id="small"),
        pytest.param(["zstd", "xz", "gzip"], 8 * MIB + 1, True, "zstd", id="large"),
        pytest.param(["zstd", "xz", "gzip"], 8 * MIB + 1, False, "gzip", id="large-without-zstd-here"),
        pytest.param(["xz", "gzip"], 8 * MIB + 1, True, "gzip", id="large-without-zstd-there"),
    ],
)
def test_choice_of_a_format(formats: list[str], size: int, has_zstd: bool, expected: str) -> None:
    assert plan.choose_format(formats, size, has_zstd) == expected


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        pytest.param("abc", [], "abc", id="nothing-there"),
        pytest.param("abc", ["abc"], "", id="all-there"),
        pytest.param("abc", ["abx"], "c", id="common-base"),
        pytest.param("abc", ["abcd"], "", id="it-is-a-base"),
        pytest.param("abc", ["xbc", "a"], "bc", id="only-what-lies-on-the-same-layers"),
        pytest.param("abcb", ["ax"], "bc", id="a-layer-that-occurs-twice-is-sent-once"),
        pytest.param("abc", ["a", "ab", ""], "c", id="the-best-counts"),
    ],
)
def test_what_a_server_lacks(wanted: str, there: list[str], expected: str) -> None:
    assert plan.lacking(list(wanted), [list(item) for item in there]) == list(expected)


ARCHIVES = [
    {"layers": ["a", "b"], "format": "xz"},
    {"layers": ["b"], "format": "none"},
    {"layers": ["b"], "format": "xz"},
]


def test_the_archive_for_a_request() -> None:
    assert plan.pick(ARCHIVES, {"layers": ["b"], "formats": ["zstd", "xz"]}) == ARCHIVES[2]
    with pytest.raises(DeployError, match="None of the archives has the 1 layers"):
        plan.pick(ARCHIVES, {"layers": ["c"], "formats": ["xz"]})


def disk(path: str, device: int, free: int) -> dict[str, t.Any]:
    return {"path": path, "device": device, "free": free * MIB}


@pytest.mark.parametrize(
    ("incoming", "engine", "reserve", "short"),
    [
        pytest.param(disk("/tmp", 1, 11), disk("/docker", 2, 61), 1, None, id="two-disks-fit"),
        pytest.param(disk("/tmp", 1, 10), disk("/docker", 2, 61), 1, "/tmp", id="no-room-to-receive"),
        pytest.param(disk("/tmp", 1, 11), disk("/docker", 2, 60), 1, "/docker", id="no-room-to-load"),
        pytest.param(disk("/tmp", 1, 71), disk("/docker", 1, 71), 1, None, id="one-disk-fits"),
        pytest.param(disk("/tmp", 1, 70), disk("/docker", 1, 70), 1, "/tmp", id="one-disk-for-both"),
    ],
)
def test_room(incoming: dict[str, t.Any], engine: dict[str, t.Any], reserve: int, short: str | None) -> None:
    archive = {"bytes": 10 * MIB, "bytes_layers": 30 * MIB}
    disks = {"incoming": incoming, "engine": engine}
    if short is None:
        plan.check_room(disks, archive, reserve * MIB)
        return
    with pytest.raises(
        DeployError, match=f"'{short}' on the server has {incoming['free'] // MIB if short == '/tmp' else 60}"
    ) as caught:
        plan.check_room(disks, archive, reserve * MIB)
    assert "10.0 to receive the archive, 60.0 to load it, 1.0 to stay free" in caught.value.msg
    assert caught.value.fields["evidence"]["code"] == "disk"


def test_a_disk_that_cannot_be_seen_is_not_judged() -> None:
    plan.check_room({}, {"bytes": 1 << 60, "bytes_layers": 1 << 60}, 0)

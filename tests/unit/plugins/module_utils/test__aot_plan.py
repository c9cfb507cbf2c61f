# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils import _aot_container as container
from ansible_collections.j4c.deploy.plugins.module_utils._aot_cache import Cache
from ansible_collections.j4c.deploy.plugins.module_utils._aot_plan import Observed, plan, wanted_from
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

GOOD = Observed(
    "blue", "c" * 64, "sha256:1", {}, "/state/aot/1", 25, Cache("good", {}), aot.options_text("cache"), True
)
TRAIN = ["train", "verify", "publish"]


@pytest.mark.parametrize(
    ("observed", "mode", "steps", "why"),
    [
        (Observed(), "cache", [], "no release runs"),
        (replace(GOOD, directory=None), "cache", [], "without a start-up cache"),
        (replace(GOOD, java=None), "cache", [], "no program 'java'"),
        (replace(GOOD, java=21), "cache", [], "has JDK 21"),
        (replace(GOOD, java=24, cache=Cache()), "cache", [], "needs JDK 25"),
        (replace(GOOD, cache=Cache()), "cache", TRAIN, "no cache yet"),
        (replace(GOOD, cache=Cache("damaged")), "cache", ["discard", *TRAIN], "damaged"),
        (replace(GOOD, cache=Cache("failed", {"created": "x"})), "cache", [], "failed for this image at x"),
        (GOOD, "fast", ["set"], "mode is fast"),
        (replace(GOOD, options=""), "cache", ["set"], "mode is cache"),
        (GOOD, "cache", [], "has its cache"),
        (replace(GOOD, java=26, used=False), "cache", [], "has its cache"),
    ],
)
def test_what_is_done(observed: Observed, mode: str, steps: list[str], why: str) -> None:
    done, reason = plan(observed, mode)
    assert done == steps
    assert why in reason


def options(**more: t.Any) -> dict[str, t.Any]:
    usual = {
        "service": "shop", "state_dir": "/state", "mode": "cache", "checks": [{"name": "port", "kind": "port"}], "env": {"A": 1}, "timeout": 5.0,
        "max_mb": 2, "min_free_mb": 3, "warm_up": {"paths": ["/a"], "requests": 4},
    }  # fmt: skip
    return {**usual, **more}


def test_the_options_become_what_is_wanted() -> None:
    wanted = wanted_from(options())
    assert (wanted.environment, wanted.max_bytes, wanted.min_free_bytes) == ({"A": "1"}, 2 << 20, 3 << 20)
    assert (wanted.warm_up.paths, wanted.warm_up.requests) == (("/a",), 4)
    assert wanted_from(options(warm_up=None)).warm_up.requests == 0


@pytest.mark.parametrize("option", ["timeout", "max_mb"])
def test_a_limit_is_positive(option: str) -> None:
    with pytest.raises(DeployError, match=f"Option {option} is '0'"):
        wanted_from(options(**{option: 0}))


class Engine:
    """An engine that lists the processes of a container."""

    def __init__(self, *pids: str) -> None:
        self._pids = pids

    def top(self, _container: str) -> dict[str, t.Any]:
        return {"Titles": ["UID", "PID", "CMD"], "Processes": [["0", pid, "java"] for pid in self._pids]}


@pytest.mark.parametrize(
    ("pids", "used"), [(["1"], False), (["1", "2"], True), (["2", "1"], True), (["3"], None), ([], None)]
)
def test_the_memory_of_a_process_is_the_proof(tmp_path: Path, pids: list[str], used: bool | None) -> None:
    for pid, line in (
        ("1", "7f00-7f01 r--p /app/run.jar\n"),
        ("2", "8f001000-92c5f000 rw-p 00001000 fe:00 1  /j4c-aot/app.aot\n"),
    ):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "maps").write_text(line)
    assert container.uses_cache(Engine(*pids), "c" * 64, str(tmp_path)) is used

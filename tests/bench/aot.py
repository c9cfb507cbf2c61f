# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds from the start of the example's container to the first good answer of its health check, with and without a cache."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import requests

from tests.bench._table import Table, interleaved, ratios
from tests.integration.run_module import run_module
from tests.integration.world import DEFAULTS, EXAMPLE, GOOD, NEXT, SERVICE, SHARED, World, artifact

ROUNDS = 5
SECONDS = 300
NOTES = ("One CPU and 768 MB, the database and Redis beside it. At most half is the goal of the best mode.",)


def bench(folder: Path) -> t.Iterator[Table]:
    """Release the example as a fast-jar and as an aot-jar, train the cache of each, and start it in each mode."""
    world = World(folder)
    try:
        world.start()
        for jar, commit, made in (("fast-jar", GOOD, artifact(world.scratch)), ("aot-jar", NEXT, _aot_jar(world))):
            image = _image(world, jar, commit, made)
            released = world.release(commit, image=image, aot=True, startup_timeout=SECONDS, standby="none")
            assert released["outcome"] == "DEPLOYED", released
            world.idle()
            modes = {"without a cache": "", **{mode: _train(world, mode) for mode in ("cache", "fast")}}
            works = {name: _starter(world, options) for name, options in modes.items()}
            yield ratios(f"A start of the example, {jar}", interleaved(works, ROUNDS), "without a cache", NOTES)
    finally:
        world.stop()


def _aot_jar(world: World) -> dict[str, t.Any]:
    options = {
        "project": str(SHARED / SERVICE),
        "name": "aurigraph-v11-aot-jar",
        "store": str(SHARED / "artifacts"),
        "properties": {"quarkus.package.jar.type": "aot-jar"},
    }
    built = run_module("maven_build", world.scratch, options)
    assert not built.get("failed"), built
    return dict(built["artifact"])


def _image(world: World, jar: str, commit: str, made: t.Mapping[str, t.Any]) -> str:
    options = {
        "name": world.name,
        "version": jar,
        "commit": {"id": commit, "short": commit[:7], "time": "2026-01-31T12:00:00+00:00"},
        "artifact": made,
        "dockerfile": str(EXAMPLE / "Dockerfile"),
        "labels": {"org.example.world": world.name},
    }
    built = run_module("container_image", world.scratch, options)
    assert not built.get("failed"), built
    return f"{world.name}:{jar}"


def _options_file(world: World) -> Path:
    mounts = world.containers()[world.flag]["Mounts"]
    (directory,) = [item["Source"] for item in mounts if item["Destination"] == "/j4c-aot"]
    return Path(directory) / "options"


def _train(world: World, mode: str) -> str:
    """Let the module see to the cache for a mode, and return what it tells the JVM."""
    options = {
        "service": world.name,
        "state_dir": str(world.state_dir),
        "checks": DEFAULTS["j4c_health_checks"],
        "warm_up": DEFAULTS["j4c_warm_up"],
        "env": DEFAULTS["j4c_aot_env"],
        "min_free_mb": 1,
        "mode": mode,
    }
    trained = run_module("release_aot", world.scratch, options)
    assert trained["changed"], trained
    return _options_file(world).read_text(encoding="ascii")


def _starter(world: World, options: str) -> t.Callable[[], float]:
    def start() -> float:
        live = world.containers()[world.flag]
        _options_file(world).write_text(options, encoding="ascii")
        world.api.update_container(live["Id"], cpu_period=100000, cpu_quota=100000)
        world.api.stop(live["Id"], timeout=60)
        url = f"http://127.0.0.1:{world.slot_ports[world.flag]}/q/health"
        began = time.monotonic()
        world.api.start(live["Id"])
        while not _answers(url):
            assert time.monotonic() - began < SECONDS, world.api.logs(live["Id"], tail=30).decode()
            time.sleep(0.01)
        return time.monotonic() - began

    return start


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_aot against a real engine and a real JVM: one training of the example, which all tests here share."""

from __future__ import annotations

import json
import os
import shutil
import time
import typing as t
from pathlib import Path

import pytest
import requests

from tests.integration.run_module import result_of, start_module
from tests.integration.world import DEFAULTS, GOOD, World

pytestmark = pytest.mark.xdist_group("aot")
SECONDS = 300.0


class Server:
    """A server whose live release has been given its cache."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.first = world.release(GOOD, aot=True, startup_timeout=180.0, watch_seconds=0.0)
        assert self.first["outcome"] == "DEPLOYED", self.first
        self.before = self.aot(check=True)
        self.trained = self.aot()

    def aot(self, *, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
        """Run the module."""
        options = {
            "service": self.world.name,
            "state_dir": str(self.world.state_dir),
            "checks": DEFAULTS["j4c_health_checks"],
            "warm_up": DEFAULTS["j4c_warm_up"],
            "env": DEFAULTS["j4c_aot_env"],
            "min_free_mb": 1,
            "timeout": SECONDS,
            **more,
        }
        return result_of(start_module("release_aot", self.world.scratch, options, check=check), 3 * SECONDS)

    @property
    def live(self) -> dict[str, t.Any]:
        """The live container."""
        return self.world.containers()[self.world.flag]

    @property
    def directory(self) -> Path:
        """Where the live container gets its cache from."""
        (mount,) = [item for item in self.live["Mounts"] if item["Destination"] == "/j4c-aot"]
        assert not mount["RW"]
        return Path(mount["Source"])

    def restart(self) -> None:
        """Restart the live container, and wait until it answers."""
        self.world.api.restart(self.live["Id"], timeout=60)
        url = f"http://127.0.0.1:{self.world.slot_ports[self.world.flag]}/q/health"
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if requests.get(url, timeout=5).status_code == 200:
                    return
            except requests.RequestException:
                assert time.monotonic() < deadline, self.world.api.logs(self.live["Id"], tail=30).decode()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def server(world: World) -> Server:
    """A server whose live release has been given its cache."""
    return Server(world)


def warnings(result: t.Mapping[str, t.Any]) -> str:
    """Return the warnings of a result as text."""
    return str(result.get("warnings", ""))


def names(result: t.Mapping[str, t.Any]) -> list[str]:
    """Return the names of the steps."""
    return [step["name"] for step in result["steps"]]


def test_a_cache_is_trained_verified_and_used_by_the_next_start(server: Server) -> None:
    assert [(step["name"], step["result"]) for step in server.before["steps"][1:]] == [
        ("train", "planned"),
        ("verify", "planned"),
        ("publish", "planned"),
    ]
    trained = server.trained
    assert not trained.get("warnings"), trained
    assert (trained["changed"], trained["phase"], trained["decision"]) == (True, "container_build", "PROCEED")
    assert names(trained) == ["observe", "train", "verify", "publish"]
    assert trained["evidence"]["used"] is False
    assert trained["evidence"]["java"] >= 25
    assert sorted(os.listdir(server.directory)) == ["app.aot", "manifest.json", "options"]
    assert trained["evidence"]["cache"]["size"] == (server.directory / "app.aot").stat().st_size
    assert [item for item in os.listdir(server.directory.parent) if item != "lock"] == [server.directory.name]
    assert server.world.serving() == GOOD

    server.restart()
    again = server.aot()
    assert (again["changed"], names(again), again["evidence"]["used"]) == (False, ["observe"], True)
    assert again["evidence"]["cache"] == trained["evidence"]["cache"]
    assert not again.get("warnings")


def test_nobody_is_left_and_nobody_was_reachable(server: Server) -> None:
    project = f"{server.world.name}-aot"
    assert not server.world.api.containers(all=True, filters={"label": f"com.docker.compose.project={project}"})
    assert not list(server.directory.parent.glob("*.json"))
    assert sorted(server.world.containers()) == [server.world.flag]


def test_the_release_stays_the_same_release(server: Server) -> None:
    same = server.world.release(GOOD, aot=True)
    assert (same["outcome"], same["changed"]) == ("UNCHANGED", False)


def test_the_mode_is_changed_without_training(server: Server) -> None:
    fast = server.aot(mode="fast")
    assert (fast["changed"], names(fast)) == (True, ["observe", "set"])
    assert "TieredStopAtLevel" in (server.directory / "options").read_text()
    assert names(server.aot(mode="cache")) == ["observe", "set"]
    assert "TieredStopAtLevel" not in (server.directory / "options").read_text()


def test_a_cache_that_the_jvm_drops_is_told(server: Server) -> None:
    options = server.directory / "options"
    good = options.read_text()
    try:
        # other compressed pointers than those of the training, as another garbage collector would have
        options.write_text(f"{good}-XX:-UseCompressedOops\n")
        server.restart()
    finally:
        options.write_text(good)
    told = server.aot()
    assert (told["changed"], told["evidence"]["used"]) == (False, False)
    assert "does not use it" in warnings(told)


def test_a_damaged_cache_is_thrown_away_and_a_training_that_fails_harms_nobody(server: Server, tmp_path: Path) -> None:
    shutil.copytree(server.directory, tmp_path / "good")
    try:
        damage_and_fail(server)
    finally:
        shutil.copytree(tmp_path / "good", server.directory, dirs_exist_ok=True)
    assert names(server.aot()) == ["observe"]


def damage_and_fail(server: Server) -> None:
    """Damage the cache, let its training fail, and look at what is left."""
    with (server.directory / "app.aot").open("r+b") as file:
        file.truncate(1 << 20)
    assert names(server.aot(check=True)) == ["observe", "discard", "train", "verify", "publish"]
    # the service does not start with an unknown option, so no cache can be trained
    failed = server.aot(env={"JAVA_TOOL_OPTIONS": "-XX:NoSuchOption"})
    assert (failed.get("failed", False), failed["changed"], failed["decision"]) == (False, False, "PROCEED")
    assert "No start-up cache was made" in warnings(failed)
    assert any("NoSuchOption" in line for line in failed["evidence"]["logs"])
    assert sorted(os.listdir(server.directory)) == ["manifest.json", "options"]
    assert (server.directory / "options").read_text() == ""
    assert server.world.serving() == GOOD

    noted = server.aot()
    assert (noted["changed"], names(noted)) == (False, ["observe"])
    assert "Remove" in warnings(noted)
    assert "reason" in json.loads((server.directory / "manifest.json").read_text())
    (server.directory / "manifest.json").unlink()

    short = server.aot(min_free_mb=1 << 40)
    assert (short["changed"], "MiB are free" in warnings(short)) == (False, True)
    assert names(server.aot(check=True)) == ["observe", "train", "verify", "publish"]

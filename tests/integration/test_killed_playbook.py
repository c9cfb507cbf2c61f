# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook that dies in the middle of a release or a rollback: no request fails, and the next run works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.workspace import SERVICE
from tests.integration.run_module import ROOT
from tests.integration.world import SHARED, World, playbook
from tests.load.process import Load

pytestmark = pytest.mark.alone


class Site:
    """A service with a clone of the example as its source, deployed by the playbooks of a user."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clone = world.folder / "source" / SERVICE
        self.given = world.folder / "deploy.json"
        self.number = 4

    def prepare(self) -> Site:
        """Make the clone and its origin, and deploy what they have."""
        script = [sys.executable, str(ROOT / "tests/demo/workspace.py"), "--folder", str(self.clone.parent)]
        subprocess.run(script, check=True, capture_output=True)
        compose = self.world.folder / "compose.yaml"
        compose.write_text(self.world.compose(), encoding="utf-8")
        more = {
            "j4c_source": str(self.clone),
            "j4c_artifact_store": str(SHARED / "artifacts"),
            "j4c_compose_file": str(compose),
            "j4c_seal_timeout": 60,
        }
        self.given.write_text(json.dumps({**self.world.variables, **more}), encoding="utf-8")
        assert "DEPLOYED" in playbook("playbooks/deploy.yml", "-e", f"@{self.given}")
        return self

    def commit(self) -> str:
        """Commit and push another version; return its commit."""
        pom = self.clone / "pom.xml"
        text = pom.read_text(encoding="utf-8")
        assert f"<version>11.4.{self.number}</version>" in text
        self.number += 1
        pom.write_text(
            text.replace(f"<version>11.4.{self.number - 1}</version>", f"<version>11.4.{self.number}</version>"),
            encoding="utf-8",
        )
        for argv in (["commit", "--quiet", "--all", "--message", "feat: make another version"], ["push", "--quiet"]):
            subprocess.run(["git", "-C", str(self.clone), *argv], check=True, capture_output=True)
        head = ["git", "-C", str(self.clone), "rev-parse", "HEAD"]
        return subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()

    def kill(self, name: str, step: str, number: signal.Signals) -> None:
        """Start a playbook and end it, with all its processes, when the engine begins ``step``."""
        argv = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            f"playbooks/{name}.yml",
            "-e",
            f"@{self.given}",
        ]
        seen = self.world.journal_size()
        output = self.world.folder / "killed.txt"
        with open(output, "w", encoding="utf-8") as file:
            process = subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        try:
            self.world.wait_for_step(step, since=seen, timeout=300)
        except AssertionError:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(output.read_text(encoding="utf-8")) from None
        os.killpg(process.pid, number)
        assert process.wait(timeout=60) != 0
        self.world.idle(timeout=180)


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    return Site(world).prepare()


@pytest.mark.parametrize(
    ("step", "number"),
    [
        pytest.param("check", signal.SIGKILL, id="killed while the new version starts"),
        pytest.param("watch", signal.SIGINT, id="interrupted after the switch"),
    ],
)
def test_a_deploy_that_dies_is_done_by_the_next_one(site: Site, step: str, number: signal.Signals) -> None:
    before = site.world.serving()
    load = Load(site.world.port).start()
    wanted = site.commit()
    site.kill("deploy", step, number)
    assert site.world.serving() == before, "nobody has validated the new version"
    assert "DEPLOYED" in playbook("playbooks/deploy.yml", "-e", f"@{site.given}")
    report = load.stop()
    assert report.failed == 0, report.summary()
    site.world.assert_good(wanted, "paused")


def test_a_rollback_that_dies_has_been_done(site: Site) -> None:
    before = site.world.serving()
    site.commit()
    playbook("playbooks/deploy.yml", "-e", f"@{site.given}")
    site.world.idle()
    load = Load(site.world.port).start()
    site.kill("rollback", "wake", signal.SIGKILL)
    report = load.stop()
    assert report.failed == 0, report.summary()
    site.world.assert_good(before, "paused")

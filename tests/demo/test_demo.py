# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo does what it shows, and what a user types after it works."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.integration.world import playbook

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.alone


def serving() -> dict[str, object]:
    with urllib.request.urlopen("http://127.0.0.1:9003/api/v11/health", timeout=10) as answer:
        return dict(json.load(answer))


def test_the_demo_and_the_commands_after_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo.demo"],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " 0 failed" in done.stdout
    assert "0 of them missing" in done.stdout
    before = serving()
    assert before["status"] == "UP"

    deployed = playbook("playbooks/deploy.yml")
    assert "DEPLOYED" in deployed
    assert serving()["version"] == before["version"]
    assert serving()["commit"] != before["commit"]
    again = playbook("playbooks/deploy.yml")
    assert "changed=0" in again
    assert "UNCHANGED" in again
    assert "standby" in playbook("playbooks/status.yml")
    assert "ROLLED_BACK" in playbook("playbooks/rollback.yml")
    assert serving()["commit"] == before["commit"]

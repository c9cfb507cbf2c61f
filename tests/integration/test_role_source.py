# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role ``source``: brings and verifies."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.integration.repositories import PLAIN, Work
from tests.integration.world import playbook

PLAY = """\
- hosts: localhost
  gather_facts: false
  connection: local
  roles:
    - role: j4c.deploy.source
  tasks:
    - ansible.builtin.debug:
        msg: "VERIFIED {{ __source.commit.id }} {{ __source.commit.branch }}"
"""


def test_the_source_is_brought_and_verified(tmp_path: Path) -> None:
    work = Work(tmp_path)
    play = tmp_path / "play.yml"
    play.write_text(PLAY, encoding="utf-8")
    given = {
        "j4c_source_url": f"file://{work.origin}",
        "j4c_source": str(tmp_path / "build/orders"),
        "j4c_state_dir": str(tmp_path / "state"),
        "ansible_python_interpreter": sys.executable,
    }
    arguments = ("-i", "localhost,", "-e", json.dumps(given))
    checked = playbook(play, *arguments, "--check", "--diff", env=PLAIN)
    assert "VERIFIED" not in checked
    assert work.head() in checked
    assert not (tmp_path / "build").exists()
    assert f"VERIFIED {work.head()} main" in playbook(play, *arguments, env=PLAIN)
    work.pushed("conf", "x" * 2000, "feat: add")
    failed = playbook(play, *arguments, "-e", '{"j4c_max_file_mb": 0.001}', env=PLAIN, check=False)
    assert "1 file is larger than 0.001 MB: conf (0.0 MB)" in failed
    assert "VERIFIED" not in failed
    assert work.head(tmp_path / "build/orders") == work.head()

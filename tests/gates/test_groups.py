# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of one xdist group share what they cannot share across processes, so pytest has to keep them together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CASES = """
import os, pytest

@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(8))
def test_case(number, worker_id):
    with open("workers", "a") as workers:
        workers.write(worker_id + "\\n")
"""


def test_one_worker_has_the_whole_group(tmp_path: Path) -> None:
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    argv = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "."]
    done = subprocess.run(argv, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    workers = (tmp_path / "workers").read_text(encoding="ascii").split()
    assert len(workers) == 8
    assert len(set(workers)) == 1

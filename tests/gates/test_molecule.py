# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Molecule scenario is one test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
SECONDS = 1200
SHOWN_LINES = 200


def molecule(scenario: str, memory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "molecule"), "test", "--scenario-name", scenario],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            # This checkout, and not a copy that an earlier run has installed for the user.
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".work/collections"),
            "NO_COLOR": "1",
            # Its memory of an earlier run that was cut off would have it leave out the preparation.
            "MOLECULE_EPHEMERAL_DIRECTORY": str(memory),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.xdist_group("molecule")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, tmp_path: Path) -> None:
    done = molecule(scenario, tmp_path)
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-SHOWN_LINES:])

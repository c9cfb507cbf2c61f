# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes the services of test processes that were killed: an engine that starts again would bring them back.

A test process that lives holds the claim of its service's network.
"""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys

import docker

from tests.integration.claims import FOLDER
from tests.integration.run_module import ROOT

REMOVE = ROOT / "molecule/shared/remove.py"
NETWORK = re.compile(r"(it-[0-9a-f]{6})-edge")


def main() -> None:
    """Remove each service whose claim nobody holds."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    for item in docker.from_env(timeout=300).api.networks():
        found = NETWORK.fullmatch(item["Name"])
        if found is None:
            continue
        claim = item["IPAM"]["Config"][0]["Subnet"].partition(".0/")[0]
        with open(FOLDER / f"network-{claim}", "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            subprocess.run([sys.executable, str(REMOVE), found[1], str(FOLDER / "none")], check=True)


if __name__ == "__main__":
    main()

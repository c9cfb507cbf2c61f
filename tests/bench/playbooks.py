# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of the playbooks as ratios to a playbook with one ping, measured in turn in one run.

Needs the state that ``make demo`` leaves: a live release and a paused standby. Run it with ``make bench``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
STATE = Path.home() / ".local/state/j4c/aurigraph-v11"
ROUNDS = 7
IDLE_SECONDS = 60.0
PING = "- hosts: servers\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"


def seconds(*args: str) -> float:
    """Run ansible-playbook and return how long it took."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), *args]
    started = time.monotonic()
    subprocess.run(argv, cwd=PROJECT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def state() -> dict[str, dict[str, str]]:
    """Return what the server records."""
    return dict(json.loads((STATE / "state.json").read_text(encoding="utf-8")))


def parked() -> str:
    """Return the release in the standby, once it is paused."""
    deadline = time.monotonic() + IDLE_SECONDS
    while (state().get("standby") or {}).get("mode") != "paused" or state().get("run"):
        if time.monotonic() > deadline:
            sys.exit("There is no paused standby: run 'make demo' first.")
        time.sleep(0.05)
    return state()["standby"]["release"]


def main() -> int:
    """Print medians and ratios."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", dir=PROJECT / ".work") as ping:
        ping.write(PING)
        ping.flush()
        taken: dict[str, list[float]] = {"ping": [], "rollback": [], "deploy, nothing changed": []}
        for _round in range(ROUNDS):
            taken["ping"].append(seconds(ping.name))
            taken["rollback"].append(
                seconds("playbooks/rollback.yml", "-e", f"j4c_release={parked()}", "-e", "j4c_force_reason=bench")
            )
        parked()
        seconds("playbooks/deploy.yml", "-e", '{"j4c_force_reason": "bench"}')
        for _round in range(ROUNDS):
            taken["ping"].append(seconds(ping.name))
            taken["deploy, nothing changed"].append(seconds("playbooks/deploy.yml"))
    base = statistics.median(taken["ping"])
    print(f"{'playbook':<26}{'median s':>10}{'min s':>8}{'max s':>8}{'ratio':>8}")
    for name, values in taken.items():
        middle = statistics.median(values)
        print(f"{name:<26}{middle:>10.2f}{min(values):>8.2f}{max(values):>8.2f}{middle / base:>8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

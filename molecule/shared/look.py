# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What testinfra finds of a scenario's service, from outside."""

from __future__ import annotations

import fcntl
import json
import typing as t
from pathlib import Path


def health(host: t.Any, port: int) -> dict[str, t.Any]:
    """Return what the service answers through the gateway."""
    answer = host.check_output(f"curl --silent --show-error --fail http://127.0.0.1:{port}/api/v11/health")
    return dict(json.loads(answer))


def slots(host: t.Any, service: str) -> dict[str, str]:
    """Return the status of each slot's container."""
    names = host.check_output("docker ps --all --format '{{.Names}} {{.State}}'").splitlines()
    found = dict(line.split(" ") for line in names)
    return {
        slot: found[name] for slot in ("blue", "green") for name in found if name == f"{service}-{slot}-{service}-1"
    }


def journal(host: t.Any, state_dir: str, service: str) -> list[dict[str, t.Any]]:
    """Return the records of the journal."""
    text = host.file(f"{state_dir}/{service}/journal.jsonl").content_string
    return [json.loads(line) for line in text.splitlines()]


def wait_idle(state_dir: Path, service: str) -> None:
    """Wait until no run is at work: after a rollback the old slot is parked in the background."""
    with open(state_dir / service / "lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

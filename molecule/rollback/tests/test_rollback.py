# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies the scenario from outside."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "shared"))

import look

SERVICE = "molecule-rollback"
PORT = 9423
STATE = Path(__file__).resolve().parents[3] / ".work/molecule/rollback/state"


def test_the_first_version_serves_again(host: t.Any) -> None:
    assert look.health(host, PORT)["version"] == "11.4.4"


def test_the_second_version_waits_paused(host: t.Any) -> None:
    look.wait_idle(STATE, SERVICE)
    assert sorted(look.slots(host, SERVICE).values()) == ["paused", "running"]


def test_the_gateway_was_never_restarted(host: t.Any) -> None:
    times = host.check_output(
        f"docker inspect --format '{{{{.RestartCount}}}} {{{{.State.Status}}}}' {SERVICE}-core-gateway-1"
    )
    assert times == "0 running"

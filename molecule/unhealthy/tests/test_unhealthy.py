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

SERVICE = "molecule-unhealthy"
PORT = 9433
STATE = Path(__file__).resolve().parents[3] / ".work/molecule/unhealthy/state"


def test_the_good_version_still_serves(host: t.Any) -> None:
    assert look.health(host, PORT)["status"] == "UP"


def test_nothing_of_the_bad_version_is_left(host: t.Any) -> None:
    assert list(look.slots(host, SERVICE).values()) == ["running"]


def test_the_journal_tells_the_failure(host: t.Any) -> None:
    records = look.journal(host, str(STATE), SERVICE)
    assert [record["step"] for record in records if record["event"] == "failed"] == ["check"]
    assert records[-1]["outcome"] == "FAILED_SAFE"

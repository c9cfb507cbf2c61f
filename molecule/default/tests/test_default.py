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

SERVICE = "molecule-default"
PORT = 9413
STATE = Path(__file__).resolve().parents[3] / ".work/molecule/default/state"


def test_the_release_answers_through_the_gateway(host: t.Any) -> None:
    found = look.health(host, PORT)
    assert found["status"] == "UP"
    assert found["version"] == "11.4.4"
    assert found["database"]
    assert found["redis"]


def test_one_slot_runs(host: t.Any) -> None:
    assert look.slots(host, SERVICE) == {"green": "running"}


def test_databases_are_not_published(host: t.Any) -> None:
    for name in ("postgres", "redis"):
        assert not host.check_output(f"docker port {SERVICE}-core-{name}-1")


def test_secrets_are_not_in_environment_or_arguments(host: t.Any) -> None:
    for name in ("db_password", "redis_password"):
        secret = (STATE / SERVICE / "config/secrets" / name).read_text(encoding="utf-8")
        assert len(secret) == 32
        everything = host.check_output(f"docker inspect $(docker ps --quiet --filter name={SERVICE}-)")
        assert secret not in everything
        assert secret not in host.check_output("ps -eo args e")
        for path in (STATE / SERVICE).rglob("*"):
            if path.is_file() and path.parent.name != "secrets":
                assert secret not in path.read_text(encoding="utf-8", errors="replace")


def test_the_journal_ends_with_the_release(host: t.Any) -> None:
    last = look.journal(host, str(STATE), SERVICE)[-1]
    assert (last["event"], last["outcome"]) == ("end", "DEPLOYED")

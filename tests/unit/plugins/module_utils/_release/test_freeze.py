# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.freeze import (
    end_from,
    read_freeze,
    refuse_frozen,
    set_freeze,
)

CLOCK = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", "2026-01-31T12:30:00.000Z"),
        ("4h", "2026-01-31T16:00:00.000Z"),
        ("2d", "2026-02-02T12:00:00.000Z"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00.000Z"),
        ("2026-12-24T18:00:00+02:00", "2026-12-24T16:00:00.000Z"),
        ("2026-12-24 18:00:00+00:00", "2026-12-24T18:00:00.000Z"),
    ],
)
def test_when_it_ends(text: str, expected: str) -> None:
    assert end_from(text, CLOCK) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *((text, "no time with its zone") for text in ("", "h", "0h", "4w", "-4h", "tomorrow", "2026-12-24T18:00:00")),
        ("2026-01-31T11:59:59Z", "over already"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(text: str, told: str) -> None:
    with pytest.raises(DeployError, match=f"Option end is '{text}': .*{told}") as caught:
        end_from(text, CLOCK)
    assert caught.value.hint


@pytest.fixture
def params(tmp_path: Path) -> dict[str, t.Any]:
    return {
        "service": "shop",
        "state_dir": str(tmp_path),
        "state": "present",
        "reason": "audit",
        "owner": "ann",
        "end": "2999-01-01T00:00:00Z",
    }


def test_a_freeze_is_set_and_lifted(params: dict[str, t.Any]) -> None:
    root = f"{params['state_dir']}/shop"
    planned = set_freeze(params, True)
    assert (planned["changed"], read_freeze(root)) == (True, None)
    done = set_freeze(params, False)
    assert (done["changed"], done["diff"]["before"]) == (True, "not frozen\n")
    assert done["msg"] == "Deploys of 'shop' are frozen until 2999-01-01T00:00:00.000Z by ann (audit)."
    assert set_freeze(params, False)["changed"] is False
    with pytest.raises(DeployError, match=r"deploys are frozen until 2999.* by ann \(audit\)") as caught:
        refuse_frozen(root)
    assert "A rollback is always allowed" in (caught.value.hint or "")
    assert set_freeze({**params, "reason": "longer"}, False)["changed"] is True
    lifted = set_freeze({**params, "state": "absent"}, False)
    assert (lifted["changed"], lifted["freeze"], lifted["msg"]) == (True, None, "Deploys of 'shop' are allowed.")
    assert set_freeze({**params, "state": "absent"}, False)["changed"] is False
    refuse_frozen(root)


def test_a_freeze_ends_by_itself(params: dict[str, t.Any]) -> None:
    set_freeze(params, False)
    path = Path(params["state_dir"], "shop", "freeze.json")
    path.write_text(path.read_text("utf-8").replace("2999", "2020"), "utf-8")
    assert read_freeze(str(path.parent)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"reason": "x"}'])
def test_a_freeze_that_cannot_be_read_counts(params: dict[str, t.Any], text: str) -> None:
    root = Path(params["state_dir"], "shop")
    root.mkdir()
    (root / "freeze.json").write_text(text, "utf-8")
    with pytest.raises(DeployError, match="is damaged"):
        refuse_frozen(str(root))
    assert set_freeze({**params, "state": "absent"}, False)["changed"] is True


@pytest.mark.parametrize("option", ["reason", "owner"])
def test_who_is_refused_must_know_why(params: dict[str, t.Any], option: str) -> None:
    with pytest.raises(DeployError, match=f"Option {option} is empty"):
        set_freeze({**params, option: " "}, True)


def test_a_directory_that_cannot_be_made_is_told(params: dict[str, t.Any], tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("", "ascii")
    with pytest.raises(DeployError, match="cannot be (changed|read)"):
        set_freeze(params, False)
    assert os.path.isfile(tmp_path / "shop")

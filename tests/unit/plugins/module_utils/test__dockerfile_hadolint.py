# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_hadolint as hadolint
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

# recorded from hadolint 2.15.1
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/hadolint"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "findings",
            [
                ("DL4000", "error", 2),
                ("DL3008", "warning", 3),
                ("DL3015", "info", 3),
                ("DL3009", "info", 3),
                ("DL3003", "warning", 4),
                ("DL3004", "error", 4),
                ("DL3064", "warning", 6),
                ("DL3025", "warning", 8),
            ],
        ),
        ("shell", [("SC3014", "warning", 2)]),
        ("syntax", [("DL1000", "error", 2)]),
    ],
)
def test_the_report(name: str, expected: list[tuple[str, str, int]]) -> None:
    found = hadolint.parse_report((FIXTURES / f"{name}.json").read_text("utf-8"))
    assert [(item.rule, item.severity, item.line) for item in found] == expected
    assert all(item.message and item.rule in item.remedy for item in found)


@pytest.mark.parametrize("text", ["", "not JSON", '{"a": 1}', "[1]", '[{"code": "DL1"}]'])
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        hadolint.parse_report(text)


def program(folder: Path, body: str) -> Runner:
    path = folder / "hadolint"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return Runner({"PATH": f"{folder}:/usr/bin:/bin"})


def test_where_it_is_not_installed(tmp_path: Path) -> None:
    assert hadolint.lint(Runner({"PATH": str(tmp_path)}), "Dockerfile") is None


def test_how_it_is_asked(tmp_path: Path) -> None:
    body = f'[ "$*" = "--no-fail --format json -- /srv/Dockerfile" ] && cat {FIXTURES}/shell.json'
    found = hadolint.lint(program(tmp_path, body), "/srv/Dockerfile")
    assert found is not None
    assert [item.rule for item in found] == ["SC3014"]


def test_one_that_does_not_work(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="hadolint could not be used on 'Dockerfile'") as caught:
        hadolint.lint(program(tmp_path, "echo broken >&2; exit 1"), "Dockerfile")
    assert caught.value.stderr == "broken\n"
    assert "policy.hadolint" in str(caught.value.hint)

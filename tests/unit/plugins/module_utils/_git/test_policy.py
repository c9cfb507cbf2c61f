# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._git.policy import TYPES, exempted, message_fault


@pytest.mark.parametrize(
    ("subject", "scopes", "fault"),
    [
        ("feat: add transfers", [], ""),
        ("feat(api): add transfers", [], ""),
        ("feat(api): add transfers", ["api"], ""),
        ("feat: no scope at all", ["api"], ""),
        ("feat(api)!: drop transfers", [], ""),
        ("fix!: x", [], ""),
        ('Revert "feat: add transfers"', [], ""),
        ("feat(ui): x", ["api", "db"], "its scope 'ui' is none of api, db"),
        ("feature: x", [], "its type 'feature' is none of build,"),
        ("Feat: x", [], "its type 'Feat' is none of build,"),
        ("feat:x", [], "it is not '<type>(<scope>): <description>'"),
        ("feat: ", [], "it is not"),
        ("feat(): x", [], "it is not"),
        ("feat (api): x", [], "it is not"),
        ("fixup! feat: x", [], "it is not"),
        ("Merge branch 'x'", [], "it is not"),
        ("", [], "it is not"),
    ],
)
def test_a_message_is_conventional_or_why_not(subject: str, scopes: list[str], fault: str) -> None:
    found = message_fault(subject, TYPES, scopes)
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


@pytest.mark.parametrize(
    ("path", "patterns", "expected"),
    [
        ("src/test/a/b.txt", ["src/test/*"], True),
        ("src/main/a.txt", ["src/test/*"], False),
        ("a/b.jar", ["*.jar"], True),
        ("A.jar", ["a.jar"], False),
        ("a", [], False),
    ],
)
def test_paths_are_exempted(path: str, patterns: list[str], expected: bool) -> None:
    assert exempted(path, patterns) is expected

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Completed, Status, complaint, parse_status

H = "1" * 40
PLAIN = f"N... 100644 100644 100644 {H} {H}"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([""], Status()),
        ([f"1 .M {PLAIN} pom.xml", ""], Status(("pom.xml",))),
        (
            ["? new file", f"1 .D {PLAIN} gone", f"1 M. {PLAIN} staged", ""],
            Status(("gone", "staged"), ("new file",)),
        ),
        ([f"2 R. {PLAIN} R100 new name", "old", "? x", ""], Status(("new name",), ("x",))),
        ([f"1 A. {PLAIN} -n", ""], Status(("-n",))),
        (
            [f"u UU N... 100644 100644 100644 100644 {H} {H} {H} both of us", ""],
            Status(("both of us",), (), ("both of us",)),
        ),
        (
            [
                f"1 .M SC.. 160000 160000 160000 {H} {H} libs/a",
                f"1 .M S.MU 160000 160000 160000 {H} {H} libs/b",
            ],
            Status(("libs/a", "libs/b"), submodules={"libs/a": "C", "libs/b": "MU"}),
        ),
        ([f"1 A. S... 000000 160000 160000 {H} {H} added"], Status(("added",))),
    ],
)
def test_the_status_is_read(entries: list[str], expected: Status) -> None:
    assert parse_status(entries) == expected


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("", "exit status 128."),
        (
            "fatal: unable to access 'https://me:secret@host/x.git/': no\n",
            "fatal: unable to access 'https://***@host/x.git/': no.",
        ),
        ("warning: x\nfatal: no.\nCheck the rights.\n", "fatal: no."),
    ],
)
def test_credentials_are_masked(stderr: str, expected: str) -> None:
    assert complaint(Completed(("git",), 128, "", stderr)) == expected

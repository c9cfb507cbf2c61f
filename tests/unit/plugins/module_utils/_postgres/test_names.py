# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that break whatever quotes them wrongly."""

from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import (
    NAME_BYTES,
    derived,
    dsn,
    identifier,
    literal,
    passfile_line,
)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [("a", '"a"'), ("A b-$x", '"A b-$x"'), ('a"; DROP TABLE b; --', '"a""; DROP TABLE b; --"'), ("ü'\\", '"ü\'\\"')],
)
def test_identifier(name: str, quoted: str) -> None:
    assert identifier(name) == quoted


@pytest.mark.parametrize(
    ("text", "quoted"), [("a", "'a'"), ("O'Brien", "'O''Brien'"), ("a\\' b", " E'a\\\\'' b'"), (":x $$", "':x $$'")]
)
def test_literal(text: str, quoted: str) -> None:
    assert literal(text) == quoted


@pytest.mark.parametrize(
    ("name", "text"), [("a", "dbname='a'"), ("x=1 host='h'", "dbname='x=1 host=\\'h\\''"), ("a\\b", "dbname='a\\\\b'")]
)
def test_dsn(name: str, text: str) -> None:
    assert dsn(name) == text


def test_a_password_with_the_separators_of_its_file() -> None:
    assert passfile_line("a:b\\c") == "*:*:*:*:a\\:b\\\\c\n"


@pytest.mark.parametrize("name", ["shop", "x" * 63, "ü" * 31, "x" * 40])
def test_a_derived_name_fits_and_is_the_only_one(name: str) -> None:
    made = derived(name, "restore_20260131T120000Z-1a2b3c")
    assert len(made.encode()) <= NAME_BYTES
    assert made.endswith("_restore_20260131T120000Z-1a2b3c")
    assert made != derived(name[:-1] + "y", "restore_20260131T120000Z-1a2b3c")

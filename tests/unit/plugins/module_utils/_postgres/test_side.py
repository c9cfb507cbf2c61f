# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the restored database gets from the live one."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.facts import create_database
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.side import advanced, carried

LIVE: dict[str, t.Any] = {
    "acl": None,
    "owner": "o",
    "comment": None,
    "connection_limit": -1,
    "settings": [],
}
SEQUENCE = {"increment": 1, "min": 1, "max": 10**6, "last_value": 10, "is_called": True}


def test_nothing_special() -> None:
    assert carried(LIVE, [], "d") == ['ALTER DATABASE "d" CONNECTION LIMIT -1']


def test_grants_settings_and_comment() -> None:
    live = {
        **LIVE,
        "acl": ["=c/o"],
        "comment": "it's",
        "settings": [
            {"role": None, "settings": ['search_path="$user", public, "A, b"', "work_mem=5MB"]},
            {"role": "r'", "settings": ["my.var=x=y"]},
        ],
    }
    grants = [
        {"privilege": "CONNECT", "grantable": False, "grantee": None},
        {"privilege": "TEMPORARY", "grantable": True, "grantee": 'a"b'},
    ]
    assert carried(live, grants, "d") == [
        'REVOKE ALL ON DATABASE "d" FROM PUBLIC, "o"',
        'GRANT CONNECT ON DATABASE "d" TO PUBLIC',
        'GRANT TEMPORARY ON DATABASE "d" TO "a""b" WITH GRANT OPTION',
        "ALTER DATABASE \"d\" SET \"search_path\" TO '$user', 'public', 'A, b'",
        'ALTER DATABASE "d" SET "work_mem" TO \'5MB\'',
        'ALTER ROLE "r\'" IN DATABASE "d" SET "my.var" TO \'x=y\'',
        "COMMENT ON DATABASE \"d\" IS 'it''s'",
        'ALTER DATABASE "d" CONNECTION LIMIT -1',
    ]


@pytest.mark.parametrize(
    ("live", "side", "value"),
    [
        ({}, {}, None),
        ({"last_value": 15}, {}, 115),
        ({"last_value": 5}, {}, None),
        ({}, {"is_called": False}, 110),
        ({"last_value": 999_999}, {}, 10**6),
        (
            {"increment": -1, "last_value": -15, "min": -(10**6)},
            {"increment": -1, "last_value": -10, "min": -(10**6)},
            -115,
        ),
        ({"increment": -1, "last_value": -5}, {"increment": -1, "last_value": -10}, None),
    ],
)
def test_sequences_only_go_forward(live: dict[str, t.Any], side: dict[str, t.Any], value: int | None) -> None:
    assert advanced({**SEQUENCE, **live}, {**SEQUENCE, **side}, 100) == value


@pytest.mark.parametrize(
    ("like", "version", "told"),
    [
        ({"provider": "c", "collate": "C", "ctype": "C"}, 170000, "LC_COLLATE 'C' LC_CTYPE 'C' OWNER \"o\""),
        (
            {"provider": "i", "locale": "de", "icu_rules": "&a < b"},
            170000,
            "LOCALE_PROVIDER icu ICU_LOCALE 'de' ICU_RULES '&a < b'",
        ),
        ({"provider": "i", "locale": "de"}, 150000, "LOCALE_PROVIDER icu ICU_LOCALE 'de'"),
        ({"provider": "b", "locale": "C.UTF-8"}, 170000, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"),
    ],
)
def test_encoding_and_locale(like: dict[str, t.Any], version: int, told: str) -> None:
    made = create_database("d", {"encoding": "UTF8", **like}, version, "o")
    assert made.startswith("CREATE DATABASE \"d\" TEMPLATE template0 ENCODING 'UTF8'")
    assert told in made

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rows a restore takes away."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.loss import describe, newer_than, read_loss


class Session:
    """Answers for each table; ``queries`` are what was asked."""

    def __init__(self, tables: dict[str, dict[str, t.Any]]) -> None:
        self._tables = tables
        self.queries: list[str] = []

    def rows(self, query: str, _timeout: float) -> list[dict[str, t.Any]]:
        wanted = "relkind = 'r'" in query
        return [{"schema": "s", "name": name} for name in self._tables] if wanted else []

    def row(self, query: str, _timeout: float) -> dict[str, t.Any]:
        self.queries.append(query)
        return next(
            (row for name, row in self._tables.items() if f'"s"."{name}"' in query), {"count": 0, "digest": "0"}
        )


def reference(**tables: tuple[int | None, str | None]) -> dict[str, t.Any]:
    listed = [{"schema": "s", "name": name, "rows": rows, "digest": digest} for name, (rows, digest) in tables.items()]
    return {"tables": listed, "digest": "content", "snapshot": {"visible": "10:12:"}}


@pytest.mark.parametrize(
    ("visible", "condition"),
    [
        ("10:12:", "age(xmin) <= age('12'::xid)"),
        ("10:12:10,11", "(age(xmin) <= age('12'::xid) OR xmin::text IN ('10', '11'))"),
        # the counter of transactions has gone round once
        ("4294967306:4294967308:", "age(xmin) <= age('12'::xid)"),
    ],
)
def test_newer(visible: str, condition: str) -> None:
    assert newer_than(visible) == condition


@pytest.mark.parametrize(
    ("now", "newer", "gone"),
    [
        ({"rows": 10, "newer": 0}, None, None),
        ({"rows": 12, "newer": 2}, 2, 0),
        ({"rows": 10, "newer": 3}, 3, 3),
        ({"rows": 8, "newer": 0}, 0, 2),
        # more old rows than there were: their transactions were not listed
        ({"rows": 12, "newer": 0}, 2, 0),
    ],
)
def test_transactions_tell_newer_and_gone(now: dict[str, int], newer: int | None, gone: int | None) -> None:
    session: t.Any = Session({"a": now})
    told = read_loss(session, reference(a=(10, "x")), True, 1)
    assert [(item["newer"], item["gone"]) for item in told] == ([] if newer is None else [(newer, gone)])


@pytest.mark.parametrize(
    ("then", "now", "lost"),
    [
        ((10, "x"), {"rows": 10, "digest": "x"}, False),
        ((10, "x"), {"rows": 10, "digest": "y"}, True),
        ((10, None), {"rows": 10, "digest": None}, True),
        ((None, None), {"rows": 10, "digest": None}, True),
    ],
)
def test_without_transactions_only_equal_content_loses_nothing(
    then: tuple[int | None, str | None], now: dict[str, t.Any], lost: bool
) -> None:
    session: t.Any = Session({"a": now})
    told = read_loss(session, reference(a=then), False, 1)
    assert bool(told) == lost
    assert all(item["newer"] is None for item in told)


def test_a_table_that_the_backup_does_not_have() -> None:
    session: t.Any = Session({"a": {"rows": 3, "newer": 3}, "b": {"rows": 0, "newer": 0}})
    assert [item["name"] for item in read_loss(session, reference(), True, 1)] == ["a"]
    told = read_loss(session, {}, False, 1)
    assert [(item["name"], item["newer"]) for item in told] == [("a", None)]


def test_sentences() -> None:
    item = {"schema": "s", "name": "a", "rows": 3, "then": 2, "newer": 1, "gone": 0}
    assert describe([item]) == ['"s"."a": 1 inserted or updated, 0 updated or deleted since']
    assert describe([{**item, "inserted": 1, "updated": 0, "deleted": 0}]) == [
        '"s"."a": 1 inserted, 0 updated, 0 deleted since'
    ]
    assert "not known" in describe([{**item, "newer": None}])[0]

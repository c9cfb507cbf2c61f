# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore takes away: rows that are newer than what is restored, counted for each table before anything is changed.

Rows carry the transaction that wrote them. Those that the snapshot of the backup did not see are newer; those that it saw
and that are there no more in the same version were updated or deleted.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import (
    TABLES,
    Digest,
    qualified,
    read_content,
)
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import identifier, literal
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql

READ_SECONDS = 60.0
KEYS_FILE = "/tmp/j4c-keys"
XID_BITS = 32
PRIMARY_KEY = """
SELECT a.attname AS name
  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
 WHERE i.indrelid = {table}::regclass AND i.indisprimary
 ORDER BY a.attnum
"""


def newer_than(visible: str) -> str:
    """Return the condition that a row was written by a transaction that a snapshot did not see.

    :param visible: the snapshot as ``pg_current_snapshot()`` tells it, ``xmin:xmax:running,...``.
    """
    _xmin, xmax, running = visible.split(":")
    condition = f"age(xmin) <= age('{int(xmax) % (1 << XID_BITS)}'::xid)"
    if running:
        # they had begun and not yet committed: what they wrote is not in the snapshot
        listed = ", ".join(f"'{int(item) % (1 << XID_BITS)}'" for item in running.split(","))
        condition = f"({condition} OR xmin::text IN ({listed}))"
    return condition


def read_loss(psql: Psql, reference: t.Mapping[str, t.Any], same: bool, timeout: float) -> list[dict[str, t.Any]]:
    """Return the tables whose rows are not as in the reference: ``{schema, name, rows, then, newer, gone}``.

    :param psql: a session with the live database.
    :param reference: ``tables`` with their counts, ``large_objects``, ``digest`` and ``snapshot.visible``, as in a manifest; or
        nothing, then of every table that has rows it is not known what is newer.
    :param same: the reference was taken of this very database. Otherwise transactions cannot be compared, and ``newer`` and
        ``gone`` are ``None`` where content differs.
    """
    then: dict[tuple[str, str], t.Mapping[str, t.Any]] = {
        (item["schema"], item["name"]): item for item in reference.get("tables", [])
    }
    if not same:
        digest: Digest = "content" if reference.get("digest") == "content" else "counts"
        found = read_content(psql, digest, timeout)["tables"]
    else:
        count = f"count(*) AS rows, count(*) FILTER (WHERE {newer_than(reference['snapshot']['visible'])}) AS newer"
        found = [
            {**item, **psql.row(f"SELECT {count} FROM ONLY {qualified(item)}", timeout)}
            for item in psql.rows(TABLES, READ_SECONDS)
        ]
    if not reference:
        then = {(item["schema"], item["name"]): {"rows": None} for item in found if item["rows"]}
    return [loss for item in found if (loss := _loss(item, then.get((item["schema"], item["name"])), same)) is not None]


def _loss(now: t.Mapping[str, t.Any], then: t.Mapping[str, t.Any] | None, same: bool) -> dict[str, t.Any] | None:
    head = {"schema": now["schema"], "name": now["name"], "rows": now["rows"]}
    if then is None:
        return {**head, "then": 0, "newer": now["rows"], "gone": 0} if now["rows"] else None
    if then.get("rows") is None:
        return {**head, "then": None, "newer": None, "gone": None}
    if not same:
        equal = (
            now["rows"] == then["rows"] and now.get("digest") == then.get("digest") and now.get("digest") is not None
        )
        return None if equal else {**head, "then": then["rows"], "newer": None, "gone": None}
    gone = then["rows"] - (now["rows"] - now["newer"])
    # snapshots do not list transactions within transactions: what those wrote is newer as well
    newer, gone = now["newer"] + max(0, -gone), max(0, gone)
    return {**head, "then": then["rows"], "newer": newer, "gone": gone} if newer or gone else None


def split(
    losses: t.Sequence[t.Mapping[str, t.Any]], live: Psql, side: Psql, visible: str, timeout: float
) -> list[dict[str, t.Any]]:
    """Tell inserted, updated and deleted rows apart, by looking for the keys of newer rows in the restored database.

    :param losses: from ``read_loss`` with transactions that can be compared.
    :param live: a session with the database that has the newer rows.
    :param side: a session with the restored one, in the same helper.
    :returns: the same with ``inserted``, ``updated`` and ``deleted``; ``None`` where a table has no primary key.
    """
    result = []
    there = {(item["schema"], item["name"]) for item in side.rows(TABLES, READ_SECONDS)}
    for item in losses:
        told: dict[str, t.Any] = {"inserted": None, "updated": None, "deleted": None}
        if item["newer"] == 0:
            told = {"inserted": 0, "updated": 0, "deleted": item["gone"]}
        elif item["newer"] is not None and (item["schema"], item["name"]) not in there:
            told = {"inserted": item["newer"], "updated": 0, "deleted": 0}
        elif item["newer"] is not None:
            updated = _updated(item, live, side, visible, timeout)
            if updated is not None:
                told = {
                    "inserted": item["newer"] - updated,
                    "updated": updated,
                    "deleted": item["gone"] - updated,
                }
        result.append({**item, **told})
    return result


def _updated(item: t.Mapping[str, t.Any], live: Psql, side: Psql, visible: str, timeout: float) -> int | None:
    table = qualified(item)
    keys = [row["name"] for row in side.rows(PRIMARY_KEY.format(table=literal(table)), READ_SECONDS)]
    if not keys or any("\n" in part for part in (*keys, table)):
        return None
    columns = ", ".join(identifier(name) for name in keys)
    live.run(f"\\copy (SELECT {columns} FROM ONLY {table} WHERE {newer_than(visible)}) TO '{KEYS_FILE}'", timeout)
    side.run(f"CREATE TEMP TABLE __j4c_keys AS SELECT {columns} FROM {table} WITH NO DATA", READ_SECONDS)
    try:
        side.run(f"\\copy pg_temp.__j4c_keys FROM '{KEYS_FILE}'", timeout)
        return int(
            side.row(f"SELECT count(*) AS n FROM pg_temp.__j4c_keys JOIN ONLY {table} USING ({columns})", timeout)["n"]
        )
    finally:
        side.run("DROP TABLE pg_temp.__j4c_keys", READ_SECONDS)


def describe(losses: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Return one sentence for each table that loses rows."""
    lines = []
    for item in losses:
        table = qualified(item)
        if item["newer"] is None:
            lines.append(
                f"{table}: {item['rows']} rows now, {item['then']} in the backup; which are newer is not known"
            )
        elif item.get("inserted") is not None:
            lines.append(
                f"{table}: {item['inserted']} inserted, {item['updated']} updated, {item['deleted']} deleted since"
            )
        else:
            lines.append(f"{table}: {item['newer']} inserted or updated, {item['gone']} updated or deleted since")
    return lines

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a database as numbers that can be compared: counts and digests for each table, sequences, large objects.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import identifier, literal
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql

Digest = t.Literal["content", "counts", "none"]
READ_SECONDS = 60.0
# limits that would end a long reading, and settings that the text of a value depends on
SESSION = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "search_path": "pg_catalog",
    "xmlbinary": "base64",
    "row_security": "off",
}
# what pg_dump saves rows of: not the tables of extensions, unless they are marked as configuration
TABLES = """
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2
"""
SKIPPED = """
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('m', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 ORDER BY 1, 2
"""
SEQUENCES = """
SELECT n.nspname AS schema, c.relname AS name, s.seqincrement AS increment, s.seqmin AS min, s.seqmax AS max
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
 ORDER BY 1, 2
"""
LARGE_OBJECTS = """
SELECT count(*) AS count,
       coalesce(sum(hashtextextended(m.oid::text || ':' || encode(lo_get(m.oid), 'hex') COLLATE "C", 0)::numeric), 0)::text AS digest
  FROM pg_largeobject_metadata m
"""
LARGE_OBJECT_COUNT = "SELECT count(*) AS count, NULL::text AS digest FROM pg_largeobject_metadata"
# a sum does not depend on the order of the rows
ROWS = 'SELECT count(*) AS rows, coalesce(sum(hashtextextended(ROW(__j4c_t.*)::text COLLATE "C", 0)::numeric), 0)::text AS digest'
COUNT = "SELECT count(*) AS rows, NULL::text AS digest"


def prepare(psql: Psql) -> None:
    """Set what the text of values depends on and take limits of time away; settings that the server does not know are left out."""
    known = ", ".join(literal(name) for name in SESSION)
    rows = psql.rows(f"SELECT name FROM pg_settings WHERE lower(name) IN ({known.lower()})", READ_SECONDS)
    values = {name.lower(): value for name, value in SESSION.items()}
    for row in rows:
        psql.run(f"SET {row['name']} TO {literal(values[row['name'].lower()])}", READ_SECONDS)


def qualified(item: t.Mapping[str, t.Any]) -> str:
    """Return the name of a table or sequence with its schema, as SQL has it."""
    return f"{identifier(item['schema'])}.{identifier(item['name'])}"


def read_content(psql: Psql, digest: Digest, timeout: float) -> dict[str, t.Any]:
    """Read what the session sees.

    :param digest: ``content`` digests every row, ``counts`` counts them, ``none`` only lists the tables.
    :param timeout: seconds that one table may take.
    :returns: ``{tables, skipped, sequences, large_objects}``.
    """
    tables = psql.rows(TABLES, READ_SECONDS)
    if digest != "none":
        what = ROWS if digest == "content" else COUNT
        tables = [{**item, **psql.row(f"{what} FROM ONLY {qualified(item)} AS __j4c_t", timeout)} for item in tables]
    objects = psql.row(LARGE_OBJECTS if digest == "content" else LARGE_OBJECT_COUNT, timeout)
    return {
        "tables": tables,
        "skipped": psql.rows(SKIPPED, READ_SECONDS),
        "sequences": read_sequences(psql),
        "large_objects": objects,
    }


def read_sequences(psql: Psql) -> list[dict[str, t.Any]]:
    """Return where each sequence of the session's database stands."""
    return [
        {**item, **psql.row(f"SELECT last_value, is_called FROM {qualified(item)}", READ_SECONDS)}
        for item in psql.rows(SEQUENCES, READ_SECONDS)
    ]


def differences(expected: t.Mapping[str, t.Any], found: t.Mapping[str, t.Any], *, digests: bool) -> list[str]:
    """Compare two readings and return what is different, a sentence each.

    :param digests: compare the digests where both have one, and not only the counts.
    """
    problems = []
    tables = {(item["schema"], item["name"]): item for item in found["tables"]}
    for item in expected["tables"]:
        other = tables.pop((item["schema"], item["name"]), None)
        if other is None:
            problems.append(f"table {qualified(item)} is missing")
        elif item.get("rows") != other.get("rows"):
            problems.append(f"table {qualified(item)} has {other.get('rows')} rows instead of {item.get('rows')}")
        elif digests and item.get("digest") != other.get("digest"):
            problems.append(f"table {qualified(item)} has other content in its {item.get('rows')} rows")
    problems += [f"table {qualified(item)} should not be there" for item in tables.values()]
    wanted, there = expected["large_objects"], found["large_objects"]
    if wanted["count"] != there["count"]:
        problems.append(f"there are {there['count']} large objects instead of {wanted['count']}")
    elif digests and wanted.get("digest") != there.get("digest"):
        problems.append("the large objects have other content")
    return problems

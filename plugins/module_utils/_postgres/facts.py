# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is around the rows of a database: its properties, and what it needs to exist elsewhere.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import identifier, literal
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql

READ_SECONDS = 60.0
# one column each that names the state of the world at a moment; a standby has no write position
SERVER = """
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS version_num,
       current_setting('shared_preload_libraries') AS libraries,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline
"""
# to_jsonb, because the columns of locales differ from version to version
DATABASE = """
SELECT to_jsonb(d) AS columns,
       d.oid::bigint AS oid,
       d.datname AS name,
       pg_get_userbyid(d.datdba) AS owner,
       pg_encoding_to_char(d.encoding) AS encoding,
       shobj_description(d.oid, 'pg_database') AS comment,
       pg_database_size(d.oid) AS bytes,
       (SELECT spcname FROM pg_tablespace s WHERE s.oid = d.dattablespace) AS tablespace
  FROM pg_database d
 WHERE d.datname = {name}
"""
SETTINGS = """
SELECT CASE WHEN s.setrole = 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END AS role, s.setconfig AS settings
  FROM pg_db_role_setting s
 WHERE s.setdatabase = {oid}
 ORDER BY 1 NULLS FIRST
"""
ROLES = """
SELECT DISTINCT pg_get_userbyid(s.refobjid) AS name
  FROM pg_shdepend s
 WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('o', 'a', 'r')
   AND (s.dbid = {oid} OR (s.classid = 'pg_database'::regclass AND s.objid = {oid}))
 ORDER BY 1
"""
EXTENSIONS = "SELECT extname AS name, extversion AS version FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"


def describe_server(psql: Psql) -> dict[str, t.Any]:
    """Return version, identity and preloaded libraries of the server."""
    return psql.row(SERVER, READ_SECONDS)


def describe_database(psql: Psql, name: str) -> dict[str, t.Any] | None:
    """Return the properties of a database as a manifest has them, or ``None`` when there is none of that name."""
    found = psql.rows(DATABASE.format(name=literal(name)), READ_SECONDS)
    if not found:
        return None
    row = found[0]
    columns = row.pop("columns")
    return {
        **row,
        "collate": columns.get("datcollate"),
        "ctype": columns.get("datctype"),
        "provider": columns.get("datlocprovider", "c"),
        "locale": columns.get("datlocale") or columns.get("daticulocale"),
        "icu_rules": columns.get("daticurules"),
        "acl": columns.get("datacl"),
        "connection_limit": columns.get("datconnlimit"),
        "settings": psql.rows(SETTINGS.format(oid=row["oid"]), READ_SECONDS),
        "roles": sorted(
            {item["name"] for item in psql.rows(ROLES.format(oid=row["oid"]), READ_SECONDS)} | {row["owner"]}
        ),
    }


def list_extensions(psql: Psql) -> list[dict[str, str]]:
    """Return name and version of the extensions in the session's database."""
    return psql.rows(EXTENSIONS, READ_SECONDS)


def create_database(name: str, like: t.Mapping[str, t.Any], version_num: int, owner: str | None = None) -> str:
    """Return the statement that makes an empty database with encoding and locale of another one.

    :param like: properties from ``describe_database`` or a manifest.
    :param version_num: of the server that it is made on.
    :param owner: the user that makes it when omitted.
    """
    parts = [f"CREATE DATABASE {identifier(name)} TEMPLATE template0 ENCODING {literal(like['encoding'])}"]
    for option, key in (("LC_COLLATE", "collate"), ("LC_CTYPE", "ctype")):
        if like.get(key):
            parts.append(f"{option} {literal(like[key])}")
    if version_num >= 150000 and like.get("provider") == "i":
        parts.append(f"LOCALE_PROVIDER icu ICU_LOCALE {literal(like['locale'])}")
        if version_num >= 160000 and like.get("icu_rules"):
            parts.append(f"ICU_RULES {literal(like['icu_rules'])}")
    elif version_num >= 170000 and like.get("provider") == "b":
        parts.append(f"LOCALE_PROVIDER builtin BUILTIN_LOCALE {literal(like['locale'])}")
    if owner is not None:
        parts.append(f"OWNER {identifier(owner)}")
    return " ".join(parts)

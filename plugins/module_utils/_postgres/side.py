# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database beside the live one: made, loaded, compared, and given what the live one has around its rows.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import csv
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import qualified, read_sequences
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import Helper
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import dsn, identifier, literal
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.source import Source

READ_SECONDS = 60.0
# ids that the live database may hand out between the look at its sequences and the swap
SEQUENCE_MARGIN = 1000
# PostgreSQL writes the values of these as lists of quoted names
LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}
GRANTS = """
SELECT a.privilege_type AS privilege, a.is_grantable AS grantable,
       CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END AS grantee
  FROM pg_database d, aclexplode(d.datacl) a
 WHERE d.oid = {oid}
"""
INVALID = """
SELECT i.indexrelid::regclass::text AS name FROM pg_index i WHERE NOT i.indisvalid OR NOT i.indisready
"""


def load(helper: Helper, source: Source, database: str, jobs: int, timeout: float) -> None:
    """Restore a dump into an empty database; the first error ends it.

    :raises DeployError: it could not be restored whole.
    """
    what = f"Restoring '{source.name}'"
    if source.kind == "plain":
        argv = ["psql", "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-o", "/dev/null"]
        argv += ["-d", dsn(database), "-f", source.inside]
    else:
        argv = ["pg_restore", "--exit-on-error", "-w", f"--dbname={dsn(database)}"]
        argv += [f"--jobs={jobs}"] if source.kind == "directory" else ["--single-transaction"]
        argv.append(source.inside)
    helper.run(argv, what, timeout=timeout)


def invalid_indexes(psql: Psql) -> list[str]:
    """Return a sentence for each index that does not work."""
    return [f"index {item['name']} is not valid" for item in psql.rows(INVALID, READ_SECONDS)]


def carry_over(admin: Psql, live: t.Mapping[str, t.Any], side: str) -> None:
    """Give a database the grants, comment, settings and limit of the live one; its owner it has already.

    :param admin: a session with another database.
    :param live: the live one, see ``describe_database``.
    """
    for statement in carried(live, admin.rows(GRANTS.format(oid=live["oid"]), READ_SECONDS), side):
        admin.run(statement, READ_SECONDS)


def carried(live: t.Mapping[str, t.Any], grants: t.Sequence[t.Mapping[str, t.Any]], side: str) -> list[str]:
    """Return the statements of ``carry_over``."""
    name = identifier(side)
    statements = []
    if live["acl"] is not None:
        statements.append(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC, {identifier(live['owner'])}")
    for item in grants:
        grantee = "PUBLIC" if item["grantee"] is None else identifier(item["grantee"])
        option = " WITH GRANT OPTION" if item["grantable"] else ""
        statements.append(f"GRANT {item['privilege']} ON DATABASE {name} TO {grantee}{option}")
    for item in live["settings"]:
        target = f"DATABASE {name} SET"
        if item["role"] is not None:
            target = f"ROLE {identifier(item['role'])} IN DATABASE {name} SET"
        statements += [f"ALTER {target} {_assignment(setting)}" for setting in item["settings"]]
    if live["comment"] is not None:
        statements.append(f"COMMENT ON DATABASE {name} IS {literal(live['comment'])}")
    statements.append(f"ALTER DATABASE {name} CONNECTION LIMIT {live['connection_limit']}")
    return statements


def _assignment(setting: str) -> str:
    key, _equals, value = setting.partition("=")
    values = [value]
    if key.lower() in LISTS:
        values = next(csv.reader([value], skipinitialspace=True), [])
    return f"{identifier(key)} TO {', '.join(literal(item) for item in values or [''])}"


def advance_sequences(live: Psql, side: Psql, margin: int = SEQUENCE_MARGIN) -> list[str]:
    """Move the sequences of the restored database past those of the live one, or ids would be given twice.

    :returns: the names of those that were moved.
    """
    there = {(item["schema"], item["name"]): item for item in read_sequences(side)}
    moved = []
    for item in read_sequences(live):
        other = there.get((item["schema"], item["name"]))
        target = advanced(item, other, margin) if other else None
        if target is not None:
            side.run(f"SELECT setval({literal(qualified(item))}, {target}, true)", READ_SECONDS)
            moved.append(qualified(item))
    return moved


def advanced(live: t.Mapping[str, t.Any], side: t.Mapping[str, t.Any], margin: int) -> int | None:
    """Return the value that a sequence is set to, ``None`` when it is as far already or was never used since."""
    ahead = live["last_value"] - side["last_value"]
    behind = ahead > 0 if side["increment"] > 0 else ahead < 0
    if not behind and not (ahead == 0 and live["is_called"] and not side["is_called"]):
        return None
    target = live["last_value"] + margin * side["increment"]
    return int(max(side["min"], min(side["max"], target)))


def drop(admin: Psql, name: str, timeout: float) -> None:
    """Remove a database and whoever is in it; one that is gone already is fine.

    :raises DeployError: it could not be removed.
    """
    try:
        admin.run(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)", timeout)
    except DeployError as exc:
        raise DeployError(
            f"The database {identifier(name)} could not be removed: {exc.msg}",
            hint="See who uses it in pg_stat_activity and pg_prepared_xacts.",
        ) from exc

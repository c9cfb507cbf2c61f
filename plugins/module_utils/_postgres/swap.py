# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The swap of two databases under one name, in one block that runs on the server to its end whatever becomes of its client.

New sessions are refused first, and that is committed: with it, the sessions that are there can be ended for good. The
renames are one transaction. When it fails, the block itself lets sessions in again; when the server dies in the middle, the
next run does (``heal``).

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import identifier, literal
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql

READ_SECONDS = 60.0
MARGIN_SECONDS = 60.0
NAMES = "SELECT oid::bigint AS oid, datname AS name, datallowconn AS open FROM pg_database WHERE oid IN ({oids})"
BLOCK = """
DECLARE
  started timestamptz := clock_timestamp();
  problem text;
  busy int;
BEGIN
  ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false;
  COMMIT;
  started := clock_timestamp();
  BEGIN
    LOOP
      PERFORM pg_stat_clear_snapshot();
      SELECT count(pg_terminate_backend(pid)) INTO busy FROM pg_stat_activity WHERE datname IN ({name_text}, {other_text});
      EXIT WHEN busy = 0;
      IF clock_timestamp() > started + {limit} * interval '1 second' THEN
        RAISE EXCEPTION '% sessions did not end', busy;
      END IF;
      PERFORM pg_sleep(0.001);
    END LOOP;
    ALTER DATABASE {name} RENAME TO {away};
    ALTER DATABASE {other} RENAME TO {name};
    ALTER DATABASE {away} WITH ALLOW_CONNECTIONS true;
  EXCEPTION WHEN OTHERS THEN
    problem := SQLERRM;
  END;
  IF problem IS NOT NULL THEN
    ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true;
    COMMIT;
    RAISE EXCEPTION '%', problem;
  END IF;
  PERFORM set_config('j4c.window', extract(epoch FROM clock_timestamp() - started)::text, false);
  PERFORM set_config('j4c.visible', pg_current_snapshot()::text, false);
END
"""


def block(name: str, other: str, away: str, limit: float) -> str:
    """Return the statement that gives ``name`` to the database ``other``, and the name ``away`` to the one that had it.

    :param limit: seconds that sessions have to end.
    """
    body = BLOCK.format(
        name=identifier(name),
        other=identifier(other),
        away=identifier(away),
        name_text=literal(name),
        other_text=literal(other),
        limit=f"{limit:f}",
    )
    # a tag that no name has in it
    tag = f"$j4c{secrets.token_hex(8)}$"
    return f"DO {tag}{body}{tag}"


def swap(admin: Psql, name: str, other: str, away: str, limit: float) -> dict[str, t.Any]:
    """Swap; see ``block``.

    :param admin: a session with a third database.
    :returns: ``{seconds, visible}``: the time without a database of that name, and the snapshot at its end.
    :raises DeployError: it was not done, and sessions are let in again.
    """
    # a client that dies must not end the block, and nobody's lock may keep the name away for long
    for setting, value in (
        ("statement_timeout", "0"),
        ("lock_timeout", f"{int(limit * 1000)}ms"),
        ("client_connection_check_interval", "0"),
        ("synchronous_commit", "on"),
    ):
        if admin.rows(f"SELECT 1 AS known FROM pg_settings WHERE name = {literal(setting)}", READ_SECONDS):
            admin.run(f"SET {setting} TO {literal(value)}", READ_SECONDS)
    admin.run(block(name, other, away, limit), 2 * limit + MARGIN_SECONDS)
    done = admin.row(
        "SELECT current_setting('j4c.window')::float AS seconds, current_setting('j4c.visible') AS visible",
        READ_SECONDS,
    )
    return {"seconds": round(done["seconds"], 4), "visible": done["visible"]}


def names(admin: Psql, *oids: int) -> dict[int, dict[str, t.Any]]:
    """Return ``{name, open}`` of those of the databases that exist."""
    listed = ", ".join(str(int(oid)) for oid in oids)
    return {item["oid"]: item for item in admin.rows(NAMES.format(oids=listed), READ_SECONDS)}


def reopen(admin: Psql, name: str) -> None:
    """Let sessions into a database again."""
    admin.run(f"ALTER DATABASE {identifier(name)} WITH ALLOW_CONNECTIONS true", READ_SECONDS)

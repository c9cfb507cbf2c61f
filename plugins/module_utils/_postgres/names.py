# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and values of PostgreSQL as text that is safe in SQL, in connection strings and in password files.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib

# longer names are cut by PostgreSQL without a word, and two could become one
NAME_BYTES = 63
DIGEST_CHARS = 8


def identifier(name: str) -> str:
    """Return a name as an identifier of SQL, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a string of SQL, whatever characters it has."""
    quoted = text.replace("'", "''")
    return " E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in text else f"'{quoted}'"


def dsn(database: str) -> str:
    """Return the connection string of a database: as a bare name, one with ``=`` in it would be taken for a string."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def passfile_line(password: str) -> str:
    """Return the line of a password file that gives one password to every server, database and user."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def derived(database: str, suffix: str) -> str:
    """Return the name of a database beside another one: ``<database>_<suffix>``.

    A name that would be too long for PostgreSQL is cut, and a digest of the whole name keeps it apart from others.
    """
    name = f"{database}_{suffix}"
    if len(name.encode()) <= NAME_BYTES:
        return name
    digest = hashlib.sha256(database.encode()).hexdigest()[:DIGEST_CHARS]
    room = NAME_BYTES - len(f"_{digest}_{suffix}".encode())
    head = database.encode()[:room].decode("utf-8", "ignore")
    return f"{head}_{digest}_{suffix}"

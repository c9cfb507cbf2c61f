# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A psql that waits for statements on its standard input, in a container that lives as long as this input is open.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import secrets
import socket
import struct
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

ARGV = ("psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=0", "-P", "null=")
# what the engine puts before each piece of output: the stream, and the number of bytes
HEADER = struct.Struct(">BxxxL")
STDERR = 2
CHUNK = 1 << 16


class SqlError(DeployError):
    """A statement that PostgreSQL refused; ``sqlstate`` says which kind of error it is."""

    def __init__(self, msg: str, sqlstate: str) -> None:
        super().__init__(msg)
        self.sqlstate = sqlstate


class Psql:
    """One session. Its statements and answers go over a socket that is attached to the container of ``ARGV``.

    :param connection: the socket.
    :param name: the container, for messages.
    """

    def __init__(self, connection: t.Any, name: str) -> None:
        # the engine's library wraps the socket for reading only
        self._keep = connection
        self._socket: socket.socket = getattr(connection, "_sock", connection)
        self._name = name
        self._raw = bytearray()
        self._stdout = bytearray()
        self._stderr = bytearray()

    def run(self, statement: str, timeout: float) -> list[str]:
        """Run one statement and return the lines of its output.

        :param statement: SQL, or a command of psql.
        :param timeout: seconds.
        :raises SqlError: PostgreSQL refused it.
        :raises DeployError: no answer in time, or the container or its connection to the database is gone.
        """
        mark = secrets.token_hex(8)
        end = ";" if not statement.startswith("\\") else ""
        text = f"{statement}{end}\n\\echo {mark}a :ERROR\n\\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE\n\\echo {mark}b\n"
        deadline = time.monotonic() + timeout
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(text.encode())
        except OSError as exc:
            raise self._gone(str(exc)) from exc
        closing = f"{mark}b\n".encode()
        while closing not in self._stdout:
            self._receive(deadline, timeout)
        answer, _closing, rest = self._stdout.partition(closing)
        self._stdout = bytearray(rest)
        output, _mark, tail = answer.decode("utf-8", "replace").rpartition(f"{mark}a ")
        failed, _newline, error = tail.partition("\n")
        if failed == "true":
            sqlstate, _space, message = error.strip().partition(" ")
            raise SqlError(message or "unknown error", sqlstate)
        return output.splitlines()

    def rows(self, query: str, timeout: float) -> list[dict[str, t.Any]]:
        """Run a query and return its rows by column name; see ``run`` for what can go wrong."""
        lines = self.run(f"SELECT row_to_json(__j4c) FROM (\n{query}\n) AS __j4c", timeout)
        return [json.loads(line) for line in lines]

    def row(self, query: str, timeout: float) -> dict[str, t.Any]:
        """Run a query that has one row and return it."""
        return self.rows(query, timeout)[0]

    def close(self) -> None:
        """End the session, and with it the container."""
        self._socket.close()
        self._keep.close()

    def _receive(self, deadline: float, timeout: float) -> None:
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise socket.timeout
            self._socket.settimeout(left)
            data = self._socket.recv(CHUNK)
        except socket.timeout:
            raise DeployError(
                f"The database did not answer within {timeout:g} s.",
                hint="See what it is doing with 'SELECT * FROM pg_stat_activity', or give more time (timeout).",
            ) from None
        except OSError as exc:
            raise self._gone(str(exc)) from exc
        if not data:
            raise self._gone(self._stderr.decode("utf-8", "replace").strip() or "it has ended")
        self._raw += data
        while len(self._raw) >= HEADER.size:
            stream, size = HEADER.unpack_from(self._raw)
            if len(self._raw) < HEADER.size + size:
                break
            piece = self._raw[HEADER.size : HEADER.size + size]
            if stream == STDERR:
                self._stderr = (self._stderr + piece)[-CHUNK:]
            else:
                self._stdout += piece
            del self._raw[: HEADER.size + size]

    def _gone(self, why: str) -> DeployError:
        return DeployError(
            f"The session with the database in '{self._name}' is gone: {why}.",
            hint="Look at the log of the database container; then run the same again.",
        )

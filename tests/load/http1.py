# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 as raw as it takes to know exactly when a connection broke."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import typing as t
from dataclasses import dataclass

ADDRESS = "127.0.0.1"
HEAD_LIMIT = 65536


class Broken(Exception):
    """A request without a complete answer.

    :param kind: ``refused``, ``reset``, ``closed`` (before the answer's first byte), ``truncated`` or ``protocol``.
    :param status: status of the answer, 0 when none came.
    :param slot: the answer's header X-J4C-Slot, empty when none came.
    """

    def __init__(self, kind: str, detail: str = "", status: int = 0, slot: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.detail = detail
        self.status = status
        self.slot = slot


@dataclass(frozen=True)
class Answer:
    """A complete answer; ``keep`` says whether the connection can be used again."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes
    keep: bool

    @property
    def slot(self) -> str:
        """The header X-J4C-Slot, empty when there is none."""
        return self.headers.get("x-j4c-slot", "")


class Connection:
    """One TCP connection to 127.0.0.1; made by ``open``."""

    def __init__(self, sock: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._socket = sock
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect, however long it takes: the caller has a time limit for the whole request.

        :raises Broken: with the kind ``refused``, whatever kept the connection from being made.
        """
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            loop = asyncio.get_running_loop()
            # no wait_for here: inside of another one it can lose a cancellation (Python 3.11 and older), and never end
            await loop.sock_connect(sock, (ADDRESS, port))
            reader, writer = await asyncio.open_connection(sock=sock, limit=HEAD_LIMIT)
        except OSError as exc:
            sock.close()
            raise Broken("refused", str(exc)) from exc
        except BaseException:
            sock.close()
            raise
        return cls(sock, reader, writer)

    def usable(self) -> bool:
        """Return whether the other side has left the idle connection open, asked of the kernel this instant."""
        if self._writer.is_closing() or self._reader.at_eof() or self._reader.exception() is not None:
            return False
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the connection at once, whatever is under way on it."""
        with contextlib.suppress(RuntimeError):
            self._writer.transport.abort()

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and read the whole answer.

        :raises Broken: the connection did not last until the answer's end.
        """
        status, slot, begun = 0, "", False
        try:
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            begun = True
            status, headers = _parse_head(head)
            slot = headers.get("x-j4c-slot", "")
            body, keep = await self._read_body(headers)
        except asyncio.IncompleteReadError as exc:
            kind = "truncated" if begun or exc.partial else "closed"
            raise Broken(kind, f"after {len(exc.partial)} bytes of a part", status, slot) from exc
        except (asyncio.LimitOverrunError, ValueError) as exc:
            raise Broken("protocol", str(exc), status, slot) from exc
        except OSError as exc:
            raise Broken("reset", str(exc), status, slot) from exc
        return Answer(status, headers, body, keep and headers.get("connection", "").lower() != "close")

    async def _read_body(self, headers: t.Mapping[str, str]) -> tuple[bytes, bool]:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._read_chunks(), True
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"])), True
        return await self._reader.read(), False

    async def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            size = int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if size == 0:
                break
            parts.append((await self._reader.readexactly(size + 2))[:-2])
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return b"".join(parts)


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    version, _space, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not an HTTP/1 answer: {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        key, _colon, value = line.partition(":")
        headers[key.strip().lower()] = value.strip()
    return int(rest[:3]), headers

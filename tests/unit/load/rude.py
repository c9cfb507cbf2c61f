# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP server with the API of the example service, which misbehaves as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import typing as t
from dataclasses import dataclass, field

JSON = b'{"status":"UP"}'


@dataclass(frozen=True)
class Request:
    """What the server has read; ``number`` counts the requests on this connection from 1."""

    method: str
    path: str
    headers: dict[str, str]
    number: int


Behaviour = t.Callable[[Request, asyncio.StreamWriter], t.Awaitable[None]]


def plain(status: int, body: bytes, slot: str = "blue") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nX-J4C-Slot: {slot}\r\n\r\n"
    return head.encode() + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-J4C-Slot: green\r\n\r\n" + body + end


async def well(request: Request, writer: asyncio.StreamWriter) -> None:
    if "/slow" in request.path:
        writer.write(plain(200, b"done\n"))
    elif "/stream" in request.path:
        writer.write(chunked(b"line 0\n", b"end\n"))
    else:
        writer.write(plain(201 if request.method == "POST" else 200, JSON))


def sends(data: bytes, close: bool = False) -> Behaviour:
    async def behave(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if close:
            writer.close()

    return behave


async def resets(_request: Request, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def says_nothing(_request: Request, _writer: asyncio.StreamWriter) -> None:
    return


async def closes_idle(request: Request, writer: asyncio.StreamWriter) -> None:
    await well(request, writer)
    writer.close()


async def closes_on_the_second_request(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.number == 1:
        await well(request, writer)
    else:
        writer.close()


@dataclass
class Rude:
    """The server; ``keys`` are the idempotency keys it has read, in order."""

    behave: Behaviour = well
    port: int = 0
    keys: list[str] = field(default_factory=list)
    connections: int = 0

    @contextlib.asynccontextmanager
    async def serve(self) -> t.AsyncIterator[Rude]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                number += 1
                first, *lines = head.strip().split("\r\n")
                headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
                await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _version = first.split(" ")
                if method == "POST":
                    self.keys.append(headers["idempotency-key"])
                await self.behave(Request(method, path, headers, number), writer)
        writer.close()

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of ``grpc.health.v1.Health/Check`` over plain HTTP/2, without the gRPC library.

Just what one call with a short answer needs of RFC 9113 and of the gRPC protocol; flow control never comes into play.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import socket
import struct
import time
from urllib.parse import unquote

from ansible_collections.j4c.deploy.plugins.module_utils._grpc_hpack import decode, encode

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_ACK, _END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 32
_NO_HEADER_TABLE, _NO_PUSH = struct.pack(">HL", 1, 0), struct.pack(">HL", 2, 0)
_MAX_FRAME = 16384
_MAX_FRAMES = 100
_SERVING = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
CLOSED = "the connection was closed without an answer"
_CODES = {"5": "the server does not know this service", "12": "the server has no health service"}


class GrpcError(Exception):
    """No answer to the question came."""


class _Connection:
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self._sock.sendall(struct.pack(">L", len(payload))[1:] + struct.pack(">BBL", kind, flags, stream) + payload)

    def receive(self) -> tuple[int, int, int, bytes]:
        """Return kind, flags, stream and payload of the next frame."""
        head = self._read(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBL", head[3:])
        if length > _MAX_FRAME:
            raise GrpcError("the server does not speak HTTP/2")
        return kind, flags, stream, self._read(length)

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout
            self._sock.settimeout(left)
            part = self._sock.recv(length - len(data))
            if not part:
                raise GrpcError(CLOSED)
            data += part
        return data


def ask_health(host: str, port: int, service: str, timeout: float) -> str:
    """Return the serving status of a gRPC service, for example ``SERVING``.

    :param service: name of the service, ``""`` for the server as a whole.
    :param timeout: seconds for the whole call.
    :raises GrpcError: the server gave none.
    """
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((host, port), timeout) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(_PREFACE)
            connection = _Connection(sock, deadline)
            _ask(connection, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", service, timeout)
            fields, body = _answer(connection)
        return _status(fields, body)
    except (TimeoutError, socket.timeout):
        raise GrpcError(f"no answer within {timeout:g} s") from None
    except (BrokenPipeError, ConnectionResetError):
        raise GrpcError(CLOSED) from None
    except OSError as exc:
        raise GrpcError((exc.strerror or str(exc)).lower()) from exc
    except (ValueError, struct.error, IndexError) as exc:
        raise GrpcError(f"the answer is not valid: {exc}") from exc


def _ask(connection: _Connection, authority: str, service: str, timeout: float) -> None:
    connection.send(_SETTINGS, 0, 0, _NO_HEADER_TABLE + _NO_PUSH)
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": f"{max(1, round(timeout * 1000))}m",
        "user-agent": "j4c.deploy",
    }
    connection.send(_HEADERS, _END_HEADERS, 1, encode(fields))
    message = b""
    if service:
        name = service.encode()
        # a name is shorter than 128 bytes, see checks_from_options
        message = b"\x0a" + bytes([len(name)]) + name
    connection.send(_DATA, _END_STREAM, 1, b"\x00" + struct.pack(">L", len(message)) + message)


def _answer(connection: _Connection) -> tuple[dict[str, str], bytes]:
    """Return the header fields, trailers among them, and the body of the answer."""
    fields: dict[str, str] = {}
    block, body, ending = b"", b"", False
    for _number in range(_MAX_FRAMES):
        kind, flags, stream, payload = connection.receive()
        if kind == _SETTINGS and not flags & _ACK:
            connection.send(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            connection.send(_PING, _ACK, 0, payload)
        elif kind == _GOAWAY and struct.unpack(">LL", payload[:8]) != (1, 0):
            raise GrpcError("the server ended the connection")
        elif stream == 1 and kind == _RST_STREAM:
            raise GrpcError(f"the server refused the call, HTTP/2 error {struct.unpack('>L', payload)[0]}")
        elif stream == 1 and kind == _DATA:
            body += _content(kind, flags, payload)
            ending = bool(flags & _END_STREAM)
        elif stream == 1 and kind in (_HEADERS, _CONTINUATION):
            block += _content(kind, flags, payload)
            ending = ending or bool(kind == _HEADERS and flags & _END_STREAM)
            if flags & _END_HEADERS:
                fields.update(decode(block))
                block = b""
        if ending and not block:
            return fields, body
    raise GrpcError("the answer has no end")


def _content(kind: int, flags: int, payload: bytes) -> bytes:
    """Return a frame's payload without padding and priority."""
    start = end = 0
    if kind != _CONTINUATION and flags & _PADDED:
        start, end = 1, payload[0]
    if kind == _HEADERS and flags & _PRIORITY:
        start += 5
    if start + end > len(payload):
        raise ValueError("a frame has more padding than content")
    return payload[start : len(payload) - end]


def _status(fields: dict[str, str], body: bytes) -> str:
    code = fields.get("grpc-status", "")
    if fields.get(":status") != "200":
        raise GrpcError(f"the server answered with HTTP status {fields.get(':status', 'none')}")
    if code != "0":
        told = unquote(fields.get("grpc-message", ""))
        raise GrpcError(
            f"{_CODES.get(code, 'the call failed')} (gRPC status {code or 'none'}{', ' if told else ''}{told})"
        )
    flag, length = struct.unpack(">BL", body[:5])
    message = body[5:]
    if flag or length != len(message) or (message and (len(message) != 2 or message[0] != 8)):
        raise GrpcError("the answer is no status of a health check")
    number = message[1] if message else 0
    return _SERVING[number] if number < len(_SERVING) else str(number)

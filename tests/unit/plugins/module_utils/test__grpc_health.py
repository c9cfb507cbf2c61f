# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that a server of the gRPC library (1.85) sent, and what servers do wrong."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._grpc_health import GrpcError, ask_health
from ansible_collections.j4c.deploy.plugins.module_utils._grpc_hpack import decode, encode

from tests.unit.web import nobody, raw

SETTINGS = "000018040000000000000400400000000500400000000600004000fe0300000001"
GREETING = SETTINGS + "000004080000000000003f0001" + "000000040100000000" + "00000408000000000000000005"
PING = "00000806000000000090331560ed4251b8"
HEADERS = (
    "00004f0104000000012088400c636f6e74656e742d74797065106170706c69636174696f6e2f677270634014677270632d6163636570742d"
    "656e636f64696e67176964656e746974792c206465666c6174652c20677a6970"
)
OK = "00001e010500000001400b677270632d7374617475730130000c677270632d6d65737361676500"
UNKNOWN_SERVICE = "0000050000000000010000000000" + OK.replace("0130000c", "0135000c")
NO_HEALTH_SERVICE = (
    "0000510105000000012088400c636f6e74656e742d74797065106170706c69636174696f6e2f67727063400b677270632d73746174757302"
    "3132000c677270632d6d657373616765114d6574686f64206e6f7420666f756e6421"
)
GOAWAY_SHUTDOWN = "00000807000000000000000001" + "00000000"


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> str:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return (head + payload).hex()


def data(message: str, flags: int = 0) -> str:
    content = bytes.fromhex(message)
    return frame(0, flags, b"\x00" + len(content).to_bytes(4, "big") + content)


def ask(frames: str, service: str = "", timeout: float = 5.0) -> tuple[str, bytes]:
    """Ask a server that sends ``frames``; return the status, or the error, and what it was sent."""
    got: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        connection.sendall(bytes.fromhex(frames))
        while True:
            part = connection.recv(65536)
            if not part:
                return
            got.append(part)

    with raw(answer) as port:
        try:
            status = ask_health("127.0.0.1", port, service, timeout)
        except GrpcError as exc:
            status = f"error: {exc}"
    return status, b"".join(got)


def padded(flags: int, content: bytes) -> bytes:
    priority = b"\x00\x00\x00\x00\x10" if flags & 32 else b""
    return b"\x03" + priority + content + b"\x00\x00\x00"


BLOCK = encode({":status": "200", "grpc-status": "0"})


@pytest.mark.parametrize(
    ("frames", "status"),
    [
        (GREETING + PING + HEADERS + data("0801") + OK, "SERVING"),
        (GREETING + HEADERS + data("0802") + OK, "NOT_SERVING"),
        (GREETING + HEADERS + data("0803") + OK, "SERVICE_UNKNOWN"),
        (GREETING + HEADERS + data("") + OK, "UNKNOWN"),
        (GREETING + HEADERS + data("0809") + OK, "9"),
        # a header block in two frames, padding, priority, and a graceful shutdown that lets this call end
        (SETTINGS + frame(1, 0, BLOCK[:5]) + frame(9, 4, BLOCK[5:]) + data("0801", 1), "SERVING"),
        (SETTINGS + frame(1, 4 | 8 | 32, padded(32, BLOCK)) + data("0801", 1), "SERVING"),
        (SETTINGS + HEADERS + frame(0, 8, padded(0, b"\x00\x00\x00\x00\x02\x08\x01")) + OK, "SERVING"),
        (SETTINGS + HEADERS + frame(0, 0, b"\x00\x00\x00") + frame(0, 0, b"\x00\x02\x08\x01") + OK, "SERVING"),
        (SETTINGS + frame(7, 0, bytes(3) + b"\x01" + bytes(4), 0) + HEADERS + data("0801") + OK, "SERVING"),
        # a frame of a kind that is not known, and one of another stream
        (SETTINGS + frame(99, 0, b"x") + data("0802").replace("00000001", "00000003", 1) + HEADERS + data("0801") + OK, "SERVING"),
    ],
)  # fmt: skip
def test_a_status_is_read(frames: str, status: str) -> None:
    assert ask(frames)[0] == status


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (GREETING + HEADERS + UNKNOWN_SERVICE, "the server does not know this service (gRPC status 5)"),
        (GREETING + NO_HEALTH_SERVICE, "the server has no health service (gRPC status 12, Method not found!)"),
        (SETTINGS + frame(1, 5, encode({":status": "200"})), "the call failed (gRPC status none)"),
        (
            SETTINGS + frame(1, 5, encode({":status": "200", "grpc-status": "14", "grpc-message": "not%20yet"})),
            "the call failed (gRPC status 14, not yet)",
        ),
        (SETTINGS + frame(1, 5, encode({":status": "415"})), "HTTP status 415"),
        (SETTINGS + frame(3, 0, b"\x00\x00\x00\x07"), "refused the call, HTTP/2 error 7"),
        (SETTINGS + frame(7, 0, b"\x00\x00\x00\x00\x00\x00\x00\x0b", 0), "ended the connection"),
        (SETTINGS + frame(1, 4, b"\xbe"), "not valid: there is no header field 62"),
        (SETTINGS + frame(1, 4 | 8, b"\xff\x88"), "more padding than content"),
        (SETTINGS + frame(1, 4 | 8, b""), "the answer is not valid"),
        (SETTINGS + HEADERS + data("0a0161") + OK, "no status of a health check"),
        (SETTINGS + HEADERS + OK, "the answer is not valid"),
        (SETTINGS + PING * 200, "the answer has no end"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".hex(), "does not speak HTTP/2"),
    ],
)
def test_everything_else_is_an_error_that_says_why(frames: str, told: str) -> None:
    assert told in ask(frames)[0]


def test_the_call_is_what_the_protocol_wants() -> None:
    status, sent = ask(GREETING + PING + HEADERS + data("0801") + OK, service="shop.Orders")
    assert status == "SERVING"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    assert sent.startswith(preface)
    sent = sent[len(preface) :]
    frames = []
    while sent:
        length = int.from_bytes(sent[:3], "big")
        frames.append((sent[3], sent[4], int.from_bytes(sent[5:9], "big"), sent[9 : 9 + length]))
        sent = sent[9 + length :]
    assert [item[:3] for item in frames] == [(4, 0, 0), (1, 4, 1), (0, 1, 1), (4, 1, 0), (6, 1, 0)]
    assert frames[0][3] == bytes.fromhex("000100000000" + "000200000000")
    fields = decode(frames[1][3])
    assert fields[":path"] == "/grpc.health.v1.Health/Check"
    assert (fields["te"], fields["content-type"], fields["grpc-timeout"]) == ("trailers", "application/grpc", "5000m")
    assert frames[2][3] == b"\x00\x00\x00\x00\x0d\x0a\x0bshop.Orders"
    assert frames[4][3].hex() == PING[18:]


def test_the_time_limit_is_one_for_the_whole_call() -> None:
    def answer(connection: socket.socket) -> None:
        connection.settimeout(0.05)
        # one byte of a frame after the other
        for byte in bytes.fromhex(frame(99, 0, bytes(16000))):
            connection.sendall(bytes([byte]))
            with contextlib.suppress(socket.timeout):
                while connection.recv(65536):
                    pass
                return

    started = time.monotonic()
    with raw(answer) as port, pytest.raises(GrpcError, match=r"no answer within 0\.3 s"):
        ask_health("127.0.0.1", port, "", 0.3)
    assert time.monotonic() - started < 20


def test_a_closed_connection_and_a_refused_one_are_told() -> None:
    with raw(lambda connection: None) as port, pytest.raises(GrpcError, match="closed without an answer"):
        ask_health("127.0.0.1", port, "", 2)
    with nobody() as port, pytest.raises(GrpcError, match="connection refused"):
        ask_health("127.0.0.1", port, "", 2)

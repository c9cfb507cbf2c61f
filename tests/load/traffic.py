# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent: the kinds of requests, how often each, and what each must be answered with."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

API = "/api/v11"


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _is_done(body: bytes) -> bool:
    return body.strip() == b"done"


def _has_end(body: bytes) -> bool:
    return body.endswith(b"end\n")


@dataclass(frozen=True)
class Kind:
    """One kind of request.

    :param connection: ``kept`` takes a connection from the pool, ``new`` makes one for this request, ``idle`` takes one
        that nobody has used for seconds.
    :param status: the only status that is right.
    :param timeout: seconds from the moment the request was due until its answer must be complete.
    :param complete: whether a body is the whole and right one; a body that is not counts as ``truncated``.
    """

    name: str
    method: str
    path: str
    connection: str
    status: int
    timeout: float
    complete: t.Callable[[bytes], bool]


@dataclass(frozen=True)
class Arrivals:
    """Requests that are due every ``interval`` seconds, of ``kinds`` in turn."""

    interval: float
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Profile:
    """How much of what.

    :param rate: quick requests a second: 40 % health, 20 % lists and 40 % inserts; a fifth of them on a new connection.
    :param idle_posts: inserts a second, besides, on kept-alive connections that were idle for ``idle_seconds``.
    :param slow_in_flight: requests of ``slow_ms`` milliseconds that are under way at any time, besides.
    :param streams_in_flight: streams of ``stream_seconds`` that are under way at any time, besides.
    :param timeout: seconds that an answer may take longer than it was asked to.
    """

    rate: float = 100.0
    idle_posts: float = 2.0
    idle_seconds: float = 4.0
    slow_in_flight: int = 3
    slow_ms: int = 3000
    streams_in_flight: int = 3
    stream_seconds: int = 10
    timeout: float = 10.0

    @property
    def idle_connections(self) -> int:
        """How many connections take turns so that each is idle for ``idle_seconds``."""
        return max(1, round(self.idle_posts * self.idle_seconds))

    def arrivals(self) -> tuple[Arrivals, ...]:
        """Return the schedules, without those of which nothing is wanted."""
        wait = self.timeout
        lists, inserts = f"{API}/transactions", f"{API}/transactions"
        slow, stream = f"{API}/slow?ms={self.slow_ms}", f"{API}/stream?seconds={self.stream_seconds}"
        slow_seconds = self.slow_ms / 1000

        def quick(connection: str) -> tuple[Kind, ...]:
            health = Kind("health", "GET", f"{API}/health", connection, 200, wait, _is_json_object)
            listing = Kind("list", "GET", lists, connection, 200, wait, _is_json_object)
            insert = Kind("post", "POST", inserts, connection, 201, wait, _is_json_object)
            return health, insert, health, insert, listing

        planned = (
            (self.rate, quick("kept") * 4 + quick("new")),
            (self.idle_posts, (Kind("idle-post", "POST", inserts, "idle", 201, wait, _is_json_object),)),
            (
                self.slow_in_flight / slow_seconds,
                (Kind("slow", "GET", slow, "kept", 200, wait + slow_seconds, _is_done),),
            ),
            (
                self.streams_in_flight / self.stream_seconds,
                (Kind("stream", "GET", stream, "kept", 200, wait + self.stream_seconds, _has_end),),
            ),
        )
        return tuple(Arrivals(1 / rate, kinds) for rate, kinds in planned if rate > 0)


def request_bytes(kind: Kind, port: int, key: str) -> bytes:
    """Return the request as it is sent; ``key`` is the idempotency key of an insert."""
    lines = [f"{kind.method} {kind.path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "User-Agent: j4c-load", "Accept: */*"]
    body = b""
    if kind.method == "POST":
        body = json.dumps({"reference": key, "amount": 12.5}).encode()
        lines += ["Content-Type: application/json", f"Idempotency-Key: {key}", f"Content-Length: {len(body)}"]
    if kind.connection == "new":
        lines.append("Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small HTTP client: no redirects, no proxies, no cookies, no retries; bounded bodies, and a time limit that is one.

Libraries limit the time between two bytes, which an endless stream never exceeds; here it is the whole answer.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import json
import select
import socket
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

MAX_BODY = 4 << 20
# what a URL may hold as it is; the rest, such as spaces, is encoded
URL_SAFE = "!#$%&'()*+,/:;=?@[]~"


class HttpError(Exception):
    """No complete answer came: refused, reset, timed out, too long."""


@dataclass(frozen=True)
class HttpResponse:
    """An answer: ``status``, ``headers`` (names in any case), ``body`` as bytes, ``seconds`` from sending to the last byte."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes
    seconds: float

    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> t.Any:
        """Return the body as JSON.

        :raises ValueError: it is none.
        """
        return json.loads(self.body)


class _Reader(io.RawIOBase):
    """Reads a socket until a deadline, not until a pause."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


class _Source:
    """What ``http.client.HTTPResponse`` wants of a socket."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._reader = _Reader(sock, deadline)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader, 1 << 16)


class HttpClient:
    """Sends requests, from several threads if need be; a context manager.

    :param keep_alive: reuse connections; otherwise each request has a new one.
    :param tls: how certificates are checked; by the authorities that this machine trusts when omitted.
    """

    def __init__(self, keep_alive: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self._keep_alive = keep_alive
        self._idle: dict[tuple[str, str], list[socket.socket]] = {}
        self._lock = threading.Lock()
        self._tls = tls

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
        for sock in (item for items in idle.values() for item in items):
            sock.close()

    def get(self, url: str, timeout: float, headers: t.Mapping[str, str] | None = None) -> HttpResponse:
        """Send a GET; see ``request``."""
        return self.request("GET", url, timeout, headers)

    def request(
        self,
        method: str,
        url: str,
        timeout: float,
        headers: t.Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> HttpResponse:
        """Send a request once and read the whole answer.

        :param timeout: seconds from connecting to the last byte.
        :raises HttpError: no complete answer within the time.
        """
        started = time.monotonic()
        parts = urlsplit(quote(url, safe=URL_SAFE))
        place = (parts.scheme, parts.netloc)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Accept": "*/*", "User-Agent": "j4c.deploy", **(headers or {})}
        if not self._keep_alive:
            fields["Connection"] = "close"
        try:
            sock = self._take(place, timeout) or self._connect(place, timeout)
            with contextlib.ExitStack() as cleanup:
                cleanup.callback(sock.close)
                connection = self._connection(place, timeout)
                connection.sock = sock
                connection.request(method, path, body=data, headers=fields)
                source = t.cast(socket.socket, _Source(sock, started + timeout))
                with http.client.HTTPResponse(source, method=method) as answer:
                    answer.begin()
                    body = answer.read(MAX_BODY + 1)
                    left = answer.length
                if len(body) > MAX_BODY:
                    raise HttpError(f"the answer is longer than {MAX_BODY >> 20} MiB")
                if left:
                    raise HttpError(f"the connection was closed {left} bytes before the end of the answer")
                if self._keep_alive and not answer.will_close:
                    cleanup.pop_all()
                    with self._lock:
                        self._idle.setdefault(place, []).append(sock)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise HttpError(_reason(exc, timeout)) from exc
        told = t.cast("t.Mapping[str, str]", answer.headers)
        return HttpResponse(answer.status, told, body, time.monotonic() - started)

    def _connect(self, place: tuple[str, str], timeout: float) -> socket.socket:
        connection = self._connection(place, timeout)
        connection.connect()
        return t.cast(socket.socket, connection.sock)

    def _take(self, place: tuple[str, str], timeout: float) -> socket.socket | None:
        with self._lock:
            while self._idle.get(place):
                sock = self._idle[place].pop()
                if _is_open(sock):
                    sock.settimeout(timeout)
                    return sock
                sock.close()
        return None

    def _connection(self, place: tuple[str, str], timeout: float) -> http.client.HTTPConnection:
        scheme, netloc = place
        if scheme == "http":
            return http.client.HTTPConnection(netloc, timeout=timeout)
        if scheme != "https":
            raise HttpError(f"'{scheme}' is neither http nor https")
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return http.client.HTTPSConnection(netloc, timeout=timeout, context=self._tls)


def _is_open(sock: socket.socket) -> bool:
    """Tell whether the other side still wants requests: one that has closed makes an idle connection readable."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def _reason(exc: Exception, timeout: float) -> str:
    if isinstance(exc, (TimeoutError, socket.timeout)):
        return f"no complete answer within {timeout:g} s"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {exc.verify_message}"
    if isinstance(exc, socket.gaierror):
        return "the host name is not known"
    if isinstance(exc, (http.client.RemoteDisconnected, http.client.IncompleteRead)):
        return "the connection was closed before the end of the answer"
    if isinstance(exc, http.client.InvalidURL):
        return f"the URL is not valid: {exc}"
    if isinstance(exc, http.client.HTTPException):
        return f"the answer is not HTTP: {exc!r}"
    if isinstance(exc, OSError):
        known = {
            errno.ECONNREFUSED: "connection refused",
            errno.ECONNRESET: "connection reset",
            errno.EPIPE: "connection closed",
        }
        return known.get(exc.errno or 0, exc.strerror or str(exc))
    return str(exc)

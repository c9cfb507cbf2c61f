# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on 127.0.0.1 that answer what a test tells them to."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import typing as t
from dataclasses import dataclass, field


@dataclass
class Request:
    """What was asked for, and from which port the client did."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int


@dataclass
class Web:
    """A server, its ``url`` and the requests that it got.

    Set ``answers[path]`` to ``(status, body)``, ``(status, body, headers)`` or a function that returns one of these.
    """

    port: int = 0
    answers: dict[str, t.Any] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def web() -> t.Iterator[Web]:
    """Run a server that keeps connections."""
    made = Web()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.requests.append(
                Request(self.command, self.path, dict(self.headers.items()), body, self.client_address[1])
            )
            answer = made.answers.get(self.path, (404, b"nothing here"))
            status, content, *more = answer() if callable(answer) else answer
            self.send_response(status)
            for name, value in (more[0] if more else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_DELETE = handle_any

        def log_message(self, *_args: t.Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


@contextlib.contextmanager
def raw(answer: t.Callable[[socket.socket], None]) -> t.Iterator[int]:
    """Run a server that treats every connection as ``answer`` does, and return its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _address = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        # close alone does not wake accept
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@contextlib.contextmanager
def nobody() -> t.Iterator[int]:
    """Return a port that is taken, so that nobody else gets it, but refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import itertools
import socket
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _http as http

from tests.unit.web import Web, nobody, raw, web


@pytest.fixture
def server() -> t.Iterator[Web]:
    with web() as made:
        yield made


def test_an_answer_is_read(server: Web) -> None:
    server.answers["/a%20b?x=1&y=%2F"] = (201, b'{"a": "\xc3\xa4"}', {"X-Tag": "v"})
    with http.HttpClient() as client:
        answer = client.get(f"{server.url}/a b?x=1&y=%2F", 20, {"X-Asked": "yes"})
    assert (answer.status, answer.headers["x-tag"], answer.json()) == (201, "v", {"a": "ä"})
    assert 0 < answer.seconds < 20
    assert server.requests[0].headers["X-Asked"] == "yes"


def test_a_body_is_sent_once_and_whole(server: Web) -> None:
    server.answers["/"] = (200, b"")
    with http.HttpClient() as client:
        client.request("POST", server.url, 2, data=b"x" * 100000)
        client.request("POST", server.url, 2)
    assert [(item.method, len(item.body)) for item in server.requests] == [("POST", 100000), ("POST", 0)]


def test_a_head_has_no_body(server: Web) -> None:
    server.answers["/"] = (200, b"12345")
    with http.HttpClient() as client:
        assert [client.request("HEAD", server.url, 2).body for _number in range(2)] == [b"", b""]


def test_redirects_are_not_followed_and_cookies_not_kept(server: Web) -> None:
    server.answers["/"] = (302, b"", {"Location": "/other", "Set-Cookie": "a=b"})
    with http.HttpClient() as client:
        assert [client.get(server.url, 2).status for _number in range(2)] == [302, 302]
    assert [item.path for item in server.requests] == ["/", "/"]
    assert all("Cookie" not in item.headers for item in server.requests)


def test_proxies_of_the_environment_are_ignored(server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.answers["/"] = (200, b"direct")
    with http.HttpClient() as client:
        assert client.get(server.url, 2).text() == "direct"


@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 3)])
def test_connections_are_kept_or_not(server: Web, keep_alive: bool, connections: int) -> None:
    server.answers["/"] = (200, b"x")
    with http.HttpClient(keep_alive) as client:
        for _number in range(3):
            client.get(server.url, 2)
    assert len({item.port for item in server.requests}) == connections


def test_a_connection_that_the_server_has_closed_is_not_used(server: Web) -> None:
    server.answers["/"] = (200, b"x", {"Connection": "close"})
    with http.HttpClient() as client:
        for _number in range(3):
            client.get(server.url, 2)
    assert len({item.port for item in server.requests}) == 3


def test_a_connection_that_went_stale_is_not_used() -> None:
    numbers = itertools.count(1)

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % next(numbers))

    with raw(answer) as port, http.HttpClient() as client:
        first = client.get(f"http://127.0.0.1:{port}", 2).text()
        # the server closes after its answer; wait until that has arrived
        [idle] = list(client._idle.values())
        assert idle[0].recv(1, socket.MSG_PEEK) == b""
        assert (first, client.get(f"http://127.0.0.1:{port}", 2).text()) == ("1", "2")


def test_threads_share_a_client(server: Web) -> None:
    server.answers.update({f"/{number}": (200, str(number).encode()) for number in range(200)})
    with http.HttpClient() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: client.get(f"{server.url}/{number}", 5).text(), range(200)))
    assert answers == [str(number) for number in range(200)]
    assert len({item.port for item in server.requests}) <= 8


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "drop"),
    [(b"", b""), (b"", b"H"), (b"HTTP/1.1 200 OK\r\nX: ", b"x"), (HEAD, b"x"), (HEAD, b"")],
    ids=["silent", "dripping status", "dripping header", "dripping body", "stuck body"],
)
def test_the_time_limit_is_one_for_the_whole_answer(start: bytes, drop: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(start)
        connection.settimeout(0.05)
        while True:
            with contextlib.suppress(socket.timeout):
                if not connection.recv(1):
                    return
            connection.sendall(drop)

    started = time.monotonic()
    with raw(answer) as port, http.HttpClient() as client:
        with pytest.raises(http.HttpError, match=r"no complete answer within 0\.3 s"):
            client.get(f"http://127.0.0.1:{port}", 0.3)
        assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", "the connection was closed before the end of the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "closed 7 bytes before the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "closed before the end"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * ((4 << 20) + 1), "longer than 4 MiB"),
    ],
    ids=["nothing", "short", "chunked", "ssh", "long"],
)
def test_what_is_no_answer_is_told(sent: bytes, told: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(sent)

    with raw(answer) as port, http.HttpClient() as client, pytest.raises(http.HttpError, match=told):
        client.get(f"http://127.0.0.1:{port}", 5)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://127.0.0.1/", "'ftp' is neither http nor https"),
        ("http://127.0.0.1:port/", "the URL is not valid"),
        ("http://name.invalid/", "the host name is not known"),
    ],
)
def test_what_cannot_be_asked_is_told(url: str, told: str) -> None:
    with http.HttpClient() as client, pytest.raises(http.HttpError, match=told):
        client.get(url, 5)


def test_a_refused_connection_is_told() -> None:
    with nobody() as port, http.HttpClient() as client, pytest.raises(http.HttpError, match="^connection refused$"):
        client.get(f"http://127.0.0.1:{port}", 2)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session: statements in, rows and errors out, over a socket as the engine frames it."""

from __future__ import annotations

import re
import socket
import struct
import threading
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql, SqlError

Answer = t.Callable[[str], t.Iterable[bytes]]


def frame(text: str, stream: int = 1) -> bytes:
    return struct.pack(">BxxxL", stream, len(text.encode())) + text.encode()


def marks(request: str) -> tuple[str, str]:
    first, second = re.findall(r"\\echo (\w{16}[ab])", request)
    return first, second


@pytest.fixture
def talk() -> t.Iterator[t.Callable[[Answer], Psql]]:
    ends: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: Answer) -> Psql:
        mine, theirs = socket.socketpair()
        ends.extend((mine, theirs))

        def serve() -> None:
            request = theirs.recv(1 << 16).decode()
            for piece in answer(request):
                theirs.sendall(piece)
            theirs.shutdown(socket.SHUT_WR)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return Psql(mine, "db-1")

    yield start
    for thread in threads:
        thread.join()
    for end in ends:
        end.close()


def test_rows_in_pieces(talk: t.Callable[[Answer], Psql]) -> None:
    def answer(request: str) -> t.Iterable[bytes]:
        first, second = marks(request)
        whole = frame('{"a": "x\\ny"}\n') + frame("noise", 2) + frame(f"{first} false\n00000 \n{second}\n")
        return [whole[:5], whole[5:11], whole[11:]]

    assert talk(answer).rows("SELECT 1", 30) == [{"a": "x\ny"}]


def test_an_error_carries_its_state(talk: t.Callable[[Answer], Psql]) -> None:
    def answer(request: str) -> t.Iterable[bytes]:
        first, second = marks(request)
        return [frame(f"{first} true\n22012 division by zero\n{second}\n")]

    with pytest.raises(SqlError, match="division by zero") as caught:
        talk(answer).run("SELECT 1/0", 30)
    assert caught.value.sqlstate == "22012"


def test_a_session_that_ends_says_why(talk: t.Callable[[Answer], Psql]) -> None:
    def answer(request: str) -> t.Iterable[bytes]:
        return [frame("FATAL: too many clients\n", 2)]

    with pytest.raises(DeployError, match="too many clients"):
        talk(answer).run("SELECT 1", 30)


def test_a_session_that_does_not_answer(talk: t.Callable[[Answer], Psql]) -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs, pytest.raises(DeployError, match="did not answer within 0.05 s"):
        Psql(mine, "db-1").run("SELECT 1", 0.05)

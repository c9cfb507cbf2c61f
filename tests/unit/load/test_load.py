# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load client counts every kind of failure, once, and sends nothing twice."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from tests.load import Load, Profile, Report, missing_keys
from tests.load.client import Client
from tests.load.http1 import Connection
from tests.load.report import Latency
from tests.unit.load import rude
from tests.unit.load.rude import Behaviour, Rude

ROOT = Path(__file__).resolve().parents[3]
FAST = Profile(
    rate=200, idle_posts=20, idle_seconds=0.2, slow_in_flight=1, slow_ms=50, streams_in_flight=1, stream_seconds=1
)
QUICK_ONLY = Profile(rate=200, idle_posts=0, slow_in_flight=0, streams_in_flight=0)
IMPATIENT = dataclasses.replace(QUICK_ONLY, timeout=0.3)
STREAMS_ONLY = Profile(rate=0, idle_posts=0, slow_in_flight=0, streams_in_flight=100, stream_seconds=1)


async def drive(port: int, profile: Profile, requests: int, meanwhile: t.Callable[[], None] | None = None) -> Report:
    """Run a client until at least ``requests`` requests have ended."""
    client, stop = Client(port, profile), asyncio.Event()
    running = asyncio.create_task(client.run(stop))
    if meanwhile is not None:
        asyncio.get_running_loop().call_later(0.05, meanwhile)
    while client.counts[0] < requests and not running.done():
        await asyncio.sleep(0.01)
    stop.set()
    return await running


def load(behave: Behaviour, profile: Profile, requests: int = 60) -> tuple[Report, Rude]:
    server = Rude(behave)

    async def run() -> Report:
        async with server.serve():
            return await drive(server.port, profile, requests)

    return asyncio.run(run()), server


@pytest.fixture
def served() -> t.Iterator[Rude]:
    """A well-behaved server in a thread."""
    server, ready = Rude(), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with server.serve():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(10)
    yield server
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_nothing_fails_where_nothing_is_wrong() -> None:
    report, server = load(rude.well, FAST, 150)
    assert report.failures == {}
    assert set(report.latency) == {"quick", "health", "list", "post", "idle-post", "slow", "stream"}
    assert report.total == sum(second.requests for second in report.timeline) >= 150
    assert set(report.slots) == {"blue", "green"}
    assert report.posted == sorted(report.posted, key=server.keys.index)
    assert len(server.keys) == len(set(server.keys)) == len(report.posted)
    assert report.replaced == 0
    assert report.connections == server.connections < report.total


@pytest.mark.parametrize(
    ("behave", "profile", "kind", "status", "slot"),
    [
        pytest.param(rude.sends(rude.plain(500, b"oops")), QUICK_ONLY, "status", 500, "blue", id="wrong status"),
        pytest.param(rude.sends(rude.plain(204, b"")), QUICK_ONLY, "status", 204, "blue", id="unexpected success"),
        pytest.param(rude.sends(b"", close=True), QUICK_ONLY, "closed", 0, "", id="closed without an answer"),
        pytest.param(rude.resets, QUICK_ONLY, "reset", 0, "", id="reset after the request"),
        pytest.param(rude.sends(b"HTTP/1.1 200", close=True), QUICK_ONLY, "truncated", 0, "", id="closed in the head"),
        pytest.param(
            rude.sends(rude.plain(200, rude.JSON)[:-3], close=True),
            QUICK_ONLY,
            "truncated",
            200,
            "blue",
            id="closed in the body",
        ),
        pytest.param(
            rude.sends(rude.chunked(b"line 0\n", b"end\n", end=b""), close=True),
            STREAMS_ONLY,
            "truncated",
            200,
            "green",
            id="closed before the last chunk",
        ),
        pytest.param(
            rude.sends(rude.chunked(b"line 0\n")), STREAMS_ONLY, "truncated", 200, "green", id="stream without its end"
        ),
        pytest.param(rude.says_nothing, IMPATIENT, "timeout", 0, "", id="no answer in time"),
        pytest.param(rude.sends(b"SSH-2.0-X\r\n\r\n"), QUICK_ONLY, "protocol", 0, "", id="not HTTP"),
    ],
)
def test_each_failure_is_counted_as_what_it_is(
    behave: Behaviour, profile: Profile, kind: str, status: int, slot: str
) -> None:
    report, server = load(behave, profile)
    assert report.failures == {kind: report.total}
    assert len(report.examples) == 5
    assert {(item.kind, item.status, item.slot) for item in report.examples} == {(kind, status, slot)}
    assert len(server.keys) == len(set(server.keys))
    # a request can be given up before a busy server has read it
    assert set(server.keys) <= set(report.unsure)
    assert report.posted == []


def test_a_second_answer_to_the_same_insert_is_a_failure() -> None:
    report, _server = load(rude.sends(rude.plain(200, rude.JSON)), QUICK_ONLY)
    assert set(report.failures) == {"status"}
    assert {item.request for item in report.examples} == {"post"}
    assert report.latency["health"].count > 0


def test_no_listener_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        report = asyncio.run(drive(taken.getsockname()[1], QUICK_ONLY, 20))
    assert report.failures == {"refused": report.total}


def test_an_idle_connection_that_the_server_closed_is_replaced() -> None:
    report, server = load(rude.closes_idle, FAST)
    assert report.failures == {}
    assert report.replaced > 20
    assert report.connections == server.connections


def test_a_closed_connection_is_seen_before_the_event_loop_sees_it() -> None:
    async def run() -> tuple[bool, bool]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connection = await Connection.open(listener.getsockname()[1])
            peer, _address = listener.accept()
            before = connection.usable()
            peer.close()
            after = connection.usable()
            connection.close()
            return before, after

    assert asyncio.run(run()) == (True, False)


def test_a_connection_that_breaks_under_a_request_is_a_failure() -> None:
    report, server = load(rude.closes_on_the_second_request, FAST)
    assert set(report.failures) == {"closed"}
    assert report.replaced == 0
    assert set(report.posted).isdisjoint(report.unsure)
    assert sorted(report.posted + report.unsure) == sorted(server.keys)


def test_idle_posts_are_sent_on_connections_that_were_idle() -> None:
    gaps: list[float] = []
    last: dict[int, float] = {}

    async def behave(request: rude.Request, writer: asyncio.StreamWriter) -> None:
        now = time.monotonic()
        if id(writer) in last:
            gaps.append(now - last[id(writer)])
        last[id(writer)] = now
        await rude.well(request, writer)

    profile = Profile(rate=0, idle_posts=20, idle_seconds=0.3, slow_in_flight=0, streams_in_flight=0)
    report, server = load(behave, profile, 20)
    assert report.failures == {}
    # more than six when an answer comes so late that its connection's next turn is over
    assert profile.idle_connections == 6 <= server.connections < report.total
    assert statistics.median(gaps) > 0.2


def test_requests_are_sent_on_schedule_while_answers_are_late() -> None:
    async def late(request: rude.Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await rude.well(request, writer)

    profile = Profile(rate=100, idle_posts=0, slow_in_flight=0, streams_in_flight=0)
    report, _server = load(late, profile, 1)
    assert report.failures == {}
    # One answer ended the load after half a second: a client that waits for answers had sent one request.
    assert report.total > 30


def test_time_counts_from_when_a_request_was_due() -> None:
    async def run() -> Report:
        async with Rude().serve() as server:
            return await drive(server.port, QUICK_ONLY, 60, meanwhile=lambda: time.sleep(0.2))

    report = asyncio.run(run())
    assert report.failures == {}
    assert report.lag_ms > 150
    assert report.latency["quick"].max > 150


def test_latency_of_known_values() -> None:
    assert Latency.of([number / 1000 for number in range(1, 101)]) == Latency(100, 51.0, 96.0, 100.0, 100.0)
    assert Latency.of([]) == Latency(0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0", "127.0.0.2", "::1", "example.org", ""])
def test_no_other_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        Load(9003, address=address)


def test_the_process_reports(served: Rude) -> None:
    with Load(served.port, FAST) as running:
        running.wait(50)
        report = running.stop()
    assert report.failures == {}
    assert report.total > 50
    assert sorted(report.posted) == sorted(served.keys)
    assert f"{report.total} requests" in report.summary()
    with pytest.raises(RuntimeError, match="not running"):
        running.stop()


def test_a_process_that_died_is_an_error(served: Rude) -> None:
    with Load(served.port, FAST) as running:
        assert running._process is not None
        assert running._process.pid is not None
        os.kill(running._process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="ended by itself"):
            running.stop()


def test_missing_keys(served: Rude) -> None:
    async def behave(request: rude.Request, writer: asyncio.StreamWriter) -> None:
        writer.write(rude.plain(404 if request.path.endswith("/lost") else 200, rude.JSON))

    served.behave = behave
    assert missing_keys(served.port, ["kept", "lost", "also"]) == ["lost"]


@pytest.mark.parametrize(("behave", "status"), [(rude.well, 0), (rude.resets, 1)], ids=["well", "rude"])
def test_the_command(served: Rude, behave: Behaviour, status: int) -> None:
    served.behave = behave
    argv = [sys.executable, "-m", "tests.load", "--port", str(served.port), "--seconds", "0.5", "--streams", "0"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    assert ("failed, reset:" in done.stdout) is (status == 1)


def test_the_command_refuses_other_addresses() -> None:
    argv = [sys.executable, "-m", "tests.load", "--address", "127.0.0.2", "--seconds", "0.1"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "invalid choice" in done.stderr

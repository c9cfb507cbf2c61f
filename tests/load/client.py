# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: starts requests when they are due and never sends one twice."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque

from tests.load.http1 import Answer, Broken, Connection
from tests.load.report import Recorder, Report
from tests.load.traffic import Arrivals, Kind, Profile, request_bytes

POOL_SIZE = 32
MAX_IN_FLIGHT = 2000


class Client:
    """One load; ``run`` it once, inside an event loop.

    :param port: port on 127.0.0.1.
    """

    def __init__(self, port: int, profile: Profile) -> None:
        self._port = port
        self._profile = profile
        self._run_id = uuid.uuid4().hex[:12]
        self._sent = 0
        self._pool: list[Connection] = []
        self._idle: deque[Connection] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._recorder = Recorder(self._loop.time(), time.time())

    @property
    def counts(self) -> tuple[int, int]:
        """How many requests have ended, and how many of them failed."""
        return self._recorder.total, self._recorder.failed

    async def run(self, stop: asyncio.Event) -> Report:
        """Send requests until ``stop`` is set, wait for the answers that are outstanding, and report."""
        schedules = [asyncio.create_task(self._keep_schedule(each)) for each in self._profile.arrivals()]
        await asyncio.wait([asyncio.create_task(stop.wait()), *schedules], return_when=asyncio.FIRST_COMPLETED)
        for schedule in schedules:
            schedule.cancel()
        for outcome in await asyncio.gather(*schedules, return_exceptions=True):
            if not isinstance(outcome, asyncio.CancelledError):
                raise RuntimeError("a schedule ended early") from outcome
        while self._in_flight:
            await asyncio.wait(self._in_flight)
        for connection in (*self._pool, *self._idle):
            connection.close()
        return self._recorder.report(self._loop.time())

    async def _keep_schedule(self, arrivals: Arrivals) -> None:
        begin = self._loop.time()
        number = 0
        while True:
            due = begin + number * arrivals.interval
            # A schedule that is behind must let answers in as well.
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            self._recorder.lag = max(self._recorder.lag, self._loop.time() - due)
            self._start(arrivals.kinds[number % len(arrivals.kinds)], due)
            number += 1

    def _start(self, kind: Kind, due: float) -> None:
        self._sent += 1
        key = f"load-{self._run_id}-{self._sent}" if kind.method == "POST" else ""
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            self._broke(kind, due, Broken("unsent", f"{MAX_IN_FLIGHT} requests are in flight"), "")
            return
        task = asyncio.create_task(self._send(kind, due, key))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _send(self, kind: Kind, due: float, key: str) -> None:
        limit = due + kind.timeout - self._loop.time()
        try:
            answer = await asyncio.wait_for(self._exchange(kind, key), limit)
        except asyncio.TimeoutError:
            self._broke(kind, due, Broken("timeout", f"no complete answer in {kind.timeout:g} s"), key)
        except Broken as exc:
            self._broke(kind, due, exc, key)
        else:
            self._recorder.answered(kind.name, due, self._loop.time(), answer.slot, key)

    async def _exchange(self, kind: Kind, key: str) -> Answer:
        connection = await self._connection(kind)
        kept = False
        try:
            answer = await connection.exchange(request_bytes(kind, self._port, key))
            if answer.status != kind.status:
                raise Broken("status", answer.body[:80].decode("utf-8", "replace"), answer.status, answer.slot)
            if not kind.complete(answer.body):
                raise Broken("truncated", f"the body ends in {answer.body[-40:]!r}", answer.status, answer.slot)
            kept = answer.keep and self._keep(kind, connection)
            return answer
        finally:
            if not kept:
                connection.close()

    async def _connection(self, kind: Kind) -> Connection:
        connection = None
        if kind.connection == "kept" and self._pool:
            connection = self._pool.pop()
        elif kind.connection == "idle" and len(self._idle) >= self._profile.idle_connections:
            connection = self._idle.popleft()
        if connection is not None:
            if connection.usable():
                return connection
            connection.close()
            self._recorder.replaced += 1
        opened = await Connection.open(self._port)
        self._recorder.connections += 1
        return opened

    def _keep(self, kind: Kind, connection: Connection) -> bool:
        if kind.connection == "idle":
            self._idle.append(connection)
            return True
        if kind.connection == "kept" and len(self._pool) < POOL_SIZE:
            self._pool.append(connection)
            return True
        return False

    def _broke(self, kind: Kind, due: float, exc: Broken, key: str) -> None:
        self._recorder.broke(
            kind.name,
            due,
            self._loop.time(),
            exc.kind,
            status=exc.status,
            slot=exc.slot,
            detail=exc.detail,
            key=key,
        )

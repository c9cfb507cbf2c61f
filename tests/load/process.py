# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client in a process of its own, so that what a test does meanwhile does not slow it down."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
import typing as t
from multiprocessing.connection import Connection as Pipe

from tests.load.client import Client
from tests.load.http1 import ADDRESS
from tests.load.report import Report
from tests.load.traffic import Profile

START_SECONDS = 30.0
POLL_SECONDS = 0.05


def _serve(pipe: Pipe, port: int, profile: Profile) -> None:
    # Ctrl-C reaches the whole process group; the parent decides when the load ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve_pipe(pipe, port, profile))


async def _serve_pipe(pipe: Pipe, port: int, profile: Profile) -> None:
    client = Client(port, profile)
    stop = asyncio.Event()

    def hear() -> None:
        try:
            message = pipe.recv()
        except EOFError:
            message = "stop"
        if message == "stop":
            asyncio.get_running_loop().remove_reader(pipe.fileno())
            stop.set()
        else:
            pipe.send(client.counts)

    asyncio.get_running_loop().add_reader(pipe.fileno(), hear)
    report = await client.run(stop)
    try:
        pipe.send(report)
    except OSError:
        # The parent is gone: nobody wants the report.
        return


class Load:
    """Load on a port of this machine, from ``start`` (or ``with``) until ``stop``.

    The process ends with the one that started it. A script that uses this class needs ``if __name__ == "__main__"``.

    :param port: port on 127.0.0.1.
    :param profile: what is sent; 100 requests a second with slow requests and streams besides when not given.
    :param address: there is only one; any other is refused.
    :raises ValueError: for another address.
    """

    def __init__(self, port: int, profile: Profile | None = None, address: str = ADDRESS) -> None:
        if address != ADDRESS:
            raise ValueError(f"load goes to {ADDRESS} only, not to {address!r}")
        self._port = port
        self._profile = profile or Profile()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Pipe | None = None

    def start(self, answered: int = 1) -> Load:
        """Start the process, and return when ``answered`` requests have ended, well or not.

        :raises TimeoutError: they had not after 30 s.
        """
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._port, self._profile), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.wait(answered)
        except BaseException:
            self._end()
            raise
        return self

    def counts(self) -> tuple[int, int]:
        """Return how many requests have ended so far, and how many of them failed."""
        return t.cast("tuple[int, int]", self._ask("counts", START_SECONDS))

    def wait(self, more: int, timeout: float = START_SECONDS) -> None:
        """Return when ``more`` requests than now have ended, well or not.

        :raises TimeoutError: they had not after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        wanted = self.counts()[0] + more
        while self.counts()[0] < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"fewer than {more} requests ended in {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def stop(self) -> Report:
        """Send nothing more, wait for the outstanding answers (streams take their seconds), and return the report.

        :raises RuntimeError: the process ended by itself, or does not end.
        """
        limit = 2 * self._profile.timeout + self._profile.stream_seconds + self._profile.slow_ms / 1000
        try:
            return t.cast(Report, self._ask("stop", limit))
        finally:
            self._end()

    def __enter__(self) -> Load:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self._end()

    def _ask(self, question: str, timeout: float) -> object:
        if self._pipe is None:
            raise RuntimeError("the load is not running")
        try:
            self._pipe.send(question)
            if not self._pipe.poll(timeout):
                raise RuntimeError(f"the load did not answer in {timeout:g} s")
            return self._pipe.recv()
        except (EOFError, OSError) as exc:
            raise RuntimeError("the process of the load has ended by itself") from exc

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.join(1)
            self._process.kill()
            self._process.join()
            self._process = None

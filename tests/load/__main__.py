# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load by hand: ``python -m tests.load --port 9003 --rate 100 --seconds 30``."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from tests.load.client import Client
from tests.load.http1 import ADDRESS
from tests.load.report import Report
from tests.load.traffic import Profile


async def _run(port: int, profile: Profile, seconds: float) -> Report:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.call_later(seconds, stop.set)
    return await Client(port, profile).run(stop)


def main() -> int:
    """Run the load; return 1 when a request failed."""
    usual = Profile()
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Open-loop load without retries.")
    parser.add_argument("--address", default=ADDRESS, choices=[ADDRESS])
    parser.add_argument("--port", type=int, default=9003)
    parser.add_argument("--rate", type=float, default=usual.rate, help="quick requests a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long; Ctrl-C ends earlier, with a report")
    parser.add_argument(
        "--idle-posts", type=float, default=usual.idle_posts, help="inserts a second on idle connections"
    )
    parser.add_argument("--slow", type=int, default=usual.slow_in_flight, help="slow requests in flight")
    parser.add_argument("--streams", type=int, default=usual.streams_in_flight, help="streams in flight")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    given = parser.parse_args()
    profile = Profile(
        rate=given.rate,
        idle_posts=given.idle_posts,
        slow_in_flight=given.slow,
        streams_in_flight=given.streams,
    )
    report = asyncio.run(_run(given.port, profile, given.seconds))
    print(json.dumps(report.as_dict(), indent=2) if given.json else report.summary())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the engine in a process of its own, so that it ends by itself when the controller or its connection dies.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store

POLL_SECONDS = 0.01
# an engine that has ended is believed dead only when its result is still missing after this
GONE_SECONDS = 0.3
Report = t.Callable[[str, "dict[str, t.Any]"], None]
Work = t.Callable[[Report], "dict[str, t.Any]"]


def start(store: Store, run_id: str, work: Work) -> int:
    """Start ``work`` in a new session, away from the caller's terminal, pipes and signals; return its process id.

    What it returns, reports or raises is written to the run's file (see ``follow``). Its own messages go to engine.log.
    """
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        _redirect(store.path("engine.log"))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _terminated)
        signal.signal(signal.SIGINT, _terminated)
        _record(store, run_id, work)
        status = 0
    finally:
        # never return into the caller's code: it belongs to the other process
        os._exit(status)


def _terminated(number: int, _frame: t.Any) -> None:
    raise DeployError(f"The engine was ended by signal {number}.")


def _redirect(log: str) -> None:
    os.closerange(3, 256)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _record(store: Store, run_id: str, work: Work) -> None:
    def report(event: str, result: dict[str, t.Any]) -> None:
        store.save_run(run_id, {"event": event, "result": result})

    try:
        result = work(report)
    except DeployError as exc:
        result = {"failed": True, "changed": False, "outcome": "FAILED_SAFE", "run": run_id, **exc.result()}
    except Exception as exc:
        # the caller's sys.stderr may be anything, and is closed by now
        os.write(2, traceback.format_exc().encode())
        result = {
            "failed": True,
            "changed": False,
            "outcome": "FAILED_SAFE",
            "run": run_id,
            "msg": f"The engine broke: {exc!r}.",
        }
    report("end", result)


def follow(
    store: Store, run_id: str, until: t.Collection[str], timeout: float, pid: int | None = None
) -> dict[str, t.Any]:
    """Wait until a run reports one of the events ``until``, or ``end``; return its result so far.

    :param timeout: seconds to wait at most; the run goes on after that.
    :param pid: the engine's process, when it is a child of this one.
    :raises DeployError: the engine died, or the time is over.
    """
    deadline = time.monotonic() + timeout
    seen_alive = time.monotonic()
    while True:
        alive = _alive(store, run_id, pid)
        if alive:
            seen_alive = time.monotonic()
        data = store.load_run(run_id)
        if data is not None and (data["event"] == "end" or data["event"] in until):
            return dict(data["result"])
        if time.monotonic() - seen_alive > GONE_SECONDS:
            raise DeployError(
                f"The engine of run {run_id} was killed in the middle of its work.",
                hint="Run the same playbook again: it brings the server to a good state first.",
                outcome="INTERRUPTED",
                run=run_id,
            )
        if time.monotonic() >= deadline:
            raise DeployError(
                f"Run {run_id} did not end within {timeout:g} s; it goes on on the server.",
                hint="Look at it with playbooks/status.yml.",
                outcome="RUNNING",
                run=run_id,
            )
        time.sleep(POLL_SECONDS)


def _alive(store: Store, run_id: str, pid: int | None) -> bool:
    if pid is None:
        return read_holder(store.root).get("run") == run_id
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    return False

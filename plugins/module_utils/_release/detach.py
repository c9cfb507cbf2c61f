# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the engine in a process of its own, so that it ends by itself when the controller or its connection dies.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import traceback
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.result import refused
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store

POLL_SECONDS = 0.01
# an engine that has ended is believed dead only when its result is still missing after this
GONE_SECONDS = 0.3
Report = t.Callable[[str, "dict[str, t.Any]"], None]
Work = t.Callable[[Report], "dict[str, t.Any]"]


@dataclass(frozen=True)
class Child:
    """An engine that is a child of this process: its id, and an open file that takes its result when the disk does not."""

    pid: int
    spare: int


def start(store: Store, run_id: str, work: Work) -> Child:
    """Start ``work`` in a new session, away from the caller's terminal, pipes and signals.

    What it returns, reports or raises is written to the run's file (see ``follow``). Its own messages go to the run's log.
    """
    spare = os.memfd_create("result")
    pid = os.fork()
    if pid:
        return Child(pid, spare)
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        log = store.path("runs", f"{run_id}.log")
        _redirect(log, spare)
        _record(store, run_id, work, spare)
        with contextlib.suppress(OSError):
            if os.path.getsize(log) == 0:
                os.unlink(log)
        status = 0
    finally:
        # never return into the caller's code: it belongs to the other process
        os._exit(status)


def _redirect(log: str, spare: int) -> None:
    os.closerange(3, spare)
    os.closerange(spare + 1, 1024)
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        # the work matters more than its messages
        output = nothing
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _record(store: Store, run_id: str, work: Work, spare: int) -> None:
    def report(event: str, result: dict[str, t.Any]) -> None:
        data = {"event": event, "result": result}
        try:
            store.save_run(run_id, data)
        except OSError as exc:
            if event != "end":
                raise
            told = f"The result of run {run_id} cannot be kept: {exc.strerror} (below '{store.root}')."
            result["warnings"] = [*result.get("warnings", []), told]
            os.pwrite(spare, json.dumps(data).encode(), 0)

    try:
        result = work(report)
    except DeployError as exc:
        result = refused(exc, run_id)
    except Exception as exc:
        # the caller's sys.stderr may be anything, and is closed by now
        os.write(2, traceback.format_exc().encode())
        result = refused(DeployError(f"The engine broke: {exc!r}."), run_id)
    report("end", result)


def follow(
    store: Store, run_id: str, until: t.Collection[str], timeout: float, child: Child | None = None
) -> dict[str, t.Any]:
    """Wait until a run reports one of the events ``until``, or ``end``; return its result so far.

    :param timeout: seconds to wait at most; the run goes on after that.
    :param child: the engine, when it is a child of this process.
    :raises DeployError: the engine died, or the time is over.
    """
    deadline = time.monotonic() + timeout
    seen_alive = time.monotonic()
    holder = 0
    while True:
        if child is None:
            # the lock is given back before the result is written: the process counts then
            told = read_holder(store.root)
            holder = int(told.get("pid") or 0) if told.get("run") == run_id else holder
            alive = bool(holder) and _exists(holder)
        else:
            alive = _is_at_work(child.pid)
        if alive:
            seen_alive = time.monotonic()
        data: dict[str, t.Any] = {"event": ""}
        with contextlib.suppress(DeployError):
            data = store.load_run(run_id) or data
        if data["event"] != "end" and not alive and child is not None:
            data = _spare_result(child.spare) or data
        if data["event"] == "end" or data["event"] in until:
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


def _spare_result(spare: int) -> dict[str, t.Any] | None:
    text = os.pread(spare, os.fstat(spare).st_size, 0)
    return dict(json.loads(text)) if text else None


def _exists(pid: int) -> bool:
    """Whether a process of anybody exists that has not ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _is_at_work(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    return False

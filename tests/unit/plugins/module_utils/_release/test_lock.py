# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock, read_holder

FORK = multiprocessing.get_context("fork")


def lock_of(root: Path, run: str) -> Lock:
    return Lock(str(root), {"run": run, "kind": "release", "release": "v7"})


def hold(root: Path, phase: str, ready: t.Any) -> None:
    """Hold the lock in a process of its own until it is killed."""
    lock = lock_of(root, "r1")
    lock.acquire(0)
    lock.phase(phase)
    ready.set()
    signal.pause()


@pytest.fixture
def holder(tmp_path: Path) -> t.Iterator[t.Callable[[str], t.Any]]:
    processes = []

    def start(phase: str) -> t.Any:
        ready = FORK.Event()
        process = FORK.Process(target=hold, args=(tmp_path, phase, ready))
        process.start()
        processes.append(process)
        assert ready.wait(10)
        return process

    yield start
    for process in processes:
        process.kill()
        process.join()


def until(done: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_the_holder_is_told_while_it_holds(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, "r1")
    assert (lock.held, read_holder(str(tmp_path))) == (False, {})
    lock.acquire(0)
    told = read_holder(str(tmp_path))
    assert lock.held
    assert {**told, "since": ""} == {
        "run": "r1",
        "kind": "release",
        "release": "v7",
        "since": "",
        "pid": os.getpid(),
        "phase": "work",
        "patience": 0.0,
    }
    assert told["since"].startswith("20")
    lock.phase("prepared")
    assert read_holder(str(tmp_path))["phase"] == "prepared"
    lock.phase("tidy")
    assert read_holder(str(tmp_path))["phase"] == "tidy"
    lock.release()
    lock.release()
    assert (lock.held, read_holder(str(tmp_path))) == (False, {})


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path, holder: t.Any) -> None:
    process = holder("work")
    with pytest.raises(DeployError) as caught:
        lock_of(tmp_path, "r2").acquire(0)
    since = read_holder(str(tmp_path))["since"]
    assert caught.value.msg == (
        f"The service is locked by a release of release 'v7' (run r1, process {process.pid}, since {since})."
    )
    assert "j4c_lock_timeout" in (caught.value.hint or "")
    assert caught.value.fields["holder"]["run"] == "r1"
    assert sorted(os.listdir(tmp_path)) == ["lock"]


def test_a_wait_that_was_in_vain_is_told(tmp_path: Path, holder: t.Any) -> None:
    holder("prepared")
    started = time.monotonic()
    with pytest.raises(DeployError, match=r"\) after waiting 0\.2 s\."):
        lock_of(tmp_path, "r2").acquire(0.2)
    assert time.monotonic() - started >= 0.2
    assert sorted(os.listdir(tmp_path)) == ["lock"]


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path, holder: t.Any) -> None:
    process = holder("work")
    process.kill()
    process.join()
    assert json.loads((tmp_path / "lock").read_bytes())["run"] == "r1"
    assert read_holder(str(tmp_path)) == {}
    lock = lock_of(tmp_path, "r2")
    lock.acquire(0)
    assert read_holder(str(tmp_path))["run"] == "r2"
    lock.release()


def test_a_waiting_run_gets_the_lock_when_it_is_free(tmp_path: Path, holder: t.Any) -> None:
    process = holder("work")
    lock = lock_of(tmp_path, "r2")
    waiting = threading.Thread(target=lock.acquire, args=(10,))
    waiting.start()
    until((tmp_path / "lock.request").exists)
    held = [lock.held]
    process.kill()
    waiting.join(10)
    held.append(lock.held)
    assert held == [False, True]
    assert sorted(os.listdir(tmp_path)) == ["lock"]
    lock.release()


def test_a_holder_that_only_tidies_up_is_waited_for_and_told(tmp_path: Path) -> None:
    first, second = lock_of(tmp_path, "r1"), lock_of(tmp_path, "r2")
    first.acquire(0)
    first.phase("tidy", 5)
    assert not first.wanted()
    waiting = threading.Thread(target=second.acquire, args=(0,))
    waiting.start()
    until(first.wanted)
    first.release()
    waiting.join(10)
    assert second.held
    assert not first.wanted()
    second.release()


@pytest.mark.parametrize("phase", ["work", "prepared"])
def test_a_holder_at_work_is_never_hurried(tmp_path: Path, phase: str) -> None:
    lock = lock_of(tmp_path, "r1")
    lock.acquire(0)
    lock.phase(phase)
    (tmp_path / "lock.request").touch()
    assert not lock.wanted()
    lock.release()


def test_a_holder_that_tells_nothing_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with open(path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for text in (b"{", b"[1]", b"\xff", b""):
            path.write_bytes(text)
            assert read_holder(str(tmp_path)) == {}
        with pytest.raises(DeployError, match=r"^The service is locked by another run\.$"):
            lock_of(tmp_path, "r2").acquire(0)


def test_a_phase_without_the_lock_is_not_written(tmp_path: Path) -> None:
    lock_of(tmp_path, "r1").phase("tidy")
    assert os.listdir(tmp_path) == []

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import signal
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import detach
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock, read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.result import blank
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store
from ansible_collections.j4c.deploy.plugins.module_utils._release.termination import Termination

LONG = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path), "shop")
    made.prepare()
    return made


@pytest.fixture
def begin(store: Store) -> t.Iterator[t.Callable[[detach.Work], detach.Child]]:
    """Start engines and end those that are left."""
    children: list[detach.Child] = []

    def start(work: detach.Work) -> detach.Child:
        children.append(detach.start(store, "r1", work))
        return children[-1]

    yield start
    for child in children:
        os.close(child.spare)
        try:
            if os.waitpid(child.pid, os.WNOHANG)[0] == 0:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
        except ChildProcessError:
            continue


def wait_for(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.002)


def test_the_result_is_handed_over(store: Store, begin: t.Any) -> None:
    child = begin(lambda report: {"changed": True, "outcome": "DEPLOYED", "pid": os.getpid()})
    result = detach.follow(store, "r1", (), LONG, child)
    assert result == {"changed": True, "outcome": "DEPLOYED", "pid": child.pid}
    assert store.load_run("r1") == {"event": "end", "result": result}


def test_the_engine_is_cut_off_from_its_caller(store: Store, begin: t.Any) -> None:
    def work(report: detach.Report) -> dict[str, t.Any]:
        os.write(1, b"out ")
        os.write(2, b"err")
        return {
            "session": os.getsid(0),
            "hangup": signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,
            "input": os.read(0, 1).decode(),
            "open": sorted(int(name) for name in os.listdir("/proc/self/fd")),
        }

    child = begin(work)
    result = detach.follow(store, "r1", (), LONG, child)
    assert (result["session"], result["hangup"], result["input"]) == (child.pid, True, "")
    # the standard ones, what they were copied from, the spare one, and the listing itself
    assert len(result["open"]) <= 7
    assert Path(store.path("runs", "r1.log")).read_bytes() == b"out err"
    assert os.stat(store.path("runs", "r1.log")).st_mode & 0o777 == 0o600


def test_a_known_failure_is_a_result(store: Store, begin: t.Any) -> None:
    def work(report: detach.Report) -> dict[str, t.Any]:
        raise DeployError("The lock is taken.", hint="Wait.", holder={"run": "r0"})

    result = detach.follow(store, "r1", (), LONG, begin(work))
    assert result == {
        **blank("r1"),
        "failed": True,
        "outcome": "FAILED_SAFE",
        "decision": "ROLLBACK",
        "msg": "The lock is taken. Wait.",
        "hint": "Wait.",
        "holder": {"run": "r0"},
    }


def test_a_defect_is_a_result_and_its_traceback_is_logged(store: Store, begin: t.Any) -> None:
    def work(report: detach.Report) -> dict[str, t.Any]:
        raise KeyError("slot")

    result = detach.follow(store, "r1", (), LONG, begin(work))
    assert (result["failed"], result["outcome"]) == (True, "FAILED_SAFE")
    assert result["msg"] == "The engine broke: KeyError('slot')."
    assert "in work\n    raise KeyError" in Path(store.path("runs", "r1.log")).read_text("utf-8")


def test_a_killed_engine_is_noticed(store: Store, begin: t.Any) -> None:
    child = begin(lambda report: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(DeployError, match="The engine of run r1 was killed in the middle of its work") as caught:
        detach.follow(store, "r1", (), LONG, child)
    assert caught.value.fields == {"outcome": "INTERRUPTED", "run": "r1"}
    assert "same playbook again" in (caught.value.hint or "")


def test_a_killed_engine_that_is_nobodys_child_is_noticed_by_its_lock(store: Store, begin: t.Any) -> None:
    def work(report: detach.Report) -> dict[str, t.Any]:
        Lock(store.root, {"run": "r1", "kind": "release", "release": "v1"}).acquire(0)
        report("prepared", {"run": "r1"})
        signal.pause()
        return {}

    child = begin(work)
    assert detach.follow(store, "r1", ("prepared",), LONG, child) == {"run": "r1"}
    with pytest.raises(DeployError) as caught:
        detach.follow(store, "r1", (), 0.05)
    assert caught.value.fields["outcome"] == "RUNNING"
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(DeployError) as caught:
        detach.follow(store, "r1", (), LONG)
    assert caught.value.fields["outcome"] == "INTERRUPTED"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_known_failure(store: Store, begin: t.Any, number: signal.Signals) -> None:
    def work(report: detach.Report) -> dict[str, t.Any]:
        termination = Termination()
        termination.listen()
        with termination.may_end():
            report("prepared", {})
            signal.pause()
        return {}

    child = begin(work)
    detach.follow(store, "r1", ("prepared",), LONG, child)
    os.kill(child.pid, number)
    assert detach.follow(store, "r1", (), LONG, child)["msg"].startswith(
        f"The engine was ended by signal {int(number)}."
    )


def test_a_run_goes_on_when_its_follower_gives_up(store: Store, begin: t.Any, tmp_path: Path) -> None:
    go = str(tmp_path / "go")

    def work(report: detach.Report) -> dict[str, t.Any]:
        wait_for(go)
        return {"outcome": "DEPLOYED"}

    child = begin(work)
    with pytest.raises(DeployError, match=r"Run r1 did not end within 0\.05 s; it goes on on the server") as caught:
        detach.follow(store, "r1", (), 0.05, child)
    assert caught.value.fields == {"outcome": "RUNNING", "run": "r1"}
    Path(go).touch()
    assert detach.follow(store, "r1", (), LONG, child) == {"outcome": "DEPLOYED"}


def test_a_result_that_the_disk_does_not_take_is_handed_over(store: Store, begin: t.Any) -> None:
    def work(report: detach.Report) -> dict[str, t.Any]:
        os.rename(store.path("runs"), store.path("kept"))
        Path(store.path("runs")).touch()
        return {"outcome": "ROLLED_BACK"}

    result = detach.follow(store, "r1", (), LONG, begin(work))
    assert result["outcome"] == "ROLLED_BACK"
    assert "The result of run r1 cannot be kept: Not a directory" in result["warnings"][0]


def test_an_engine_that_has_nothing_to_say_leaves_no_log(store: Store, begin: t.Any) -> None:
    child = begin(lambda _report: {})
    detach.follow(store, "r1", (), LONG, child)
    # whoever follows it may have taken its end already
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child.pid, 0)
    assert os.listdir(store.path("runs")) == ["r1.json"]


def test_an_event_in_between_is_returned_to_who_asks_for_it(store: Store, begin: t.Any, tmp_path: Path) -> None:
    go = str(tmp_path / "go")

    def work(report: detach.Report) -> dict[str, t.Any]:
        report("prepared", {"outcome": "PREPARED"})
        wait_for(go)
        return {"outcome": "DEPLOYED"}

    child = begin(work)
    assert detach.follow(store, "r1", ("prepared",), LONG, child) == {"outcome": "PREPARED"}
    with pytest.raises(DeployError):
        detach.follow(store, "r1", ("sealed",), 0.05, child)
    Path(go).touch()
    assert detach.follow(store, "r1", ("sealed",), LONG, child) == {"outcome": "DEPLOYED"}


def test_an_engine_that_has_given_back_its_lock_is_still_at_work(
    store: Store, begin: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is free before the result is on a slow disk."""
    seen, recorded = str(tmp_path / "seen"), str(tmp_path / "recorded")
    looks = 0

    def look(root: str) -> dict[str, t.Any]:
        nonlocal looks
        holder = read_holder(root)
        if holder:
            Path(seen).touch()
        else:
            looks += 1
            if looks == 20:
                Path(recorded).touch()
        return holder

    def work(report: detach.Report) -> dict[str, t.Any]:
        lock = Lock(store.root, {"run": "r1", "kind": "release", "release": "v1"})
        lock.acquire(0)
        report("prepared", {"run": "r1"})
        wait_for(seen)
        lock.release()
        wait_for(recorded)
        return {"outcome": "DEPLOYED"}

    child = begin(work)
    detach.follow(store, "r1", ("prepared",), LONG, child)
    monkeypatch.setattr(detach, "read_holder", look)
    monkeypatch.setattr(detach, "GONE_SECONDS", 0.01)
    assert detach.follow(store, "r1", (), LONG) == {"outcome": "DEPLOYED"}

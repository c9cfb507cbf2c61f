# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner, end_group


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for yet has too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while not gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_program_says_and_how_it_ends() -> None:
    done = Runner({"A": "1", "HOME": None}).run(
        shell('printf "%s %s %s" "$A" "$B" "${HOME-none}"; cat; echo err >&2; exit 3'),
        env={"B": "2"},
        stdin=" in",
        check=False,
    )
    assert (done.rc, done.stdout, done.stderr) == (3, "1 2 none in", "err\n")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo one >&2; echo two >&2; exit 4", "Looking failed with exit status 4: two"),
        ("echo out; exit 4", "exit status 4: out"),
        ("exit 4", "exit status 4: no output"),
    ],
)
def test_a_failure_is_told(script: str, told: str) -> None:
    with pytest.raises(DeployError, match=told) as caught:
        Runner().run(shell(script), what="Looking")
    assert caught.value.rc == 4


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(DeployError, match="could not be started: No such file or directory"):
        Runner().run(["/nowhere/x"])
    with pytest.raises(DeployError, match="The program 'no-such-thing' was not found on the PATH") as caught:
        Runner().find("no-such-thing", "Install it.")
    assert caught.value.hint == "Install it."


@pytest.mark.parametrize("script", ["sleep 60 & echo $!; wait", "trap '' TERM; sleep 60 & echo $!; wait; wait"])
def test_what_takes_too_long_is_ended_with_all_it_started(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_group, "__defaults__", (0.5,))
    with pytest.raises(DeployError, match=r"did not end within 0\.5 s and was stopped") as caught:
        Runner(timeout=0.5).run(shell(script))
    assert caught.value.stdout
    wait_until_gone(int(caught.value.stdout))


def test_a_watched_program_writes_a_log_and_is_looked_at(tmp_path: Path) -> None:
    seen: list[int] = []
    log = tmp_path / "log"
    # it ends when it has been looked at
    script = f"echo $$; echo err >&2; while ! test -e '{tmp_path}/seen'; do sleep 0.01; done; exit 7"

    def look(pid: int) -> None:
        seen.append(pid)
        (tmp_path / "seen").touch()

    rc = Runner().watch(shell(script), log=str(log), cwd=str(tmp_path), timeout=30, look=look, interval=0.02)
    assert rc == 7
    assert log.read_text("utf-8") == f"{seen[0]}\nerr\n"


def test_a_watched_program_is_ended_when_its_time_is_over(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "sleep 60 & echo $!; wait"
    assert Runner().watch(shell(script), log=str(log), cwd="/", timeout=0.3, interval=0.05) is None
    wait_until_gone(int(log.read_text("utf-8")))


def test_what_a_watched_program_leaves_behind_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert Runner().watch(shell("sleep 60 & echo $!"), log=str(log), cwd="/", timeout=30, interval=0.05) == 0
    wait_until_gone(int(log.read_text("utf-8")))


def test_a_signal_is_told_as_a_negative_status(tmp_path: Path) -> None:
    rc = Runner().watch(shell("kill -9 $$"), log=str(tmp_path / "log"), cwd="/", timeout=30)
    assert rc == -signal.SIGKILL


@pytest.mark.parametrize("kept", [True, False])
def test_only_named_descriptors_are_handed_on(tmp_path: Path, kept: bool) -> None:
    reader, writer = os.pipe()
    try:
        rc = Runner().watch(
            shell(f"test -e /proc/self/fd/{writer}"),
            log=str(tmp_path / "log"),
            cwd="/",
            timeout=30,
            keep_open=[writer] if kept else [],
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert (rc == 0) == kept


def test_a_watched_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="/nowhere/x could not be started: No such file or directory"):
        Runner().watch(["/nowhere/x"], log=str(tmp_path / "log"), cwd="/", timeout=1)

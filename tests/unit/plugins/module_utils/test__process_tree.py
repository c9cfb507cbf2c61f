# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import TreeMeter, marked, oom_kills
from ansible_collections.j4c.deploy.plugins.module_utils._run import end_processes

TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def process(proc: Path, pid: int, parent: int, ticks: int = 0, pages: int = 0, name: str = "java") -> None:
    fields = ["S", str(parent), *["0"] * 9, str(ticks), "0", *["0"] * 4, "2", *["0"] * 3, str(pages), "0"]
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n", encoding="utf-8")


def end(proc: Path, pid: int) -> None:
    (proc / str(pid) / "stat").unlink()


def test_a_tree_is_measured(tmp_path: Path) -> None:
    process(tmp_path, 1, 0, ticks=9999, pages=9999)
    process(tmp_path, 10, 1, ticks=100, pages=10)
    # a name may look like the fields behind it
    process(tmp_path, 11, 10, ticks=50, pages=20, name="x) S 1 (y z")
    process(tmp_path, 12, 11, ticks=10, pages=30)
    process(tmp_path, 20, 1, ticks=7777, pages=7777)
    (tmp_path / "self").mkdir()
    meter = TreeMeter(str(tmp_path))
    meter.sample(10)
    assert (meter.peak_memory_bytes, meter.cpu_seconds) == (60 * PAGE, 160 / TICKS)
    assert (meter.memory_bytes, meter.threads) == (60 * PAGE, 6)
    # the peak stays, and so does the time of a process that has ended
    end(tmp_path, 12)
    process(tmp_path, 11, 10, ticks=70, pages=5)
    meter.sample(10)
    assert (meter.peak_memory_bytes, meter.cpu_seconds) == (60 * PAGE, 180 / TICKS)


def test_a_process_that_is_gone_counts_nothing(tmp_path: Path) -> None:
    meter = TreeMeter(str(tmp_path))
    meter.sample(4)
    assert (meter.peak_memory_bytes, meter.cpu_seconds) == (0, 0)


def test_this_process_is_seen() -> None:
    meter = TreeMeter()
    meter.sample(os.getpid())
    assert meter.peak_memory_bytes > 1 << 20


def test_what_a_process_started_bears_its_mark(tmp_path: Path) -> None:
    for pid, entries in {5: b"A=1\0MARK=store:7\0", 6: b"MARK=stored:7", 7: b"XMARK=store:7", 8: b""}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "environ").write_bytes(entries)
    (tmp_path / "9").mkdir()
    assert marked("MARK", "store:", str(tmp_path)) == [5]


def test_a_process_that_left_its_session_bears_the_mark() -> None:
    name = f"test:{os.getpid()}"
    script = "sleep 300 <&- >&- 2>&- & echo $!"
    started = subprocess.run(
        ["setsid", "sh", "-c", script], env={**os.environ, "MARK": name}, stdout=subprocess.PIPE, text=True, check=True
    )
    pid = int(started.stdout)
    assert marked("MARK", name) == [pid]
    end_processes([pid, 1 << 22])
    deadline = time.monotonic() + 60
    while marked("MARK", name):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("text", "expected"), [("pgfault 1\noom_kill 3\n", 3), ("pgfault 1\n", 0), (None, 0)])
def test_what_the_kernel_ended(tmp_path: Path, text: str | None, expected: int) -> None:
    if text is not None:
        (tmp_path / "vmstat").write_text(text, encoding="ascii")
    assert oom_kills(str(tmp_path)) == expected

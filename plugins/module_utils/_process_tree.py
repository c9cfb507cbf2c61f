# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time of a process and everything below it, from /proc (proc(5)).

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class _Row:
    parent: int
    ticks: int
    threads: int
    pages: int


def _rows(proc: str) -> dict[int, _Row]:
    rows = {}
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            with open(os.path.join(proc, name, "stat"), encoding="utf-8", errors="replace") as file:
                # the command may hold spaces and brackets, the fields after its last bracket do not
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        rows[int(name)] = _Row(int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[17]), int(fields[21]))
    return rows


class TreeMeter:
    """Collects samples of a process tree.

    ``memory_bytes`` is the resident set and ``threads`` the number of threads as last seen, ``peak_memory_bytes`` the
    largest resident set seen, ``cpu_seconds`` the time of all processes as last seen.

    :param proc: where the kernel shows processes.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._ticks: dict[int, int] = {}
        self.memory_bytes = 0
        self.threads = 0
        self.peak_memory_bytes = 0

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of all processes that were seen, in seconds."""
        return sum(self._ticks.values()) / _TICKS

    def sample(self, root: int) -> None:
        """Look once at the process ``root`` and all below it."""
        rows = _rows(self._proc)
        children: dict[int, list[int]] = {}
        for pid, row in rows.items():
            children.setdefault(row.parent, []).append(pid)
        tree: list[int] = []
        queue: list[int] = [root] if root in rows else []
        while queue:
            pid = queue.pop()
            tree.append(pid)
            queue += children.get(pid, [])
        self.memory_bytes = sum(rows[pid].pages for pid in tree) * _PAGE
        self.threads = sum(rows[pid].threads for pid in tree)
        self.peak_memory_bytes = max(self.peak_memory_bytes, self.memory_bytes)
        for pid in tree:
            self._ticks[pid] = rows[pid].ticks


def marked(variable: str, value: str, proc: str = "/proc") -> list[int]:
    """Return the processes whose environment has a variable that begins with a value.

    Whatever a process starts inherits the variable, also what leaves its session or outlives it.
    """
    found = []
    wanted = f"{variable}={value}".encode()
    for name in os.listdir(proc):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(os.path.join(proc, name, "environ"), "rb") as file:
                    entries = file.read().split(b"\0")
            except OSError:
                continue
            if any(entry.startswith(wanted) for entry in entries):
                found.append(int(name))
    return sorted(found)


def oom_kills(proc: str = "/proc") -> int:
    """Return how many processes the kernel has ended for lack of memory since it started, 0 where it does not tell."""
    try:
        with open(os.path.join(proc, "vmstat"), encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except (OSError, ValueError):
        return 0

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a machine has left.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations


def available_memory(meminfo: str = "/proc/meminfo") -> int | None:
    """Return the bytes of memory that are available, ``None`` when the kernel does not tell.

    :param meminfo: where the kernel tells it.
    """
    try:
        with open(meminfo, encoding="ascii") as file:
            values = dict(line.split(":", 1) for line in file)
        return int(values["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None

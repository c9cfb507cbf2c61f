# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bench yields, and how it comes by the numbers."""

from __future__ import annotations

import dataclasses
import statistics
import time
import typing as t


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of measurements.

    :param title: what was measured.
    :param rows: one cell a column; a number is shown with two decimals.
    :param notes: sentences below the table: what the numbers were taken on, what they are compared with.
    """

    title: str
    columns: t.Sequence[str]
    rows: t.Sequence[t.Sequence[str | float]]
    notes: t.Sequence[str] = ()

    def __str__(self) -> str:
        """Return the table as text: the first column to the left, the others to the right."""
        cells = [list(self.columns)]
        cells += [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths))
            )
            for row in cells
        ]
        return "\n".join([self.title, *(line.rstrip() for line in lines), *self.notes])


def seconds(work: t.Callable[[], object]) -> float:
    """Do something once and return how long it took."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def interleaved(works: t.Mapping[str, t.Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Do everything in turn, ``rounds`` times, so that a slow minute of the machine meets all alike.

    :param works: by name, what to do; each returns its figure, for example what ``seconds`` returns.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _round in range(rounds):
        for name, work in works.items():
            taken[name].append(work())
    return taken


def ratios(title: str, taken: t.Mapping[str, t.Sequence[float]], base: str, notes: t.Sequence[str] = ()) -> Table:
    """Return medians, extremes and the ratio of each median to that of ``base``."""
    middle = statistics.median(taken[base])
    rows = [
        (name, statistics.median(values), min(values), max(values), statistics.median(values) / middle)
        for name, values in taken.items()
    ]
    return Table(title, ("", "median s", "min s", "max s", "ratio"), rows, notes)

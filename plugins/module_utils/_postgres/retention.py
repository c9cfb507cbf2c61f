# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups are kept: a pure function over their times.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Retention:
    """How many are kept: the newest ``last``, and the newest of each of the last days, weeks and months that have one."""

    last: int = 3
    daily: int = 7
    weekly: int = 4
    monthly: int = 6


@dataclass(frozen=True)
class Dated:
    """A good backup: its id, when it was taken (``2026-01-31T12:00:00.123Z``) and the release that was live then."""

    id: str
    created: str
    release: str = ""


def to_remove(backups: t.Collection[Dated], retention: Retention, releases: t.Collection[str] = ()) -> list[str]:
    """Return the ids of the backups that nothing asks to keep, oldest first.

    The newest one is always kept, and so is the newest one of each release in ``releases``: going back to that release
    together with its data needs it.
    """
    newest = sorted(backups, key=lambda item: (item.created, item.id), reverse=True)
    kept = {item.id for item in newest[: max(1, retention.last)]}
    for count, period in ((retention.daily, _day), (retention.weekly, _week), (retention.monthly, _month)):
        firsts: dict[str, str] = {}
        for item in newest:
            firsts.setdefault(period(item.created), item.id)
        kept |= set(list(firsts.values())[:count])
    of_release: dict[str, str] = {}
    for item in newest:
        of_release.setdefault(item.release, item.id)
    kept |= {backup for release, backup in of_release.items() if release and release in releases}
    return [item.id for item in reversed(newest) if item.id not in kept]


def _day(created: str) -> str:
    return created[:10]


def _week(created: str) -> str:
    year, week, _day_of_week = datetime.date.fromisoformat(created[:10]).isocalendar()
    return f"{year}-{week:02d}"


def _month(created: str) -> str:
    return created[:7]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups are kept."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.retention import Dated, Retention, to_remove

NONE = Retention(last=0, daily=0, weekly=0, monthly=0)


def every(hours: int, count: int, release: str = "") -> list[Dated]:
    end = datetime.datetime(2026, 3, 31, 12)
    moments = [end - datetime.timedelta(hours=hours * number) for number in range(count)]
    return [Dated(f"{moment:%Y%m%dT%H}", f"{moment:%Y-%m-%dT%H:%M:%S}.000Z", release) for moment in moments]


def kept(backups: list[Dated], retention: Retention, releases: tuple[str, ...] = ()) -> list[str]:
    gone = to_remove(backups, retention, releases)
    return sorted(item.id for item in backups if item.id not in gone)


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        (NONE, ["20260331T12"]),
        (Retention(3, 0, 0, 0), ["20260331T00", "20260331T06", "20260331T12"]),
        (Retention(1, 3, 0, 0), ["20260329T18", "20260330T18", "20260331T12"]),
        # 2026-03-30 is a Monday
        (Retention(1, 0, 3, 0), ["20260322T18", "20260329T18", "20260331T12"]),
        (Retention(1, 0, 0, 3), ["20260131T18", "20260228T18", "20260331T12"]),
    ],
)
def test_counts_and_periods(retention: Retention, expected: list[str]) -> None:
    assert kept(every(6, 300), retention) == expected


def test_periods_without_a_backup_do_not_count() -> None:
    backups = every(24 * 40, 3)
    assert kept(backups, Retention(0, 3, 0, 0)) == sorted(item.id for item in backups)


def test_the_newest_of_a_kept_release_stays() -> None:
    backups = [Dated("3", "2026-03-03", "v2"), Dated("2", "2026-03-02", "v1"), Dated("1", "2026-03-01", "v1")]
    assert kept(backups, NONE, ("v1",)) == ["2", "3"]
    assert kept(backups, NONE, ("v0",)) == ["3"]


def test_a_backup_of_no_release_is_pinned_by_none() -> None:
    backups = [Dated("2", "2026-03-02"), Dated("1", "2026-03-01")]
    assert kept(backups, NONE, ("",)) == ["2"]


def test_nothing_to_remove() -> None:
    assert to_remove([], NONE) == []

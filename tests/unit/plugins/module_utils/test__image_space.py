# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_space as space
from ansible_collections.j4c.deploy.plugins.module_utils._image_layers import Entry, Kind


def layer(*items: tuple[str, int, Kind]) -> list[Entry]:
    return [Entry(*item) for item in items]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], []),
        ([layer(("a", 5, "file")), layer(("b", 7, "file"))], [0, 0]),
        ([layer(("a", 5, "file")), layer(("a", 7, "file")), layer(("a", 1, "file"))], [0, 5, 7]),
        ([layer(("a", 5, "file")), layer(("a", 0, "gone")), layer(("a", 1, "file"))], [0, 5, 0]),
        ([layer(("d/a", 5, "file"), ("d/b", 6, "file"), ("da", 1, "file")), layer(("d", 0, "gone"))], [0, 11]),
        ([layer(("d/a", 5, "file")), layer(("d", 0, "opaque"), ("d/b", 1, "file"))], [0, 5]),
        # what replaces a removed folder counts once
        ([layer(("d/a", 5, "file")), layer(("d/a", 2, "file"), ("d", 0, "opaque"))], [0, 5]),
        ([layer(("a", 5, "file")), layer(("", 0, "opaque"))], [0, 5]),
        ([layer(("a", 5, "file")), layer(("never", 0, "gone"))], [0, 0]),
    ],
)
def test_wasted(layers: list[list[Entry]], expected: list[int]) -> None:
    assert space.wasted(layers) == expected


LAYERS: list[dict[str, t.Any]] = [
    {"id": "a", "size": 3_000_000, "command": None},
    {"id": "b", "size": 1_000_000, "command": "COPY b"},
    {"id": "c", "size": None, "command": "COPY c"},
]


def test_compare_and_totals() -> None:
    compared = space.compare(LAYERS, {"a"}, [0, 1_000_000, 0])
    assert [item["changed"] for item in compared] == [False, True, True]
    assert space.totals(4_000_000, compared) == {
        "size": 4_000_000,
        "new": 1_000_000,
        "wasted": 1_000_000,
        "efficiency": 0.75,
    }


def test_what_is_not_known_is_not_said() -> None:
    compared = space.compare(LAYERS, None, None)
    assert {(item["changed"], item["wasted"]) for item in compared} == {(None, None)}
    assert space.totals(4, compared) == {"size": 4, "new": None, "wasted": None, "efficiency": None}
    assert space.over_budget(space.Budget(new_mb=0.001), space.totals(4, compared), compared) == []


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, []),
        ({"size_mb": 4, "new_mb": 1}, []),
        (
            {"size_mb": 3.5},
            ["The image is 4.0 MB, the budget is 3.5 MB; heaviest: 3.0 MB 'base', 1.0 MB 'COPY b', 0.0 MB 'COPY c'."],
        ),
        (
            {"new_mb": 0.5},
            ["The image has new layers of 1.0 MB, the budget is 0.5 MB; heaviest: 1.0 MB 'COPY b', 0.0 MB 'COPY c'."],
        ),
    ],
)
def test_over_budget(limits: dict[str, t.Any], expected: list[str]) -> None:
    compared = space.compare(LAYERS, {"a"}, None)
    assert space.over_budget(space.make_budget(limits), space.totals(4_000_000, compared), compared) == expected

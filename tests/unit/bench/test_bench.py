# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of the benches: what is found, how figures are taken and shown."""

from __future__ import annotations

import importlib
import typing as t

import pytest

from tests.bench.__main__ import load, main, names
from tests.bench._table import Table, interleaved, ratios, seconds


@pytest.mark.parametrize("name", names())
def test_a_bench_says_what_it_measures_and_has_its_function(name: str) -> None:
    assert (importlib.import_module(f"tests.bench.{name}").__doc__ or "").strip()
    assert callable(load(name))


def test_what_helps_a_bench_is_none() -> None:
    assert "playbooks" in names()
    assert not [name for name in names() if name.startswith("_")]


def test_a_bench_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["playbooks", "nobody"])
    assert ended.value.code == 2
    assert "no such bench: nobody; there are" in capsys.readouterr().err


def test_a_bench_that_breaks_does_not_stop_the_next(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def good(_folder: object) -> t.Iterator[Table]:
        yield Table("Good", ("what", "s"), [("it", 1.0)])

    def bad(_folder: object) -> t.Iterator[Table]:
        yield Table("Half", ("what", "s"), [("it", 2.0)])
        raise OSError("the disk is full")

    monkeypatch.setattr("tests.bench.__main__.names", ["bad", "good"].copy)
    monkeypatch.setattr("tests.bench.__main__.load", {"bad": bad, "good": good}.get)
    assert main([]) == 1
    said = capsys.readouterr()
    assert said.out == "\nHalf\nwhat     s\nit    2.00\n\nGood\nwhat     s\nit    1.00\n"
    assert "The bench bad broke:" in said.err
    assert "the disk is full" in said.err
    assert main(["good"]) == 0


def test_a_table_aligns_its_columns() -> None:
    table = Table("Sizes", ("image", "MB", "layers"), [("a", 1.234, "7"), ("longer", 100.0, "12")], ["A note."])
    assert str(table).splitlines() == [
        "Sizes",
        "image       MB  layers",
        "a         1.23       7",
        "longer  100.00      12",
        "A note.",
    ]


def test_works_take_turns() -> None:
    order: list[str] = []

    def work(name: str) -> t.Callable[[], float]:
        def done() -> float:
            order.append(name)
            return float(len(order))

        return done

    assert interleaved({"a": work("a"), "b": work("b")}, 2) == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    assert order == ["a", "b", "a", "b"]


def test_a_ratio_is_that_of_the_medians() -> None:
    table = ratios("T", {"base": [1.0, 2.0, 9.0], "more": [2.0, 3.0, 100.0]}, "base")
    assert table.rows == [("base", 2.0, 1.0, 9.0, 1.0), ("more", 3.0, 2.0, 100.0, 1.5)]


def test_seconds_are_those_of_the_work() -> None:
    assert seconds(list) >= 0.0

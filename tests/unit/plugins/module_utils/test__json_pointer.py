# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _json_pointer as pointers

# RFC 6901, section 5
DOCUMENT = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_standard(pointer: str, value: t.Any) -> None:
    assert pointers.resolve_pointer(DOCUMENT, pointer) == value


@pytest.mark.parametrize(
    ("document", "pointer", "value"),
    [
        ({"~1": "tilde first"}, "/~01", "tilde first"),
        ({"a": {"b": None}}, "/a/b", None),
        ([[1, [2]]], "/0/1/0", 2),
        ({"0": "key"}, "/0", "key"),
        ("text", "", "text"),
    ],
)
def test_values_are_found(document: t.Any, pointer: str, value: t.Any) -> None:
    assert pointers.resolve_pointer(document, pointer) == value


@pytest.mark.parametrize(
    ("document", "pointer", "missing"),
    [
        ({"a": 1}, "/b", "'b' of '/b'"),
        ({"a": 1}, "/a/b", "'b' of '/a/b'"),
        ({"a": [1]}, "/a/1", "'1'"),
        ({"a": [1]}, "/a/-", "'-'"),
        ({"a": [1, 2]}, "/a/01", "'01'"),
        ({"a": [1, 2]}, "/a/-1", "'-1'"),
        ({"a": [1, 2]}, "/a/\u0661", "'\u0661'"),
        ({"a": "text"}, "/a/0", "'0'"),
        (None, "/a", "'a'"),
        ({"a": 1}, "/", "''"),
    ],
)
def test_what_is_missing_is_named(document: t.Any, pointer: str, missing: str) -> None:
    with pytest.raises(LookupError) as caught:
        pointers.resolve_pointer(document, pointer)
    assert missing in caught.value.args[0]


@pytest.mark.parametrize("text", ["a", "a/b", "#/a", "/a~", "/~2", "/a~b"])
def test_what_is_no_pointer_is_refused(text: str) -> None:
    assert not pointers.is_pointer(text)
    with pytest.raises(ValueError, match="is no JSON pointer"):
        pointers.resolve_pointer({}, text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (None, False, False),
        ("1", 1, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": [1]}, {"a": [True]}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [1], False),
        ([], {}, False),
    ],
)
def test_values_are_compared_as_json_does(one: t.Any, other: t.Any, same: bool) -> None:
    for pair in itertools.permutations([one, other]):
        assert pointers.same_json(*pair) is same


def test_every_difference_is_told() -> None:
    wanted = {"/a": 1, "/b": "x", "/c/0": None}
    assert pointers.differences({"a": 1, "b": "x", "c": [None]}, wanted) == []
    assert pointers.differences({"a": 2, "c": []}, wanted) == [
        "'/a' is 2, not 1",
        "'b' of '/b' is missing",
        "'0' of '/c/0' is missing",
    ]

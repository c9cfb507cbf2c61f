# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Pointer, RFC 6901, and comparing what is found there.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t

_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]*")


def is_pointer(text: str) -> bool:
    """Tell whether a text is a JSON pointer; ``""`` is one."""
    return _POINTER.fullmatch(text) is not None


def resolve_pointer(document: t.Any, pointer: str) -> t.Any:
    """Return the value at ``pointer``; ``""`` is the whole document.

    :raises LookupError: there is no such value; the message names the part that is missing.
    :raises ValueError: it is no pointer.
    """
    if not is_pointer(pointer):
        raise ValueError(f"'{pointer}' is no JSON pointer")
    value = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise LookupError(f"'{key}' of '{pointer}' is missing")
    return value


def same_json(one: t.Any, other: t.Any) -> bool:
    """Tell whether two values are the same in JSON, where ``1`` is ``1.0`` but not ``true``."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def differences(document: t.Any, wanted: t.Mapping[str, t.Any]) -> list[str]:
    """Return a text for each pointer of ``wanted`` whose value is missing or another one.

    :param wanted: JSON pointer to the value that must be there.
    """
    found = []
    for pointer, value in wanted.items():
        try:
            there = resolve_pointer(document, pointer)
        except LookupError as exc:
            found.append(str(exc.args[0]))
            continue
        if not same_json(there, value):
            found.append(f"'{pointer}' is {there!r}, not {value!r}")
    return found

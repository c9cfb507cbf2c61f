# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Pointer, RFC 6901.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t


def resolve_pointer(document: t.Any, pointer: str) -> t.Any:
    """Return the value at ``pointer``; ``""`` is the whole document.

    :raises LookupError: there is no such value; the message names the part that is missing.
    :raises ValueError: the pointer does not start with ``/``.
    """
    if not pointer:
        return document
    if not pointer.startswith("/"):
        raise ValueError(f"the JSON pointer '{pointer}' does not start with '/'")
    value = document
    for part in pointer[1:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value) and key == str(int(key)):
            value = value[int(key)]
        else:
            raise LookupError(f"'{key}' of '{pointer}' is missing")
    return value

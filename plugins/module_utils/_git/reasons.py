# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons against a release: one shape, with a stable code and the places that it is about.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

SHOWN_PLACES = 20

Place = dict[str, t.Any]
Reason = dict[str, t.Any]


def reason(code: str, msg: str, hint: str, places: t.Iterable[Place] = ()) -> Reason:
    """Return a reason: ``code`` (stable, for programs), ``msg`` and ``hint`` (sentences), ``places``.

    A place has ``path`` (relative to the clone), ``line`` and ``commit``, as far as there is one.
    """
    return {"code": code, "msg": msg, "hint": hint, "places": list(places)}


def at(path: str, line: int | None = None, commit: str | None = None) -> Place:
    """Return a place: a file, or a line of it, as it is in the working tree or was in a commit."""
    place: Place = {"path": path}
    if line is not None:
        place["line"] = line
    if commit is not None:
        place["commit"] = commit
    return place


def tell(place: t.Mapping[str, t.Any]) -> str:
    """Return a place for people: ``commit:path:line`` without what it does not have."""
    parts = [
        str(place[key])[:7] if key == "commit" else str(place[key])
        for key in ("commit", "path", "line")
        if key in place
    ]
    return ":".join(parts)


def listed(places: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Return the first places on one line, and how many more there are."""
    more = f" and {len(places) - SHOWN_PLACES} more" if len(places) > SHOWN_PLACES else ""
    return ", ".join(tell(place) for place in places[:SHOWN_PLACES]) + more


def plural(number: int, noun: str) -> str:
    """Return ``1 commit``, ``2 commits``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def counted(number: int, noun: str) -> str:
    """Return ``1 commit is``, ``2 commits are``."""
    return f"{plural(number, noun)} {'is' if number == 1 else 'are'}"

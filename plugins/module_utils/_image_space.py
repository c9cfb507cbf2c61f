# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image weighs: layer by layer, against the one that is released, and against a budget. All pure.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._image_layers import Entry

MB = 1_000_000
SHOWN = 3


@dataclass(frozen=True)
class Budget:
    """Limits in MB (10^6 bytes), 0 for none: of the image, of what is new in it; ``action`` is refuse or warn."""

    size_mb: float = 0
    new_mb: float = 0
    action: str = "refuse"


def make_budget(data: t.Mapping[str, t.Any]) -> Budget:
    """Return the budget of the option; what is missing has its default."""
    return Budget(**{key: value for key, value in data.items() if value is not None})


def wasted(layers: t.Sequence[t.Iterable[Entry]]) -> list[int]:
    """Return for each layer how many bytes of the layers below it hides: files that it replaces or removes.

    :param layers: the content of each, lowest first.
    """
    visible: dict[str, int] = {}
    hidden = []
    for layer in layers:
        here, lost = {}, 0
        for entry in layer:
            if entry.kind == "file":
                here[entry.path] = entry.size
            else:
                below = f"{entry.path}/" if entry.path else ""
                gone = [path for path in visible if path.startswith(below)]
                if entry.kind == "gone" and entry.path in visible:
                    gone.append(entry.path)
                lost += sum(visible.pop(path) for path in gone)
        lost += sum(visible[path] for path in here if path in visible)
        visible.update(here)
        hidden.append(lost)
    return hidden


def compare(
    layers: t.Sequence[t.Mapping[str, t.Any]], released: t.Container[str] | None, hidden: t.Sequence[int] | None
) -> list[dict[str, t.Any]]:
    """Return the layers with ``changed`` and ``wasted``.

    :param layers: as ``_image_report.layers`` returns them.
    :param released: ids of the layers of the released image, ``None`` when there is none.
    :param hidden: what ``wasted`` returned, ``None`` when nobody looked.
    """
    return [
        {
            **layer,
            "changed": None if released is None else layer["id"] not in released,
            "wasted": hidden[index] if hidden is not None else None,
        }
        for index, layer in enumerate(layers)
    ]


def totals(size: int, layers: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the sums: ``size``, ``new`` and ``wasted`` in bytes, ``efficiency`` between 0 and 1; ``None`` if not known.

    :param size: of the image, in bytes.
    :param layers: what ``compare`` returned.
    """
    measured = bool(layers) and all(layer["wasted"] is not None for layer in layers)
    compared = bool(layers) and all(layer["changed"] is not None for layer in layers)
    lost = sum(layer["wasted"] for layer in layers) if measured else None
    # one of the engine's stores counts an image compressed
    whole = sum(layer["size"] or 0 for layer in layers) or size
    return {
        "size": size,
        "new": sum(layer["size"] or 0 for layer in layers if layer["changed"]) if compared else None,
        "wasted": lost,
        "efficiency": round(1 - lost / whole, 4) if lost is not None and whole else None,
    }


def over_budget(budget: Budget, sums: t.Mapping[str, t.Any], layers: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Return a sentence for each limit that the image is over, with the layers that weigh most."""
    told = []
    for limit, key, what, chosen in (
        (budget.size_mb, "size", "is", list(layers)),
        (budget.new_mb, "new", "has new layers of", [layer for layer in layers if layer["changed"]]),
    ):
        bytes_ = sums[key]
        if limit and bytes_ is not None and bytes_ > limit * MB:
            heaviest = sorted(chosen, key=_size, reverse=True)[:SHOWN]
            listed = ", ".join(f"{_size(layer) / MB:.1f} MB '{layer['command'] or 'base'}'" for layer in heaviest)
            told.append(f"The image {what} {bytes_ / MB:.1f} MB, the budget is {limit:g} MB; heaviest: {listed}.")
    return told


def _size(layer: t.Mapping[str, t.Any]) -> int:
    return int(layer["size"] or 0)

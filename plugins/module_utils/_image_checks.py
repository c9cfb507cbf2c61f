# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image must pass before it gets its name: its size, and that there is no secret in it.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils import _image_layers as contents
from ansible_collections.j4c.deploy.plugins.module_utils import _image_leaks as leaks
from ansible_collections.j4c.deploy.plugins.module_utils import _image_report as report
from ansible_collections.j4c.deploy.plugins.module_utils import _image_space as space
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError


@dataclass(frozen=True)
class Found:
    """What is in an image: bytes that each layer ``wasted``, secrets (``leaks``)."""

    wasted: list[int]
    leaks: list[leaks.Leak]


def examine(
    api: t.Any,
    inspected: t.Mapping[str, t.Any],
    work: str,
    values: t.Sequence[bytes],
    known: t.Container[str],
    foreign: t.Container[str],
) -> Found:
    """Look into the layers of an image.

    :param inspected: what the engine says of it.
    :param work: a directory for what has to be saved.
    :param values: build secrets.
    :param known: ids of layers that were looked at before: those of the base image and of the released one.
    :param foreign: paths of libraries of others in the image.
    :raises DeployError: the layers cannot be read.
    """
    ids = (inspected.get("RootFS") or {}).get("Layers") or []
    with engine.engine_errors(f"Reading the history of image '{inspected['Id']}'"):
        commands = [str(entry.get("CreatedBy") or "") for entry in api.history(inspected["Id"])]
    found = leaks.scan_history(commands, (inspected.get("Config") or {}).get("Env") or [], values)
    with contents.open_layers(api, inspected, work) as opened:
        wasted = space.wasted([layer.entries() for layer in opened])
        for layer_id, layer in zip(ids, opened):
            if layer_id not in known:
                found += leaks.scan_layer(layer, layer_id, values, foreign)
    return Found(wasted, found)


def describe_layers(
    layers: t.Sequence[t.Mapping[str, t.Any]],
    released: t.Container[str] | None,
    wasted: t.Sequence[int] | None,
    size: int,
) -> tuple[list[dict[str, t.Any]], dict[str, t.Any]]:
    """Return the layers with what is known of them, and their sums. Pure."""
    fits = wasted is not None and len(wasted) == len(layers)
    compared = space.compare(layers, released, wasted if fits else None)
    return compared, space.totals(size, compared)


def judge(
    budget: space.Budget,
    sums: t.Mapping[str, t.Any],
    layers: t.Sequence[t.Mapping[str, t.Any]],
    scan: leaks.LeakScan,
    found: t.Sequence[leaks.Leak],
) -> list[str]:
    """Return warnings. Pure.

    :raises DeployError: the image is too large or has secrets, and that is to be refused.
    """
    heavy = space.over_budget(budget, sums, layers)
    if heavy and budget.action == "refuse":
        raise DeployError(
            " ".join(heavy),
            hint="Make those layers smaller, or raise the option budget (j4c_image_budget).",
            evidence={"code": "budget", "layers": list(layers), "sums": dict(sums)},
        )
    leaking = [item for item in found if not leaks.excepted(item, scan)] if scan.action != "skip" else []
    told = [f"{item.path} ({item.kind}{f', layer {item.layer[:19]}' if item.layer else ''})" for item in leaking]
    if leaking and scan.action == "refuse":
        raise DeployError(
            f"The image has {len(leaking)} secret{'s' if len(leaking) > 1 else ''}: {', '.join(told)}.",
            hint="Take them out and change them, they are in the builder's cache too; what is none goes into "
            "leak_scan.exceptions (j4c_image_leak_scan.exceptions), by path and with a reason.",
            evidence={"code": "leak", "leaks": [leaks.as_dict(item, scan) for item in found]},
        )
    return [*heavy, *(f"The image has a secret: {text}." for text in told)]


def discard(api: t.Any, image_id: str) -> None:
    """Remove an image that did not pass, unless it has a name: then it was there before."""
    inspected = engine.inspect_image(api, image_id)
    if inspected is not None and not inspected.get("RepoTags"):
        with contextlib.suppress(DeployError), engine.engine_errors(f"Removing image '{image_id}'"):
            api.remove_image(image_id)


def layers_of(api: t.Any, inspected: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the layers of an image as ``_image_report.layers`` does."""
    with engine.engine_errors(f"Reading the layers of image '{inspected['Id']}'"):
        history = api.history(inspected["Id"])
    return report.layers((inspected.get("RootFS") or {}).get("Layers") or [], history)

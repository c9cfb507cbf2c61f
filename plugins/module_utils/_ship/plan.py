# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to send to a server, how, and whether there is room for it. Pure.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

Format = t.Literal["none", "gzip", "xz", "zstd"]

# below this, the best that Python brings is quick enough on both sides
SMALL_BYTES = 8 << 20
# Docker 20.10
MINIMUM_API = (1, 41)
# Docker 23: the engine decompresses zstd itself
ZSTD_API = (1, 42)
MIB = 1 << 20


def api_version(text: str) -> tuple[int, ...]:
    """Return ``(1, 45)`` for ``1.45``."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def check_engine(version: t.Mapping[str, t.Any]) -> None:
    """Check that the engine can load an archive that lacks layers.

    :param version: the engine's answer to ``/version``.
    :raises DeployError: it is too old.
    """
    if api_version(str(version.get("ApiVersion") or "")) < MINIMUM_API:
        raise DeployError(
            f"The server's Docker engine is version {version.get('Version') or 'unknown'} with API "
            f"{version.get('ApiVersion') or 'unknown'}; images are shipped to version 20.10 (API 1.41) or newer.",
            hint="Upgrade the engine of the server, for example with the role j4c.deploy.engine.",
        )


def formats_for(version: t.Mapping[str, t.Any], local: bool) -> list[Format]:
    """Return the formats that a server takes, the one to be preferred first.

    :param local: the archive goes over no network.
    """
    if local:
        return ["none"]
    newer = api_version(str(version.get("ApiVersion") or "")) >= ZSTD_API
    return ["zstd", "xz", "gzip"] if newer else ["xz", "gzip"]


def choose_format(formats: t.Sequence[str], size: int, has_zstd: bool) -> Format:
    """Return the format of an archive of ``size`` bytes before compression.

    xz makes the smallest archive and is slow; zstd is the quickest, and Python alone does not have it.
    """
    if "xz" in formats and size <= SMALL_BYTES:
        return "xz"
    if "zstd" in formats and has_zstd:
        return "zstd"
    return "gzip" if "gzip" in formats else "none"


def lacking(wanted: t.Sequence[str], there: t.Iterable[t.Sequence[str]]) -> list[str]:
    """Return the layers that a server lacks.

    :param wanted: diff ids of the image, the lowest first.
    :param there: diff ids of each image that the server has. A layer counts only on top of the same layers.
    """
    most = 0
    for layers in there:
        same = 0
        for ours, theirs in zip(wanted, layers):
            if ours != theirs:
                break
            same += 1
        most = max(most, same)
    return list(dict.fromkeys(wanted[most:]))


def key_of(*parts: t.Any) -> str:
    """Return 16 hex digits that name what the JSON values ``parts`` describe."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def pick(archives: t.Iterable[t.Mapping[str, t.Any]], request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the archive that was packed for a server's request.

    :raises DeployError: there is none.
    """
    for archive in archives:
        if archive["layers"] == request["layers"] and archive["format"] in request["formats"]:
            return dict(archive)
    raise DeployError(
        f"None of the archives has the {len(request['layers'])} layers that this server lacks.",
        hint="Give the option archives what image_layers returned for the requests of these servers.",
    )


def check_room(disks: t.Mapping[str, t.Mapping[str, t.Any]], archive: t.Mapping[str, t.Any], reserve: int) -> None:
    """Check that an archive can be received and loaded.

    The engine unpacks an archive before it takes the layers over, so it needs their size twice for a moment.

    :param disks: ``incoming`` and ``engine``, each ``{path, device, free}`` with free bytes.
    :param reserve: bytes that must stay free.
    :raises DeployError: one of them would run out; with the numbers.
    """
    needs = {"incoming": int(archive["bytes"]), "engine": 2 * int(archive["bytes_layers"])}
    for name in disks:
        disk = disks[name]
        need = sum(needs[other] for other in disks if disks[other]["device"] == disk["device"]) + reserve
        if disk["free"] < need:
            raise DeployError(
                f"The image does not fit: '{disk['path']}' on the server has {_mib(disk['free'])} MiB free, and "
                f"{_mib(need)} MiB are needed: {_mib(needs['incoming'])} to receive the archive, "
                f"{_mib(needs['engine'])} to load it, {_mib(reserve)} to stay free.",
                hint="Free some, for example with 'docker image prune', or lower reserve_mb (j4c_min_free_mb).",
                evidence={"code": "disk", "disk": dict(disk), "bytes_needed": need},
            )


def _mib(size: int) -> str:
    return f"{size / MIB:.1f}"

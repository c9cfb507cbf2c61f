# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for secrets in the layers and the history of an image. What it finds is named by kind and place, never shown.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import fnmatch
import io
import typing as t
import zipfile
import zlib
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _secret_patterns as secrets
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_layers import Layer

# of a larger file only the beginning is looked at; of an archive all, to have its list of files
TEXT_BYTES, ARCHIVE_BYTES = 1 << 20, 64 << 20
_ARCHIVES = (".jar", ".war", ".zip")
_INNER = (".cfg", ".conf", ".env", ".ini", ".json", ".key", ".pem", ".properties", ".txt", ".xml", ".yaml", ".yml")
ACTIONS = ("refuse", "warn", "skip")


@dataclass(frozen=True)
class Leak:
    """One secret: its ``kind``, the ``path`` in the image (``a.jar!/b`` inside an archive), and its ``layer``.

    In the history, ``path`` says which instruction has it, and ``layer`` is ``""``.
    """

    kind: str
    path: str
    layer: str


@dataclass(frozen=True)
class LeakScan:
    """The scan as it was asked for: ``action`` is refuse, warn or skip; ``exceptions`` have ``path`` and ``reason``."""

    action: str = "refuse"
    exceptions: tuple[t.Mapping[str, str], ...] = ()


def make_scan(data: t.Mapping[str, t.Any]) -> LeakScan:
    """Return the scan of the option; what is missing has its default.

    :raises DeployError: an exception has no reason.
    """
    exceptions = tuple(data.get("exceptions") or ())
    bare = [str(item.get("path")) for item in exceptions if not str(item.get("reason") or "").strip()]
    if bare:
        raise DeployError(
            f"The exception for {', '.join(bare)} in the option leak_scan has no reason.",
            hint="Say in its reason why this may be in the image.",
        )
    return LeakScan(str(data.get("action") or "refuse"), exceptions)


def scan_text(data: bytes, values: t.Iterable[bytes], settings: bool = False) -> list[str]:
    """Return the kinds of secrets in a text. Pure.

    :param values: secrets to look for as they are; short ones are left out, they would be found everywhere.
    """
    # one line of a file or a whole one: a command mostly writes it without the last line break
    given = any(value.strip() in data for value in values if len(value.strip()) >= 8)
    return [*(["build secret"] if given else []), *secrets.kinds_of_text(data, settings)]


def scan_history(commands: t.Iterable[str], variables: t.Iterable[str], values: t.Sequence[bytes]) -> list[Leak]:
    """Return what the image's history and its environment have. Pure.

    :param commands: each instruction of the history.
    :param variables: ``NAME=value`` each.
    """
    found = []
    for command in commands:
        keyword = next((word for word in command.split() if word.isalpha() and word.isupper()), "RUN")
        found += [Leak(kind, f"history: {keyword}", "") for kind in scan_text(command.encode(), values)]
    for variable in variables:
        name = variable.partition("=")[0]
        found += [Leak(kind, f"environment: {name}", "") for kind in scan_text(variable.encode(), values)]
    return list(dict.fromkeys(found))


def scan_layer(layer: Layer, layer_id: str, values: t.Sequence[bytes], foreign: t.Container[str]) -> list[Leak]:
    """Return what a layer has.

    :param foreign: paths of libraries of others: what their settings are called says nothing.
    """
    found = []
    for entry in layer.entries():
        if entry.kind != "file":
            continue
        kind = secrets.kind_of_file(entry.path)
        kinds = [kind] if kind else []
        if entry.size:
            ours = entry.path not in foreign
            if entry.path.endswith(_ARCHIVES):
                data = layer.read(entry.path, ARCHIVE_BYTES)
                found += [
                    Leak(kind, f"{entry.path}!/{name}", layer_id) for name, kind in _scan_archive(data, values, ours)
                ]
            else:
                data = layer.read(entry.path, TEXT_BYTES)
                kinds += scan_text(data, values, ours and secrets.is_settings_file(entry.path))
        found += [Leak(kind, entry.path, layer_id) for kind in kinds]
    return list(dict.fromkeys(found))


def _scan_archive(data: bytes, values: t.Sequence[bytes], ours: bool) -> t.Iterator[tuple[str, str]]:
    """Yield path and kind of what an archive has; one that cannot be read has nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                kind = secrets.kind_of_file(member.filename) if ours else ""
                if kind:
                    yield member.filename, kind
                if member.filename.endswith(_INNER) and 0 < member.file_size <= TEXT_BYTES:
                    settings = ours and secrets.is_settings_file(member.filename)
                    for text_kind in scan_text(archive.read(member), values, settings):
                        yield member.filename, text_kind
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        RuntimeError,
        ValueError,
        OSError,
        NotImplementedError,
    ):
        return


def excepted(leak: Leak, scan: LeakScan) -> str:
    """Return the reason why a leak is let pass, ``""`` when it is not. Pure."""
    fits = (item for item in scan.exceptions if fnmatch.fnmatchcase(leak.path, str(item["path"]).lstrip("/")))
    return str(next((item["reason"] for item in fits), ""))


def as_dict(leak: Leak, scan: LeakScan) -> dict[str, t.Any]:
    """Return a leak as results show it."""
    return {
        "kind": leak.kind,
        "path": leak.path,
        "layer": leak.layer or None,
        "excepted": excepted(leak, scan) or None,
    }

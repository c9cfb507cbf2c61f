# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of an image without the layers that servers have, compressed, in parts of limited size.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import os
import shutil
import tarfile
import typing as t
import zlib

from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file, sync_directory, write_json
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._ship.cache import ARCHIVES, BLOCK, DAY, BlobCache, blocks_of
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import ImageLayout, blob_name
from ansible_collections.j4c.deploy.plugins.module_utils._ship.plan import (
    SMALL_BYTES,
    Format,
    choose_format,
    key_of,
)

ABOUT = "about.json"
ZSTD = "zstd"
# for 2 MB of Java classes smaller than any preset that is as quick
XZ_FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "dict_size": SMALL_BYTES,
        "mode": lzma.MODE_FAST,
        "mf": lzma.MF_HC4,
        "nice_len": 273,
        "depth": 16,
    }
]


def pack(
    cache: BlobCache, layout: ImageLayout, request: t.Mapping[str, t.Any], part_bytes: int, timeout: float
) -> tuple[dict[str, t.Any], bool]:
    """Return the archive that answers a server's request, and whether it had to be made.

    :param request: ``layers`` that the server lacks, ``formats`` that it takes.
    :param part_bytes: size of a part.
    :param timeout: seconds that a compressor may take.
    :returns: ``{key, path, format, layers, bytes, bytes_layers, parts}``; each part has ``name``, ``bytes``, ``sha256``.
    :raises DeployError: the compressor failed.
    :raises OSError: it cannot be written.
    """
    lacking = set(request["layers"])
    size = sum(item.size for item in layout.layers if item.diff_id in lacking)
    chosen = choose_format(request["formats"], size, shutil.which(ZSTD) is not None)
    key = key_of(layout.manifest_digest, layout.tags, request["layers"], chosen, part_bytes)
    final = cache.path(ARCHIVES, key)
    known = _read(final)
    if known is not None:
        return {**known, "path": final}, False
    with cache.workspace() as work:
        plain = os.path.join(work, "archive")
        _write_tar(cache, layout, lacking, plain)
        packed = _compress(plain, chosen, timeout)
        about = {
            "key": key,
            "format": chosen,
            "layers": list(request["layers"]),
            "bytes": os.path.getsize(packed),
            "bytes_layers": size,
            "parts": _split(packed, work, part_bytes),
        }
        for path in (plain, packed):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        write_json(os.path.join(work, ABOUT), about)
        shutil.rmtree(final, ignore_errors=True)
        os.rename(work, final)
    sync_directory(cache.path(ARCHIVES))
    return {**about, "path": final}, True


def prune(cache: BlobCache, keep: t.Collection[str], now: float) -> None:
    """Remove the archives that were made a day ago or earlier, but for those with these keys.

    :param now: seconds since 1970.
    """
    for name in os.listdir(cache.path(ARCHIVES)):
        path = cache.path(ARCHIVES, name)
        if name not in keep and os.path.getmtime(path) < now - DAY:
            shutil.rmtree(path, ignore_errors=True)


def give(archive: t.Mapping[str, t.Any], owner: int) -> None:
    """Let a user read an archive who is not the one that made it; only root can."""
    if os.geteuid() == 0 and owner:
        for path in (archive["path"], *(os.path.join(archive["path"], part["name"]) for part in archive["parts"])):
            os.chown(path, owner, -1)


def _read(path: str) -> dict[str, t.Any] | None:
    """Return what is written of an archive, or nothing when one of its parts is missing or damaged."""
    try:
        with open(os.path.join(path, ABOUT), encoding="utf-8") as file:
            about = dict(json.load(file))
        whole = all(sha256_file(os.path.join(path, part["name"])) == part["sha256"] for part in about["parts"])
    except (OSError, ValueError, KeyError):
        return None
    return about if whole else None


def _write_tar(cache: BlobCache, layout: ImageLayout, lacking: t.Collection[str], path: str) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in layout.documents().items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        # a layer that occurs twice is one blob
        for layer in dict.fromkeys(item for item in layout.layers if item.diff_id in lacking):
            member = tarfile.TarInfo(blob_name(layer.diff_id))
            member.size = layer.size
            with open(cache.blob(layer.diff_id), "rb") as blob:
                archive.addfile(member, blob)


def _compress(path: str, chosen: Format, timeout: float) -> str:
    if chosen == "none":
        return path
    packed = f"{path}.{chosen}"
    small = os.path.getsize(path) <= 2 * SMALL_BYTES
    if chosen == "zstd":
        Runner().run(
            [ZSTD, "-q", "-T0", "-3", "-o", packed, "--", path], timeout=timeout, what="Compressing the archive"
        )
        return packed
    coder: t.Any
    if chosen == "xz":
        coder = lzma.LZMACompressor(filters=XZ_FILTERS)
    else:
        coder = zlib.compressobj(9 if small else 1, zlib.DEFLATED, 31)
    with open(path, "rb") as source, open(packed, "wb") as target:
        for block in blocks_of(source):
            target.write(coder.compress(block))
        target.write(coder.flush())
    return packed


def _split(path: str, directory: str, part_bytes: int) -> list[dict[str, t.Any]]:
    parts: list[dict[str, t.Any]] = []
    with open(path, "rb") as source:
        left = os.path.getsize(path)
        while left:
            name = f"part-{len(parts):04d}"
            size = min(left, part_bytes)
            left -= size
            with open(os.path.join(directory, name), "wb") as part:
                os.fchmod(part.fileno(), 0o600)
                todo = size
                while todo:
                    todo -= part.write(source.read(min(todo, BLOCK)))
            parts.append({"name": name, "bytes": size, "sha256": sha256_file(os.path.join(directory, name))})
    return parts


def open_parts(directory: str, parts: t.Iterable[t.Mapping[str, t.Any]], chosen: str) -> t.Iterator[bytes]:
    """Yield the bytes of an archive for the engine, which decompresses gzip and zstd itself.

    :raises OSError: a part cannot be read.
    """
    decoder = lzma.LZMADecompressor() if chosen == "xz" else None
    for part in parts:
        with open(os.path.join(directory, part["name"]), "rb") as file:
            for block in blocks_of(file):
                data = decoder.decompress(block) if decoder else block
                if data:
                    yield data

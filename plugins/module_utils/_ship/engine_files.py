# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers from the engine's own files: one layer in the time that its own bytes take.

The engine's API gives images only as a whole. Its classic store (overlay2) keeps, for each layer, the files and a list
from which the layer's tar can be made again byte for byte (tar-split). What is read here is always compared with the
layer's digest, so whatever the engine changes in its files one day makes this fail, never wrong.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._ship.cache import BLOCK
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import chain_ids

DRIVER = "overlay2"
# kinds of lines in a list: a file's content, or bytes of the tar around it
_FILE, _BYTES = 1, 2


class EngineFiles:
    """The files of an engine on this machine that uses its classic store.

    Every method raises ``OSError``, ``ValueError``, ``KeyError`` or ``EOFError`` when the files are not there, cannot be
    read by this user, or are not as expected.

    :param root: the engine's data directory.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def config(self, image_id: str) -> bytes:
        """Return the configuration of an image."""
        with open(self._path("image", DRIVER, "imagedb", "content", "sha256", _hex(image_id)), "rb") as file:
            return file.read()

    def layer(self, diff_ids: t.Sequence[str]) -> t.Iterator[bytes]:
        """Yield the tar of the uppermost of these layers.

        :param diff_ids: the layer and all below it, the lowest first.
        """
        about = self._path("image", DRIVER, "layerdb", "sha256", _hex(chain_ids(diff_ids)[-1]))
        with open(os.path.join(about, "cache-id"), encoding="ascii") as file:
            files = self._path(DRIVER, file.read().strip(), "diff")
        with gzip.open(os.path.join(about, "tar-split.json.gz"), "rb") as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["type"] == _BYTES:
                    yield base64.b64decode(entry["payload"])
                elif entry["type"] == _FILE and entry.get("size"):
                    yield from _content(files, entry)
                elif entry["type"] != _FILE:
                    raise ValueError(f"unknown line in {about}")

    def _path(self, *parts: str) -> str:
        return os.path.join(self._root, *parts)


def _content(files: str, entry: t.Mapping[str, t.Any]) -> t.Iterator[bytes]:
    raw = base64.b64decode(entry["name_raw"]) if entry.get("name_raw") else os.fsencode(entry["name"])
    left = int(entry["size"])
    with open(os.path.join(os.fsencode(files), raw.lstrip(b"/")), "rb") as file:
        while left:
            block = file.read(min(left, BLOCK))
            if not block:
                raise EOFError(f"{entry.get('name')} is shorter than it was")
            left -= len(block)
            yield block


def _hex(digest: str) -> str:
    kind, _colon, value = digest.partition(":")
    if kind != "sha256" or len(value) != 64 or not value.isalnum():
        raise ValueError(f"no digest: {digest}")
    return value

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as the engine's API gives them: one tar of everything, like ``docker save``.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import posixpath
import tarfile
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._ship.cache import blocks_of

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class _Stream:
    """Blocks of bytes as something to read from."""

    def __init__(self, blocks: t.Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        parts, length = [self._rest], len(self._rest)
        while length < size:
            block = next(self._blocks, b"")
            if not block:
                break
            parts.append(block)
            length += len(block)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]


class SavedImage:
    """An image that was saved into a directory.

    :param blocks: the engine's answer.
    :param directory: an empty directory, which takes all of it.
    :raises DeployError: the answer is not what the engine should give.
    :raises OSError: it cannot be written.
    """

    def __init__(self, blocks: t.Iterable[bytes], directory: str) -> None:
        self._files: dict[str, str] = {}
        links: dict[str, str] = {}
        try:
            with tarfile.open(fileobj=t.cast("t.Any", _Stream(blocks)), mode="r|") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isreg() else None
                    if content is not None:
                        path = self._files[member.name] = os.path.join(directory, str(len(self._files)))
                        with open(path, "wb") as file:
                            file.writelines(blocks_of(content))
                    elif member.issym():
                        # engines before 25 name a layer that occurs twice by a link
                        links[member.name] = posixpath.normpath(
                            posixpath.join(posixpath.dirname(member.name), member.linkname)
                        )
            for name, target in links.items():
                self._files[name] = self._files[target]
            (about,) = json.loads(self._read("manifest.json"))
            self.config = self._read(about["Config"])
            self._layers = [self._files[name] for name in about["Layers"]]
        except (tarfile.TarError, EOFError, KeyError, ValueError, TypeError) as exc:
            raise DeployError(
                f"What the engine gave as the saved image cannot be read: {exc!r}.",
                hint="Run it again; when it stays, save the image by hand with 'docker save' to see what the engine says.",
            ) from exc

    def _read(self, name: str) -> bytes:
        with open(self._files[name], "rb") as file:
            return file.read()

    def layer(self, number: int) -> t.Iterator[bytes]:
        """Yield the plain tar of a layer, counted from the lowest.

        :raises DeployError: it is compressed in a way that Python does not know.
        """
        with contextlib.ExitStack() as stack:
            file: t.IO[bytes] = stack.enter_context(open(self._layers[number], "rb"))
            magic = file.read(4)
            file.seek(0)
            if magic.startswith(_ZSTD):
                raise DeployError(
                    f"Layer {number} of the image is stored compressed with zstd, which this version cannot read.",
                    hint="Build the image with gzip or without compression, or let it be pulled from a registry.",
                )
            if magic.startswith(_GZIP):
                file = t.cast("t.IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=file)))
            yield from blocks_of(file)

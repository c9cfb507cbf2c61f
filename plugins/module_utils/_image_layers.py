# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the layers of an image: read from the engine's own folders where they are, else from a saved copy.

The folders are there for root beside an engine with overlay2, and take a fiftieth of the time of a copy.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import tarfile
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

Kind = t.Literal["file", "gone", "opaque"]
CHUNK = 1 << 20
_GONE, _OPAQUE = ".wh.", ".wh..wh..opq"


class Entry(t.NamedTuple):
    """One thing in a layer: a file with its ``size`` in bytes, a path that is ``gone`` from here on, or a folder that
    hides (``opaque``) all that lower layers have in it. Paths have no slash in front."""

    path: str
    size: int
    kind: Kind


class Layer(t.Protocol):
    """The content of one layer."""

    def entries(self) -> t.Iterator[Entry]:
        """Yield everything in it but folders; a second name of a file has size 0."""

    def read(self, path: str, limit: int) -> bytes:
        """Return the first ``limit`` bytes of a file, nothing of what is no plain file."""


class FolderLayer:
    """A layer as overlay2 keeps it.

    :param root: its folder.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def entries(self) -> t.Iterator[Entry]:
        seen: set[int] = set()
        for folder, _folders, names in os.walk(self._root):
            below = os.path.relpath(folder, self._root)
            below = "" if below == "." else f"{below}/"
            if below and _is_opaque(folder):
                yield Entry(below[:-1], 0, "opaque")
            for name in names:
                found = os.lstat(os.path.join(folder, name))
                if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
                    yield Entry(f"{below}{name}", 0, "gone")
                else:
                    again = found.st_nlink > 1 and found.st_ino in seen
                    seen.add(found.st_ino)
                    plain = stat.S_ISREG(found.st_mode) and not again
                    yield Entry(f"{below}{name}", found.st_size if plain else 0, "file")

    def read(self, path: str, limit: int) -> bytes:
        try:
            handle = os.open(os.path.join(self._root, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return b""
        with os.fdopen(handle, "rb") as file:
            return file.read(limit) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""


def _is_opaque(folder: str) -> bool:
    try:
        return os.getxattr(folder, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


class TarLayer:
    """A layer as a saved image has it.

    :param archive: its tar, opened for reading.
    """

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members = {_plain(member.name): member for member in archive.getmembers()}

    def entries(self) -> t.Iterator[Entry]:
        for path, member in self._members.items():
            folder, _slash, name = path.rpartition("/")
            if name == _OPAQUE:
                yield Entry(folder, 0, "opaque")
            elif name.startswith(_GONE):
                yield Entry(f"{folder}/{name[len(_GONE) :]}".lstrip("/"), 0, "gone")
            elif not member.isdir():
                yield Entry(path, member.size if member.isreg() else 0, "file")

    def read(self, path: str, limit: int) -> bytes:
        member = self._members.get(path)
        file = self._archive.extractfile(member) if member is not None and member.isreg() else None
        return file.read(limit) if file else b""


def _plain(name: str) -> str:
    return os.path.normpath(name).lstrip("/") if name else name


def overlay_folders(inspected: t.Mapping[str, t.Any]) -> list[str]:
    """Return the folder of each layer, lowest first; nothing where this process cannot read them."""
    graph = inspected.get("GraphDriver") or {}
    data = graph.get("Data") or {}
    if graph.get("Name") != "overlay2" or not data.get("UpperDir"):
        return []
    lower = str(data.get("LowerDir") or "")
    folders = [*reversed(lower.split(":") if lower else []), str(data["UpperDir"])]
    fits = len(folders) == len((inspected.get("RootFS") or {}).get("Layers") or [])
    return folders if fits and all(os.access(folder, os.R_OK | os.X_OK) for folder in folders) else []


@contextlib.contextmanager
def open_layers(api: t.Any, inspected: t.Mapping[str, t.Any], work: str) -> t.Iterator[list[Layer]]:
    """Yield the layers of an image, lowest first.

    :param inspected: what the engine says of the image.
    :param work: a directory for a saved copy, where one is needed.
    :raises DeployError: they cannot be read.
    """
    folders = overlay_folders(inspected)
    if folders:
        yield [FolderLayer(folder) for folder in folders]
        return
    path = os.path.join(work, "saved.tar")
    _save(api, inspected["Id"], path)
    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(tarfile.open(path, "r:"))
            manifest = archive.extractfile("manifest.json")
            names = json.load(manifest)[0]["Layers"] if manifest else []
            blobs = [archive.extractfile(name) for name in names]
            tars = [stack.enter_context(tarfile.open(fileobj=blob, mode="r:*")) for blob in blobs]
            saved = [TarLayer(tar) for tar in tars]
        except (tarfile.TarError, EOFError, KeyError, ValueError, IndexError) as exc:
            raise DeployError(
                f"What the engine saved of the image cannot be read: {exc!r}.", hint="Run it again."
            ) from exc
        yield [*saved]


def _save(api: t.Any, image_id: str, path: str) -> None:
    with engine.engine_errors(f"Saving image {image_id} to look into its layers"):
        try:
            with open(path, "wb") as file:
                for block in api.get_image(image_id, chunk_size=CHUNK):
                    file.write(block)
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DeployError(
                f"Saving image {image_id} to look into its layers filled the disk of '{os.path.dirname(path)}'.",
                hint="Free some space there, set TMPDIR to a directory with more, or set leak_scan.action to skip.",
            ) from exc

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder's side: reads the layers that servers lack, once, and packs them.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._ship import archive as archives
from ansible_collections.j4c.deploy.plugins.module_utils._ship.cache import BlobCache, WrongBytesError, disk_errors
from ansible_collections.j4c.deploy.plugins.module_utils._ship.engine_files import EngineFiles
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import ImageLayout, Layer, digest_of, read_config
from ansible_collections.j4c.deploy.plugins.module_utils._ship.saved import SavedImage
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"
SIZES = "sizes"
# what reading the engine's own files may end with; the engine is asked for the whole image then
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, WrongBytesError)


@dataclass(frozen=True)
class Wanted:
    """What to read and pack.

    :param image: name or id of the image on this machine's engine.
    :param directory: the cache.
    :param tags: names that it gets on the servers.
    :param requests: what each server lacks: ``layers``, the ``formats`` that it takes; without any, all is read.
    :param part_mb: MiB of a part of an archive.
    :param keep: number of images whose blobs stay in the cache.
    :param max_days: days after its last use when an image goes anyway.
    :param lock_timeout: seconds to wait for another process that uses the cache.
    :param timeout: seconds that one step of reading or compressing may take.
    :param owner: user id that must be able to read the archives.
    """

    image: str
    directory: str
    tags: tuple[str, ...] = ()
    requests: t.Sequence[t.Mapping[str, t.Any]] = field(default_factory=tuple)
    part_mb: int = 32
    keep: int = 3
    max_days: float = 30.0
    lock_timeout: float = 600.0
    timeout: float = 900.0
    owner: int = 0


class ImageReader:
    """Reads an image into the cache: from the engine's own files where it may, or else all of it from the engine."""

    def __init__(self, api: t.Any, cache: BlobCache, image_id: str) -> None:
        self._api = api
        self._cache = cache
        self._id = image_id
        with engine.engine_errors("Asking the Docker engine where its files are"):
            info = api.info()
        self._files = EngineFiles(str(info.get("DockerRootDir") or ""))
        self._saved: set[str] = set()
        self.how = {"cached": 0, "files": 0, "saved": 0}

    def config(self, known: t.Mapping[str, str]) -> bytes:
        """Return the image's configuration.

        :param known: digest of the configuration of images in the cache, by their id.
        """
        digest = known.get(self._id, self._id)
        if not self._cache.has(digest):
            try:
                self._cache.add(digest, [self._files.config(self._id)])
            except _UNREADABLE:
                digest = self._save()
        with open(self._cache.blob(digest), "rb") as file:
            return file.read()

    def layer(self, diff_ids: t.Sequence[str]) -> None:
        """Bring the uppermost of these layers into the cache."""
        digest = diff_ids[-1]
        if digest in self._saved:
            self.how["saved"] += 1
        elif self._cache.has(digest):
            self.how["cached"] += 1
        else:
            try:
                self._cache.add(digest, self._files.layer(diff_ids))
                self.how["files"] += 1
            except _UNREADABLE:
                self._save()
                self.how["saved"] += 1

    def _save(self) -> str:
        """Read all of the image from the engine, and return the digest of its configuration."""
        with self._cache.workspace() as work:
            with engine.engine_errors(f"Saving image '{self._id}'"):
                saved = SavedImage(self._api.get_image(self._id), work)
            digest = self._put(digest_of(saved.config), [saved.config])
            for number, diff_id in enumerate(read_config(saved.config)):
                if not self._cache.has(diff_id):
                    self._saved.add(self._put(diff_id, saved.layer(number)))
        return digest

    def _put(self, digest: str, blocks: t.Iterable[bytes]) -> str:
        try:
            self._cache.add(digest, blocks)
        except WrongBytesError as exc:
            raise DeployError(
                f"The engine gave other bytes for '{digest}' of image '{self._id}' than it promised: {exc}.",
                hint="The engine's store is damaged: build or pull the image again.",
            ) from exc
        return digest


class ImageLayers:
    """Reads and packs one image.

    :param connect: returns a client of the engine's API.
    """

    def __init__(self, connect: t.Callable[[], t.Any], wanted: Wanted) -> None:
        self._connect = connect
        self._wanted = wanted
        self._log = StepLog()

    def converge(self, check_mode: bool) -> dict[str, t.Any]:
        """Bring what servers lack into the cache and pack it.

        :returns: ``changed``, ``image``, ``archives``, ``phase``, ``decision``, ``steps``, ``evidence``.
        :raises DeployError: with ``phase``, ``decision`` and the steps done so far.
        """
        try:
            return self._converge(check_mode)
        except DeployError as exc:
            exc.fields = {**verdict(PHASE, "ROLLBACK"), **exc.fields}
            if exc.steps is None:
                exc.steps = self._log.results
            raise

    def _converge(self, check_mode: bool) -> dict[str, t.Any]:
        wanted = self._wanted
        with self._log.step("observe"):
            api = self._connect()
            inspected = engine.inspect_image(api, wanted.image)
            if inspected is None:
                raise DeployError(
                    f"Option image is '{wanted.image}': the engine of the builder has no such image (any more).",
                    hint="Build it again, and see what removes images there, for example 'docker image prune' by a timer.",
                    evidence={"code": "image_missing", "image": wanted.image},
                )
        if check_mode:
            self._log.add("read", "planned", f"{len(wanted.requests)} requests")
            return self._result(False, {"id": inspected["Id"]}, [], {})
        cache = BlobCache(wanted.directory)
        with disk_errors(wanted.directory, "Keeping layers"), cache.lock(wanted.lock_timeout):
            cache.prepare()
            return self._pack(api, cache, inspected)

    def _pack(self, api: t.Any, cache: BlobCache, inspected: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        wanted, image_id = self._wanted, str(inspected["Id"])
        reader = ImageReader(api, cache, image_id)
        with self._log.step("read") as note:
            known = cache.known()
            config = reader.config({item: known[item]["config"] for item in known})
            diff_ids = read_config(config)
            sizes = {layer: size for item in known.values() for layer, size in item[SIZES].items()}
            needed = {layer for request in wanted.requests for layer in request["layers"]}
            if not wanted.requests:
                needed = set(diff_ids)
            # the manifest names the size of every layer, also of those that stay here
            for number, diff_id in enumerate(diff_ids):
                if diff_id in needed or diff_id not in sizes:
                    reader.layer(diff_ids[: number + 1])
                    sizes[diff_id] = cache.size(diff_id)
            layout = ImageLayout(config, tuple(Layer(item, sizes[item]) for item in diff_ids), wanted.tags)
            note["detail"] = ", ".join(f"{count} {how}" for how, count in reader.how.items())
        with self._log.step("pack") as note:
            packed: dict[str, dict[str, t.Any]] = {}
            made = 0
            for request in wanted.requests:
                archive, new = archives.pack(cache, layout, request, wanted.part_mb << 20, wanted.timeout)
                archives.give(archive, wanted.owner)
                archive["ids"] = [layout.config_digest, layout.manifest_digest]
                archive["bytes_image"] = layout.size
                packed[archive["key"]] = archive
                made += new
            archives.prune(cache, packed, time.time())
            note["detail"] = f"{made} of {len(packed)} archives made"
        about = {
            "config": layout.config_digest,
            SIZES: {item: sizes[item] for item in diff_ids},
            "blobs": [layout.config_digest, *diff_ids],
        }
        forgotten = cache.use(image_id, about, wanted.keep, wanted.max_days, time.time())
        image = {
            "id": image_id,
            "size": inspected.get("Size"),
            "tags": list(wanted.tags),
            "layers": [{"id": item.diff_id, "size": item.size} for item in layout.layers],
        }
        evidence = {"read": reader.how, "forgotten": forgotten}
        return self._result(
            bool(made or reader.how["files"] or reader.how["saved"]), image, list(packed.values()), evidence
        )

    def _result(
        self, changed: bool, image: dict[str, t.Any], packed: list[dict[str, t.Any]], evidence: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        result = {"changed": changed, "image": image, "archives": packed, "steps": self._log.results}
        return {**result, "evidence": evidence, **verdict(PHASE, "PROCEED")}

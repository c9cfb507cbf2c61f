# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image as an archive that both image stores of the engine load, with any of its layers left out. Pure.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def digest_of(data: bytes) -> str:
    """Return ``sha256:`` and the hex digest of the bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob_name(digest: str) -> str:
    """Return the path of a blob inside an OCI layout."""
    return f"blobs/sha256/{digest.partition(':')[2]}"


def full_reference(tag: str) -> str:
    """Return an image's name as containerd writes it: ``orders:1`` is ``docker.io/library/orders:1``."""
    first = tag.split("/", 1)[0]
    if "/" not in tag:
        return f"docker.io/library/{tag}"
    return tag if "." in first or ":" in first or first == "localhost" else f"docker.io/{tag}"


def chain_ids(diff_ids: t.Sequence[str]) -> list[str]:
    """Return the engine's name of each layer on top of those below it."""
    found: list[str] = []
    for diff_id in diff_ids:
        found.append(digest_of(f"{found[-1]} {diff_id}".encode()) if found else diff_id)
    return found


def read_config(config: bytes) -> list[str]:
    """Return the diff ids of the layers that an image's configuration names, the lowest first.

    :raises ValueError: it is no configuration of an image.
    """
    try:
        return [str(item) for item in json.loads(config)["rootfs"]["diff_ids"]]
    except (KeyError, TypeError) as exc:
        raise ValueError(f"no configuration of an image: {exc!r}") from exc


@dataclass(frozen=True)
class Layer:
    """A layer: its ``diff_id``, which is the sha256 of its tar, and the ``size`` of that in bytes."""

    diff_id: str
    size: int


@dataclass(frozen=True)
class ImageLayout:
    """An image whose layers are plain tars.

    :param config: its configuration, byte for byte.
    :param layers: its layers, the lowest first.
    :param tags: names that it gets where it is loaded.
    """

    config: bytes
    layers: tuple[Layer, ...]
    tags: tuple[str, ...]

    @property
    def config_digest(self) -> str:
        """The image's id on the engine's classic store (overlay2)."""
        return digest_of(self.config)

    @property
    def manifest(self) -> bytes:
        """The OCI manifest: the same bytes for the same image, wherever it is made."""
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": CONFIG_TYPE, "digest": self.config_digest, "size": len(self.config)},
                "layers": [
                    {"mediaType": LAYER_TYPE, "digest": item.diff_id, "size": item.size} for item in self.layers
                ],
            }
        )

    @property
    def manifest_digest(self) -> str:
        """The image's id on the containerd store."""
        return digest_of(self.manifest)

    @property
    def size(self) -> int:
        """Bytes of all layers."""
        return sum(item.size for item in self.layers)

    def documents(self) -> dict[str, bytes]:
        """Return everything of the archive but the layers, by its name there.

        The containerd store reads ``index.json``, the classic store ``manifest.json``.
        """
        manifest = self.manifest
        names = [
            {
                "mediaType": MANIFEST_TYPE,
                "digest": digest_of(manifest),
                "size": len(manifest),
                "annotations": {
                    "io.containerd.image.name": full_reference(tag),
                    "org.opencontainers.image.ref.name": tag.rpartition(":")[2],
                },
            }
            for tag in self.tags
        ] or [{"mediaType": MANIFEST_TYPE, "digest": digest_of(manifest), "size": len(manifest)}]
        return {
            "oci-layout": LAYOUT,
            "index.json": _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": names}),
            "manifest.json": _json(
                [
                    {
                        "Config": blob_name(self.config_digest),
                        "RepoTags": list(self.tags) or None,
                        "Layers": [blob_name(item.diff_id) for item in self.layers],
                    }
                ]
            ),
            blob_name(digest_of(manifest)): manifest,
            blob_name(self.config_digest): self.config,
        }


def _json(data: t.Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()

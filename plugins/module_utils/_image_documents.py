# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept beside an artifact about an image made from it: bill of materials and provenance, as files.

The provenance is an in-toto statement with a SLSA predicate: what the image was made from, how, when, by what.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_atomic
from ansible_collections.j4c.deploy.plugins.module_utils._image_recipe import BaseImage, Recipe, Wanted

SBOM = "sbom.cdx.json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://example.org/j4c/deploy/container_image/v1"
LAYERS = "layers"


def _sha256(image_id: str) -> dict[str, str]:
    algorithm, _colon, value = image_id.partition(":")
    return {algorithm: value}


def make_provenance(
    wanted: Wanted,
    recipe: Recipe,
    bases: t.Iterable[BaseImage],
    image_id: str,
    sbom: str,
    report: t.Mapping[str, t.Any],
    times: t.Mapping[str, str],
) -> dict[str, t.Any]:
    """Return the provenance of an image. Pure.

    :param bases: the images that it was made from.
    :param sbom: text of the bill of materials.
    :param report: what was measured of the layers.
    :param times: ``startedOn`` and ``finishedOn``, nothing when nobody knows any more.
    """
    commit = str(wanted.commit.get("id") or "")
    source = recipe.labels.get("org.opencontainers.image.source", "")
    materials = [{"name": "artifact", "digest": {"sha256": recipe.artifact.sha256}}] if recipe.artifact.sha256 else []
    if commit:
        materials.append({"name": "source", **({"uri": source} if source else {}), "digest": {"gitCommit": commit}})
    for base in bases:
        digest = base.digest or base.id
        materials.append({"name": "base", "uri": base.name, **({"digest": _sha256(digest)} if digest else {})})
    return {
        "_type": STATEMENT,
        "subject": [{"name": wanted.name, "digest": _sha256(image_id)}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "args": dict(wanted.args),
                    "dockerfile": {
                        "name": os.path.basename(wanted.dockerfile),
                        "digest": {"sha256": hashlib.sha256(recipe.dockerfile.encode()).hexdigest()},
                    },
                    "layout": recipe.layout,
                    # their names only
                    "secrets": sorted(str(item.get("id")) for item in wanted.secrets),
                },
                "internalParameters": {"fingerprint": recipe.fingerprint, "inputs": dict(recipe.inputs)},
                "resolvedDependencies": materials,
            },
            "runDetails": {
                "builder": {"id": "j4c.deploy.container_image"},
                "metadata": {"invocationId": recipe.fingerprint, **times},
                "byproducts": [
                    {"name": SBOM, "digest": {"sha256": hashlib.sha256(sbom.encode()).hexdigest()}},
                    {"name": LAYERS, "annotations": dict(report)},
                ],
            },
        },
    }


class Documents:
    """The files about one image.

    :param directory: where they are.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _provenance_name(self, image_id: str) -> str:
        return f"provenance-{image_id.partition(':')[2][:12]}.json"

    def check_writable(self) -> None:
        """Prove that the files can be written, before anything is built.

        :raises DeployError: they cannot.
        """
        if not os.path.isdir(self._directory) or not os.access(self._directory, os.W_OK | os.X_OK):
            raise DeployError(
                f"The option documents is '{self._directory}', where this user cannot write.",
                hint="Name a directory of this user's, or correct owner and mode.",
            )

    def sbom(self, sha256: str) -> dict[str, str] | None:
        """Return path and checksum of the bill of materials, ``None`` when it is not there or another one."""
        found = self._read(SBOM)
        if found is None or not sha256 or hashlib.sha256(found).hexdigest() != sha256:
            return None
        return {"path": self._path(SBOM), "sha256": sha256}

    def provenance(self, image_id: str) -> tuple[dict[str, str], dict[str, t.Any]] | None:
        """Return path and checksum of an image's provenance, and what was measured of its layers.

        :returns: ``None`` when it is not there, or is not about this image.
        """
        name = self._provenance_name(image_id)
        found = self._read(name)
        if found is None:
            return None
        try:
            data = json.loads(found)
            byproducts = data["predicate"]["runDetails"]["byproducts"]
            report = dict(next(item["annotations"] for item in byproducts if item["name"] == LAYERS))
            if data["subject"][0]["digest"] != _sha256(image_id):
                return None
        except (ValueError, KeyError, TypeError, IndexError, StopIteration):
            return None
        return {"path": self._path(name), "sha256": hashlib.sha256(found).hexdigest()}, report

    def _read(self, name: str) -> bytes | None:
        with contextlib.suppress(OSError), open(self._path(name), "rb") as file:
            return file.read()
        return None

    def write_sbom(self, text: str) -> dict[str, str]:
        """Write the bill of materials and return its path and checksum.

        :raises DeployError: it cannot be written.
        """
        return self._write(SBOM, text)

    def write_provenance(self, image_id: str, statement: t.Mapping[str, t.Any]) -> dict[str, str]:
        """Write the provenance of an image and return its path and checksum.

        :raises DeployError: it cannot be written.
        """
        return self._write(self._provenance_name(image_id), json.dumps(statement, indent=1, sort_keys=True) + "\n")

    def _write(self, name: str, text: str) -> dict[str, str]:
        path = self._path(name)
        try:
            write_atomic(path, text, 0o644)
        except OSError as exc:
            raise DeployError(
                f"'{path}' could not be written: {exc.strerror}.",
                hint="Make room there, or name another directory in the option documents.",
            ) from exc
        return {"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest()}

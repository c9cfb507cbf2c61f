# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small images, built as the pipeline builds them: libraries that stay, code that changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import secrets
import typing as t
from pathlib import Path

import docker
import docker.errors

from tests.integration.run_module import run_module

LIBRARY_BYTES = 6 << 20
DOCKERFILE = """\
FROM scratch
COPY 10-libraries/ /
COPY 20-framework/ /
COPY 30-application/ /
WORKDIR /app
"""


class Images:
    """Images that nobody else has.

    :param folder: a directory that does not exist.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.name = f"j4c-it-{secrets.token_hex(4)}"
        # no two tests have a layer in common, and no compressor makes it smaller
        self._library = random.Random(self.name).randbytes(LIBRARY_BYTES)
        self.made: set[str] = set()
        (folder / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")

    def build(self, code: str, env: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
        """Build a version and return the image as ``container_image`` describes it.

        :param env: names another engine.
        """
        artifact = self.folder / code
        files = {
            "quarkus-run.jar": b"run",
            "lib/main/library.jar": self._library,
            "app/shop-1.0.jar": f"code {code}".encode(),
            "quarkus/generated-bytecode.jar": b"generated",
        }
        for path, data in files.items():
            (artifact / path).parent.mkdir(parents=True, exist_ok=True)
            (artifact / path).write_bytes(data)
        manifest = {
            "name": self.name,
            "version": code,
            "main": "quarkus-run.jar",
            "files": [
                {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for path, data in sorted(files.items())
            ],
        }
        (artifact / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        options = {
            "name": self.name,
            "artifact": {"path": str(artifact)},
            "dockerfile": str(self.folder / "Dockerfile"),
            "labels": {"org.example.test": self.name},
        }
        path = os.pathsep.join(["/usr/bin", os.environ.get("PATH", "")])
        built = run_module("container_image", self.scratch, options, env={"PATH": path, **(env or {})})
        assert not built.get("failed"), built
        self.made.add(built["image"]["id"])
        return dict(built["image"])

    def remove(self) -> None:
        """Remove all images that were built."""
        api = docker.from_env().api
        for image_id in self.made:
            with contextlib.suppress(docker.errors.ImageNotFound):
                api.remove_image(image_id, force=True)

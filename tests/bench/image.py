# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of container_image with nothing to do, and with new code, against buildx on the same context."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import subprocess
import typing as t
import uuid
from pathlib import Path

import docker
import docker.errors

from tests.bench._table import Table, interleaved, ratios, seconds
from tests.integration.run_module import run_module

ROUNDS = 9
BASE = "eclipse-temurin:25-jre"
LAYERS = ("10-libraries", "20-framework", "30-application")
DOCKERFILE = (
    f"FROM {BASE}\n"
    + "".join(f"COPY {layer}/ /\n" for layer in LAYERS)
    + 'WORKDIR /app\nUSER 10001\nENTRYPOINT ["java", "-jar", "/app/quarkus-run.jar"]\n'
)
# as many files and bytes as the example has
LIBRARIES, LIBRARY_BYTES, GENERATED_BYTES = 170, 150_000, 900_000


class Bench:
    """An artifact that looks like the example's, and what is done with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"j4c-bench-image-{uuid.uuid4().hex[:12]}"
        self.artifact = folder / "artifact"
        self.dockerfile = folder / "Dockerfile"
        self.dockerfile.write_text(DOCKERFILE, encoding="utf-8")
        # the distribution's docker, which has its plugins, wherever else one lies about
        self.path = os.pathsep.join(["/usr/bin", os.environ.get("PATH", "")])
        self._random = random.Random(1)
        self._turns = itertools.count()
        self.files = {
            "quarkus-run.jar": b"run",
            "quarkus/quarkus-application.dat": self._random.randbytes(100_000),
            **{f"lib/main/org.example.l{at}-1.jar": self._random.randbytes(LIBRARY_BYTES) for at in range(LIBRARIES)},
        }
        self.change()

    def change(self) -> None:
        """Write the artifact with new code."""
        self.files["quarkus/generated-bytecode.jar"] = self._random.randbytes(GENERATED_BYTES)
        self.files["app/shop-1.0.jar"] = self._random.randbytes(5_000)
        listed = []
        for path, data in sorted(self.files.items()):
            target = self.artifact / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            listed.append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        digest = hashlib.sha256("".join(f"{item['sha256']}  {item['path']}\n" for item in listed).encode()).hexdigest()
        manifest = {"name": self.name, "version": "1.0", "main": "quarkus-run.jar", "sha256": digest, "files": listed}
        (self.artifact / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    def stage(self) -> Path:
        """Write a context for buildx alone and return it."""
        context = self.folder / "context"
        for path, data in self.files.items():
            layer = (
                LAYERS[0]
                if path.startswith("lib/")
                else LAYERS[2]
                if "generated" in path or "app/" in path
                else LAYERS[1]
            )
            target = context / layer / "app" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
        return context

    def buildx(self, context: Path, *options: str) -> float:
        """Build without the module and return the seconds."""
        argv = ["docker", "buildx", "build", "--builder", "default", "--load", "--provenance=false", *options]
        argv += ["--tag", f"{self.name}:plain", "--", str(context)]
        env = {**os.environ, "PATH": self.path}
        return seconds(lambda: subprocess.run(argv, env=env, check=True, capture_output=True, timeout=300))

    def module(self, changed: bool, released: str = "") -> tuple[float, dict[str, t.Any]]:
        """Run the module and return the seconds and its result."""
        scratch = self.folder / f"run-{next(self._turns)}"
        scratch.mkdir()
        options = {
            "name": self.name,
            "artifact": {"path": str(self.artifact)},
            "dockerfile": str(self.dockerfile),
            "released_image": released,
            "policy": {"hadolint": False},
        }
        found: dict[str, t.Any] = {}
        taken = seconds(lambda: found.update(run_module("container_image", scratch, options, env={"PATH": self.path})))
        assert not found.get("failed"), found
        assert found["changed"] is changed, found["evidence"]
        return taken, found

    def remove(self) -> None:
        """Remove all images that were made."""
        api = docker.from_env(version="auto").api
        for image in {item["Id"] for item in api.images(name=self.name)}:
            api.remove_image(image, force=True)
        for image in api.images(filters={"dangling": True, "label": f"org.opencontainers.image.title={self.name}"}):
            api.remove_image(image["Id"], force=True)


def bench(folder: Path) -> t.Iterator[Table]:
    """Build the image of an artifact of the example's size, then measure."""
    made = Bench(folder)
    try:
        context = made.stage()
        made.buildx(context)
        _taken, first = made.module(changed=True)
        inside: list[float] = []

        def nothing() -> float:
            taken, result = made.module(changed=False)
            inside.append(sum(step["seconds"] for step in result["steps"]))
            return taken

        works = {"docker buildx build, all cached": lambda: made.buildx(context), "container_image": nothing}
        taken = interleaved(works, ROUNDS)
        taken["container_image without Python's start"] = inside
        yield ratios(
            "An image with nothing to build",
            taken,
            "docker buildx build, all cached",
            ["Both from the start of a process to its end; below, what the module itself needs."],
        )

        def new_code() -> float:
            made.change()
            return made.module(changed=True, released=first["image"]["id"])[0]

        works = {
            "docker buildx build --no-cache": lambda: made.buildx(context, "--no-cache"),
            "container_image, new code": new_code,
        }
        yield ratios(
            "An image with new code",
            interleaved(works, ROUNDS),
            "docker buildx build --no-cache",
            ["The module's time includes bill of materials, provenance, and the examination of the new layers."],
        )
    finally:
        made.remove()

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build context of an image: the files of a verified artifact, sorted by how often they change.

A layer's digest covers names, modes and times, so every file and directory gets the same time in every build: what did
not change is the same layer in the next image.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import json
import os
import posixpath
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import MANIFEST, digest_of
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

Layout = t.Literal["quarkus", "files"]

LIBRARIES, OWN, FRAMEWORK, APPLICATION = "10-libraries", "15-own-libraries", "20-framework", "30-application"
LAYERS = (LIBRARIES, OWN, FRAMEWORK, APPLICATION)
# 1980-01-01 00:00:00 UTC, the first moment that a zip file can hold
CONTEXT_TIME = 315532800
QUARKUS_MAIN = "quarkus-run.jar"
# 1.0-SNAPSHOT, or as a repository names it: 1.0-20261128.101112-3
_SNAPSHOT = re.compile(r"-SNAPSHOT\b|-\d{8}\.\d{6}-\d+\b")
LIBRARY_FOLDERS = ("lib", "libs", "dependency")
TMPDIR_HINT = "Free some space there, or set TMPDIR to a directory with more."
BUILD_AGAIN = "Build the artifact again with j4c.deploy.maven_build."


@dataclass(frozen=True)
class ArtifactFile:
    """One file of an artifact: its ``path`` below the artifact's directory, ``size`` in bytes, ``sha256``."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """A verified artifact: where it is (``path``), what it is, and its ``files`` as its manifest names them."""

    name: str
    version: str
    path: str
    main: str
    fingerprint: str
    sha256: str
    created: str
    files: tuple[ArtifactFile, ...]


@dataclass(frozen=True)
class Placement:
    """Where a file of the artifact goes: below which ``layer`` directory, as which ``target``."""

    file: ArtifactFile
    layer: str
    target: str


def _safe(path: str) -> bool:
    return bool(path) and not posixpath.isabs(path) and ".." not in path.split("/")


def load_artifact(data: t.Mapping[str, t.Any]) -> Artifact:
    """Return the artifact that ``maven_build`` described, with the files of its manifest.

    :param data: ``path``; ``name``, ``version``, ``main``, ``fingerprint`` and ``sha256`` may be left to the manifest.
    :raises DeployError: no such directory or manifest, a manifest that cannot be used, or one of another artifact.
    """
    path = str(data.get("path") or "")
    if not path:
        raise DeployError("The option artifact has no 'path': the directory of a verified artifact.", hint=BUILD_AGAIN)
    where = os.path.join(path, MANIFEST)
    try:
        with open(where, encoding="utf-8") as file:
            manifest = json.load(file)
        files = tuple(
            sorted(
                (ArtifactFile(str(item["path"]), int(item["size"]), str(item["sha256"])) for item in manifest["files"]),
                key=lambda item: item.path,
            )
        )
    except FileNotFoundError:
        raise DeployError(
            f"The artifact has no manifest '{where}': it was never built, or was removed.", hint=BUILD_AGAIN
        ) from None
    except OSError as exc:
        raise DeployError(
            f"The manifest '{where}' cannot be read: {exc.strerror}.", hint="Check owner and mode of the store."
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise DeployError(f"The manifest '{where}' is damaged: {exc!r}.", hint=BUILD_AGAIN) from exc
    for key in ("fingerprint", "sha256"):
        if data.get(key) and manifest.get(key) and data[key] != manifest[key]:
            raise DeployError(
                f"The manifest '{where}' belongs to another artifact: its {key} is {manifest[key]}, "
                f"expected was {data[key]}.",
                hint=BUILD_AGAIN,
            )
    merged = {**manifest, **{key: value for key, value in data.items() if value}}
    main = str(merged.get("main") or "")
    if posixpath.isabs(main):
        main = posixpath.relpath(main, path)
    refused = [item.path for item in files if not _safe(item.path)]
    if refused:
        raise DeployError(
            f"The manifest '{where}' names files outside of the artifact: {', '.join(refused)}.", hint=BUILD_AGAIN
        )
    told = manifest.get("sha256")
    if told and told != digest_of([{"path": item.path, "sha256": item.sha256} for item in files]):
        raise DeployError(
            f"The manifest '{where}' was changed: its files do not give its sha256 {told}.", hint=BUILD_AGAIN
        )
    if main not in {item.path for item in files}:
        raise DeployError(f"The manifest '{where}' does not have the artifact's main file '{main}'.", hint=BUILD_AGAIN)
    return Artifact(
        name=str(merged.get("name") or ""),
        version=str(merged.get("version") or ""),
        path=path,
        main=main,
        fingerprint=str(merged.get("fingerprint") or ""),
        sha256=str(merged.get("sha256") or ""),
        created=str(merged.get("created") or ""),
        files=files,
    )


def detect_layout(artifact: Artifact) -> Layout:
    """Return ``quarkus`` for a fast-jar, else ``files``."""
    home = posixpath.dirname(artifact.main)
    library = posixpath.join(home, "lib/")
    is_quarkus = posixpath.basename(artifact.main) == QUARKUS_MAIN and any(
        item.path.startswith(library) for item in artifact.files
    )
    return "quarkus" if is_quarkus else "files"


def _is_own(path: str, patterns: t.Sequence[str]) -> bool:
    """Return whether a library changes more often than others: a snapshot, or one with a name of the owner's."""
    name = posixpath.basename(path)
    return bool(_SNAPSHOT.search(name)) or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _layer(path: str, layout: Layout) -> str:
    """Return the layer of a file by its path below the directory of the main file."""
    top = path.split("/", 1)[0] if "/" in path else ""
    if layout == "quarkus":
        if top == "lib":
            return LIBRARIES
        # written anew by every build, unlike the rest of quarkus/
        if top == "app" or path == "quarkus/generated-bytecode.jar":
            return APPLICATION
        return FRAMEWORK
    return LIBRARIES if top in LIBRARY_FOLDERS else APPLICATION


def place(artifact: Artifact, layout: Layout, own: t.Sequence[str] | None = None) -> list[Placement]:
    """Return where each file goes: below ``app/`` as it lies beside the main file. Pure.

    :param own: patterns of the names of the owner's libraries, to be in a layer of their own together with snapshots;
        ``None`` when the Dockerfile has no place for one.
    :raises DeployError: two files would have the same place.
    """
    home = posixpath.dirname(artifact.main)
    placements: dict[str, Placement] = {}
    for item in artifact.files:
        path = posixpath.relpath(item.path, home) if home and item.path.startswith(f"{home}/") else item.path
        target = posixpath.join("app", path)
        if target in placements:
            raise DeployError(
                f"The artifact's files '{placements[target].file.path}' and '{item.path}' "
                f"would both be '{target}' in the image.",
                hint="Rename one of them.",
            )
        layer = _layer(path, layout)
        if layer == LIBRARIES and own is not None and _is_own(path, own):
            layer = OWN
        placements[target] = Placement(item, layer, target)
    return list(placements.values())


def _copy(source: str, target: str, expected: ArtifactFile) -> None:
    """Copy a file and prove, from the bytes that were copied, that it is the verified one."""
    digest, size = hashlib.sha256(), 0
    try:
        with open(source, "rb") as reader, open(target, "wb") as writer:
            for block in iter(lambda: reader.read(1 << 20), b""):
                digest.update(block)
                size += len(block)
                writer.write(block)
            # a jar is read, never run; a native program must be
            runs = os.fstat(reader.fileno()).st_mode & 0o100 and not source.endswith(".jar")
    except FileNotFoundError:
        raise DeployError(
            f"The artifact's file '{source}' is missing: it was there when it was verified.", hint=BUILD_AGAIN
        ) from None
    except OSError as exc:
        hint = TMPDIR_HINT if exc.errno == errno.ENOSPC else "Check owner and mode of both."
        raise DeployError(
            f"Copying '{source}' into the build context '{target}' failed: {exc.strerror}.", hint=hint
        ) from exc
    if (size, digest.hexdigest()) != (expected.size, expected.sha256):
        raise DeployError(
            f"The artifact's file '{source}' changed after it was verified: it has {size} bytes with sha256 "
            f"{digest.hexdigest()}, expected were {expected.size} bytes with {expected.sha256}.",
            hint=f"Find out who wrote it. {BUILD_AGAIN}",
        )
    os.chmod(target, 0o755 if runs else 0o644)


def stage(artifact: Artifact, placements: t.Sequence[Placement], dockerfile: str, directory: str) -> int:
    """Make a directory with the build context: the layer directories and the Dockerfile.

    All layer directories exist, also empty ones, so that one Dockerfile fits every layout. Modes are 0644 (0755 for a
    program) and 0755, every time is ``CONTEXT_TIME``.

    :param dockerfile: text of the Dockerfile.
    :returns: bytes that were copied.
    :raises DeployError: a file is missing, not the verified one, or cannot be copied.
    """
    folders = {os.path.join(directory, layer, "app") for layer in LAYERS}
    for item in placements:
        folders.add(os.path.join(directory, item.layer, os.path.dirname(item.target)))
    try:
        for folder in sorted(folders):
            os.makedirs(folder, exist_ok=True)
        with open(os.path.join(directory, "Dockerfile"), "w", encoding="utf-8") as file:
            file.write(dockerfile)
            os.fchmod(file.fileno(), 0o644)
    except OSError as exc:
        raise DeployError(
            f"The build context in '{directory}' could not be made: {exc.strerror}.",
            hint=TMPDIR_HINT,
        ) from exc
    for item in placements:
        _copy(os.path.join(artifact.path, item.file.path), os.path.join(directory, item.layer, item.target), item.file)
    # from the leaves up: making a file changes the time of its directory
    for root, _folders, names in os.walk(directory, topdown=False):
        for name in names:
            os.utime(os.path.join(root, name), (CONTEXT_TIME, CONTEXT_TIME))
        os.chmod(root, 0o755)
        os.utime(root, (CONTEXT_TIME, CONTEXT_TIME))
    return sum(item.file.size for item in placements)

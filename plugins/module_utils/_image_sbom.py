# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bill of materials of an artifact: a CycloneDX document with every jar, where it comes from and its checksum.

The same artifact gives the same bytes, so its checksum can be a label of the image.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import re
import typing as t
import urllib.parse
import uuid
import zipfile
import zlib
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._image_context import Artifact

SPEC = "1.6"
# raised when the same artifact would give another document
EDITION = "1"
_DEPENDENCIES = "quarkus-app-dependencies.txt"
_NESTED = ("BOOT-INF/lib/", "WEB-INF/lib/")
_ARCHIVES = (".jar", ".war")
_NAMESPACE = uuid.UUID("8f3f4c2e-0d5b-5c7e-9b1a-6a4a3d1f7c20")


@dataclass(frozen=True)
class Coordinates:
    """Where a jar comes from: Maven's group, name, version and classifier; ``group`` is ``""`` when nobody says."""

    group: str
    name: str
    version: str
    classifier: str = ""

    def purl(self) -> str:
        """Return the package URL, ``""`` without a group: it would name another package."""
        if not self.group or not self.version:
            return ""
        group, name, version = (urllib.parse.quote(part, safe=".-_") for part in (self.group, self.name, self.version))
        kind = {"classifier": self.classifier, "type": "jar"} if self.classifier else {"type": "jar"}
        return f"pkg:maven/{group}/{name}@{version}?{urllib.parse.urlencode(kind)}"


def _properties(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _equals, value in pairs}


def _manifest(archive: zipfile.ZipFile) -> dict[str, str]:
    if "META-INF/MANIFEST.MF" not in archive.NameToInfo:
        return {}
    text = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace").replace("\r\n", "\n").replace("\n ", "")
    pairs = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    return {key.strip().lower(): value.strip() for key, _colon, value in pairs}


def dependencies(text: str) -> dict[str, Coordinates]:
    """Return where each jar comes from by its file's name, from Quarkus' list (``group:name:classifier:jar:version``)."""
    found = {}
    for line in text.splitlines():
        parts = line.strip().split(":")
        if len(parts) == 5:
            group, name, classifier, _type, version = parts
            ending = f"{name}-{version}{f'-{classifier}' if classifier else ''}.jar"
            found[f"{group}.{ending}"] = found[ending] = Coordinates(group, name, version, classifier)
    return found


def identify(archive: zipfile.ZipFile, filename: str, known: t.Mapping[str, Coordinates]) -> list[Coordinates]:
    """Return where a jar comes from: itself first, then what was merged into it.

    Its own pom.properties say it; several are there when other jars were merged into it, and the one that fits the
    file's name is its own. Then the list of dependencies, then its manifest.

    :param known: coordinates by the name of a file.
    """
    own: list[Coordinates] = []
    merged: list[Coordinates] = []
    for path in archive.namelist():
        if path.startswith("META-INF/maven/") and path.endswith("/pom.properties"):
            data = _properties(archive.read(path).decode("utf-8", "replace"))
            if data.get("artifactId"):
                found = Coordinates(data.get("groupId", ""), data["artifactId"], data.get("version", ""))
                fits = filename.endswith(f"{found.name}-{found.version}.jar") or filename == f"{found.name}.jar"
                (own if fits and not own else merged).append(found)
    if own:
        return [*own, *merged]
    if filename in known:
        return [known[filename], *merged]
    if len(merged) == 1:
        return merged
    data = _manifest(archive)
    name = data.get("implementation-title") or data.get("bundle-symbolicname", "").split(";")[0]
    version = data.get("implementation-version") or data.get("bundle-version", "")
    group = data.get("implementation-vendor-id", "")
    if name and version and " " not in name and re.match(r"^[\w.-]*$", group):
        return [Coordinates(group, name, version), *merged]
    return merged


def _component(path: str, sha256: str, found: t.Sequence[Coordinates]) -> dict[str, t.Any]:
    """Return a component; what was merged into it are components of its own."""
    first = found[0] if found else None
    component: dict[str, t.Any] = {
        "type": "library" if path.endswith(_ARCHIVES) else "file",
        "bom-ref": path,
        "name": first.name if first else posixpath.basename(path),
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "evidence": {"occurrences": [{"location": path}]},
    }
    if first:
        optional = {"group": first.group, "version": first.version, "purl": first.purl()}
        component.update({key: value for key, value in optional.items() if value})
        if len(found) > 1:
            component["components"] = [
                {
                    "type": "library",
                    "bom-ref": f"{path}#{item.group}:{item.name}:{item.version}",
                    "name": item.name,
                    **{
                        key: value
                        for key, value in (("group", item.group), ("version", item.version), ("purl", item.purl()))
                        if value
                    },
                }
                for item in dict.fromkeys(found[1:])
            ]
    return component


def _jar(data: str | t.IO[bytes], path: str, sha256: str, known: t.Mapping[str, Coordinates]) -> list[dict[str, t.Any]]:
    """Return the component of a jar, followed by those of the jars that lie in it."""
    try:
        with zipfile.ZipFile(data) as archive:
            components = [_component(path, sha256, identify(archive, posixpath.basename(path), known))]
            for member in archive.infolist():
                if member.filename.startswith(_NESTED) and member.filename.endswith(".jar"):
                    inner = archive.read(member)
                    checksum = hashlib.sha256(inner).hexdigest()
                    components += _jar(io.BytesIO(inner), f"{path}!/{member.filename}", checksum, known)
            return components
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, RuntimeError, NotImplementedError):
        return [_component(path, sha256, [])]


def digest(text: str) -> str:
    """Return the checksum of a bill of materials."""
    return hashlib.sha256(text.encode()).hexdigest()


def make_sbom(artifact: Artifact, paths: t.Mapping[str, str]) -> str:
    """Return the bill of materials as text; the same for the same artifact.

    :param paths: where each file of the artifact can be read now, by its path in the artifact.
    """
    known: dict[str, Coordinates] = {}
    for item in artifact.files:
        if posixpath.basename(item.path) == _DEPENDENCIES:
            with open(paths[item.path], encoding="utf-8", errors="replace") as file:
                known.update(dependencies(file.read()))
    components: list[dict[str, t.Any]] = []
    for item in artifact.files:
        if item.path.endswith(_ARCHIVES):
            components += _jar(paths[item.path], item.path, item.sha256, known)
        elif item.path == artifact.main:
            components.append(_component(item.path, item.sha256, []))
    subject = {
        "type": "application",
        "bom-ref": "artifact",
        "name": artifact.name or posixpath.basename(artifact.main),
        "version": artifact.version,
        "hashes": [{"alg": "SHA-256", "content": artifact.sha256}] if artifact.sha256 else None,
    }
    document: dict[str, t.Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "j4c.deploy", "version": EDITION}]},
            "component": {key: value for key, value in subject.items() if value},
        },
        "components": components,
        "dependencies": [{"ref": "artifact", "dependsOn": [item["bom-ref"] for item in components]}],
    }
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))}"
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

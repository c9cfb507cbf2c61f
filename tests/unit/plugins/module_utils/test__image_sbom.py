# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_sbom as sboms
from ansible_collections.j4c.deploy.plugins.module_utils._image_context import Artifact, ArtifactFile


def jar(files: t.Mapping[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def properties(group: str, name: str, version: str) -> dict[str, str | bytes]:
    text = f"# made by Maven\nartifactId={name}\ngroupId={group}\nversion={version}\n"
    return {f"META-INF/maven/{group}/{name}/pom.properties": text}


def manifest(**lines: str) -> dict[str, str | bytes]:
    text = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in lines.items())
    return {"META-INF/MANIFEST.MF": f"Manifest-Version: 1.0\r\n{text}\r\nName: x\r\n"}


def document(tmp_path: Path, files: t.Mapping[str, bytes], main: str = "quarkus-run.jar") -> dict[str, t.Any]:
    listed, paths = [], {}
    for name, data in files.items():
        path = tmp_path / name.replace("/", "_")
        path.write_bytes(data)
        paths[name] = str(path)
        listed.append(ArtifactFile(name, len(data), hashlib.sha256(data).hexdigest()))
    artifact = Artifact("shop", "1.0", "/store", main, "", "b" * 64, "", tuple(listed))
    text = sboms.make_sbom(artifact, paths)
    assert text == sboms.make_sbom(artifact, paths)
    other = sboms.make_sbom(dataclasses.replace(artifact, version="2.0"), paths)
    assert json.loads(other)["serialNumber"] != json.loads(text)["serialNumber"]
    return t.cast("dict[str, t.Any]", json.loads(text))


DEPENDENCIES = b"com.example:core::jar:1.2\ncom.example:native:linux-x86_64:jar:1.2\nno line\n"


@pytest.mark.parametrize(
    ("filename", "content", "purl"),
    [
        ("core-1.2.jar", properties("com.example", "core", "1.2"), "pkg:maven/com.example/core@1.2?type=jar"),
        (
            "com.example.core-1.2.jar",
            {**properties("org.other", "merged", "3"), **properties("com.example", "core", "1.2")},
            "pkg:maven/com.example/core@1.2?type=jar",
        ),
        ("com.example.core-1.2.jar", {}, "pkg:maven/com.example/core@1.2?type=jar"),
        (
            "com.example.native-1.2-linux-x86_64.jar",
            {},
            "pkg:maven/com.example/native@1.2?classifier=linux-x86_64&type=jar",
        ),
        ("renamed.jar", properties("com.example", "core", "1.2"), "pkg:maven/com.example/core@1.2?type=jar"),
        (
            "driver.jar",
            manifest(Implementation_Title="driver", Implementation_Version="9", Implementation_Vendor_Id="org.db"),
            "pkg:maven/org.db/driver@9?type=jar",
        ),
        ("driver.jar", manifest(Bundle_SymbolicName="org.db.driver;singleton:=true", Bundle_Version="9"), None),
        ("driver.jar", manifest(Implementation_Title="A Driver", Implementation_Version="9"), None),
        ("driver.jar", {"a": "b"}, None),
    ],
)
def test_where_a_jar_comes_from(
    tmp_path: Path, filename: str, content: dict[str, str | bytes], purl: str | None
) -> None:
    made = document(tmp_path, {f"lib/{filename}": jar(content), "quarkus-app-dependencies.txt": DEPENDENCIES})
    (component,) = made["components"]
    assert component.get("purl") == purl
    assert component["bom-ref"] == f"lib/{filename}"
    assert component["hashes"][0]["alg"] == "SHA-256"
    assert component["type"] == "library"


def test_the_document(tmp_path: Path) -> None:
    made = document(tmp_path, {"quarkus-run.jar": jar({}), "quarkus/data.dat": b"x", "broken.jar": b"none"})
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert made["serialNumber"].startswith("urn:uuid:")
    assert made["metadata"]["component"] == {
        "type": "application",
        "bom-ref": "artifact",
        "name": "shop",
        "version": "1.0",
        "hashes": [{"alg": "SHA-256", "content": "b" * 64}],
    }
    assert made["dependencies"] == [{"ref": "artifact", "dependsOn": ["quarkus-run.jar", "broken.jar"]}]


def test_jars_in_jars_and_jars_that_were_merged(tmp_path: Path) -> None:
    inner = jar(properties("com.example", "core", "1.2"))
    fat = jar(
        {
            **properties("com.example", "shop", "1.0"),
            **properties("org.other", "merged", "3"),
            "BOOT-INF/lib/core-1.2.jar": inner,
        }
    )
    made = document(tmp_path, {"shop-1.0.jar": fat}, "shop-1.0.jar")
    assert [(item["bom-ref"], item["purl"]) for item in made["components"]] == [
        ("shop-1.0.jar", "pkg:maven/com.example/shop@1.0?type=jar"),
        ("shop-1.0.jar!/BOOT-INF/lib/core-1.2.jar", "pkg:maven/com.example/core@1.2?type=jar"),
    ]
    assert [item["purl"] for item in made["components"][0]["components"]] == ["pkg:maven/org.other/merged@3?type=jar"]
    assert made["components"][1]["hashes"][0]["content"] == hashlib.sha256(inner).hexdigest()


def test_a_native_program(tmp_path: Path) -> None:
    made = document(tmp_path, {"shop-runner": b"\x7fELF"}, "shop-runner")
    assert [(item["type"], item["name"]) for item in made["components"]] == [("file", "shop-runner")]

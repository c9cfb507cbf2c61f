# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils import _image_recipe as recipes
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_documents import Documents, make_provenance

IMAGE = "sha256:" + "8a1f" * 16
FILE = context.ArtifactFile("shop.jar", 1, "a" * 64)
ARTIFACT = context.Artifact("shop", "1.0", "/store", "shop.jar", "", "b" * 64, "", (FILE,))
BASES = [
    recipes.BaseImage("jre", "sha256:0", "sha256:d"),
    recipes.BaseImage("tool", "sha256:1"),
    recipes.BaseImage("x"),
]
TEXT = "FROM jre\nCOPY 30-application/ /\n"


def statement(**times: str) -> dict[str, t.Any]:
    wanted = recipes.Wanted(
        name="shop",
        version="",
        artifact={},
        dockerfile="/srv/shop/Dockerfile",
        commit={"id": "c" * 40},
        source="https://me:" + "word@git.example.com/shop",
        secrets=[{"id": "npm", "file": "/etc/npm"}],
    )
    recipe = recipes.make_recipe(wanted, ARTIFACT, TEXT, {base.name: base for base in BASES})
    return make_provenance(wanted, recipe, BASES, IMAGE, "sbom", {"wasted": [0, 7]}, times)


def test_the_statement() -> None:
    made = statement(startedOn="2026-11-21T14:35:00Z")
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["subject"] == [{"name": "shop", "digest": {"sha256": "8a1f" * 16}}]
    definition = made["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"] == [
        {"name": "artifact", "digest": {"sha256": "b" * 64}},
        {"name": "source", "uri": "https://git.example.com/shop", "digest": {"gitCommit": "c" * 40}},
        {"name": "base", "uri": "jre", "digest": {"sha256": "d"}},
        {"name": "base", "uri": "tool", "digest": {"sha256": "1"}},
        {"name": "base", "uri": "x"},
    ]
    assert definition["externalParameters"]["dockerfile"] == {
        "name": "Dockerfile",
        "digest": {"sha256": hashlib.sha256(TEXT.encode()).hexdigest()},
    }
    assert definition["externalParameters"]["secrets"] == ["npm"]
    assert "/etc/npm" not in json.dumps(made)
    details = made["predicate"]["runDetails"]
    assert details["metadata"]["startedOn"] == "2026-11-21T14:35:00Z"
    assert details["byproducts"][0]["digest"] == {"sha256": hashlib.sha256(b"sbom").hexdigest()}


def test_what_was_written_is_found(tmp_path: Path) -> None:
    kept = Documents(str(tmp_path))
    kept.check_writable()
    sbom, provenance = kept.write_sbom("sbom"), kept.write_provenance(IMAGE, statement())
    assert kept.sbom(sbom["sha256"]) == sbom
    found = kept.provenance(IMAGE)
    assert found == (provenance, {"wasted": [0, 7]})
    for item in (sbom, provenance):
        path = Path(item["path"])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == item["sha256"]
        assert oct(path.stat().st_mode & 0o777) == "0o644"


@pytest.mark.parametrize("damage", ["gone", "other", "garbage", "half"])
def test_what_is_not_there_or_another_is_not_taken(tmp_path: Path, damage: str) -> None:
    kept = Documents(str(tmp_path))
    sbom, provenance = kept.write_sbom("sbom"), kept.write_provenance(IMAGE, statement())
    text = Path(provenance["path"]).read_text("utf-8")
    for item in (sbom, provenance):
        path = Path(item["path"])
        if damage == "gone":
            path.unlink()
        else:
            path.write_text(
                {"other": text.replace("8a1f", "0000"), "garbage": "{", "half": '{"predicate": {}}'}[damage],
                encoding="utf-8",
            )
    assert kept.sbom(sbom["sha256"]) is None
    assert kept.provenance(IMAGE) is None
    assert kept.sbom("") is None


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="cannot write") as caught:
        Documents(str(tmp_path / "none")).check_writable()
    assert caught.value.hint
    with pytest.raises(DeployError, match=r"sbom\.cdx\.json' could not be written: No such file"):
        Documents(str(tmp_path / "none")).write_sbom("x")

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import (
    ImageLayout,
    Layer,
    blob_name,
    chain_ids,
    digest_of,
    full_reference,
    read_config,
)

LOW, HIGH = "sha256:" + "a" * 64, "sha256:" + "b" * 64
CONFIG = json.dumps({"architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [LOW, HIGH]}}).encode()


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("orders:1", "docker.io/library/orders:1"),
        ("shop/orders:1", "docker.io/shop/orders:1"),
        ("registry.example.org/shop/orders:1", "registry.example.org/shop/orders:1"),
        ("registry:5000/orders:1", "registry:5000/orders:1"),
        ("localhost/orders:1", "localhost/orders:1"),
    ],
)
def test_full_reference(tag: str, expected: str) -> None:
    assert full_reference(tag) == expected


def test_a_chain_names_a_layer_by_all_below_it() -> None:
    assert chain_ids([]) == []
    assert chain_ids([LOW, HIGH]) == [LOW, "sha256:" + hashlib.sha256(f"{LOW} {HIGH}".encode()).hexdigest()]


def test_layers_of_a_configuration() -> None:
    assert read_config(CONFIG) == [LOW, HIGH]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"rootfs": null}', b"\xff"])
def test_what_is_no_configuration(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_config(data)


def test_both_stores_find_the_same_image_in_the_documents() -> None:
    layout = ImageLayout(CONFIG, (Layer(LOW, 10), Layer(HIGH, 20)), ("orders:1", "orders:2"))
    documents = layout.documents()
    index = json.loads(documents["index.json"])
    assert [item["annotations"]["io.containerd.image.name"] for item in index["manifests"]] == [
        "docker.io/library/orders:1",
        "docker.io/library/orders:2",
    ]
    assert {item["digest"] for item in index["manifests"]} == {layout.manifest_digest}
    manifest = json.loads(documents[blob_name(layout.manifest_digest)])
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": layout.config_digest,
        "size": len(CONFIG),
    }
    assert [(item["digest"], item["size"]) for item in manifest["layers"]] == [(LOW, 10), (HIGH, 20)]
    (classic,) = json.loads(documents["manifest.json"])
    assert classic["Config"] == blob_name(layout.config_digest)
    assert classic["Layers"] == [blob_name(LOW), blob_name(HIGH)]
    assert classic["RepoTags"] == ["orders:1", "orders:2"]
    assert documents[blob_name(layout.config_digest)] == CONFIG
    assert layout.size == 30


def test_an_image_without_a_name_is_in_the_index() -> None:
    layout = ImageLayout(CONFIG, (), ())
    (only,) = json.loads(layout.documents()["index.json"])["manifests"]
    assert only["digest"] == digest_of(layout.manifest)
    assert "annotations" not in only

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import io
import json
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._ship.saved import SavedImage

CONFIG = b'{"rootfs": {"diff_ids": []}}'


def saved(files: t.Mapping[str, bytes], links: t.Mapping[str, str] | None = None) -> t.Iterator[bytes]:
    """Yield an answer of the engine in blocks that fit nothing."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    data = stream.getvalue()
    yield from (data[start : start + 777] for start in range(0, len(data), 777))


def manifest(config: str, *layers: str) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": None, "Layers": list(layers)}]).encode()


def test_the_form_since_version_25(tmp_path: Path) -> None:
    image = SavedImage(
        saved(
            {
                "blobs/sha256/aa": b"low" * 1000,
                "blobs/sha256/bb": gzip.compress(b"high"),
                "blobs/sha256/cc": CONFIG,
                "index.json": b"{}",
                "manifest.json": manifest("blobs/sha256/cc", "blobs/sha256/aa", "blobs/sha256/bb"),
            }
        ),
        str(tmp_path),
    )
    assert image.config == CONFIG
    assert b"".join(image.layer(0)) == b"low" * 1000
    # the containerd store has layers compressed
    assert b"".join(image.layer(1)) == b"high"


def test_the_form_before_names_a_layer_that_occurs_twice_by_a_link(tmp_path: Path) -> None:
    files = {
        "cc.json": CONFIG,
        "one/layer.tar": b"low",
        "manifest.json": manifest("cc.json", "one/layer.tar", "two/layer.tar"),
    }
    image = SavedImage(saved(files, {"two/layer.tar": "../one/layer.tar"}), str(tmp_path))
    assert [b"".join(image.layer(number)) for number in range(2)] == [b"low", b"low"]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="empty"),
        pytest.param({"manifest.json": b"not json"}, id="no-json"),
        pytest.param({"manifest.json": b"[]"}, id="no-image"),
        pytest.param({"manifest.json": manifest("cc.json")}, id="no-configuration"),
        pytest.param({"cc.json": CONFIG, "manifest.json": manifest("cc.json", "aa")}, id="no-layer"),
    ],
)
def test_an_answer_that_cannot_be_read(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(DeployError, match="cannot be read"):
        SavedImage(saved(files), str(tmp_path))


def test_an_answer_that_breaks_off(tmp_path: Path) -> None:
    blocks = list(saved({"aa": b"x" * 5000, "cc.json": CONFIG, "manifest.json": manifest("cc.json", "aa")}))
    with pytest.raises(DeployError, match="cannot be read"):
        SavedImage(iter(blocks[:3]), str(tmp_path))


def test_a_layer_compressed_with_zstd_is_named(tmp_path: Path) -> None:
    files = {"aa": b"\x28\xb5\x2f\xfd....", "cc.json": CONFIG, "manifest.json": manifest("cc.json", "aa")}
    image = SavedImage(saved(files), str(tmp_path))
    with pytest.raises(DeployError, match="Layer 0 of the image is stored compressed with zstd"):
        list(image.layer(0))

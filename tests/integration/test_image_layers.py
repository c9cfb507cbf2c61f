# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_layers against the engine of this machine."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import os
import tarfile
import typing as t
from pathlib import Path

import docker
import pytest

from tests.integration.images import Images
from tests.integration.run_module import run_module

ALL = ["gzip"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Images]:
    """A place to build small images."""
    made = Images(tmp_path_factory.mktemp("layers") / "images")
    try:
        yield made
    finally:
        made.remove()


def ids(image: t.Mapping[str, t.Any]) -> list[str]:
    return [layer["id"] for layer in image["layers"]]


def layers(images: Images, image: str, cache: Path, *requests: list[str], **more: t.Any) -> dict[str, t.Any]:
    """Run the module with requests for these layers."""
    options = {
        "image": image,
        "directory": str(cache),
        "requests": [{"layers": item, "formats": ALL} for item in requests],
        **more,
    }
    return run_module("image_layers", images.scratch, options)


def test_layers_are_read_once_and_a_damaged_one_again(images: Images, tmp_path: Path) -> None:
    image = images.build("one")
    wanted = ids(image)
    cache = tmp_path / "cache"
    first = layers(images, image["id"], cache, wanted, wanted[-2:], tags=image["tags"])
    assert first["changed"]
    read = first["evidence"]["read"]
    assert (read["cached"], read["files"] + read["saved"]) == (0, len(wanted))

    again = layers(images, image["id"], cache, wanted, wanted[-2:], tags=image["tags"])
    assert not again["changed"]
    assert again["evidence"]["read"] == {"cached": len(wanted), "files": 0, "saved": 0}
    assert again["archives"] == first["archives"]

    blob = cache / "blobs/sha256" / wanted[0].partition(":")[2]
    blob.write_bytes(blob.read_bytes()[:-1] + b"X")
    mended = layers(images, image["id"], cache, wanted)
    assert mended["evidence"]["read"]["cached"] == len(wanted) - 1
    assert f"sha256:{hashlib.sha256(blob.read_bytes()).hexdigest()}" == wanted[0]


def test_an_archive_has_the_layers_that_were_asked_for_and_loads(images: Images, tmp_path: Path) -> None:
    image = images.build("two")
    wanted = ids(image)
    result = layers(images, image["id"], tmp_path / "cache", wanted[-2:], tags=[f"{images.name}:shipped"], part_mb=1)
    (archive,) = result["archives"]
    packed = b"".join((Path(archive["path"]) / part["name"]).read_bytes() for part in archive["parts"])
    assert archive["bytes"] == len(packed)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as tar:
        blobs = {Path(name).name for name in tar.getnames() if name.startswith("blobs/")}
        assert {item.partition(":")[2] for item in wanted} & blobs == {item.partition(":")[2] for item in wanted[-2:]}
        content = tar.extractfile("manifest.json")
        assert content is not None
        assert json.load(content)[0]["RepoTags"] == [f"{images.name}:shipped"]
    api = docker.from_env().api
    list(api.load_image(packed, quiet=True))
    assert api.inspect_image(f"{images.name}:shipped")["Id"] == image["id"] == archive["ids"][0]


def test_an_image_that_is_gone_since_its_build_is_named(images: Images, tmp_path: Path) -> None:
    image = images.build("gone")
    docker.from_env().api.remove_image(image["id"], force=True)
    result = layers(images, image["id"], tmp_path / "cache", ids(image))
    assert result["failed"]
    assert f"Option image is '{image['id']}': the engine of the builder has no such image" in result["msg"]
    assert (result["phase"], result["decision"]) == ("container_build", "ROLLBACK")
    assert result["evidence"]["code"] == "image_missing"
    assert not (tmp_path / "cache").exists()


def test_check_mode_reads_and_writes_nothing(images: Images, tmp_path: Path) -> None:
    image = images.build("check")
    options = {"image": image["id"], "directory": str(tmp_path / "cache"), "requests": []}
    result = run_module("image_layers", images.scratch, options, check=True)
    assert result["steps"][-1]["result"] == "planned"
    assert not (tmp_path / "cache").exists()


def test_only_the_newest_images_stay_and_a_killed_run_leaves_nothing(images: Images, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    old, new = images.build("old"), images.build("new")
    layers(images, old["id"], cache, ids(old))
    torn = cache / "archives/killed.partial"
    torn.mkdir()
    result = layers(images, new["id"], cache, ids(new), keep=1)
    assert result["evidence"]["forgotten"] == [old["id"]]
    kept = {path.name for path in (cache / "blobs/sha256").iterdir()}
    assert kept == {item.partition(":")[2] for item in [new["id"], *ids(new)]}
    assert not torn.exists()


def test_one_process_at_a_time_uses_a_cache(images: Images, tmp_path: Path) -> None:
    image = images.build("lock")
    cache = tmp_path / "cache"
    cache.mkdir()
    with open(cache / "lock", "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711")
        held.flush()
        result = layers(images, image["id"], cache, ids(image), lock_timeout=0.1)
    assert result["failed"]
    assert "is in use by process 4711" in result["msg"]


def test_a_cache_that_cannot_be_written_is_named(images: Images, tmp_path: Path) -> None:
    image = images.build("readonly")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    result = layers(images, image["id"], tmp_path / "file/cache", ids(image))
    assert result["failed"]
    assert f"Keeping layers in '{tmp_path}/file/cache' failed" in result["msg"]
    assert "j4c_ship_cache" in result["hint"]
    assert os.listdir(tmp_path) == ["file"]

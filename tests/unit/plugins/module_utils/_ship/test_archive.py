# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import lzma
import os
import tarfile
import typing as t
import zlib
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._ship import archive as archives
from ansible_collections.j4c.deploy.plugins.module_utils._ship.cache import DAY, BlobCache, WrongBytesError, disk_errors
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import ImageLayout, Layer, blob_name, digest_of

LAYERS = [b"low" * 400_000, b"high" * 300]
IDS = [digest_of(data) for data in LAYERS]


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    made = BlobCache(str(tmp_path / "cache"))
    made.prepare()
    for data in LAYERS:
        made.add(digest_of(data), [data])
    return made


LAYOUT = ImageLayout(b"{}", tuple(Layer(digest_of(data), len(data)) for data in LAYERS), ("orders:1",))


def blobs(cache: BlobCache) -> set[str]:
    return set(os.listdir(cache.path("blobs", "sha256")))


def test_a_blob_with_other_bytes_is_not_kept(cache: BlobCache) -> None:
    before = blobs(cache)
    with pytest.raises(WrongBytesError):
        cache.add("sha256:" + "0" * 64, [b"other"])
    assert blobs(cache) == before


def test_a_blob_that_cannot_be_read_to_its_end_is_not_kept(cache: BlobCache) -> None:
    def breaks() -> t.Iterator[bytes]:
        yield b"some"
        raise EOFError

    before = blobs(cache)
    with pytest.raises(EOFError):
        cache.add("sha256:" + "0" * 64, breaks())
    assert blobs(cache) == before


def test_a_damaged_blob_is_not_there(cache: BlobCache) -> None:
    assert cache.has(IDS[0])
    Path(cache.blob(IDS[0])).write_bytes(b"damaged")
    assert not cache.has(IDS[0])
    assert not os.path.exists(cache.blob(IDS[0]))


@pytest.mark.parametrize(
    ("keep", "days", "forgotten"),
    [
        pytest.param(3, 30, [], id="all"),
        pytest.param(2, 30, ["a"], id="count"),
        pytest.param(3, 1.5, ["a"], id="age"),
        pytest.param(0, 0, ["a", "b"], id="never-the-one-in-use"),
    ],
)
def test_what_no_image_needs_goes(cache: BlobCache, keep: int, days: float, forgotten: list[str]) -> None:
    cache.use("a", {"blobs": [IDS[0]]}, 9, 99, 1 * DAY)
    cache.add(digest_of(b"b"), [b"b"])
    cache.add(IDS[1], [LAYERS[1]])
    cache.use("b", {"blobs": [digest_of(b"b")]}, 9, 99, 2 * DAY)
    cache.add(IDS[1], [LAYERS[1]])
    assert cache.use("c", {"blobs": [IDS[1]]}, keep, days, 3 * DAY) == forgotten
    needed = {"a": IDS[0], "b": digest_of(b"b"), "c": IDS[1]}
    assert blobs(cache) == {digest.partition(":")[2] for name, digest in needed.items() if name not in forgotten}
    assert set(cache.known()) == set("abc") - set(forgotten)


def test_a_full_disk_is_told_with_what_is_free(tmp_path: Path) -> None:
    message = r"Keeping layers in '.*' failed: No space left on device"
    with pytest.raises(DeployError, match=message) as caught, disk_errors(str(tmp_path), "Keeping layers"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "MiB free" in str(caught.value.hint)


def unpack(archive: t.Mapping[str, t.Any]) -> bytes:
    packed = b"".join(archives.open_parts(archive["path"], archive["parts"], archive["format"]))
    return zlib.decompress(packed, 31) if archive["format"] == "gzip" else packed


@pytest.mark.parametrize("form", ["none", "gzip", "xz"])
@pytest.mark.parametrize("part", [1 << 30, 100_000])
def test_an_archive_in_each_format_and_in_parts(cache: BlobCache, tmp_path: Path, form: str, part: int) -> None:
    archive, made = archives.pack(cache, LAYOUT, {"layers": IDS, "formats": [form]}, part, 60)
    assert made
    assert archive["format"] == form
    assert max(item["bytes"] for item in archive["parts"]) <= part
    assert sum(item["bytes"] for item in archive["parts"]) == archive["bytes"]
    (tmp_path / "tar").write_bytes(unpack(archive))
    with tarfile.open(tmp_path / "tar") as tar:
        for data in LAYERS:
            content = tar.extractfile(blob_name(digest_of(data)))
            assert content is not None
            assert content.read() == data
    assert sorted(os.listdir(archive["path"])) == sorted(["about.json", *(item["name"] for item in archive["parts"])])


def test_zstd_is_a_program_of_the_builder(cache: BlobCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "zstd"
    program.write_text('#!/bin/sh\n{ echo "$*" | cut -c 1-14; cat "$7"; } > "$5"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    large = b"large" * 2_000_000
    cache.add(digest_of(large), [large])
    layout = ImageLayout(b"{}", (Layer(digest_of(large), len(large)),), ())
    request = {"layers": [digest_of(large)], "formats": ["zstd", "gzip"]}
    archive, _made = archives.pack(cache, layout, request, 1 << 30, 60)
    assert archive["format"] == "zstd"
    packed = b"".join(archives.open_parts(archive["path"], archive["parts"], "zstd"))
    assert packed.startswith(b"-q -T0 -3 -o /")
    assert large in packed


def test_an_archive_is_made_once_and_again_when_it_is_damaged(cache: BlobCache) -> None:
    request = {"layers": IDS[1:], "formats": ["gzip"]}
    archive, _made = archives.pack(cache, LAYOUT, request, 1 << 30, 60)
    assert archives.pack(cache, LAYOUT, request, 1 << 30, 60) == (archive, False)
    Path(archive["path"], archive["parts"][0]["name"]).write_bytes(b"damaged")
    again, made = archives.pack(cache, LAYOUT, request, 1 << 30, 60)
    assert made
    assert again["parts"] == archive["parts"]


def test_old_archives_go(cache: BlobCache) -> None:
    kept, _made = archives.pack(cache, LAYOUT, {"layers": IDS, "formats": ["gzip"]}, 1 << 30, 60)
    old, _made = archives.pack(cache, LAYOUT, {"layers": IDS[1:], "formats": ["gzip"]}, 1 << 30, 60)
    now = os.path.getmtime(old["path"])
    archives.prune(cache, [], now + DAY - 60)
    assert os.path.exists(old["path"])
    archives.prune(cache, [kept["key"]], now + DAY + 60)
    assert not os.path.exists(old["path"])
    assert os.path.exists(kept["path"])


def test_an_archive_that_is_no_xz(tmp_path: Path) -> None:
    (tmp_path / "part-0000").write_bytes(b"not xz")
    with pytest.raises(lzma.LZMAError):
        list(archives.open_parts(str(tmp_path), [{"name": "part-0000"}], "xz"))

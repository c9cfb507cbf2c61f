# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._ship.engine_files import EngineFiles
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import chain_ids, digest_of

BASE = "sha256:" + "1" * 64


def tar_of(files: t.Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def store_layer(root: Path, tar: bytes, diff_ids: list[str]) -> None:
    """Keep a layer as the engine's classic store does: files, and the rest of its tar as a list."""
    about = root / "image/overlay2/layerdb/sha256" / chain_ids(diff_ids)[-1].partition(":")[2]
    files = root / "overlay2/c4c4e1d/diff"
    about.mkdir(parents=True)
    files.mkdir(parents=True)
    (about / "cache-id").write_text("c4c4e1d", encoding="ascii")
    lines: list[dict[str, t.Any]] = []
    position = 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            head = tar[position : member.offset_data]
            lines.append({"type": 2, "payload": base64.b64encode(head).decode(), "position": len(lines)})
            content = tar[member.offset_data : member.offset_data + member.size]
            line = {"type": 1, "name": member.name, "size": member.size, "payload": "AAAAAAAAAAA="}
            lines.append(line if member.size else {"type": 1, "name": member.name, "payload": None})
            position = member.offset_data + member.size
            (files / member.name).parent.mkdir(parents=True, exist_ok=True)
            (files / member.name).write_bytes(content)
    lines.append({"type": 2, "payload": base64.b64encode(tar[position:]).decode()})
    with gzip.open(about / "tar-split.json.gz", "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))


def test_a_layer_is_made_again_byte_for_byte(tmp_path: Path) -> None:
    tar = tar_of({"app/one.jar": b"x" * 1500, "app/empty": b"", "app/two.jar": b"y" * 512})
    diff_ids = [BASE, digest_of(tar)]
    store_layer(tmp_path, tar, diff_ids)
    assert b"".join(EngineFiles(str(tmp_path)).layer(diff_ids)) == tar


def test_a_file_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    tar = tar_of({"one.jar": b"x" * 1500})
    store_layer(tmp_path, tar, [digest_of(tar)])
    (tmp_path / "overlay2/c4c4e1d/diff/one.jar").write_bytes(b"x")
    with pytest.raises(EOFError, match=r"one\.jar is shorter"):
        list(EngineFiles(str(tmp_path)).layer([digest_of(tar)]))


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(EngineFiles(str(tmp_path)).layer([BASE]))


@pytest.mark.parametrize("name", ["../../etc/passwd", "sha256:../../etc/passwd", "sha256:abc", "md5:" + "a" * 64])
def test_only_digests_name_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no digest"):
        EngineFiles(str(tmp_path)).config(name)


def test_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "image/overlay2/imagedb/content/sha256"
    folder.mkdir(parents=True)
    (folder / ("1" * 64)).write_bytes(b"{}")
    assert EngineFiles(str(tmp_path)).config(BASE) == b"{}"

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _aot_cache as caches

IMAGE = f"sha256:{'1' * 64}"
MANIFEST = {
    "image": IMAGE,
    "size": 5,
    "sha256": hashlib.sha256(b"cache").hexdigest(),
    "created": "2026-01-31T12:00:00Z",
}


def put(folder: Path, manifest: t.Any = None, content: bytes | None = b"cache") -> str:
    if content is not None:
        (folder / "app.aot").write_bytes(content)
    if manifest is not None:
        (folder / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return str(folder)


@pytest.mark.parametrize(
    ("manifest", "content", "status"),
    [
        (None, None, "absent"),
        (None, b"cache", "damaged"),
        (MANIFEST, b"cache", "good"),
        (MANIFEST, b"cach", "damaged"),
        (MANIFEST, b"cachE", "damaged"),
        (MANIFEST, None, "damaged"),
        ("{", b"cache", "damaged"),
        ("[]", b"cache", "damaged"),
        ({**MANIFEST, "image": "sha256:2"}, b"cache", "damaged"),
        ({"image": IMAGE, "reason": "no", "created": "x"}, None, "failed"),
    ],
)
def test_a_cache_is_what_its_manifest_says(tmp_path: Path, manifest: t.Any, content: bytes | None, status: str) -> None:
    assert caches.read_cache(put(tmp_path, manifest, content), IMAGE).status == status


def test_a_cache_is_taken_into_use_and_out_again(tmp_path: Path) -> None:
    directory = tmp_path / "1"
    directory.mkdir()
    (tmp_path / "1.new").mkdir()
    (tmp_path / "1.new" / "old").touch()
    new = Path(caches.start_training(str(directory)))
    assert (new, list(new.iterdir()), new.stat().st_mode & 0o777) == (tmp_path / "1.new", [], 0o777)
    put(new)
    caches.publish(str(new), str(directory), MANIFEST, "-XX:x\n")
    assert caches.read_cache(str(directory), IMAGE) == caches.Cache("good", MANIFEST)
    assert (directory / "options").read_text() == "-XX:x\n"
    assert (directory / "app.aot").stat().st_mode & 0o777 == 0o644
    caches.discard(str(directory))
    caches.discard(str(directory))
    assert [path.name for path in directory.iterdir()] == ["options"]
    assert (directory / "options").read_text() == ""


def test_a_failure_is_remembered(tmp_path: Path) -> None:
    caches.note_failure(str(tmp_path), IMAGE, "it ended", "2026-01-31T12:00:00Z")
    found = caches.read_cache(str(tmp_path), IMAGE)
    assert (found.status, found.manifest["reason"]) == ("failed", "it ended")
    assert caches.read_cache(str(tmp_path), "sha256:2").status == "damaged"

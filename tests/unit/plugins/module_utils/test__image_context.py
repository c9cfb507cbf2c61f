# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import digest_of
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

FAST_JAR = [
    "quarkus-app/app/shop-1.0.jar",
    "quarkus-app/lib/boot/runner.jar",
    "quarkus-app/lib/main/rest.jar",
    "quarkus-app/quarkus-app-dependencies.txt",
    "quarkus-app/quarkus-run.jar",
    "quarkus-app/quarkus/generated-bytecode.jar",
    "quarkus-app/quarkus/quarkus-application.dat",
    "quarkus-app/quarkus/transformed-bytecode.jar",
]


def artifact(files: t.Iterable[str], main: str) -> context.Artifact:
    listed = tuple(context.ArtifactFile(path, 1, "0" * 64) for path in files)
    return context.Artifact("shop", "1.0", "/store", main, "", "", "", listed)


def store(root: Path, content: t.Mapping[str, bytes], **manifest: t.Any) -> dict[str, t.Any]:
    """Make an artifact in a directory, and return what maven_build would."""
    listed = []
    for path, data in content.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        listed.append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    listed.sort(key=lambda item: str(item["path"]))
    made = {"name": "shop", "version": "1.0", "main": next(iter(content)), "files": listed, "sha256": digest_of(listed)}
    made.update(manifest)
    (root / "manifest.json").write_text(json.dumps(made), encoding="utf-8")
    return {"path": str(root)}


@pytest.mark.parametrize(
    ("files", "main", "expected"),
    [
        (FAST_JAR, "quarkus-app/quarkus-run.jar", "quarkus"),
        ([path.split("/", 1)[1] for path in FAST_JAR], "quarkus-run.jar", "quarkus"),
        (["quarkus-run.jar"], "quarkus-run.jar", "files"),
        (["shop.jar"], "shop.jar", "files"),
        (["shop-runner"], "shop-runner", "files"),
    ],
)
def test_detect_layout(files: list[str], main: str, expected: str) -> None:
    assert context.detect_layout(artifact(files, main)) == expected


@pytest.mark.parametrize("home", ["quarkus-app/", ""])
def test_a_fast_jar_is_sorted_by_how_often_it_changes(home: str) -> None:
    files = [path.replace("quarkus-app/", home, 1) for path in FAST_JAR]
    placed = {item.target: item.layer for item in context.place(artifact(files, f"{home}quarkus-run.jar"), "quarkus")}
    assert placed == {
        "app/lib/boot/runner.jar": "10-libraries",
        "app/lib/main/rest.jar": "10-libraries",
        "app/quarkus-app-dependencies.txt": "20-framework",
        "app/quarkus-run.jar": "20-framework",
        "app/quarkus/quarkus-application.dat": "20-framework",
        "app/quarkus/transformed-bytecode.jar": "20-framework",
        "app/app/shop-1.0.jar": "30-application",
        "app/quarkus/generated-bytecode.jar": "30-application",
    }


def test_other_artifacts_have_libraries_and_the_rest() -> None:
    files = ["target/shop.jar", "target/lib/a.jar", "target/dependency/b.jar", "target/config/c.yml", "NOTICE"]
    placed = {item.target: item.layer for item in context.place(artifact(files, "target/shop.jar"), "files")}
    assert placed == {
        "app/shop.jar": "30-application",
        "app/lib/a.jar": "10-libraries",
        "app/dependency/b.jar": "10-libraries",
        "app/config/c.yml": "30-application",
        "app/NOTICE": "30-application",
    }


def test_two_files_for_one_place_are_refused() -> None:
    with pytest.raises(DeployError, match=r"'NOTICE' and 'target/NOTICE' would both be 'app/NOTICE'"):
        context.place(artifact(["NOTICE", "target/NOTICE", "target/shop.jar"], "target/shop.jar"), "files")


def test_the_option_wins_over_the_manifest(tmp_path: Path) -> None:
    data = store(tmp_path, {"b.jar": b"b", "a.jar": b"a"}, fingerprint="f1", created="2026-01-01T00:00:00Z")
    loaded = context.load_artifact({**data, "name": "mine", "main": str(tmp_path / "a.jar"), "version": None})
    assert (loaded.name, loaded.version, loaded.main) == ("mine", "1.0", "a.jar")
    assert (loaded.fingerprint, len(loaded.sha256), loaded.created) == ("f1", 64, "2026-01-01T00:00:00Z")
    assert [item.path for item in loaded.files] == ["a.jar", "b.jar"]


@pytest.mark.parametrize(
    ("manifest", "given", "message"),
    [
        ({}, {"path": ""}, "has no 'path'"),
        ({}, {"path": "/nonexistent"}, "has no manifest '/nonexistent/manifest.json'"),
        ({"sha256": "a"}, {"sha256": "b"}, "belongs to another artifact: its sha256 is a, expected was b"),
        ({"fingerprint": "a"}, {"fingerprint": "b"}, "belongs to another artifact: its fingerprint is a"),
        ({"files": [{"path": "../x", "size": 1, "sha256": ""}]}, {}, r"names files outside of the artifact: \.\./x"),
        ({"files": [{"path": "/etc/x", "size": 1, "sha256": ""}]}, {}, "names files outside of the artifact: /etc/x"),
        ({"files": [{"path": "a.jar"}]}, {}, r"is damaged: KeyError\('size'\)"),
        ({"sha256": "a" * 64}, {}, "was changed: its files do not give its sha256 aaaa"),
        ({"files": None}, {}, "is damaged: TypeError"),
        ({"main": "c.jar"}, {}, r"does not have the artifact's main file 'c\.jar'"),
    ],
)
def test_a_manifest_that_cannot_be_used(
    tmp_path: Path, manifest: dict[str, t.Any], given: dict[str, str], message: str
) -> None:
    data = store(tmp_path, {"a.jar": b"a"}, **manifest)
    with pytest.raises(DeployError, match=message) as caught:
        context.load_artifact({**data, **given})
    assert caught.value.hint == context.BUILD_AGAIN


def test_a_manifest_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(DeployError, match="is damaged: JSONDecodeError"):
        context.load_artifact({"path": str(tmp_path)})


def staged(tmp_path: Path, files: t.Mapping[str, bytes]) -> tuple[context.Artifact, Path]:
    source = tmp_path / "store"
    source.mkdir()
    return context.load_artifact(store(source, files)), tmp_path / "context"


def test_a_staged_context_has_one_time_and_plain_modes(tmp_path: Path) -> None:
    loaded, target = staged(tmp_path, {"shop-runner": b"\x7fELF", "lib/a.jar": b"a", "shop.jar": b"j"})
    for name in ("shop-runner", "shop.jar"):
        (tmp_path / "store" / name).chmod(0o750)
    before = os.umask(0o077)
    try:
        copied = context.stage(loaded, context.place(loaded, "files"), "FROM scratch\n", str(target))
    finally:
        os.umask(before)
    found = {
        str(path.relative_to(target)): (oct(path.stat().st_mode & 0o7777), path.stat().st_mtime_ns)
        for path in target.rglob("*")
    }
    when = 315532800 * 10**9
    assert copied == 6
    assert found == {
        "10-libraries": ("0o755", when),
        "10-libraries/app": ("0o755", when),
        "10-libraries/app/lib": ("0o755", when),
        "10-libraries/app/lib/a.jar": ("0o644", when),
        "15-own-libraries": ("0o755", when),
        "15-own-libraries/app": ("0o755", when),
        "20-framework": ("0o755", when),
        "20-framework/app": ("0o755", when),
        "30-application": ("0o755", when),
        "30-application/app": ("0o755", when),
        "30-application/app/shop-runner": ("0o755", when),
        "30-application/app/shop.jar": ("0o644", when),
        "Dockerfile": ("0o644", when),
    }


def test_the_store_is_not_touched(tmp_path: Path) -> None:
    loaded, target = staged(tmp_path, {"shop.jar": b"j"})
    file = tmp_path / "store/shop.jar"
    before = file.stat()
    context.stage(loaded, context.place(loaded, "files"), "", str(target))
    after = file.stat()
    assert (after.st_mtime_ns, after.st_mode, after.st_nlink) == (before.st_mtime_ns, before.st_mode, 1)


@pytest.mark.parametrize("data", [b"k", b"", b"longer"])
def test_a_file_that_changed_after_it_was_verified(tmp_path: Path, data: bytes) -> None:
    loaded, target = staged(tmp_path, {"shop.jar": b"j"})
    (tmp_path / "store/shop.jar").write_bytes(data)
    with pytest.raises(DeployError, match=r"shop\.jar' changed after it was verified"):
        context.stage(loaded, context.place(loaded, "files"), "", str(target))


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    loaded, target = staged(tmp_path, {"shop.jar": b"j"})
    (tmp_path / "store/shop.jar").unlink()
    with pytest.raises(DeployError, match=r"shop\.jar' is missing") as caught:
        context.stage(loaded, context.place(loaded, "files"), "", str(target))
    assert caught.value.hint == context.BUILD_AGAIN


@pytest.mark.parametrize(
    ("name", "patterns", "own"),
    [
        ("lib/main/com.example.core-1.0.jar", ["com.example.*"], True),
        ("lib/main/org.other.core-1.0.jar", ["com.example.*"], False),
        ("lib/main/org.other.core-1.0-SNAPSHOT.jar", [], True),
        ("lib/main/org.other.core-1.0-20261128.101112-3.jar", [], True),
        ("lib/main/org.other.core-1.0-SNAPSHOTS.jar", [], False),
        ("app/com.example.core-1.0.jar", ["com.example.*"], None),
    ],
)
def test_own_libraries(name: str, patterns: list[str], own: bool | None) -> None:
    files = tuple(context.ArtifactFile(path, 1, "a" * 64) for path in ("quarkus-run.jar", name))
    artifact = context.Artifact("shop", "1.0", "/store", "quarkus-run.jar", "", "", "", files)
    with_own, without = (context.place(artifact, "quarkus", own)[1].layer for own in (patterns, None))
    assert with_own == {True: context.OWN, False: context.LIBRARIES, None: context.APPLICATION}[own]
    assert without == (context.APPLICATION if own is None else context.LIBRARIES)

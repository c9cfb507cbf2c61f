# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _artifact_store as artifacts
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

FACTS = {"main": "app/run.jar", "version": "1.0", "groups": {"src": "a"}}


def jar(path: Path, class_path: str = "", content: bytes = b"x" * 1000) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        line = f"Class-Path: {class_path}"
        # lines of a manifest are folded at 72 bytes
        folded = "\r\n ".join(line[start : start + 70] for start in range(0, len(line), 70))
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\n{folded if class_path else 'X: y'}\r\n\r\n")
        archive.writestr("content", content)
    return str(path)


class Store:
    def __init__(self, root: Path) -> None:
        self.root, self.store = root, artifacts.ArtifactStore(str(root / "store"), "app")
        self.store.prepare()
        self.files = {
            "app/run.jar": jar(root / "made/run.jar", "lib/a.jar lib/b.jar"),
            "app/lib/a.jar": jar(root / "made/lib/a.jar"),
            "app/lib/b.jar": jar(root / "made/lib/b.jar"),
        }

    def publish(self, fingerprint: str = "f1", **facts: t.Any) -> dict[str, t.Any]:
        return self.store.publish(fingerprint, self.files, {**FACTS, **facts})

    def names(self) -> list[str]:
        return sorted(item.name for item in (self.root / "store/app").iterdir() if item.is_dir())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_an_artifact_is_published_with_its_manifest(store: Store) -> None:
    log = store.root / "build.log"
    log.write_text("made", encoding="utf-8")
    os.chmod(store.files["app/lib/a.jar"], 0o755)
    manifest = store.store.publish("f1", store.files, FACTS, str(log))
    place = store.root / "store/app/f1"
    assert json.loads((place / "manifest.json").read_text("utf-8")) == manifest == store.store.load("f1")
    assert [item["path"] for item in manifest["files"]] == ["app/lib/a.jar", "app/lib/b.jar", "app/run.jar"]
    for item in manifest["files"]:
        data = (place / item["path"]).read_bytes()
        assert (item["size"], item["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (place / "app/lib/a.jar").stat().st_mode & 0o777 == 0o755
    assert (place / "build.log").read_text("utf-8") == "made"
    assert store.store.damage(manifest) == ""
    assert store.store.latest() == manifest
    noun = store.store.noun(manifest)
    assert sorted(noun) == ["created", "files", "fingerprint", "main", "name", "path", "sha256", "size", "version"]
    assert (noun["path"], noun["files"]) == (str(place), 3)
    assert noun["size"] == sum(item["size"] for item in manifest["files"])


def spoil_size(place: Path) -> None:
    (place / "app/run.jar").write_bytes(b"x")


def spoil_bytes(place: Path) -> None:
    path = place / "app/lib/a.jar"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)


def spoil_list(place: Path) -> None:
    manifest = json.loads((place / "manifest.json").read_text("utf-8"))
    manifest["files"].pop()
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def spoil_shape(place: Path) -> None:
    manifest = json.loads((place / "manifest.json").read_text("utf-8"))
    manifest["files"] = None
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_size, r"'app/run\.jar' has 1 bytes instead of \d+"),
        (spoil_bytes, r"'app/lib/a\.jar' has another checksum"),
        (lambda place: (place / "app/lib/b.jar").unlink(), r"'app/lib/b\.jar' cannot be read: No such file"),
        (spoil_list, "its manifest was changed"),
        (spoil_shape, "its manifest cannot be used"),
    ],
)
def test_damage_is_named(store: Store, spoil: t.Callable[[Path], None], told: str) -> None:
    store.publish()
    spoil(store.root / "store/app/f1")
    manifest = store.store.load("f1")
    assert manifest is not None
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(store.store.damage(manifest))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 0, "fingerprint": "f1"}', '{"schema": 1, "fingerprint": "f2"}']
)
def test_a_manifest_that_cannot_be_used_is_none(store: Store, text: str) -> None:
    store.publish()
    (store.root / "store/app/f1/manifest.json").write_text(text, encoding="utf-8")
    assert store.store.load("f1") is None
    assert store.store.latest() is None


def cut(path: str) -> None:
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)


def flip(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[data.index(b"content") + 12] ^= 0xFF
    Path(path).write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda files: cut(files["app/lib/a.jar"]), r"The jar 'app/lib/a\.jar' \(\d+ bytes\) cannot be read"),
        (lambda files: cut(files["app/run.jar"]), r"The jar 'app/run\.jar'"),
        (lambda files: flip(files["app/lib/b.jar"]), r"The jar 'app/lib/b\.jar'"),
        (lambda files: Path(files["app/lib/b.jar"]).write_bytes(b""), r"The jar 'app/lib/b\.jar' \(0 bytes\)"),
        (lambda files: files.pop("app/lib/b.jar"), r"needs app/lib/b\.jar: the build did not make it"),
        (lambda files: files.pop("app/run.jar"), r"The artifact 'app/run\.jar' is missing or empty"),
        (lambda files: Path(files["app/run.jar"]).write_bytes(b""), r"The artifact 'app/run\.jar' is missing or empty"),
        (lambda files: Path(files["app/lib/a.jar"]).unlink(), r"Keeping the artifact .* failed: No such file.*a\.jar"),
    ],
)
def test_what_is_broken_is_never_published(store: Store, spoil: t.Callable[[dict[str, str]], None], told: str) -> None:
    before = store.publish("f0")
    spoil(store.files)
    with pytest.raises(DeployError, match=told):
        store.publish()
    assert store.names() == ["f0"]
    assert store.store.latest() == before


def test_a_full_disk_leaves_the_artifact_before(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.publish("f0")

    def full(_source: str, target: str) -> dict[str, t.Any]:
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(artifacts, "copy_file", full)
    with pytest.raises(DeployError, match="No space left on device"):
        store.publish()
    assert (store.names(), store.store.latest()) == (["f0"], before)


def test_an_artifact_is_replaced_as_a_whole(store: Store) -> None:
    store.publish()
    store.files.pop("app/lib/b.jar")
    store.files["app/run.jar"] = jar(store.root / "made/other.jar", "lib/a.jar")
    manifest = store.publish()
    assert len(manifest["files"]) == 2
    assert store.store.damage(manifest) == ""
    assert store.names() == ["f1"]


@pytest.mark.parametrize(
    ("keep", "protect", "expected"),
    [
        (1, [], ["f4"]),
        (2, [], ["f3", "f4"]),
        (2, ["f0", "gone"], ["f0", "f3", "f4"]),
        (9, [], ["f0", "f1", "f2", "f3", "f4"]),
    ],
)
def test_retention(store: Store, keep: int, protect: list[str], expected: list[str]) -> None:
    for number in range(5):
        store.publish(f"f{number}")
        os.utime(store.root / f"store/app/f{number}/manifest.json", (number, number))
    removed = store.store.prune(keep, protect)
    assert store.names() == expected
    assert sorted([*removed, *expected]) == ["f0", "f1", "f2", "f3", "f4"]


@pytest.mark.parametrize(
    ("days", "released", "expected"),
    [
        (0.0, [], ["f0000000", "f1111111", "f2222222"]),
        (1.0, [], ["f2222222"]),
        (1.0, ["f0000000"], ["f0000000", "f2222222"]),
        (1.0, ["c" * 40], ["f1111111", "f2222222"]),
        (1.0, ["c" * 7], ["f1111111", "f2222222"]),
        # what begins with so little may be anything
        (1.0, ["c", "f", ""], ["f2222222"]),
    ],
)
def test_released_artifacts_outlive_their_time(
    store: Store, days: float, released: list[str], expected: list[str]
) -> None:
    for number in range(3):
        store.publish(f"f{number}" + str(number) * 6)
    store.store.select("f1111111", "b" * 40)
    store.store.select("f1111111", "c" * 40)
    store.store.select("f1111111", "c" * 40)
    assert store.store.commits("f1111111") == ["b" * 40, "c" * 40]
    assert store.store.commits("f0000000") == []
    store.store.select("f2222222")
    for name in ("f0000000", "f1111111"):
        os.utime(store.root / f"store/app/{name}/manifest.json", (1, 1))
    store.store.prune(9, released, days)
    assert store.names() == expected


def test_the_latest_stays_even_when_it_is_old(store: Store) -> None:
    for number in range(3):
        store.publish(f"f{number}")
        os.utime(store.root / f"store/app/f{number}/manifest.json", (number, number))
    store.store.select("f0")
    store.store.prune(1, [])
    assert store.names() == ["f0", "f2"]
    latest = store.store.latest()
    assert latest is not None
    assert latest["fingerprint"] == "f0"


def test_what_a_killed_build_left_is_tidied(store: Store) -> None:
    store.publish("f0")
    place = store.root / "store/app"
    (place / "f1.partial").mkdir()
    # killed between the two renames: the artifact comes back
    (place / "f0").rename(place / "f0.replaced")
    with store.store.lock(1):
        pass
    assert store.names() == ["f0"]


def test_the_lock_tells_who_holds_it(store: Store) -> None:
    with store.store.lock(1):
        holder = store.store.holder()
        with pytest.raises(DeployError, match="Another build of 'app' is running: ") as caught, store.store.lock(0):
            pass
    assert f"process {os.getpid()} of user {os.getuid()} since 2" in holder
    assert holder in caught.value.msg
    assert store.store.holder() == ""


def test_the_lock_is_waited_for(store: Store) -> None:
    entered, order = threading.Event(), []

    def second() -> None:
        entered.set()
        with store.store.lock(30):
            order.append("second")

    with store.store.lock(1):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait(10)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]


def wait_until(true: t.Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.parametrize("mark", [True, False], ids=["of a build", "of something else"])
def test_a_process_that_inherits_the_lock_keeps_it_when_the_builder_is_killed(store: Store, mark: bool) -> None:
    code = """
import os, subprocess, sys
from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import ArtifactStore
store = ArtifactStore(sys.argv[1], "app")
with store.lock(1, sys.argv[2]) as handles:
    child = subprocess.Popen(["cat"], stdin=0, pass_fds=handles, env={**os.environ, sys.argv[3]: store.mark})
    print(child.pid, flush=True)
    os.kill(os.getpid(), 9)
"""
    names = store.root / "names/ansible_collections/j4c"
    names.mkdir(parents=True)
    (names / "deploy").symlink_to(Path(__file__).parents[4])
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(store.root / "store"), str(store.root), "J4C_BUILD" if mark else "X"],
        env={**os.environ, "PYTHONPATH": str(store.root / "names")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        child = int(holder.stdout.readline())
        assert holder.wait(60) == -9
        if mark:
            # nobody waits for it any more
            with store.store.lock(0, str(store.root)):
                pass
            wait_until(lambda: not Path(f"/proc/{child}").exists() or "Z" in state(child))
            return
        with pytest.raises(DeployError, match=f"process {holder.pid} of user "), store.store.lock(0):
            pass
        # another store, the same project
        other = artifacts.ArtifactStore(str(store.root / "other"), "app")
        other.prepare()
        told = "one of the same project into another store"
        with pytest.raises(DeployError, match=told), other.lock(0, str(store.root)):
            pass
    finally:
        # cat ends with its input
        holder.stdin.close()
        holder.stdout.close()
    with store.store.lock(30, str(store.root)):
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("lib/a.jar", ["lib/a.jar"]),
        (
            " ".join(f"lib/main/org.example.library-{n}.jar" for n in range(9)),
            [f"lib/main/org.example.library-{n}.jar" for n in range(9)],
        ),
        ("a%20b.jar file:/x.jar /opt/y.jar http://h.example.org/z.jar", ["a b.jar"]),
    ],
)
def test_the_class_path_of_a_jar(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert artifacts.class_path(jar(tmp_path / "x.jar", text)) == expected


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeployError, match=r"Option store is '.*file': .* cannot be written: Not a directory"):
        artifacts.ArtifactStore(str(tmp_path / "file"), "app").prepare()

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._ship.layout import digest_of
from ansible_collections.j4c.deploy.plugins.module_utils._ship.server import Server, Wanted

LOW, HIGH, NEW = ("sha256:" + letter * 64 for letter in "abc")
OURS, OTHER, THEIRS = ("sha256:" + letter * 64 for letter in "123")
IMAGE = {"id": OURS, "name": "orders", "size": 300, "layers": [{"id": LOW, "size": 100}, {"id": HIGH, "size": 7}]}
CONTAINERD = [["driver-type", "io.containerd.snapshotter.v1"]]


class Engine:
    """An engine with these images; what it is sent becomes the image ``loads``."""

    def __init__(self, images: t.Mapping[str, list[str]], *, containerd: bool = False, **how: t.Any) -> None:
        self.there = dict(images)
        self.status = CONTAINERD if containerd else [["Backing Filesystem", "extfs"]]
        self.answers = how.get("answers", [{"stream": "Loaded image: orders:1\n"}])
        self.loads = how.get("loads")
        self.sent = b""

    def version(self) -> dict[str, str]:
        return {"Version": "26.1.5", "ApiVersion": "1.45"}

    def info(self) -> dict[str, t.Any]:
        return {"DockerRootDir": "/nonexistent/docker", "DriverStatus": self.status}

    def images(self, **_filter: t.Any) -> list[dict[str, str]]:
        return [{"Id": image} for image in self.there]

    def inspect_image(self, image: str) -> dict[str, t.Any]:
        return {"Id": image, "RootFS": {"Layers": self.there[image]}}

    def load_image(self, blocks: t.Iterable[bytes], quiet: bool) -> list[dict[str, str]]:
        assert quiet
        self.sent = b"".join(blocks)
        if self.loads:
            self.there[self.loads] = [LOW, HIGH]
        return list(self.answers)


def ask(engine: Engine, folder: Path, *, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    wanted = {
        "image": IMAGE,
        "state_dir": str(folder / "state"),
        "incoming": str(folder / "in"),
        "reserve_mb": 0,
        **more,
    }
    return Server(lambda: engine, Wanted(**wanted)).converge(check)


def archive(folder: Path, data: bytes = b"archive") -> dict[str, t.Any]:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in/part-0000").write_bytes(data)
    parts = [{"name": "part-0000", "bytes": len(data), "sha256": digest_of(data).partition(":")[2]}]
    about = {"format": "none", "bytes": len(data), "bytes_layers": 10, "bytes_image": 300, "layers": [HIGH]}
    return {**about, "parts": parts, "ids": [OURS, THEIRS]}


@pytest.mark.parametrize(
    ("images", "containerd", "lacks"),
    [
        pytest.param({}, False, [LOW, HIGH], id="an-empty-engine"),
        pytest.param({OTHER: [LOW, NEW]}, False, [HIGH], id="the-same-base"),
        pytest.param({OTHER: [LOW, HIGH]}, False, [], id="all-layers-under-another-image"),
        pytest.param({OURS: [LOW, HIGH]}, False, None, id="the-image"),
        pytest.param({OTHER: [LOW, HIGH]}, True, [LOW, HIGH], id="the-containerd-store-may-have-them-compressed"),
    ],
)
def test_what_the_server_lacks(
    images: dict[str, list[str]], containerd: bool, lacks: list[str] | None, tmp_path: Path
) -> None:
    result = ask(Engine(images, containerd=containerd), tmp_path)
    assert not result["changed"]
    assert (result["request"] or {}).get("layers") == lacks
    assert (result["image"] is None) == (lacks is not None)
    assert result["ship"]["layers_present"] == 2 - len(lacks or [])


def test_check_mode_says_what_would_be_sent(tmp_path: Path) -> None:
    result = ask(Engine({OTHER: [LOW]}), tmp_path, check=True)
    assert result["changed"]
    assert result["ship"]["layers_sent"] == 1
    assert result["steps"][-1] == {
        "name": "send",
        "result": "planned",
        "seconds": 0.0,
        "detail": "7 bytes before compression",
    }


def test_check_mode_before_the_image_is_built(tmp_path: Path) -> None:
    result = ask(Engine({}), tmp_path, check=True, image={})
    assert result["changed"]
    assert result["request"] is None
    assert result["evidence"]["reason"] == "the image is not built yet"


def test_without_an_image_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="The builder built no image in this run") as caught:
        ask(Engine({}), tmp_path, image={})
    assert "--limit <builder>,<host>" in (caught.value.hint or "")


def test_what_was_shipped_is_known_by_the_id_that_it_has_there(tmp_path: Path) -> None:
    engine = Engine({}, containerd=True, loads=THEIRS)
    result = ask(engine, tmp_path, archives=[archive(tmp_path)])
    assert engine.sent == b"archive"
    assert result["image"]["id"] == THEIRS
    assert not (tmp_path / "in").exists()
    assert ask(engine, tmp_path)["image"]["id"] == THEIRS
    # the next image finds the layers of this one
    newer = {**IMAGE, "id": OTHER, "layers": [{"id": LOW, "size": 1}, {"id": NEW, "size": 1}]}
    assert ask(engine, tmp_path, image=newer)["request"]["layers"] == [NEW]
    # and what was removed from the engine is not believed to be there
    engine.there.clear()
    assert ask(engine, tmp_path)["request"]["layers"] == [LOW, HIGH]


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/shipped.json").write_text("{", encoding="utf-8")
    assert ask(Engine({}, containerd=True), tmp_path)["request"]["layers"] == [LOW, HIGH]
    ask(Engine({}, loads=OURS), tmp_path, archives=[archive(tmp_path)])
    assert json.loads((tmp_path / "state/shipped.json").read_text("utf-8")) == {
        OURS: {"id": OURS, "layers": [LOW, HIGH]}
    }


def test_a_part_that_did_not_arrive_whole_is_asked_for_again(tmp_path: Path) -> None:
    engine = Engine({}, loads=OURS)
    sent = archive(tmp_path)
    (tmp_path / "in/part-0000").write_bytes(b"archivX")
    result = ask(engine, tmp_path, archives=[sent])
    assert result["damaged"] == ["part-0000"]
    (tmp_path / "in/part-0000").unlink()
    assert ask(engine, tmp_path, archives=[sent])["damaged"] == ["part-0000"]
    assert not engine.sent


@pytest.mark.parametrize(
    ("answers", "message", "hint"),
    [
        pytest.param(
            [{"error": "write /app/lib.jar: no space left on device"}],
            "no space left",
            "disk of '/nonexistent",
            id="full",
        ),
        pytest.param(
            [{"error": "open blobs/sha256/aa: no such file"}], "no such file", "Run it again", id="layer-lost"
        ),
        pytest.param(
            [{"stream": "Loaded image"}], "has no image", "Layers may have been removed", id="not-there-after-it"
        ),
    ],
)
def test_an_archive_that_the_engine_does_not_take(
    answers: list[dict[str, str]], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(DeployError, match=message) as caught:
        ask(Engine({}, answers=answers), tmp_path, archives=[archive(tmp_path)])
    assert hint in str(caught.value.hint)
    assert caught.value.fields["decision"] == "ROLLBACK"
    assert caught.value.fields["ship"]["bytes_sent"] == 0
    assert [step["result"] for step in caught.value.steps or []] == ["ok", "failed"]


def test_a_state_dir_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way", encoding="utf-8")
    with pytest.raises(DeployError, match="The image is loaded, but") as caught:
        ask(Engine({}, loads=OURS), tmp_path, archives=[archive(tmp_path)])
    assert "j4c_state_dir" in str(caught.value.hint)


def test_an_image_without_layers_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="The option image has no layers"):
        ask(Engine({}), tmp_path, image={"id": OURS})

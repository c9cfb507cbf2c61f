# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._maven_output import clear, find_output

FAST_JAR = ["quarkus-app/quarkus-run.jar", "quarkus-app/lib/main/a.jar", "quarkus-app/app/x.jar"]


def project(root: Path, paths: list[str], class_path: str = "") -> str:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(root / path, "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", f"Class-Path: {class_path}\n")
    return str(root)


@pytest.mark.parametrize(
    ("paths", "class_path", "main", "expected_main", "expected"),
    [
        (
            [*(f"target/{path}" for path in FAST_JAR), "target/app.jar"],
            "",
            "target/quarkus-app/quarkus-run.jar",
            "quarkus-app/quarkus-run.jar",
            FAST_JAR,
        ),
        (["target/app.jar", "target/app-sources.jar"], "", "target/app.jar", "app.jar", ["app.jar"]),
        (
            ["target/app.jar", "target/lib/a.jar", "target/lib/b.jar"],
            "lib/a.jar",
            "target/app.jar",
            "app.jar",
            ["app.jar", "lib/a.jar"],
        ),
        (["target/app.jar", "x.jar"], "../x.jar", "target/app.jar", "app.jar", ["app.jar"]),
        (["target/app-1.0-runner", "target/app.jar"], "", "target/*-runner", "app-1.0-runner", ["app-1.0-runner"]),
        (["service/target/app.jar", "target/app.jar"], "", "service/target/app.jar", "app.jar", ["app.jar"]),
        (
            ["service/target/quarkus-app/quarkus-run.jar"],
            "",
            "./service/target/quarkus-app/quarkus-run.jar",
            "quarkus-app/quarkus-run.jar",
            ["quarkus-app/quarkus-run.jar"],
        ),
        (["dist/app.bin", "dist/conf/x"], "", "dist/app.bin", "dist/app.bin", ["dist/app.bin", "dist/conf/x"]),
        (["app.jar", "other.jar"], "", "app.jar", "app.jar", ["app.jar"]),
    ],
)
def test_what_is_kept(
    tmp_path: Path, paths: list[str], class_path: str, main: str, expected_main: str, expected: list[str]
) -> None:
    found, files = find_output(project(tmp_path, paths, class_path), main)
    assert found == expected_main
    assert sorted(files) == sorted(expected)
    assert all(Path(place).is_file() for place in files.values())


@pytest.mark.parametrize(
    ("paths", "main", "told"),
    [
        ([], "target/app.jar", r"its artifact 'target/app\.jar' is missing"),
        (
            ["target/a-runner", "target/b-runner"],
            "target/*-runner",
            "several files 'target/.-runner': a-runner, b-runner",
        ),
        ([], "/etc/passwd", "must be a file below the project"),
        ([], "target/../../x.jar", "must be a file below the project"),
        ([], ".", "must be a file below the project"),
    ],
)
def test_what_cannot_be_kept(tmp_path: Path, paths: list[str], main: str, told: str) -> None:
    with pytest.raises(DeployError, match=told):
        find_output(project(tmp_path, paths), main)


def test_an_empty_file_is_no_artifact(tmp_path: Path) -> None:
    (tmp_path / "app.jar").touch()
    with pytest.raises(DeployError, match=r"its artifact 'app\.jar' is empty"):
        find_output(str(tmp_path), "app.jar")


def test_what_earlier_builds_left_is_removed(tmp_path: Path) -> None:
    paths = [f"target/{path}" for path in FAST_JAR]
    root = project(tmp_path, [*paths, "target/classes/old.properties", "dist/app.jar", "dist/notes.txt", "src/A.java"])
    (tmp_path / "target/link").symlink_to(tmp_path / "src")
    clear(root, [f"{root}/target", f"{root}/absent"], "dist/*.jar")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "dist/notes.txt",
        "src/A.java",
    ]
    # the directory itself may be a mount
    assert (tmp_path / "target").is_dir()


def test_what_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    root = project(tmp_path, ["target/app.jar"])
    monkeypatch.setattr("os.unlink", refuse)
    with pytest.raises(DeployError, match=r"target/app.jar' of an earlier build cannot be removed: Perm") as caught:
        clear(root, [f"{root}/target"], "target/app.jar")
    assert caught.value.fields["failure"]["code"] == "permission"

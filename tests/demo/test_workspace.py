# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workspace of the demo is made once, completely or not at all."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "workspace.py"


def prepare(example: Path, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the script for an example and a folder of this test."""
    argv = [sys.executable, str(SCRIPT), "--example", str(example), "--folder", str(folder)]
    return subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=300, check=False)


def git(clone: Path, *argv: str) -> str:
    """Return what git says in a clone."""
    return subprocess.run(["git", *argv], cwd=clone, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The smallest example: a pom, what git ignores, and leftovers of a build."""
    folder = tmp_path / "example"
    (folder / "target").mkdir(parents=True)
    (folder / "target" / "leftover.jar").touch()
    (folder / "pom.xml").write_text("<project/>\n")
    (folder / ".gitignore").write_text("mvnw\nmvnw.cmd\n.mvn/wrapper/\ntarget/\n")
    return folder


def test_makes_a_clean_clone_up_to_date_with_its_origin_and_then_nothing(example: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    clone = folder / "aurigraph-v11"
    first = prepare(example, folder)
    assert first.returncode == 0, first.stderr
    assert git(clone, "status", "--porcelain", "--branch") == "## main...origin/main\n"
    assert git(clone, "ls-files").split() == [".gitignore", "pom.xml"]
    assert git(clone, "rev-parse", "main") == git(folder / "origin.git", "rev-parse", "main")
    assert os.access(clone / "mvnw", os.X_OK)
    second = prepare(example, folder)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_an_origin_without_a_clone_is_made_again(example: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    (folder / "origin.git" / "half").mkdir(parents=True)
    done = prepare(example, folder)
    assert done.returncode == 0, done.stderr
    assert not (folder / "origin.git" / "half").exists()


def test_works_inside_a_git_hook(example: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.git"
    done = prepare(example, tmp_path / "demo", GIT_DIR=str(elsewhere), GIT_WORK_TREE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert not elsewhere.exists()


def test_an_example_without_a_pom_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    done = prepare(tmp_path / "nothing", tmp_path / "demo")
    assert done.returncode == 1
    assert "has no pom.xml" in done.stderr
    assert not (tmp_path / "demo").exists()


def test_a_jdk_that_is_too_old_or_has_no_compiler_is_not_taken(tmp_path: Path) -> None:
    jdk_version = runpy.run_path(str(SCRIPT))["jdk_version"]
    for name, version, compiler in (("old", "17.0.9", True), ("jre", "25", False), ("good", "21.0.1", True)):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
        (tmp_path / name / "bin" / "javac").touch(mode=0o755 if compiler else 0o644)
    assert [jdk_version(tmp_path / name) for name in ("old", "jre", "good", "none")] == [17, 0, 21, 0]

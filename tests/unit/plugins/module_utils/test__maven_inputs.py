# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An artifact is never served for a project that it was not made of.

``mvnw`` is a script that packages files: the fingerprint must be right whatever Maven does.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import typing as t
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_build as maven
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

POM = "<project><artifactId>app</artifactId><version>1</version>{}</project>"
# {} is what the test asks for; then everything but the output is packaged
MVNW = """#!/bin/sh
echo '[INFO] Scanning for projects...'
mkdir -p target
touch ../started
while [ -e ../wait ]; do sleep 0.05; done
{}
python3 - <<'END'
import os, zipfile
with zipfile.ZipFile("target/app.jar", "w") as jar:
    for root in (".", "../core"):
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in ("target", ".git")]
            for name in names:
                jar.write(os.path.join(folder, name))
END
"""


def wait_for(true: t.Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Project:
    """A clone with a wrapper of ours."""

    def __init__(self, root: Path) -> None:
        self.place, self.store, self.jdk = root / "app", root / "store", root / "jdk"
        (self.jdk / "bin").mkdir(parents=True)
        (self.jdk / "bin/javac").touch(0o755)
        (self.jdk / "release").write_text('JAVA_VERSION="21.0.1"\n', encoding="utf-8")
        self.write("pom.xml", POM.format(""))
        self.write(".gitignore", "target/\ngen.txt\n")
        self.write("src/main/resources/a.txt", "one")
        self.write("README.md", "read me")
        self.wrapper("")
        subprocess.run(["git", "init", "--quiet", str(self.place)], check=True)

    def write(self, path: str, text: str) -> Path:
        place = self.place / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def wrapper(self, script: str) -> None:
        self.write("mvnw", MVNW.format(script)).chmod(0o755)

    def build(self, **options: t.Any) -> dict[str, t.Any]:
        """Return the result of a build, or that of its error."""
        defaults: dict[str, t.Any] = {
            "project": str(self.place),
            "name": "app",
            "store": str(self.store),
            "main": "target/app.jar",
            "profile": "jvm",
            "goals": ["package"],
            "tests": False,
            "properties": {},
            "java_home": str(self.jdk),
            "timeout": 120.0,
            "keep": 5,
            "keep_days": 0.0,
            "released": [],
            "limits": {},
            "events": "",
            "task_id": "",
            "inputs": [],
            "lock_timeout": 120.0,
            "retries": 0,
            "build_fallback": "none",
        }
        try:
            return maven.build({**defaults, **options}, False)
        except DeployError as exc:
            return {**exc.result(), "failed": True}

    def start(self, pool: ThreadPoolExecutor) -> Future[dict[str, t.Any]]:
        """Start a build and return it while it is in the middle, where it stays until ``go_on``."""
        (self.place.parent / "wait").touch()
        running = pool.submit(self.build)
        wait_for((self.place.parent / "started").exists)
        return running

    def go_on(self) -> None:
        (self.place.parent / "wait").unlink()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def pool() -> t.Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as made:
        yield made


def kept(result: dict[str, t.Any], name: str) -> str:
    with zipfile.ZipFile(Path(result["artifact"]["path"]) / "app.jar") as jar:
        return jar.read(next(item for item in jar.namelist() if item.endswith(name))).decode()


def test_a_project_that_changes_while_it_is_built_is_not_kept(project: Project, pool: ThreadPoolExecutor) -> None:
    running = project.start(pool)
    project.write("src/main/resources/a.txt", "two")
    project.go_on()
    result = running.result()
    assert result["failed"]
    assert (result["failure"]["code"], result["failure"]["retry"]) == ("changed_meanwhile", True)
    assert (result["phase"], result["artifact"]) == ("artifact_verification", None)
    for text in ("one", "two"):
        project.write("src/main/resources/a.txt", text)
        again = project.build()
        assert again["changed"]
        assert kept(again, "a.txt") == text


def _opened(path: Path) -> int:
    """Return how often this process has a file open."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        # the descriptor of the listing itself is gone by now
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{name}") == str(path)
    return count


def test_a_project_that_changes_while_a_build_waits_is_built_as_it_is_then(
    project: Project, pool: ThreadPoolExecutor
) -> None:
    first = project.start(pool)
    second = pool.submit(project.build)
    # it has its first fingerprint when it waits for the lock
    wait_for(lambda: _opened(project.store / "app/lock") == 2)
    project.write("src/main/resources/a.txt", "two")
    project.go_on()
    assert first.result()["failure"]["code"] == "changed_meanwhile"
    assert kept(second.result(), "a.txt") == "two"
    project.write("src/main/resources/a.txt", "one")
    assert kept(project.build(), "a.txt") == "one"


def test_what_the_build_generates_and_git_ignores_is_no_change(project: Project) -> None:
    project.wrapper("date +%s%N > src/main/resources/gen.txt")
    assert not project.build().get("failed")


RESOURCES = "<build><resources><resource><directory>{}</directory>{}</resource></resources></build>"


@pytest.mark.parametrize(
    ("path", "pom"),
    [
        ("docs/help.txt", RESOURCES.format("docs", "")),
        ("docs/a/help.txt", RESOURCES.format("${project.basedir}/docs", "")),
        ("LICENSE", RESOURCES.format("x", "<includes><include>LICENSE</include></includes>")),
        ("LICENSE.txt", RESOURCES.format("x", "<includes><include>LICENSE*</include></includes>")),
        ("notes.md", RESOURCES.format("x", "<includes><include>*.md</include></includes>")),
        ("README.md", RESOURCES.format("${project.basedir}", "")),
    ],
)
def test_a_document_that_the_pom_mentions_is_an_input(project: Project, path: str, pom: str) -> None:
    project.write("pom.xml", POM.format(pom))
    project.write(path, "one")
    project.build()
    project.write(path, "two")
    result = project.build()
    assert result["changed_inputs"] == ["src"]
    assert kept(result, path) == "two"


def test_a_document_that_an_assembly_mentions_is_an_input(project: Project) -> None:
    project.write("src/assembly/dist.xml", "<assembly><file><source>README.md</source></file></assembly>")
    project.build()
    project.write("README.md", "else")
    assert project.build()["changed"]


@pytest.mark.parametrize("pom", ["", "<description>See the manual. ${project.basedir}/src is built.</description>"])
def test_any_other_document_is_none(project: Project, pom: str) -> None:
    project.write("pom.xml", POM.format(pom))
    project.write("docs/help.txt", "one")
    project.build()
    project.write("docs/help.txt", "two")
    project.write("README.md", "else")
    assert not project.build()["changed"]


@pytest.mark.parametrize(
    ("module", "path"),
    [("core", "src/main/resources/gen.txt"), ("../core", "src/A.java"), ("../core", "src/main/resources/gen.txt")],
    ids=["ignored by git", "beside the project", "beside it and ignored"],
)
def test_files_of_modules_are_inputs(project: Project, module: str, path: str) -> None:
    project.write("pom.xml", POM.format(f"<modules><module>{module}</module></modules>"))
    project.write(f"{module}/pom.xml", "<project><artifactId>core</artifactId></project>")
    project.write(f"{module}/{path}", "one")
    project.build()
    assert not project.build()["changed"]
    project.write(f"{module}/{path}", "two")
    result = project.build()
    assert result["changed_inputs"] == ["src"]
    assert kept(result, os.path.basename(path)) == "two"


def test_a_manifest_that_cannot_be_read_is_said(project: Project) -> None:
    stored = Path(project.build()["artifact"]["path"])
    (stored / "manifest.json").write_text("{", encoding="utf-8")
    result = project.build()
    assert result["changed"]
    assert result["reason"] == "the stored artifact is damaged: its manifest cannot be read"


def test_an_empty_property(project: Project) -> None:
    build = project.build(properties={"empty": None, "yes": True})["build"]
    assert build["command"] == "./mvnw -B package -DskipTests -Dempty= -Dyes=true"


@pytest.mark.parametrize("count", [0, 400_000], ids=["short", "longer than what is read"])
def test_an_unknown_failure_is_not_the_wrappers(project: Project, count: int) -> None:
    project.wrapper(f"yes '[INFO] nothing' | head -n {count}; echo '[ERROR] Failed: odd'; exit 1")
    result = project.build()
    assert (result["failure"]["code"], result["decision"]) == ("unknown", "ROLLBACK")
    assert result["failure"]["evidence"][-1] == f"{count + 2}: [ERROR] Failed: odd"


def test_quiet_maven_that_fails_is_not_the_wrapper(project: Project) -> None:
    project.write("mvnw", "#!/bin/sh\necho '[ERROR] Failed: odd'\nexit 1\n").chmod(0o755)
    assert project.build(goals=["-q", "package"])["failure"]["code"] == "unknown"

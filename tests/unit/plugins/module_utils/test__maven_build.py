# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_build as maven
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

# stands for Maven: tells how it was called
WRAPPER = """#!/bin/sh
echo "OPTS=${MAVEN_OPTS-none} HOME=$JAVA_HOME ARGS=$*"
mkdir -p target
echo made > target/app.bin
"""


class Project:
    def __init__(self, root: Path) -> None:
        self.root, self.store = root / "project", root / "store"
        self.write("pom.xml", "<project><version>1</version></project>")
        self.write("mvnw", WRAPPER).chmod(0o755)
        self.jdk = root / "jdk"
        (self.jdk / "bin").mkdir(parents=True)
        (self.jdk / "bin/javac").touch(0o755)
        (self.jdk / "release").write_text('JAVA_VERSION="21.0.1"\n', encoding="utf-8")

    def write(self, path: str, text: str) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def build(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        defaults: dict[str, t.Any] = {
            "project": str(self.root),
            "name": "app",
            "store": str(self.store),
            "main": "target/app.bin",
            "profile": "jvm",
            "goals": ["package"],
            "tests": False,
            "properties": {},
            "java_home": str(self.jdk),
            "timeout": 30.0,
            "keep": 5,
            "protect": [],
        }
        return maven.MavenBuild({**defaults, **options}).run(check)

    def called(self, **options: t.Any) -> str:
        """Return how the stand-in was called."""
        return Path(self.build(**options)["build"]["log"]).read_text("utf-8").strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MAVEN_OPTS", raising=False)
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, "-B package -DskipTests"),
        ({"tests": True}, "-B package"),
        ({"goals": ["clean", "verify", "-U"]}, "-B clean verify -U -DskipTests"),
        ({"properties": {"b": True, "a": 1, "c": "x y"}}, "-B package -DskipTests -Da=1 -Db=true -Dc=x y"),
    ],
)
def test_how_maven_is_called(project: Project, options: dict[str, t.Any], arguments: str) -> None:
    assert (
        project.called(**options) == f"OPTS={maven.SHORT_LIVED} HOME={os.path.realpath(project.jdk)} ARGS={arguments}"
    )


def test_the_options_of_the_jvm_are_the_users(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(".mvn/jvm.config", "-Xmx1g")
    assert project.called().startswith("OPTS=none ")
    monkeypatch.setenv("MAVEN_OPTS", "-Xmx2g")
    assert project.called().startswith("OPTS=-Xmx2g ")


def test_a_commit_is_an_input_when_a_plugin_writes_it(project: Project) -> None:
    assert "commit" not in project.build(check=True)["evidence"]["groups"]
    plugin = "<build><plugins><plugin><artifactId>git-commit-id-maven-plugin</artifactId></plugin></plugins></build>"
    project.write("pom.xml", f"<project><version>1</version>{plugin}</project>")
    assert "commit" in project.build(check=True)["evidence"]["groups"]


def test_an_error_carries_what_every_result_has(project: Project) -> None:
    good = project.build()["artifact"]
    project.write("mvnw", "#!/bin/sh\necho '[INFO] Scanning for projects...'\nkill -9 $$\n")
    with pytest.raises(DeployError, match=r"Maven failed \(killed\)\. The full log is") as caught:
        project.build()
    assert caught.value.msg.endswith(f"({good['fingerprint'][:12]}) stays usable.")
    fields = caught.value.fields
    assert (fields["phase"], fields["decision"], fields["artifact"]) == ("build_execution", "ROLLBACK", good)
    assert fields["failure"]["code"] == "killed"
    assert fields["build"]["command"] == "./mvnw -B package -DskipTests"
    assert sorted(fields["evidence"]) == ["errors", "lines"]


def test_maven_is_asked_again_after_the_lock_was_waited_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = project.build()["artifact"]
    unfinished = maven.MavenBuild._find
    answers = [maven.Found(None, "there is no stored artifact", ())]

    def find(self: maven.MavenBuild, ready: maven.Prepared) -> maven.Found:
        return answers.pop() if answers else unfinished(self, ready)

    monkeypatch.setattr(maven.MavenBuild, "_find", find)
    again = project.build()
    assert (again["changed"], again["artifact"], again["build"]) == (False, first, None)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _fingerprint as fingerprints
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

FILES = {
    "pom.xml": "<project/>",
    "mvnw": "#!/bin/sh",
    ".mvn/jvm.config": "-Xmx1g",
    ".gitignore": "target/\n.mvn/\nmvnw\n.env\nlocal.properties\n",
    "README.md": "read me",
    "docs/a/b.txt": "x",
    "Dockerfile": "FROM x",
    "compose.yaml": "services: {}",
    "src/main/java/A.java": "class A {}",
    "src/main/resources/README.md": "packaged",
    "src/main/resources/local.properties": "a=b",
    "api/openapi.json": "{}",
}


class Project:
    def __init__(self, root: Path, clone: bool) -> None:
        self.root = root / "project"
        self.settings = root / "settings.xml"
        self.options: dict[str, t.Any] = {"jdk": "25", "options": ["package"], "environment": {}, "named": ["TOKEN"]}
        for path, text in FILES.items():
            self.write(path, text)
        if clone:
            subprocess.run(["git", "init", "--quiet", str(self.root)], check=True)

    def write(self, path: str, text: str) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def groups(self) -> dict[str, str]:
        poms = [str(self.root / "pom.xml")]
        return fingerprints.groups(Runner(), str(self.root), poms=poms, settings=[str(self.settings)], **self.options)


@pytest.fixture(params=[True, False], ids=["clone", "directory"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    return Project(tmp_path, request.param)


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(key for key in before if before[key] != after[key])


CHANGES: list[tuple[t.Callable[[Project], t.Any], list[str]]] = [
    (lambda p: p.write("src/main/java/A.java", "class A { }"), ["src"]),
    (lambda p: p.write("src/main/java/B.java", "class B {}"), ["src"]),
    (lambda p: (p.root / "src/main/java/A.java").rename(p.root / "src/main/java/C.java"), ["src"]),
    (lambda p: (p.root / "src/main/java/A.java").chmod(0o755), ["src"]),
    # packaged, though it looks like a document, or though git does not know it
    (lambda p: p.write("src/main/resources/README.md", "else"), ["src"]),
    (lambda p: p.write("src/main/resources/local.properties", "a=c"), ["src"]),
    (lambda p: p.write("api/openapi.json", "[]"), ["src"]),
    (lambda p: p.write(".env", "QUARKUS_X=1"), ["src"]),
    (lambda p: p.write("config/application.properties", "a=b"), ["src"]),
    (lambda p: p.write("pom.xml", "<project></project>"), ["pom"]),
    (lambda p: p.write("module/pom.xml", "<project/>"), ["pom"]),
    (lambda p: p.write(".mvn/jvm.config", "-Xmx2g"), ["mvn"]),
    (lambda p: p.write("mvnw", "#!/bin/bash"), ["mvn"]),
    (lambda p: p.settings.write_text("<settings/>"), ["settings"]),
    (lambda p: p.options.update(jdk="26"), ["jdk"]),
    (lambda p: p.options.update(options=["verify"]), ["options"]),
    (lambda p: p.options.update(options=["pack", "age"]), ["options"]),
    (lambda p: p.options.update(environment={"MAVEN_OPTS": "-Xmx1g"}), ["environment"]),
    (lambda p: p.options.update(environment={"QUARKUS_PROFILE": "x"}), ["environment"]),
    (lambda p: p.options.update(environment={"TOKEN": "x"}), ["environment"]),
    (lambda p: p.options.update(environment={"PATH": "x", "HOME": "y"}), []),
    (lambda p: p.write("README.md", "else"), []),
    (lambda p: p.write("docs/a/b.txt", "else"), []),
    (lambda p: p.write("Dockerfile", "FROM y"), []),
    (lambda p: p.write("compose.yaml", "else"), []),
    (lambda p: p.write(".env.example", "else"), []),
    (lambda p: p.write("target/classes/A.class", "else"), []),
    (lambda p: (p.root / "src/main/java/A.java").touch(), []),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_only_what_decides_the_artifact_is_in_it(
    project: Project, change: t.Callable[[Project], t.Any], expected: list[str]
) -> None:
    before = project.groups()
    change(project)
    after = project.groups()
    assert changed(before, after) == expected
    assert (fingerprints.fingerprint(before) == fingerprints.fingerprint(after)) == (not expected)


def test_the_place_is_not_in_it(tmp_path: Path) -> None:
    one, two = Project(tmp_path / "one", False), Project(tmp_path / "two", False)
    assert one.groups() == two.groups()


def test_neither_is_a_commit(tmp_path: Path) -> None:
    project = Project(tmp_path, True)
    before = project.groups()
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *who, "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=project.root, check=True)
    assert project.groups() == before


def test_a_submodule_is_an_input(tmp_path: Path) -> None:
    project, inner = Project(tmp_path, True), tmp_path / "inner"
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "init", "--quiet", str(inner)], check=True)
    (inner / "B.java").write_text("class B {}")
    for args in (["add", "."], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", *who, *args], cwd=inner, check=True)
    subprocess.run(["git", *who, "submodule", "--quiet", "add", str(inner), "lib"], cwd=project.root, check=True)
    before = project.groups()
    project.write("lib/B.java", "class B { }")
    assert changed(before, project.groups()) == ["src"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="'/nowhere/x' of the project cannot be read: No such file"):
        fingerprints.hash_files("/nowhere", ["x"])

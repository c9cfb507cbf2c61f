# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_project as maven
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

NAMESPACE = 'xmlns="http://maven.apache.org/POM/4.0.0"'


def pom(root: Path, body: str, folder: str = "app", namespace: str = NAMESPACE) -> str:
    place = root / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "pom.xml").write_text(f"<project {namespace}><!-- x -->{body}</project>", encoding="utf-8")
    return str(place)


def dependency(name: str, version: str) -> str:
    return f"<dependency><artifactId>{name}</artifactId><version>{version}</version></dependency>"


def properties(**values: str) -> str:
    return (
        "<properties>"
        + "".join(f"<{k.replace('_', '.')}>{v}</{k.replace('_', '.')}>" for k, v in values.items())
        + "</properties>"
    )


@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
@pytest.mark.parametrize(
    ("body", "version", "java"),
    [
        ("<version> 1.2 </version>", "1.2", 0),
        ("<version>1</version>" + properties(maven_compiler_release="21"), "1", 21),
        ("<version>1</version>" + properties(maven_compiler_target="1.8"), "1", 8),
        ("<version>1</version>" + properties(maven_compiler_release="${jdk}", jdk="17"), "1", 17),
        ("<version>1</version>" + properties(maven_compiler_release="${missing}"), "1", 0),
        ("<version>1</version>" + properties(a="${b}", b="${a}", maven_compiler_release="${a}"), "1", 0),
        ("<version>${revision}</version>" + properties(revision="3.4"), "3.4", 0),
        ("<parent><artifactId>p</artifactId><version>9</version><relativePath/></parent>", "9", 0),
        (
            "<version>1</version><build><plugins><plugin><artifactId>maven-compiler-plugin</artifactId>"
            "<configuration><release>25</release></configuration></plugin></plugins></build>",
            "1",
            25,
        ),
    ],
)
def test_version_and_java(tmp_path: Path, body: str, version: str, java: int, namespace: str) -> None:
    found = maven.read_pom(pom(tmp_path, body, namespace=namespace))
    assert (found.version, found.java) == (version, java)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (dependency("a", "1.0"), ()),
        (dependency("a", "1.0-SNAPSHOT"), ("a 1.0-SNAPSHOT",)),
        (dependency("a", "${v}") + properties(v="2-SNAPSHOT"), ("a 2-SNAPSHOT",)),
        (dependency("a", "[1.0,2.0)"), ("a [1.0,2.0)",)),
        (dependency("a", "LATEST"), ("a LATEST",)),
        ("<plugin><artifactId>p</artifactId><version>RELEASE</version></plugin>", ("p RELEASE",)),
        ("<parent><artifactId>p</artifactId><version>1-SNAPSHOT</version></parent>", ("p 1-SNAPSHOT",)),
        # a profile that somebody may switch on
        (
            dependency("a", "${v}")
            + properties(v="1")
            + "<profiles><profile>"
            + properties(v="2-SNAPSHOT")
            + "</profile></profiles>",
            ("a 2-SNAPSHOT",),
        ),
        (
            "<profiles><profile>" + dependency("a", "2-SNAPSHOT") + "</profile></profiles>",
            ("a 2-SNAPSHOT",),
        ),
        (dependency("a", "${u}.1") + properties(u="${v}", v="1", w="2-SNAPSHOT"), ()),
        (dependency("a", "${a}") + properties(a="${b}", b="${a}"), ()),
        (dependency("a", "1-${q}") + properties(q="SNAPSHOT"), ("a 1-SNAPSHOT",)),
        # its own version says nothing about what it depends on
        ("<artifactId>app</artifactId><version>1-SNAPSHOT</version>" + dependency("app", "${project.version}"), ()),
    ],
)
def test_versions_that_may_change(tmp_path: Path, body: str, expected: tuple[str, ...]) -> None:
    assert maven.read_pom(pom(tmp_path, body)).unpinned == expected


def test_a_property_of_a_module_may_name_a_snapshot(tmp_path: Path) -> None:
    modules = "<artifactId>app</artifactId><version>1</version><modules><module>core</module></modules>"
    project = pom(tmp_path, modules + properties(v="1"))
    pom(tmp_path, "<artifactId>core</artifactId>" + properties(v="2-SNAPSHOT") + dependency("x", "${v}"), "app/core")
    assert maven.read_pom(project).unpinned == ("x 2-SNAPSHOT",)


@pytest.mark.parametrize(
    ("arguments", "config", "expected"),
    [
        (["package", "-Dv=2-SNAPSHOT"], None, ("x 2-SNAPSHOT",)),
        (["--define", "v=2-SNAPSHOT"], None, ("x 2-SNAPSHOT",)),
        ([], "-T4\n-Dv=2-SNAPSHOT\n", ("x 2-SNAPSHOT",)),
        (["-DskipTests"], None, ()),
    ],
)
def test_an_argument_may_name_a_snapshot(
    tmp_path: Path, arguments: list[str], config: str | None, expected: tuple[str, ...]
) -> None:
    project = pom(tmp_path, properties(v="1") + dependency("x", "${v}"))
    if config is not None:
        (tmp_path / "app/.mvn").mkdir()
        (tmp_path / "app/.mvn/maven.config").write_text(config, encoding="utf-8")
    assert maven.read_pom(project, maven.told_arguments(project, arguments, {})).unpinned == expected
    told = maven.told_arguments(project, [], {"MAVEN_ARGS": " ".join(arguments)})
    assert maven.read_pom(project, told).unpinned == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-s", "a.xml"], ["/p/a.xml"]),
        (["package", "-gs", "/b.xml", "--toolchains=t.xml"], ["/b.xml", "/p/t.xml"]),
        (["-T4\n--settings c.xml\n"], ["/p/c.xml"]),
        (["package", "-DskipTests", "-T", "4"], []),
    ],
)
def test_files_that_maven_is_told_to_read(arguments: list[str], expected: list[str]) -> None:
    assert maven.named_files("/p", arguments) == expected


def test_the_directories_that_a_build_writes_to(tmp_path: Path) -> None:
    def directory(text: str) -> str:
        return f"<build><directory>{text}</directory></build>"

    modules = "<modules><module>a</module><module>b</module><module>c</module><module>d</module></modules>"
    project = pom(tmp_path, "<artifactId>app</artifactId>" + modules + properties(out="made"))
    pom(tmp_path, directory("${project.basedir}/out"), "app/a")
    pom(tmp_path, directory("${out}/x"), "app/b")
    # what is elsewhere, or not known, is not ours to empty
    pom(tmp_path, directory("/tmp"), "app/c")
    pom(tmp_path, directory("${unknown}"), "app/d")
    assert maven.read_pom(project).outputs == (f"{project}/target", f"{project}/a/out", f"{project}/b/made/x")


def test_parents_and_modules_on_disk_are_part_of_the_project(tmp_path: Path) -> None:
    parent = "<artifactId>parent</artifactId><version>1-SNAPSHOT</version>" + properties(maven_compiler_release="21")
    pom(tmp_path, parent + "<modules><module>app</module></modules>", ".")
    reference = "<parent><artifactId>parent</artifactId><version>1-SNAPSHOT</version></parent>"
    modules = "<artifactId>app</artifactId><modules><module>core</module><module>gone</module></modules>"
    project = pom(tmp_path, reference + modules)
    pom(
        tmp_path,
        reference.replace("parent>", "x>") + "<artifactId>core</artifactId>" + dependency("x", "2-SNAPSHOT"),
        "app/core",
    )
    found = maven.read_pom(project)
    assert [str(Path(item).relative_to(tmp_path)) for item in found.files] == [
        "app/pom.xml",
        "pom.xml",
        "app/core/pom.xml",
    ]
    assert (found.version, found.java, found.unpinned) == ("1-SNAPSHOT", 21, ("x 2-SNAPSHOT",))


def test_a_pom_that_only_lies_above_is_no_parent(tmp_path: Path) -> None:
    pom(tmp_path, "<artifactId>else</artifactId><version>1</version>", ".")
    project = pom(tmp_path, "<parent><artifactId>base</artifactId><version>7</version></parent>")
    assert [Path(item).parent.name for item in maven.read_pom(project).files] == ["app"]


def test_a_parent_that_maven_fetched_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maven, "LOCAL_REPOSITORY", str(tmp_path / "m2"))

    def reference(name: str) -> str:
        return f"<parent><groupId>org.example</groupId><artifactId>{name}</artifactId><version>7</version></parent>"

    def fetched(name: str, body: str) -> str:
        place = pom(tmp_path, body, f"m2/org/example/{name}/7")
        return str(Path(place, "pom.xml").rename(Path(place, f"{name}-7.pom")))

    base = fetched("base", reference("top") + properties(v="2-SNAPSHOT"))
    top = fetched("top", reference("absent") + dependency("y", "LATEST") + properties(maven_compiler_release="99"))
    found = maven.read_pom(pom(tmp_path, reference("base") + dependency("x", "${v}")))
    assert found.inherited == (base, top)
    assert found.unpinned == ("x 2-SNAPSHOT", "y LATEST")
    # it may not be there for the first build, so it must not change what is built or with which JDK
    assert (len(found.files), found.java) == (1, 0)
    Path(base).write_text("no pom", encoding="utf-8")
    assert maven.read_pom(str(tmp_path / "app")).inherited == ()


def test_extensions_of_maven_itself_may_change(tmp_path: Path) -> None:
    project = pom(tmp_path, "<version>1</version>")
    place = tmp_path / "app/.mvn/extensions.xml"
    place.parent.mkdir()
    for text, expected in (
        (
            '<extensions xmlns="x"><extension><artifactId>e</artifactId><version>2-SNAPSHOT</version></extension></extensions>',
            ("e 2-SNAPSHOT",),
        ),
        ("<extensions/>", ()),
        ("no document", ()),
    ):
        place.write_text(text, encoding="utf-8")
        assert maven.read_pom(project).unpinned == expected


def test_what_else_decides_is_seen(tmp_path: Path) -> None:
    plugin = "<build><plugins><plugin><artifactId>git-commit-id-maven-plugin</artifactId></plugin></plugins></build>"
    found = maven.read_pom(pom(tmp_path, properties(a="${env.B}-${env.A}", b="${env.A}") + plugin))
    assert (found.environment, found.tells_commit) == (("A", "B"), True)
    assert not maven.read_pom(pom(tmp_path, "")).tells_commit


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no pom.xml"),
        ("<project><a></project>", "does not parse: mismatched tag"),
        ("", "does not parse: no element found"),
        ("<html/>", "its root is 'html', not 'project'"),
    ],
)
def test_a_pom_that_cannot_be_used(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "pom.xml").write_text(text, encoding="utf-8")
    with pytest.raises(DeployError, match=told):
        maven.read_pom(str(tmp_path))


def test_a_wrapper_must_be_there_and_run(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="has no Maven wrapper") as caught:
        maven.require_wrapper(str(tmp_path))
    assert "maven-wrapper-plugin" in str(caught.value.hint)
    (tmp_path / "mvnw").write_text("#!/bin/sh", encoding="utf-8")
    with pytest.raises(DeployError, match="is not executable") as caught:
        maven.require_wrapper(str(tmp_path))
    assert f"chmod +x {tmp_path}/mvnw" in str(caught.value.hint)
    (tmp_path / "mvnw").chmod(0o755)
    assert maven.require_wrapper(str(tmp_path)) == str(tmp_path / "mvnw")


def jdk(root: Path, name: str, version: str, compiler: bool = True) -> str:
    home = root / name
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n', encoding="utf-8")
    if compiler:
        (home / "bin/javac").touch(0o755)
    return str(home)


@pytest.mark.parametrize(
    ("option", "environment", "needed", "expected"),
    [
        ("", "", 17, "j25"),
        ("", "", 0, "j25"),
        ("", "j21", 17, "j21"),
        # too old, or none at all: another one is found
        ("", "j8", 17, "j25"),
        ("", "absent", 17, "j25"),
        ("j21", "j25", 17, "j21"),
        ("j8", "", 8, "j8"),
    ],
)
def test_a_jdk_is_found(tmp_path: Path, option: str, environment: str, needed: int, expected: str) -> None:
    for name, version in (("j8", "1.8.0_402"), ("j21", "21.0.2"), ("j25", "25")):
        jdk(tmp_path, name, version)
    jdk(tmp_path, "runtime", "26", compiler=False)
    homes = [str(tmp_path / name) if name else "" for name in (option, environment)]
    found = maven.find_jdk(homes[0], homes[1], needed, [str(tmp_path / "*")])
    assert found.home == str(tmp_path / expected)


@pytest.mark.parametrize(
    ("option", "needed", "told"),
    [
        ("absent", 17, "Option java_home is '.*absent': there is no JDK."),
        ("j17", 21, "that is JDK 17, the project needs 21."),
        ("", 21, r"There is no JDK 21 or newer on the builder \(found: JDK 17\)."),
    ],
)
def test_no_jdk_fits(tmp_path: Path, option: str, needed: int, told: str) -> None:
    jdk(tmp_path, "j17", "17.0.15")
    with pytest.raises(DeployError, match=told) as caught:
        maven.find_jdk(str(tmp_path / option) if option else "", "", needed, [str(tmp_path / "*")])
    assert caught.value.fields["failure"]["code"] == "jdk_mismatch"


def test_there_is_no_jdk_at_all() -> None:
    with pytest.raises(DeployError, match=r"There is no JDK on the builder \(found: none\)."):
        maven.find_jdk("", "", 0, [])

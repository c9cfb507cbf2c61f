# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_native as native
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._maven_profiles import PROFILES
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

FLAG = "--initialize-at-run-time"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"Args = {FLAG}=java.util.concurrent.ForkJoinPool", True),
        (f"<arg>{FLAG}=java.util.concurrent.ForkJoinPool</arg>", True),
        (f"quarkus.native.additional-build-args={FLAG}=org.example.A\\,java.util.concurrent,-O3", True),
        (f"args: {FLAG}=org.example.A,java.util.concurrent.ForkJoinPool", True),
        (f"args={FLAG}=java.util", True),
        (f"args={FLAG}", True),
        (f"args={FLAG},-Ob", True),
        (f"args={FLAG}=org.example.ForkJoinPool", False),
        (f"args={FLAG}=org.example.java.Thing", False),
        (f"args={FLAG}=java.util.concurrent.ForkJoinPoolish", False),
        (f"args={FLAG}=io.netty.util.NetUtil", False),
        ("args=--initialize-at-build-time=java.util.concurrent.ForkJoinPool", False),
    ],
)
def test_the_flag_that_breaks_native_builds_is_seen(line: str, found: bool) -> None:
    assert native.flag_lines(["x", line]) == ([2] if found else [])


def test_a_project_with_the_flag_is_refused(tmp_path: Path) -> None:
    flag = f"{FLAG}=java.util.concurrent"
    (tmp_path / "src").mkdir()
    (tmp_path / "src/application.properties").write_text(f"a=b\nx={flag}\n", encoding="utf-8")
    (tmp_path / "pom.xml").write_text(f"<project>\n\n<arg>{flag}.ForkJoinPool</arg></project>", encoding="utf-8")
    (tmp_path / "notes.txt").write_text(flag, encoding="utf-8")
    library = tmp_path / "target/app-native-image-source-jar/lib/x.jar"
    library.parent.mkdir(parents=True)
    with zipfile.ZipFile(library, "w") as jar:
        jar.writestr("META-INF/native-image/org.x/native-image.properties", f"Args = {flag}")
    (library.parent / "broken.jar").write_bytes(b"no jar")
    files = ["src/application.properties", "pom.xml", "notes.txt", "absent.xml"]
    found = native.find_flag(str(tmp_path), files, {"x": f"{flag}.ForkJoinPool"}, ["package", f"-Dy={flag}"])
    assert found == [
        "-Dx",
        f"goals: -Dy={flag}",
        "pom.xml:3",
        "src/application.properties:2",
        "x.jar: META-INF/native-image/org.x/native-image.properties",
    ]
    with pytest.raises(DeployError, match=r"-Dx, .*, src/application\.properties:2, .* has ForkJoinPool") as caught:
        native.refuse_flag(found)
    failure = caught.value.fields["failure"]
    assert (failure["code"], failure["evidence"]) == ("native_forkjoinpool", found)
    assert "it is the cause" in failure["remedies"][1]
    native.refuse_flag([])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("var pool = ForkJoinPool.commonPool();", True),
        ("items.parallelStream().map(this::one)", True),
        ("items.stream().parallel().map(this::one)", True),
        ("CompletableFuture.supplyAsync(() -> load(1, 2))", True),
        ("CompletableFuture.runAsync(() -> { a(1, 2); b(); })", True),
        ("CompletableFuture.supplyAsync(() -> load(1), executor)", False),
        ('future.thenApplyAsync(x -> say(")", x))', True),
        ("future.thenApplyAsync(x -> x, executor)", False),
        ("future.thenCombineAsync(other, (a, b) -> a)", True),
        ("future.thenCombineAsync(other, (a, b) -> a, executor)", False),
        ("future.thenApply(x -> x)", False),
        ("new ForkJoinPool(4).submit(work)", False),
        ("// ForkJoinPool.commonPool()", False),
        ("/* items.parallelStream() */", False),
        ('log("ForkJoinPool.commonPool()")', False),
        ('var url = "http://x"; ForkJoinPool.commonPool();', True),
    ],
)
def test_uses_of_the_common_pool_are_found(line: str, found: bool) -> None:
    assert native.pool_lines(f"class A {{\n/* a\n b */\n{line}\n}}\n") == ([4] if found else [])


def test_sources_that_use_the_common_pool_are_listed(tmp_path: Path) -> None:
    (tmp_path / "A.java").write_text("\nitems.parallelStream();\nitems.parallelStream();\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("items.parallelStream();", encoding="utf-8")
    assert native.pool_users(str(tmp_path), ["b.txt", "A.java", "Absent.java"]) == ["A.java:2", "A.java:3"]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str, str], None]:
    """Return what puts a program into the only directory of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("GRAALVM_HOME", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)

    def put(name: str, text: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    return put


IMAGES = (
    "echo registry.example.org/quarkus/ubi9-quarkus-mandrel-builder-image:jdk-21 sha256:0a1b; echo redis:8 sha256:2"
)


def test_a_local_compiler_is_taken_first(tools: t.Callable[[str, str], None]) -> None:
    tools("native-image", "echo native-image 21.0.2")
    tools("docker", IMAGES)
    assert native.find_builder(Runner(), "native", {}) == native.NativeBuilder("native-image 21.0.2", ())


@pytest.mark.parametrize(
    ("profile", "properties", "arguments"),
    [
        ("native", {}, ("-Dquarkus.native.container-build=true",)),
        ("native", {"quarkus.native.container-build": True}, ()),
        ("native-fast", {}, ()),
    ],
)
def test_a_builder_image_is_taken(
    tools: t.Callable[[str, str], None], profile: str, properties: dict[str, t.Any], arguments: tuple[str, ...]
) -> None:
    tools("docker", IMAGES)
    found = native.find_builder(Runner(), profile, properties, PROFILES[profile].arguments)
    assert found.arguments == arguments
    assert "mandrel-builder-image:jdk-21 sha256:0a1b" in found.identity
    assert "redis" not in found.identity


@pytest.mark.parametrize("docker", ["", "echo redis:8 sha256:2", "exit 1"])
@pytest.mark.parametrize("profile", ["native", "native-fast"])
def test_nothing_compiles_to_native_code(tools: t.Callable[[str, str], None], docker: str, profile: str) -> None:
    if docker:
        tools("docker", docker)
    with pytest.raises(DeployError, match=f"Profile '{profile}' needs native-image") as caught:
        native.find_builder(Runner(), profile, {})
    assert caught.value.fields["failure"]["code"] == "native_missing"
    assert "profile jvm" in str(caught.value.hint)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_native as native
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
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
    (tmp_path / "src").mkdir()
    (tmp_path / "src/application.properties").write_text(f"a=b\nx={FLAG}=java.util.concurrent\n", encoding="utf-8")
    with pytest.raises(DeployError, match=r"-Dx, src/application\.properties:2 has ForkJoinPool") as caught:
        native.refuse_forkjoinpool_flag(Runner(), str(tmp_path), {"x": f"{FLAG}=java.util.concurrent.ForkJoinPool"})
    failure = caught.value.fields["failure"]
    assert failure["code"] == "native_forkjoinpool"
    assert "it is the cause" in failure["remedy"]


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
    ("properties", "arguments"),
    [({}, ("-Dquarkus.native.container-build=true",)), ({"quarkus.native.container-build": True}, ())],
)
def test_a_builder_image_is_taken(
    tools: t.Callable[[str, str], None], properties: dict[str, t.Any], arguments: tuple[str, ...]
) -> None:
    tools("docker", IMAGES)
    found = native.find_builder(Runner(), "native-fast", properties)
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

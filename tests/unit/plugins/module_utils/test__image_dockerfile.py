# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import platform

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import (
    Instruction,
    SecretMount,
    Unterminated,
    bases,
    lineage,
    parse,
    reached,
    secret_mounts,
    stages,
    unknown_args,
)

SWITCHED = """
ARG ARTIFACT=context
ARG BUILD_IMAGE=jdk:25
FROM scratch AS context
COPY 10-libraries/ /10-libraries/
FROM ${BUILD_IMAGE} AS source
RUN ./mvnw package
FROM ${ARTIFACT} AS artifact
FROM jre:25
COPY --from=artifact /10-libraries/ /
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# only\n\n  # comments\n", []),
        ("from a\nUSER 1", [(1, "FROM", "a"), (2, "USER", "1")]),
        (
            "FROM a\nRUN x \\\n  # between\n\n  && y\nUSER 1",
            [(1, "FROM", "a"), (2, "RUN", "x  && y"), (6, "USER", "1")],
        ),
        ("# escape=`\nFROM a\nRUN x `\n y", [(2, "FROM", "a"), (3, "RUN", "x  y")]),
        ("RUN cat <<EOF >/f\nFROM inner\nEOF\nFROM b", [(1, "RUN", "cat <<EOF >/f"), (4, "FROM", "b")]),
        ("COPY <<'A' <<-B /d/\nUSER x\nA\nUSER y\n\tB\nFROM b", [(1, "COPY", "<<'A' <<-B /d/"), (6, "FROM", "b")]),
        ("RUN cat <<< EOF\nFROM b", [(1, "RUN", "cat <<< EOF"), (2, "FROM", "b")]),
        ("FROM\ta\nUSER", [(1, "FROM", "a"), (2, "USER", "")]),
        ("\ufeffFROM a", [(1, "FROM", "a")]),
        ("LABEL a=b \\\\\nUSER 1", [(1, "LABEL", "a=b \\\\"), (2, "USER", "1")]),
        ("FROM a\nRUN x \\", [(1, "FROM", "a"), (2, "RUN", "x")]),
    ],
)
def test_parse(text: str, expected: list[tuple[int, str, str]]) -> None:
    assert parse(text) == [Instruction(*item) for item in expected]


def test_a_heredoc_without_an_end() -> None:
    with pytest.raises(Unterminated) as caught:
        parse("FROM a\nRUN cat <<EOF\nFROM b")
    assert (caught.value.line, caught.value.word) == (2, "EOF")


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("", {}, []),
        ("FROM scratch", {}, []),
        ("FROM --platform=linux/amd64 jre:25", {}, ["jre:25"]),
        ("ARG BASE=jre:25\nFROM $BASE", {}, ["jre:25"]),
        ("ARG BASE=jre:25\nFROM ${BASE}", {"BASE": "jre:26"}, ["jre:26"]),
        ("ARG TAG\nFROM jre:${TAG:-25}", {}, ["jre:25"]),
        ("ARG TAG=1\nFROM jre${TAG:+:26}", {}, ["jre:26"]),
        ('ARG V="25" BASE=jre:$V\nFROM $BASE', {}, ["jre:25"]),
        ("ARG BASE\nFROM $BASE", {}, []),
        ("FROM jre AS a\nARG X=y\nFROM A\nCOPY --from=a / /", {}, ["jre"]),
        (
            "FROM jre\nCOPY --from=tools:1 /a /b\nRUN --mount=type=bind,from=more:2,target=/m x",
            {},
            ["jre", "tools:1", "more:2"],
        ),
        ("FROM jre\nFROM scratch\nCOPY --from=0 / /", {}, ["jre"]),
        ("FROM jdk AS build\nFROM jre", {}, ["jre"]),
        ('FROM "jre:25"', {}, ["jre:25"]),
        (SWITCHED, {}, ["jre:25"]),
        (SWITCHED, {"ARTIFACT": "source"}, ["jdk:25", "jre:25"]),
    ],
)
def test_bases(text: str, args: dict[str, str], expected: list[str]) -> None:
    assert [base.name for base in bases(stages(parse(text), args))] == expected


def test_a_base_knows_its_line() -> None:
    assert [(base.name, base.line) for base in bases(stages(parse("# x\n\nFROM jre:25"), {}))] == [("jre:25", 3)]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], []),
        (["ARTIFACT", "BUILD_IMAGE"], []),
        (["HTTP_PROXY", "no_proxy"], []),
        (["ARTEFACT", "BASE"], ["ARTEFACT", "BASE"]),
    ],
)
def test_unknown_args(args: list[str], expected: list[str]) -> None:
    assert unknown_args(parse(SWITCHED), args) == expected


def test_a_base_for_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert [base.name for base in bases(stages(parse("FROM jre:25-$TARGETARCH"), {}))] == ["jre:25-arm64"]


def test_stages_that_are_built_and_stages_that_are_in_the_image() -> None:
    text = "FROM a AS base\nFROM b AS tool\nFROM c AS unused\nFROM base AS next\nFROM next\nCOPY --from=tool / /\n"
    found = stages(parse(text), {})
    assert reached(found) == [0, 1, 3, 4]
    assert lineage(found) == [0, 3, 4]
    assert (reached([]), lineage([])) == ([], [])


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("RUN x", []),
        ("RUN --mount=type=cache,target=/root/.m2 x", []),
        ("RUN --mount=type=secret,id=npm x", [("npm", False)]),
        ("RUN --mount=type=secret,id=npm,required x", [("npm", False)]),
        ("RUN --mount=type=secret,id=npm,required=false x", [("npm", True)]),
        ("RUN --mount=type=secret,target=/run/secrets/token x", [("token", False)]),
        ("RUN --mount=type=secret,id=a --mount=type=secret,id=b x", [("a", False), ("b", False)]),
        ("COPY --mount=type=secret,id=a b c", []),
    ],
)
def test_secret_mounts(run: str, expected: list[tuple[str, bool]]) -> None:
    found = stages(parse(f"FROM a\n{run}\n"), {})
    assert secret_mounts(found, [0]) == [SecretMount(name, 2, optional) for name, optional in expected]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import (
    Instruction,
    bases,
    parse,
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
        ("RUN cat <<EOF\nFROM b", [(1, "RUN", "cat <<EOF"), (2, "FROM", "b")]),
        ("FROM a\nRUN x \\", [(1, "FROM", "a"), (2, "RUN", "x")]),
    ],
)
def test_parse(text: str, expected: list[tuple[int, str, str]]) -> None:
    assert parse(text) == [Instruction(*item) for item in expected]


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
        (SWITCHED, {}, ["jre:25"]),
        (SWITCHED, {"ARTIFACT": "source"}, ["jdk:25", "jre:25"]),
    ],
)
def test_bases(text: str, args: dict[str, str], expected: list[str]) -> None:
    assert [base.name for base in bases(parse(text), args)] == expected


def test_a_base_knows_its_line() -> None:
    assert [(base.name, base.line) for base in bases(parse("# x\n\nFROM jre:25"), {})] == [("jre:25", 3)]


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

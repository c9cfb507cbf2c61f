# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_policy as policies
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_policy_data as data
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_bases import base_findings, split_name
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_finding import Finding
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import Base, parse, stages

TODAY = datetime.date(2026, 11, 28)
LAYERS = ("10-libraries", "20-framework", "30-application")
COPIES = "".join(f"COPY {layer}/ /\n" for layer in LAYERS)
GOOD = f"FROM jre:25@sha256:0\n{COPIES}USER 1\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jre", ("jre", "", "")),
        ("jre:25", ("jre", "25", "")),
        ("library/jre:25", ("jre", "25", "")),
        ("docker.io/library/jre:25@sha256:0", ("jre", "25", "sha256:0")),
        ("docker.io/shop/jre", ("shop/jre", "", "")),
        ("registry.example.com:5000/shop/jre", ("registry.example.com:5000/shop/jre", "", "")),
        ("localhost:5000/jre:25", ("localhost:5000/jre", "25", "")),
    ],
)
def test_split_name(name: str, expected: tuple[str, str, str]) -> None:
    assert tuple(split_name(name)) == expected


def found_of(name: str, today: datetime.date = TODAY, **lists: t.Sequence[str]) -> list[tuple[str, str]]:
    found = base_findings(Base(name, 7), lists.get("allow", ()), lists.get("deny", ()), today)
    return [(item.rule, item.severity) for item in found if item.rule != "base_not_pinned" and item.line == 7]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eclipse-temurin:25-jre", []),
        ("debian:trixie-slim", []),
        ("ubuntu:24.04", []),
        ("openjdk:21", [("base_deprecated", "error")]),
        ("docker.io/library/openjdk:21-jdk", [("base_deprecated", "error")]),
        ("adoptopenjdk/openjdk11:alpine", [("base_deprecated", "error")]),
        ("openjdk:11-jre-slim-bullseye", [("base_deprecated", "error"), ("base_end_of_life", "error")]),
        ("registry.example.com/openjdk:21", []),
        ("ubuntu:latest", [("base_latest", "error")]),
        ("ubuntu", [("base_latest", "error")]),
        ("localhost:5000/jre", [("base_latest", "error")]),
        ("ubuntu:latest@sha256:0", []),
        ("debian:bullseye", [("base_end_of_life", "error")]),
        ("debian:11.9-slim", [("base_end_of_life", "error")]),
        ("debian:bookworm", [("base_end_of_life", "warning")]),
        ("debian:111", []),
        ("registry.example.com/shop/base:1-buster", [("base_end_of_life", "error")]),
        ("eclipse-temurin:17-jre-focal", [("base_end_of_life", "error")]),
        ("eclipse-temurin:24-jre", [("base_end_of_life", "error")]),
        ("eclipse-temurin:24.0.1_9-jre", [("base_end_of_life", "error")]),
        ("eclipse-temurin:21-jre-alpine-3.20", [("base_end_of_life", "error")]),
        ("maven:3.9-eclipse-temurin-21-alpine", []),
        ("alpine:3.21.4", [("base_end_of_life", "error")]),
        ("quay.example.com/centos:stream8", [("base_end_of_life", "error")]),
    ],
)
def test_base_images(name: str, expected: list[tuple[str, str]]) -> None:
    assert found_of(name) == expected


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2026-06-10", []),
        ("2026-06-11", [("base_end_of_life", "warning")]),
        ("2028-06-30", [("base_end_of_life", "warning")]),
        ("2028-07-01", [("base_end_of_life", "error")]),
    ],
)
def test_the_end_of_life_of_debian_12(today: str, expected: list[tuple[str, str]]) -> None:
    assert found_of("debian:12", datetime.date.fromisoformat(today)) == expected


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2029-03-02", []),
        ("2029-03-03", [("base_end_of_life", "warning")]),
        ("2029-06-01", [("base_end_of_life", "error")]),
    ],
)
def test_the_end_of_life_is_told_before(today: str, expected: list[tuple[str, str]]) -> None:
    assert found_of("ubuntu:24.04", datetime.date.fromisoformat(today)) == expected


@pytest.mark.parametrize(
    ("allow", "deny", "expected"),
    [
        (["jre"], [], []),
        (["jre:25"], [], []),
        (["jre:2*", "other"], [], []),
        (["docker.io/library/jre"], [], []),
        (["jre:26"], [], ["base_not_allowed"]),
        (["registry.example.com/*"], [], ["base_not_allowed"]),
        ([], ["jre:26"], []),
        ([], ["j*:25"], ["base_denied"]),
        (["jre"], ["jre"], ["base_denied"]),
    ],
)
def test_lists_of_base_images(allow: list[str], deny: list[str], expected: list[str]) -> None:
    assert [rule for rule, _severity in found_of("jre:25", allow=allow, deny=deny)] == expected


def test_every_date_has_its_source() -> None:
    assert all(item.source.startswith("https://") and item.instead for item in data.END_OF_LIFE)
    assert all(item.source.startswith("https://") and item.instead for item in data.DEPRECATED)
    assert all(item.extended is None or item.extended > item.ends for item in data.END_OF_LIFE)


def rules_of(text: str, filled: t.Sequence[str] = LAYERS, users: t.Any = None) -> list[tuple[str, str, int]]:
    known = {"jre:25@sha256:0": ""} if users is None else users
    found = policies.inspect(policies.Policy(), stages(parse(text), {}), LAYERS, filled, known, TODAY)
    return [(item.rule, item.severity, item.line) for item in found]


def body(*lines: str, end: str = f"{COPIES}USER 1\n") -> str:
    return "FROM jre:25@sha256:0\n" + "".join(f"{line}\n" for line in lines) + end


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, []),
        # users
        (body(end=COPIES), [("user_root", "warning", 1)]),
        (body(end=f"{COPIES}USER root\n"), [("user_root", "warning", 5)]),
        (body(end=f"{COPIES}USER 0:0\n"), [("user_root", "warning", 5)]),
        (body("USER root", "RUN x"), []),
        (f"FROM jre:25@sha256:0 AS base\nUSER 1\nFROM base\n{COPIES}", []),
        (f"FROM jre:25@sha256:0 AS base\nUSER 1\nFROM scratch\n{COPIES}", [("user_root", "warning", 3)]),
        # ADD
        (body("ADD https://example.com/a.tar.gz /a/"), [("add_url", "warning", 2)]),
        (body("ADD --checksum=sha256:0 https://example.com/a.tar.gz /a/"), []),
        (body("ADD git@example.com:a/b.git /a/"), [("add_url", "warning", 2)]),
        # secrets
        (body("ARG DB_PASSWORD"), [("secret_arg", "error", 2)]),
        (body("ARG NPM_TOKEN=x"), [("secret_arg", "error", 2)]),
        (body("ENV DB_PASSWORD=x"), [("secret_env", "error", 2)]),
        (body("ENV DB_PASSWORD x y"), [("secret_env", "error", 2)]),
        (body("ENV A=b api-key='x y'"), [("secret_env", "error", 2)]),
        (body("ENV DB_PASSWORD=", "ENV DB_PASSWORD_FILE=/run/secrets/x TOKEN_URL=u"), []),
        (body("ENV SECRETARY=x KEYBOARD=y PASSWORDLESS=z"), []),
        (body("COPY --from=jdk:25@sha256:0 /root/.ssh /x"), []),
        (body("RUN curl https://me:" + "hunter2@example.com/"), [("secret_text", "error", 2)]),
        (body("RUN curl https://me:$PASS@example.com/"), []),
        ("ARG PASSWORD\n" + GOOD, []),
        # what is not built is not looked at
        ("FROM openjdk AS unused\nARG PASSWORD\n" + GOOD, []),
        # layers
        (body(end=f"{COPIES}RUN apt-get -y install curl\nUSER 1\n"), [("layer_order", "warning", 5)]),
        (body("RUN apt-get update && apt-get install curl"), []),
        (
            body(end="COPY 30-application/ /\nCOPY 20-framework/ /\nCOPY ./10-libraries /\nUSER 1\n"),
            [("layer_order", "warning", 3), ("layer_order", "warning", 4)],
        ),
        (
            body(end="COPY 10-libraries/ 20-framework/ 30-application/ /\nUSER 1\n"),
            [("layers_merged", "warning", 2)],
        ),
        (
            f"FROM scratch AS artifact\n{COPIES}FROM jre:25@sha256:0\n"
            "COPY --from=artifact /30-application/ /\nCOPY --from=artifact /10-libraries/ /\nUSER 1\n",
            [("layer_order", "warning", 7)],
        ),
        # the context
        (body("COPY target/x /"), [("copy_missing", "error", 2)]),
        (body("COPY Dockerfile /"), []),
        (body("COPY $X /"), []),
        (body("COPY .env /"), [("secret_copy", "error", 2), ("copy_missing", "error", 2)]),
        (body(end="COPY 10-libraries/ /\nUSER 1\n"), [("artifact_incomplete", "error", 3)] * 2),
        (body(end="COPY . /\nUSER 1\n"), []),
        (body(end="COPY *-*/ /\nUSER 1\n"), []),
        (body("RUN --mount=type=bind,target=/x cp -r /x/* /", end="USER 1\n"), []),
    ],
)
def test_rules(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert rules_of(text) == expected


def test_directories_without_files_need_no_copy() -> None:
    assert rules_of(body(end="COPY 30-application/ /\nUSER 1\n"), filled=["30-application"]) == []
    assert rules_of(body(end="USER 1\n"), filled=[]) == []


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ({"jre:25@sha256:0": "10001:10001"}, []),
        ({"jre:25@sha256:0": "root"}, [("user_root", "warning", 1)]),
        ({"jre:25@sha256:0": ""}, [("user_root", "warning", 1)]),
        # the engine does not have it
        ({}, [("user_root", "warning", 1)]),
    ],
)
def test_the_user_of_the_base_image(users: dict[str, str], expected: list[tuple[str, str, int]]) -> None:
    assert rules_of(body(end=COPIES), users=users) == expected


def test_a_base_without_a_digest_is_told() -> None:
    assert rules_of(f"FROM jre:25\n{COPIES}USER 1\n") == [("base_not_pinned", "info", 1)]


def test_no_finding_shows_a_secret() -> None:
    word = "hunter" + "2secret"
    text = body(f"ENV DB_PASSWORD={word}", f"RUN curl https://me:{word}@example.com/", f"ADD https://me:{word}@h/a /b")
    found = policies.inspect(policies.Policy(), stages(parse(text), {}), LAYERS, LAYERS, {}, TODAY)
    assert {"secret_env", "secret_text", "add_url"} <= {item.rule for item in found}
    assert not [item for item in found if word in policies.shown(item, "Dockerfile")]


ERROR = Finding("base_latest", "error", 1, "'jre' has no tag", "Name a version.")
WARNING = Finding("user_root", "warning", 2, "runs as root", "Set USER.")
INFO = Finding("base_not_pinned", "info", 3, "may be another", "Pin it.")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, ["base_latest"]),
        ({"refuse": "warning"}, ["base_latest", "user_root"]),
        ({"refuse": "info"}, ["base_latest", "user_root", "base_not_pinned"]),
        ({"refuse": "never"}, []),
        ({"severities": {"base_latest": "warning", "base_not_pinned": "error"}}, ["base_not_pinned"]),
        ({"exceptions": [{"rule": "base_latest", "reason": "ours"}]}, []),
    ],
)
def test_what_is_refused(policy: dict[str, t.Any], expected: list[str]) -> None:
    made = policies.make_policy(policy)
    found = policies.apply_policy(made, [ERROR, WARNING, INFO])
    assert [item.rule for item in policies.refused(made, found)] == expected


def test_a_refusal_says_all_at_once() -> None:
    policy = policies.make_policy({"refuse": "warning"})
    with pytest.raises(DeployError) as caught:
        policies.enforce(policy, [ERROR, WARNING, INFO], "/srv/Dockerfile")
    assert "refuses 2 findings" in caught.value.msg
    assert "/srv/Dockerfile:1: base_latest: 'jre' has no tag. Name a version." in caught.value.msg
    assert "/srv/Dockerfile:2: user_root" in caught.value.msg
    assert caught.value.fields["evidence"]["code"] == "policy"
    assert [item["rule"] for item in caught.value.fields["evidence"]["findings"]] == [
        "base_latest",
        "user_root",
        "base_not_pinned",
    ]
    assert "exceptions" in str(caught.value.hint)


def test_an_exception_is_shown_with_its_reason() -> None:
    policy = policies.make_policy({"exceptions": [{"rule": "DL3008", "reason": "a mirror of ours"}]})
    (found,) = policies.apply_policy(policy, [Finding("DL3008", "error", 4, "Pin", "See.")])
    policies.enforce(policy, [found], "Dockerfile")
    assert policies.as_dict(found, "Dockerfile") == {
        "rule": "DL3008",
        "severity": "error",
        "file": "Dockerfile",
        "line": 4,
        "message": "Pin",
        "remedy": "See.",
        "excepted": "a mirror of ours",
    }


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"exceptions": [{"rule": "base_lates", "reason": "x"}]}, "rules that there are not: 'base_lates'"),
        ({"exceptions": [{"rule": "base_latest", "reason": " "}]}, "base_latest in the option policy has no reason"),
        ({"severities": {"base_latest": "fatal"}}, "severities has 'fatal'"),
        ({"severities": {"": "error"}}, "rules that there are not: ''"),
    ],
)
def test_a_policy_that_cannot_be(policy: dict[str, t.Any], message: str) -> None:
    with pytest.raises(DeployError, match=message) as caught:
        policies.make_policy(policy)
    assert caught.value.hint


def test_what_is_not_given_has_its_default() -> None:
    assert policies.make_policy({"allow": None, "hadolint": None, "refuse": None}) == policies.Policy()

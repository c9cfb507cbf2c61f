# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_report as report

EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
LAYERS = ("10-libraries", "30-application")


def entry(command: str, size: int = 0) -> dict[str, t.Any]:
    return {"CreatedBy": command, "Size": size}


@pytest.mark.parametrize(
    ("diff_ids", "history", "expected"),
    [
        ([], [], []),
        # imported, then built with BuildKit; WORKDIR leaves an empty layer
        (
            ["b", "c", EMPTY],
            [
                entry('CMD ["x"]'),
                entry("WORKDIR /app"),
                entry("COPY 10/ / # buildkit", 5),
                entry("ENV A=b"),
                entry("", 9),
            ],
            [("b", 9, ""), ("c", 5, "COPY 10/ /"), (EMPTY, 0, "WORKDIR /app")],
        ),
        # an empty directory was copied
        (
            [EMPTY, "b"],
            [entry("COPY b/ / # buildkit", 5), entry("COPY a/ / # buildkit")],
            [(EMPTY, 0, "COPY a/ /"), ("b", 5, "COPY b/ /")],
        ),
        # the classic builder, whose WORKDIR leaves none
        (
            ["a", "b"],
            [
                entry("/bin/sh -c #(nop) WORKDIR /app"),
                entry("/bin/sh -c #(nop)  CMD [x]"),
                entry("/bin/sh -c make", 3),
                entry("/bin/sh -c #(nop) ADD file:1 in / ", 7),
            ],
            [("a", 7, "ADD file:1 in /"), ("b", 3, "/bin/sh -c make")],
        ),
        # a layer of empty files has no size, but is one
        (["a", "b"], [entry("COPY e /"), entry("", 9)], [("a", 9, ""), ("b", 0, "COPY e /")]),
        # squashed: the history knows less
        (["a", "b", "c"], [entry("RUN x", 1)], [("a", None, None), ("b", None, None), ("c", 1, "RUN x")]),
    ],
)
def test_layers(
    diff_ids: list[str], history: list[dict[str, t.Any]], expected: list[tuple[str, int | None, str | None]]
) -> None:
    found = report.layers(diff_ids, history)
    assert [(item["id"], item["size"], item["command"]) for item in found] == expected


@pytest.mark.parametrize(
    ("digests", "expected"),
    [([], None), (None, None), (["other@sha256:1"], None), (["other@sha256:1", "shop@sha256:2"], "sha256:2")],
)
def test_the_digest_is_that_of_the_repository(digests: list[str] | None, expected: str | None) -> None:
    told = report.describe("shop", {"Id": "sha256:0", "RepoDigests": digests}, [], ["shop:1"])
    assert told["digest"] == expected
    assert told["labels"] == {}


def failed(where: str, error: str) -> str:
    return f"#1 DONE 0.0s\n{where}ERROR: {error}\n"


def at(line: int, text: str) -> str:
    return f"Dockerfile:{line}\n--------------------\n   {line} | >>> {text}\n--------------------\n"


RESOLVE = "failed to resolve source metadata for registry.example.com/library/jre:25: "
CHECKSUM = "failed to solve: failed to compute cache key: failed to calculate checksum of ref 3ad5::whnw: "


@pytest.mark.parametrize(
    ("stderr", "code", "message"),
    [
        (
            "docker: 'buildx' is not a docker command.\nSee 'docker --help'\n",
            "buildx_missing",
            "this docker command has no buildx",
        ),
        ("unknown flag: --builder\nSee 'docker --help'.\n", "buildx_missing", "this docker command has no buildx"),
        (
            "ERROR: Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?\n",
            "engine_down",
            "the Docker engine does not answer",
        ),
        (
            failed(
                "", "permission denied while trying to connect to the Docker daemon socket at unix:///run/x.sock: Get x"
            ),
            "engine_forbidden",
            "this user may not use the Docker engine",
        ),
        (
            failed(
                at(2, "COPY a /"), "failed to solve: failed to copy files: write /var/lib/x: no space left on device"
            ),
            "disk_full",
            "a disk is full, most likely that of the engine",
        ),
        (
            failed(
                at(2, "COPI . /"),
                "failed to solve: dockerfile parse error on line 2: unknown instruction: COPI",
            ),
            "dockerfile_syntax",
            "/srv/Dockerfile:2 does not parse: unknown instruction: COPI",
        ),
        (
            failed(at(1, ""), "failed to solve: file with no instructions"),
            "dockerfile_syntax",
            "/srv/Dockerfile:1 cannot be built: file with no instructions",
        ),
        (
            failed(at(2, "FROM $A"), "failed to solve: base name ($A) should not be blank"),
            "dockerfile_syntax",
            "/srv/Dockerfile:2 cannot be built: base name ($A) should not be blank",
        ),
        (
            failed("", "failed to solve: invalid stage index 5"),
            "dockerfile_syntax",
            "/srv/Dockerfile cannot be built: invalid stage index 5",
        ),
        (
            failed(at(2, "RUN --mount=type=secret,id=npm,required=true x"), "failed to solve: secret npm: not found"),
            "secret_missing",
            "/srv/Dockerfile:2 needs the build secret 'npm', which was not given",
        ),
        (
            failed(
                at(1, "FROM jre:25"),
                f"failed to solve: jre:25: {RESOLVE}failed to do request: Head: dial tcp: lookup x: no such host",
            ),
            "base_unreachable",
            "the image 'jre:25' (/srv/Dockerfile:1) is not on this engine, and its registry cannot be reached",
        ),
        (
            failed(
                at(1, "# syntax=docker/dockerfile:1"),
                "failed to solve: failed to resolve source metadata for registry.example.com/df:1: failed to do",
            ),
            "base_unreachable",
            "the image 'registry.example.com/df:1' (/srv/Dockerfile:1) is not on this engine",
        ),
        (
            failed(
                at(1, "FROM jre:25"),
                f"failed to solve: jre:25: {RESOLVE}pull access denied, repository does not exist or may require "
                "authorization: server message: insufficient_scope: authorization failed",
            ),
            "base_denied",
            "the image 'jre:25' (/srv/Dockerfile:1) is not on this engine, and its registry has none or does not let",
        ),
        (
            failed(at(1, "FROM jre:25"), "failed to solve: jre:25: pull access denied, repository does not exist"),
            "base_denied",
            "the image 'jre:25' (/srv/Dockerfile:1) is not on this engine",
        ),
        (
            failed(
                at(1, "FROM jre:25"),
                f"failed to solve: jre:25: {RESOLVE}registry.example.com/library/jre:25: not found",
            ),
            "base_missing",
            "the image 'jre:25' (/srv/Dockerfile:1) is not on this engine, and its registry has no such tag",
        ),
        (
            failed(
                at(3, "COPY target/x /"),
                f"{CHECKSUM}failed to walk /var/lib/docker/tmp/buildkit-mount4135/target: "
                "lstat /var/lib/docker/tmp/buildkit-mount4135/target: no such file or directory",
            ),
            "context_missing",
            "/srv/Dockerfile:3 copies '/target', which the build context does not have",
        ),
        (
            failed(at(3, "COPY target/x /"), f'{CHECKSUM}"/target/x": not found'),
            "context_missing",
            "/srv/Dockerfile:3 copies '/target/x', which the build context does not have",
        ),
        (
            failed(
                at(2, "RUN make"),
                'failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 137',
            ),
            "killed",
            "the command of /srv/Dockerfile:2 was killed, as the kernel does when memory runs out: /bin/sh -c make",
        ),
        (
            failed(
                at(2, "RUN make"),
                'failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2',
            ),
            "command_failed",
            "the command of /srv/Dockerfile:2 failed with exit code: 2: /bin/sh -c make",
        ),
        (failed("", "something new"), "unknown", "/srv/Dockerfile: something new"),
        ("", "unknown", "/srv/Dockerfile: no output"),
    ],
)
def test_diagnose(stderr: str, code: str, message: str) -> None:
    found = report.diagnose(stderr, "/srv/Dockerfile", LAYERS)
    assert found.code == code
    assert found.msg.startswith(message)
    assert found.hint.endswith(".")


def test_a_diagnosis_shows_the_line_and_what_there_is_to_copy() -> None:
    found = report.diagnose(failed(at(3, "COPY x /"), f'{CHECKSUM}"/x": not found'), "Dockerfile", LAYERS)
    assert (found.line, found.excerpt) == (3, "COPY x /")
    assert found.hint == "The context has only the directories 10-libraries, 30-application: copy from those."


def test_step_output() -> None:
    text = "#5 0.1 a\n------\n > [2/2] RUN x:\n0.146 one\n0.150 two\n12.1 three\n------\nDockerfile:2\n"
    assert report.step_output(text, 2) == ["two", "three"]
    assert report.step_output("ERROR: x", 2) == []

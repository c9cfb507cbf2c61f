# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""container_image against a real engine: artifacts of a few bytes, images from scratch."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import typing as t
import uuid
import zipfile
from pathlib import Path

import docker
import docker.errors
import pytest
import yaml

from tests.integration.server import Keys, Server

ROOT = Path(__file__).resolve().parents[2]
COMMIT = {"id": "4f1c2ab00000000000000000000000000000aaaa", "short": "4f1c2ab", "time": "2026-11-21T14:35:00Z"}
CONTEXT_TIME = 315532800
# has a shell; every set-up of this collection has it
SHELL_IMAGE = "eclipse-temurin:25-jre"
EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
DOCKERFILE = """\
ARG BASE=scratch
FROM ${BASE}
COPY 10-libraries/ /
COPY 20-framework/ /
COPY 30-application/ /
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["java", "-jar", "/app/quarkus-run.jar"]
"""
COPIES = "COPY 10-libraries/ /\nCOPY 20-framework/ /\nCOPY 30-application/ /\n"
FAST_JAR = {
    "quarkus-run.jar": b"run",
    "quarkus-app-dependencies.txt": b"deps",
    "lib/boot/runner.jar": b"boot",
    "lib/main/rest.jar": b"rest",
    "app/shop-1.0.jar": b"code one",
    "quarkus/generated-bytecode.jar": b"generated",
    "quarkus/quarkus-application.dat": b"data",
    "quarkus/transformed-bytecode.jar": b"transformed",
}


class Workshop:
    """A directory with an artifact and a Dockerfile, and an image's name that nobody else has."""

    def __init__(self, root: Path, api: docker.APIClient) -> None:
        self.root = root
        self.api = api
        # part of the labels too: the same image in two tests would be removed by one under the other
        self.name = f"j4c-test-image-{uuid.uuid4().hex[:12]}"
        self.plain, self.exact = f"{self.name}:1.0", f"{self.name}:1.0-4f1c2ab"
        self.dockerfile = root / "Dockerfile"
        self.dockerfile.write_text(DOCKERFILE, encoding="utf-8")
        self.artifact = root / "artifact"
        self.scratch = root / "tmp"
        self.scratch.mkdir()
        self.made: set[str] = set()
        names = root / "names/ansible_collections/j4c"
        names.mkdir(parents=True)
        (names / "deploy").symlink_to(ROOT)
        self.put(FAST_JAR)

    def put(self, content: t.Mapping[str, bytes], main: str = "quarkus-run.jar") -> None:
        """Write an artifact with its manifest."""
        for path, data in content.items():
            (self.artifact / path).parent.mkdir(parents=True, exist_ok=True)
            (self.artifact / path).write_bytes(data)
        files = [
            {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for path, data in sorted(content.items())
        ]
        digest = hashlib.sha256("".join(f"{item['sha256']}  {item['path']}\n" for item in files).encode()).hexdigest()
        manifest = {
            "name": self.name,
            "version": "1.0",
            "main": main,
            "fingerprint": "f" * 64,
            "sha256": digest,
            "files": files,
        }
        (self.artifact / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    def run(self, *, check: bool = False, env: t.Mapping[str, str] | None = None, **options: t.Any) -> dict[str, t.Any]:
        """Run the module in a process of its own and return its result."""
        args = {
            "name": self.name,
            "commit": COMMIT,
            "artifact": {"path": str(self.artifact)},
            "dockerfile": str(self.dockerfile),
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        given = self.root / "args.json"
        given.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": args}), encoding="utf-8")
        # the distribution's docker, which has its plugins, wherever else one lies about
        path = os.pathsep.join(["/usr/bin", os.environ.get("PATH", "")])
        done = subprocess.run(
            [sys.executable, "-m", "ansible_collections.j4c.deploy.plugins.modules.container_image", str(given)],
            env={
                **os.environ,
                "PATH": path,
                "PYTHONPATH": str(self.root / "names"),
                "TMPDIR": str(self.scratch),
                **(env or {}),
            },
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.stdout, done.stderr
        result = json.loads(done.stdout)
        self.made.add((result.get("image") or {}).get("id", ""))
        return t.cast("dict[str, t.Any]", result)

    def build(self, **options: t.Any) -> dict[str, t.Any]:
        """Run the module and return its result, which must be a success."""
        result = self.run(**options)
        assert not result.get("failed"), result
        return result

    def id_of(self, tag: str) -> str | None:
        """Return the id of the image that has the tag."""
        with contextlib.suppress(docker.errors.ImageNotFound):
            return str(self.api.inspect_image(tag)["Id"])
        return None

    def untag(self, *tags: str) -> None:
        """Take tags away."""
        for tag in tags:
            self.api.remove_image(tag, force=True)

    def import_base(self, tag: str, text: str) -> str:
        """Make a base image with one file, and return its name."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            member = tarfile.TarInfo("base.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        self.api.import_image_from_data(stream.getvalue(), repository=self.name, tag=tag)
        self.made.add(str(self.id_of(f"{self.name}:{tag}")))
        return f"{self.name}:{tag}"

    def content(self, tag: str) -> dict[str, tuple[int, str, bytes]]:
        """Return time, mode and bytes of what the module put into an image."""
        container = self.api.create_container(tag)["Id"]
        try:
            stream = io.BytesIO(b"".join(self.api.get_archive(container, "/app")[0]))
        finally:
            self.api.remove_container(container)
        found = {}
        with tarfile.open(fileobj=stream) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                found[member.name] = (int(member.mtime), oct(member.mode), file.read() if file else b"")
        return found

    def close(self) -> None:
        """Remove every image that was made."""
        tagged = {item["Id"] for item in self.api.images(name=self.name)}
        for image in [*tagged, *(self.made - tagged - {""})]:
            with contextlib.suppress(docker.errors.ImageNotFound):
                self.api.remove_image(image, force=True)


@pytest.fixture
def workshop(tmp_path: Path) -> t.Iterator[Workshop]:
    api = docker.from_env(version="auto").api
    made = Workshop(tmp_path, api)
    yield made
    made.close()
    api.close()


def reasons(result: t.Mapping[str, t.Any]) -> list[str]:
    return t.cast("list[str]", result["evidence"]["changed_inputs"])


def step_names(result: t.Mapping[str, t.Any]) -> list[str]:
    return [step["name"] for step in result["steps"]]


def test_the_image(workshop: Workshop) -> None:
    result = workshop.build(source="https://git.example.com/shop", labels={"team": "a"})
    assert result["changed"]
    assert (result["phase"], result["decision"]) == ("container_build", "PROCEED")
    assert [(step["name"], step["result"]) for step in result["steps"]] == [
        ("observe", "ok"),
        ("policy", "ok"),
        ("stage", "ok"),
        ("build", "ok"),
        ("examine", "ok"),
        ("tag", "ok"),
        ("tag", "ok"),
        ("document", "ok"),
    ]
    image = result["image"]
    assert image["id"] == workshop.id_of(workshop.plain) == workshop.id_of(workshop.exact)
    assert (image["name"], image["tags"], image["digest"]) == (workshop.name, [workshop.exact, workshop.plain], None)
    assert image["created"].startswith("2026-11-21T14:35:00")
    assert image["labels"]["org.opencontainers.image.revision"] == COMMIT["id"]
    assert image["labels"]["org.opencontainers.image.created"] == "2026-11-21T14:35:00Z"
    assert image["labels"]["org.opencontainers.image.source"] == "https://git.example.com/shop"
    assert image["labels"]["team"] == "a"
    assert len(image["labels"]["io.j4c.artifact.sha256"]) == 64
    inspected = workshop.api.inspect_image(workshop.exact)
    assert image["size"] == inspected["Size"]
    assert [item["id"] for item in image["layers"]] == inspected["RootFS"]["Layers"]
    assert [(item["size"], item["command"]) for item in image["layers"]] == [
        (len(b"boot" + b"rest"), "COPY 10-libraries/ /"),
        (len(b"run" + b"deps" + b"data" + b"transformed"), "COPY 20-framework/ /"),
        (len(b"code one" + b"generated"), "COPY 30-application/ /"),
        (0, "WORKDIR /app"),
    ]


def test_the_files_have_one_time_and_plain_modes(workshop: Workshop) -> None:
    (workshop.artifact / "app/shop-1.0.jar").chmod(0o700)
    workshop.build()
    found = workshop.content(workshop.exact)
    files = {name: data for name, (_time, mode, data) in found.items() if mode == "0o644"}
    assert files == {f"app/{name}": data for name, data in FAST_JAR.items()}
    assert {mode for _time, mode, _data in found.values()} == {"0o644", "0o755"}
    assert {when for when, _mode, _data in found.values()} == {CONTEXT_TIME}


def test_the_same_inputs_need_no_build(workshop: Workshop, tmp_path: Path) -> None:
    first = workshop.build()
    # without any docker command: nothing but the engine is asked
    second = workshop.build(env={"PATH": str(tmp_path)})
    assert not second["changed"]
    assert second["image"] == first["image"]
    assert second["diff"]["before"] == second["diff"]["after"]
    assert second["evidence"]["reason"] == "nothing changed"
    assert step_names(second) == ["observe", "policy"]


def test_the_same_artifact_is_the_same_image_without_any_cache(workshop: Workshop) -> None:
    first = workshop.build(cache=False)["image"]
    workshop.untag(workshop.plain, workshop.exact)
    assert workshop.id_of(first["id"]) is None
    # a layer has its times to the second: the second build must not fall into the same one
    built = int(time.time())
    while int(time.time()) == built:
        time.sleep(0.05)
    second = workshop.run(cache=False)
    assert second["changed"]
    assert second["image"] == first


def test_the_other_image_store_of_the_engine(tmp_path: Path) -> None:
    keys = Keys()
    server = Server(keys, containerd=True)
    try:
        other = Workshop(tmp_path, server.ready().engine.api)
        env = {"DOCKER_HOST": server.docker_host}
        first = other.build(cache=False, env=env)["image"]
        again = other.build(env=env)
        assert (again["changed"], again["image"]) == (False, first)
        other.untag(other.plain, other.exact)
        built = int(time.time())
        while int(time.time()) == built:
            time.sleep(0.05)
        assert other.build(cache=False, env=env)["image"] == first
        other.put({**FAST_JAR, "app/.env": b"A=b"})
        leaking = other.run(env=env)
        assert [leak["path"] for leak in leaking["evidence"]["leaks"]] == ["app/app/.env"]
        assert {item["Id"] for item in other.api.images(all=True)} == {first["id"]}
    finally:
        server.remove()
        keys.remove()


@pytest.mark.parametrize("lost", ["plain", "exact"])
def test_a_lost_tag_is_put_back(workshop: Workshop, lost: str) -> None:
    first = workshop.build()
    workshop.untag(getattr(workshop, lost))
    assert workshop.run(check=True)["changed"]
    assert workshop.id_of(getattr(workshop, lost)) is None
    second = workshop.build()
    assert second["changed"]
    assert step_names(second) == ["observe", "policy", "tag"]
    assert workshop.id_of(workshop.plain) == workshop.id_of(workshop.exact) == first["image"]["id"]


def test_tags_that_were_moved_to_another_image(workshop: Workshop) -> None:
    first = workshop.build()
    other = workshop.import_base("other", "x")
    for tag in ("1.0", "1.0-4f1c2ab"):
        workshop.api.tag(other, workshop.name, tag, force=True)
    second = workshop.build()
    assert second["evidence"]["reason"] == f"'{workshop.exact}' was not built by this module"
    assert second["image"]["id"] == first["image"]["id"] == workshop.id_of(workshop.plain)


def test_an_image_made_from_ours_is_not_taken_for_it(workshop: Workshop) -> None:
    first = workshop.build()
    child = subprocess.run(
        ["/usr/bin/docker", "buildx", "build", "--quiet", "--load", "--tag", workshop.exact, "-"],
        input=f"FROM {workshop.plain}\nLABEL another=label\n",
        text=True,
        check=True,
        capture_output=True,
    ).stdout.strip()
    workshop.made.add(child)
    assert workshop.id_of(workshop.exact) == child
    second = workshop.build()
    assert second["evidence"]["reason"] == "the tags name different images with the same labels"
    assert second["image"]["id"] == first["image"]["id"] == workshop.id_of(workshop.exact)


def test_new_code_changes_one_layer(workshop: Workshop) -> None:
    first = workshop.build()["image"]
    workshop.put({**FAST_JAR, "app/shop-1.0.jar": b"code two, longer"})
    later = {**COMMIT, "id": "5" * 40, "short": "5555555", "time": "2026-11-22T10:00:00Z"}
    result = workshop.build(commit=later)
    assert reasons(result) == ["artifact", "commit"]
    second = result["image"]
    changed = [new["command"] for old, new in zip(first["layers"], second["layers"]) if old["id"] != new["id"]]
    assert changed == ["COPY 30-application/ /"]
    assert workshop.id_of(workshop.plain) == second["id"]
    assert workshop.id_of(workshop.exact) == first["id"]


def test_new_code_of_the_same_size_is_seen(workshop: Workshop) -> None:
    workshop.build()
    workshop.put({**FAST_JAR, "app/shop-1.0.jar": b"code two"})
    workshop.build()
    assert workshop.content(workshop.plain)["app/app/shop-1.0.jar"][2] == b"code two"


def test_another_commit_changes_no_layer(workshop: Workshop) -> None:
    first = workshop.build()["image"]
    second = workshop.build(commit={**COMMIT, "short": "5555555", "time": "2026-11-22T10:00:00Z"})["image"]
    assert second["id"] != first["id"]
    assert second["layers"] == first["layers"]
    assert second["created"].startswith("2026-11-22T10:00:00")


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"labels": {"team": "a"}}, DOCKERFILE, ["labels"]),
        ({"args": {"BASE": "scratch"}}, DOCKERFILE, ["args"]),
        ({}, DOCKERFILE + "ENV A=b\n", ["dockerfile"]),
    ],
)
def test_what_changed_is_named(workshop: Workshop, options: dict[str, t.Any], text: str, expected: list[str]) -> None:
    first = workshop.build()
    workshop.dockerfile.write_text(text, encoding="utf-8")
    planned = workshop.run(check=True, **options)
    assert planned["changed"]
    assert planned["image"] is None
    assert [(step["name"], step["result"]) for step in planned["steps"]] == [
        ("observe", "ok"),
        ("policy", "ok"),
        ("build", "planned"),
    ]
    assert planned["evidence"]["reason"] == f"changed: {expected[0]}"
    assert planned["diff"]["before"] != planned["diff"]["after"]
    assert workshop.id_of(workshop.exact) == first["image"]["id"]
    assert reasons(workshop.build(**options)) == expected
    assert not workshop.build(**options)["changed"]


def test_another_base_image_behind_the_same_name(workshop: Workshop) -> None:
    base = workshop.import_base("base", "one")
    first = workshop.build(args={"BASE": base})
    assert first["evidence"]["bases"] == [{"name": base, "id": workshop.id_of(base), "digest": None}]
    assert first["image"]["labels"]["org.opencontainers.image.base.name"] == base
    assert first["image"]["labels"]["io.j4c.base.id"] == workshop.id_of(base)
    workshop.import_base("base", "two")
    second = workshop.build(args={"BASE": base})
    assert reasons(second) == ["base"]
    assert second["image"]["layers"][0]["id"] != first["image"]["layers"][0]["id"]
    assert second["image"]["layers"][1:] == first["image"]["layers"][1:]


def test_a_base_image_that_is_gone_is_no_reason_to_change_nothing(workshop: Workshop) -> None:
    base = workshop.import_base("base", "one")
    workshop.build(args={"BASE": base})
    workshop.api.remove_image(base)
    planned = workshop.run(check=True, args={"BASE": base})
    assert planned["changed"]
    assert [(step["name"], step["result"]) for step in planned["steps"]][2:] == [
        ("pull", "planned"),
        ("build", "planned"),
    ]
    result = workshop.run(args={"BASE": base})
    assert result["failed"]
    assert f"The image '{base}' ({workshop.dockerfile}:2) is not on this engine, and" in result["msg"]
    assert "docker load" in result["msg"]
    assert result["evidence"]["code"].startswith("base_")


def test_a_program_and_no_libraries(workshop: Workshop) -> None:
    workshop.put({"shop-runner": b"\x7fELF"}, main="shop-runner")
    (workshop.artifact / "shop-runner").chmod(0o755)
    result = workshop.build()
    assert result["evidence"]["layout"] == "files"
    assert workshop.content(workshop.exact)["app/shop-runner"] == (CONTEXT_TIME, "0o755", b"\x7fELF")
    assert [item["id"] for item in result["image"]["layers"]].count(EMPTY_LAYER) == 1


def test_without_a_commit_there_is_one_tag(workshop: Workshop) -> None:
    result = workshop.build(commit={}, version="2.0")
    assert result["image"]["tags"] == [f"{workshop.name}:2.0"]
    assert "org.opencontainers.image.revision" not in result["image"]["labels"]


def test_check_mode_before_the_artifact_exists(workshop: Workshop) -> None:
    for artifact in ({}, {"path": "/nonexistent"}):
        result = workshop.run(check=True, artifact=artifact)
        assert result["changed"]
        assert result["evidence"]["reason"] == "the artifact is not built yet"


def broken(text: str) -> t.Callable[[Workshop], dict[str, t.Any]]:
    def prepare(workshop: Workshop) -> dict[str, t.Any]:
        workshop.dockerfile.write_text(text, encoding="utf-8")
        return {}

    return prepare


def no_dockerfile(workshop: Workshop) -> dict[str, t.Any]:
    workshop.dockerfile.unlink()
    return {}


def binary_dockerfile(workshop: Workshop) -> dict[str, t.Any]:
    workshop.dockerfile.write_bytes(b"\xff\xfe\x00")
    return {}


def missing_file(workshop: Workshop) -> dict[str, t.Any]:
    (workshop.artifact / "lib/main/rest.jar").unlink()
    return {}


def swapped_file(workshop: Workshop) -> dict[str, t.Any]:
    (workshop.artifact / "lib/main/rest.jar").write_bytes(b"evil")
    return {}


def swapped_manifest(workshop: Workshop) -> dict[str, t.Any]:
    path = workshop.artifact / "manifest.json"
    path.write_text(path.read_text("utf-8").replace(hashlib.sha256(b"rest").hexdigest(), "0" * 64), encoding="utf-8")
    return {}


def no_artifact(workshop: Workshop) -> dict[str, t.Any]:
    return {"artifact": {"path": str(workshop.root / "gone")}}


def no_engine(workshop: Workshop) -> dict[str, t.Any]:
    return {"env": {"DOCKER_HOST": f"unix://{workshop.root}/docker.sock"}}


def no_docker(workshop: Workshop) -> dict[str, t.Any]:
    return {"env": {"PATH": str(workshop.root)}}


@pytest.mark.parametrize(
    ("prepare", "code", "message", "hint"),
    [
        (no_dockerfile, None, "Dockerfile' does not exist", "option dockerfile"),
        (binary_dockerfile, None, "is not a text in UTF-8", "UTF-8"),
        (
            broken("FROM scratch\nCOPI . /\n"),
            "dockerfile_syntax",
            "Dockerfile:2 does not parse: unknown instruction: COPI",
            "Mend",
        ),
        (
            broken(f"FROM nowhere.invalid/j4c:1\n{COPIES}"),
            "base_unreachable",
            "image 'nowhere.invalid/j4c:1'",
            "docker load",
        ),
        (broken("ARG X=1\n"), "dockerfile_syntax", "does not parse: there is no FROM in it", "begins with FROM"),
        (broken(f"FROM openjdk:21\n{COPIES}"), "policy", "Dockerfile:1: base_deprecated", "eclipse-temurin"),
        (broken(f"FROM scratch\nCOPY target/ /\n{COPIES}"), "policy", "Dockerfile:2: copy_missing", "10-libraries"),
        (
            broken(f"FROM scratch\nCOPY 10-libraries/none /\n{COPIES}"),
            "context_missing",
            "Dockerfile:2 copies '/10-libraries/none'",
            "10-libraries",
        ),
        (
            broken(f"FROM {SHELL_IMAGE}\nRUN echo why >&2; exit 7\n{COPIES}"),
            "command_failed",
            "exit code: 7",
            "evidence.output",
        ),
        (missing_file, None, "lib/main/rest.jar' is missing", "maven_build"),
        (swapped_file, None, "lib/main/rest.jar' changed after it was verified", "maven_build"),
        (swapped_manifest, None, "was changed: its files do not give its sha256", "maven_build"),
        (no_artifact, None, "has no manifest", "maven_build"),
        (no_engine, None, "engine did not answer", "role j4c.deploy.engine"),
        (no_docker, None, "program 'docker' was not found", "role j4c.deploy.engine"),
    ],
)
def test_an_error_says_why_and_what_next(
    workshop: Workshop,
    prepare: t.Callable[[Workshop], dict[str, t.Any]],
    code: str | None,
    message: str,
    hint: str,
) -> None:
    result = workshop.run(**prepare(workshop))
    assert result["failed"]
    assert not result["changed"]
    assert message in result["msg"]
    assert hint in result["msg"]
    assert (result["phase"], result["decision"]) == ("container_build", "ROLLBACK")
    assert result["steps"][-1]["result"] == "failed"
    assert result.get("evidence", {}).get("code") == code
    assert workshop.id_of(workshop.exact) is None
    assert list(workshop.scratch.iterdir()) == []


def test_a_failed_build_leaves_the_image_that_was_there(workshop: Workshop) -> None:
    first = workshop.build()
    workshop.dockerfile.write_text(f"FROM {SHELL_IMAGE}\nRUN echo why >&2; exit 7\n{COPIES}", encoding="utf-8")
    result = workshop.run()
    assert result["failed"]
    assert result["evidence"]["output"] == ["why"]
    assert result["evidence"]["dockerfile"] == {
        "path": str(workshop.dockerfile),
        "line": 2,
        "text": "RUN echo why >&2; exit 7",
    }
    assert workshop.id_of(workshop.exact) == workshop.id_of(workshop.plain) == first["image"]["id"]


def test_the_policy_says_all_at_once_and_builds_nothing(workshop: Workshop) -> None:
    text = f"FROM {SHELL_IMAGE}\nARG DB_PASSWORD\nADD https://example.com/a.tar /a/\n{COPIES}"
    workshop.dockerfile.write_text(text, encoding="utf-8")
    for check in (True, False):
        result = workshop.run(check=check, policy={"refuse": "warning", "hadolint": False})
        assert result["failed"]
        found = [(item["rule"], item["severity"], item["line"]) for item in result["evidence"]["findings"]]
        assert found == [
            ("base_not_pinned", "info", 1),
            ("user_root", "warning", 1),
            ("secret_arg", "error", 2),
            ("add_url", "warning", 3),
        ]
        assert "refuses 3 findings" in result["msg"]
        assert [(step["name"], step["result"]) for step in result["steps"]] == [("observe", "ok"), ("policy", "failed")]
    assert workshop.id_of(workshop.exact) is None


def test_what_is_not_refused_is_a_warning_and_an_exception_is_not(workshop: Workshop) -> None:
    workshop.dockerfile.write_text(DOCKERFILE.replace("USER 10001:10001\n", "ENV A_TOKEN=x\n"), encoding="utf-8")
    excepted = {"rule": "secret_env", "reason": "a token of nobody"}
    result = workshop.build(policy={"hadolint": False, "exceptions": [excepted]})
    assert [(item["rule"], item["excepted"]) for item in result["evidence"]["findings"]] == [
        ("user_root", None),
        ("secret_env", "a token of nobody"),
    ]
    assert len(result["warnings"]) == 1
    assert "user_root" in str(result["warnings"])


def test_hadolint_is_asked_where_it_is(workshop: Workshop) -> None:
    tools = workshop.root / "tools"
    tools.mkdir()
    report = ROOT / "tests/unit/fixtures/hadolint/findings.json"
    (tools / "hadolint").write_text(f"#!/bin/sh\ncat {report}\n", encoding="utf-8")
    (tools / "hadolint").chmod(0o755)
    path = f"{tools}:/usr/bin:/bin"
    result = workshop.run(env={"PATH": path})
    assert "DL3004" in result["msg"]
    assert result["evidence"]["code"] == "policy"
    assert workshop.id_of(workshop.exact) is None
    assert workshop.build(env={"PATH": path}, policy={"hadolint": False})["evidence"]["findings"] == []


def files_of(workshop: Workshop, tag: str) -> dict[str, bytes]:
    return {name: data for name, (_time, mode, data) in workshop.content(tag).items() if mode in ("0o644", "0o755")}


SECRET_RUN = "RUN --mount=type=secret,id=npm,uid=10001 wc -c </run/secrets/npm >/app/length\n"


@pytest.mark.parametrize("kind", ["file", "env"])
def test_a_build_secret_is_used_and_stays_nowhere(workshop: Workshop, kind: str) -> None:
    workshop.dockerfile.write_text(f"FROM {SHELL_IMAGE}\n{COPIES}{SECRET_RUN}USER 10001\n", encoding="utf-8")
    word = uuid.uuid4().hex
    (workshop.root / "npm").write_text(word, encoding="utf-8")
    given = {"file": {"file": str(workshop.root / "npm")}, "env": {"env": "NPM_WORD"}}[kind]
    result = workshop.build(secrets=[{"id": "npm", **given}], env={"NPM_WORD": word})
    assert files_of(workshop, workshop.exact)["app/length"] == b"32\n"
    assert word not in json.dumps(result)
    assert word not in json.dumps(workshop.api.history(workshop.exact))
    assert [path for path in workshop.artifact.iterdir() if path.is_file() and word in path.read_text("utf-8")] == []


def test_a_build_secret_that_was_copied_into_a_layer_is_refused(workshop: Workshop) -> None:
    first = workshop.build()["image"]["id"]
    word = uuid.uuid4().hex
    # a secret is no part of the key of BuildKit's cache: without its name it would use what another run has made
    command = f"cp /run/secrets/npm /etc/kept # {workshop.name}"
    text = f"FROM {SHELL_IMAGE}\n{COPIES}RUN --mount=type=secret,id=npm {command}\nUSER 1\n"
    workshop.dockerfile.write_text(text, encoding="utf-8")
    result = workshop.run(secrets=[{"id": "npm", "env": "NPM_WORD"}], env={"NPM_WORD": word})
    assert result["failed"]
    assert result["evidence"]["code"] == "leak"
    assert [(leak["kind"], leak["path"]) for leak in result["evidence"]["leaks"]] == [("build secret", "etc/kept")]
    assert "etc/kept (build secret, layer sha256:" in result["msg"]
    assert word not in json.dumps(result)
    # the name stays with the image that has it, and the one that leaks is gone
    assert workshop.id_of(workshop.exact) == first
    assert workshop.run(secrets=[{"id": "npm", "env": "NPM_WORD"}], env={"NPM_WORD": word})["failed"]


@pytest.mark.parametrize(
    ("secrets", "code", "message"),
    [
        ([], "secret_missing", "mounts the build secret 'npm' (line 5), which was not given"),
        ([{"id": "npm", "file": "/nonexistent"}], "secret_missing", "from the file '/nonexistent': No such file"),
        ([{"id": "npm", "env": "NPM_NOT_SET"}], "secret_missing", "from the variable 'NPM_NOT_SET': it is empty"),
        ([{"id": "npm", "env": "HOME"}, {"id": "x", "env": "HOME"}], "secret_unknown", "has 'x', which the Dockerfile"),
        ([{"id": "npm"}], None, "has not exactly one of file and env"),
    ],
)
def test_a_build_secret_that_is_not_there(
    workshop: Workshop, secrets: list[dict[str, str]], code: str | None, message: str
) -> None:
    workshop.dockerfile.write_text(f"FROM {SHELL_IMAGE}\n{COPIES}{SECRET_RUN}", encoding="utf-8")
    result = workshop.run(secrets=secrets)
    assert result["failed"]
    assert message in result["msg"]
    assert result.get("evidence", {}).get("code") == code
    assert step_names(result) == ["observe"]


def test_secrets_in_the_artifact_are_refused(workshop: Workshop) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as jar:
        jar.writestr("application.properties", "db.password=" + "q9w8e7r6t5\n")
        jar.writestr("a/B.class", "db.password=" + "q9w8e7r6t5\n")
    workshop.put({**FAST_JAR, "app/shop-1.0.jar": stream.getvalue(), "app/.env": b"A=b"})
    result = workshop.run()
    assert result["failed"]
    layer = result["evidence"]["leaks"][0]["layer"]
    assert sorted((leak["kind"], leak["path"], leak["layer"]) for leak in result["evidence"]["leaks"]) == [
        ("environment file", "app/app/.env", layer),
        ("password or token in settings", "app/app/shop-1.0.jar!/application.properties", layer),
    ]
    assert "q9w8e7r6t5" not in json.dumps(result)
    assert workshop.id_of(workshop.exact) is None
    exceptions = [{"path": "app/app/shop*", "reason": "a default"}, {"path": "app/app/.env", "reason": "of the demo"}]
    passed = workshop.build(leak_scan={"exceptions": exceptions})
    assert {leak["excepted"] for leak in passed["evidence"]["leaks"]} == {"a default", "of the demo"}
    assert not passed.get("warnings")
    # what was let pass stays in sight
    assert workshop.build(leak_scan={"exceptions": exceptions})["evidence"]["leaks"] == passed["evidence"]["leaks"]


def test_what_leaks_may_be_a_warning(workshop: Workshop) -> None:
    workshop.put({**FAST_JAR, "app/.env": b"A=b"})
    result = workshop.build(leak_scan={"action": "warn"})
    assert "app/app/.env (environment file" in str(result["warnings"])


def test_the_layers_are_compared_and_weighed(workshop: Workshop) -> None:
    base = workshop.import_base("base", "x" * 1000)
    text = DOCKERFILE.replace("WORKDIR", "COPY 30-application/app/app/shop-1.0.jar /base.txt\nWORKDIR")
    workshop.dockerfile.write_text(text, encoding="utf-8")
    first = workshop.build(args={"BASE": base})
    assert [layer["changed"] for layer in first["evidence"]["layers"]] == [None] * 6
    assert [layer["wasted"] for layer in first["evidence"]["layers"]] == [0, 0, 0, 0, 1000, 0]
    sums = first["evidence"]["sums"]
    assert (sums["size"], sums["wasted"], sums["new"]) == (first["image"]["size"], 1000, None)
    assert sums["efficiency"] == round(1 - 1000 / sums["size"], 4)
    assert first["evidence"]["released"] is None
    workshop.put({**FAST_JAR, "app/shop-1.0.jar": b"code two, longer"})
    again = {"args": {"BASE": base}, "commit": {**COMMIT, "short": "5555555"}, "released_image": first["image"]["id"]}
    second = workshop.build(**again)
    assert [layer["changed"] for layer in second["evidence"]["layers"]] == [False, False, False, True, True, False]
    assert second["evidence"]["sums"]["new"] == len(b"generated") + 2 * len(b"code two, longer")
    assert second["evidence"]["released"] == {"name": first["image"]["id"], "id": first["image"]["id"]}
    # measured when it was built, and still known
    third = workshop.build(**again)
    assert not third["changed"]
    assert third["evidence"]["layers"] == second["evidence"]["layers"]
    unknown = workshop.build(**{**again, "released_image": f"{workshop.name}:none"})
    assert unknown["evidence"]["released"] == {"name": f"{workshop.name}:none", "id": None}


def test_an_image_over_its_budget(workshop: Workshop) -> None:
    workshop.put({**FAST_JAR, "lib/main/big.jar": b"x" * 200_000})
    result = workshop.run(budget={"size_mb": 0.1})
    assert result["failed"]
    assert "The image is 0.2 MB, the budget is 0.1 MB; heaviest: 0.2 MB 'COPY 10-libraries/ /'" in result["msg"]
    assert result["evidence"]["code"] == "budget"
    assert workshop.id_of(workshop.exact) is None
    warned = workshop.build(budget={"size_mb": 0.1, "action": "warn"})
    assert "the budget is 0.1 MB" in str(warned["warnings"])
    # also of an image that is there
    assert workshop.run(budget={"size_mb": 0.1})["failed"]
    workshop.put({**FAST_JAR, "lib/main/big.jar": b"y" * 200_000})
    new = {"released_image": warned["image"]["id"], "budget": {"size_mb": 1, "new_mb": 0.1}}
    assert "has new layers of 0.2 MB" in workshop.run(**new)["msg"]


READ_LAYERS = """
import json, sys
from ansible_collections.j4c.deploy.plugins.module_utils import _docker, _image_layers, _image_space
api = _docker.connect()
inspected = api.inspect_image(sys.argv[1])
if sys.argv[2] == "saved":
    inspected["GraphDriver"] = None
elif not _image_layers.overlay_folders(inspected):
    sys.exit(0)
with _image_layers.open_layers(api, inspected, sys.argv[3]) as layers:
    entries = [sorted(layer.entries()) for layer in layers]
    texts = [layers[-2].read("app/app/shop-1.0.jar", 4), layers[-1].read("app/link", 4), layers[-1].read("none", 4)]
print(json.dumps([entries[-4:], _image_space.wasted(entries), [text.decode() for text in texts]]))
"""


def test_layers_are_read_the_same_from_a_saved_image(workshop: Workshop) -> None:
    text = f"FROM {SHELL_IMAGE}\n{COPIES}RUN rm -r /app/lib /app/quarkus-run.jar && ln -s x /app/link\nUSER 1\n"
    workshop.dockerfile.write_text(text, encoding="utf-8")
    image = workshop.build(leak_scan={"action": "skip"})["image"]["id"]
    found = {
        how: subprocess.run(
            [sys.executable, "-c", READ_LAYERS, image, how, str(workshop.scratch)],
            env={**os.environ, "PYTHONPATH": str(workshop.root / "names")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for how in ("saved", "folders")
    }
    entries, wasted, texts = json.loads(found["saved"])
    assert [item for item in entries[-1] if item[0].startswith("app")] == [
        ["app/lib", 0, "gone"],
        ["app/link", 0, "file"],
        ["app/quarkus-run.jar", 0, "gone"],
    ]
    assert wasted[-1] == len(b"boot" + b"rest" + b"run")
    assert texts == ["code", "", ""]
    # where this user can read the engine's folders
    assert found["folders"] in ("", found["saved"])


def test_bill_of_materials_and_provenance(workshop: Workshop) -> None:
    result = workshop.build(source="https://me:" + "word@git.example.com/shop", version="2.0")
    kept = {name: Path(item["path"]) for name, item in result["documents"].items()}
    assert {path.parent for path in kept.values()} == {workshop.artifact}
    for name, path in kept.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == result["documents"][name]["sha256"]
    image = result["image"]
    assert image["labels"]["io.j4c.sbom.sha256"] == result["documents"]["sbom"]["sha256"]
    sbom = json.loads(kept["sbom"].read_text("utf-8"))
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    jars = {name: hashlib.sha256(data).hexdigest() for name, data in FAST_JAR.items() if name.endswith(".jar")}
    assert {item["bom-ref"]: item["hashes"][0]["content"] for item in sbom["components"]} == jars
    statement = json.loads(kept["provenance"].read_text("utf-8"))
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": workshop.name, "digest": {"sha256": image["id"].split(":")[1]}}]
    assert {"name": "source", "uri": "https://git.example.com/shop", "digest": {"gitCommit": COMMIT["id"]}} in (
        statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    )
    assert "word@" not in kept["provenance"].read_text("utf-8")


def test_a_document_that_is_gone_is_written_again(workshop: Workshop) -> None:
    first = workshop.build()
    for item in first["documents"].values():
        Path(item["path"]).unlink()
    planned = workshop.run(check=True)
    assert planned["changed"]
    assert planned["documents"] == {"sbom": None, "provenance": None}
    second = workshop.build()
    assert second["changed"]
    assert step_names(second) == ["observe", "policy", "document"]
    assert second["documents"]["sbom"] == first["documents"]["sbom"]
    assert Path(second["documents"]["provenance"]["path"]).exists()
    assert not workshop.build()["changed"]
    elsewhere = workshop.root / "elsewhere"
    assert "cannot write" in workshop.run(documents=str(elsewhere))["msg"]
    elsewhere.mkdir()
    assert workshop.build(documents=str(elsewhere))["documents"]["sbom"]["path"] == str(elsewhere / "sbom.cdx.json")


def test_own_libraries_have_a_layer_of_their_own(workshop: Workshop) -> None:
    workshop.dockerfile.write_text(DOCKERFILE.replace("COPY 20", "COPY 15-own-libraries/ /\nCOPY 20"), encoding="utf-8")
    workshop.put({**FAST_JAR, "lib/main/com.example.core-1.0.jar": b"ours", "lib/main/x-1-SNAPSHOT.jar": b"new"})
    result = workshop.build(own_libraries=["com.example.*"])
    assert [(layer["command"], layer["size"]) for layer in result["image"]["layers"]][:2] == [
        ("COPY 10-libraries/ /", len(b"boot" + b"rest")),
        ("COPY 15-own-libraries/ /", len(b"ours" + b"new")),
    ]


def test_a_disk_that_is_nearly_full(workshop: Workshop) -> None:
    result = workshop.run(min_free_mb=1e9)
    assert result["failed"]
    assert "MB free; the build needs 0 MB and min_free_mb (j4c_image_min_free_mb) is 1e+09" in result["msg"]
    assert result["evidence"]["code"] == "disk_low"
    assert (step_names(result)[-1], workshop.id_of(workshop.exact)) == ("stage", None)


def test_a_build_that_hangs_is_ended(workshop: Workshop) -> None:
    workshop.dockerfile.write_text(f"FROM {SHELL_IMAGE}\nRUN sleep 1000\n{COPIES}", encoding="utf-8")
    result = workshop.run(timeout=30)
    assert result["failed"]
    assert f"Building image '{workshop.exact}' did not end within 30 s" in result["msg"]
    assert "raise the option timeout" in result["msg"]
    assert "RUN sleep 1000" in result["stderr"]


def test_a_full_disk(workshop: Workshop) -> None:
    small = workshop.root / "small"
    small.mkdir()
    workshop.put({**FAST_JAR, "lib/main/big.jar": b"x" * 200_000})
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", small], check=True)
    try:
        low = workshop.run(env={"TMPDIR": str(small)})
        # a disk that fills up after it was looked at
        result = workshop.run(env={"TMPDIR": str(small)}, min_free_mb=-10)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)
    assert low["evidence"]["code"] == "disk_low"
    assert f"The disk for the build context ('{small}') has 0 MB free" in low["msg"]
    assert result["failed"]
    assert "No space left on device" in result["msg"]
    assert "set TMPDIR" in result["msg"]


def test_the_role(workshop: Workshop) -> None:
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "j4c_image": workshop.name,
            "j4c_source": str(workshop.root),
            "j4c_image_labels": {"team": "a"},
            "__build": {"artifact": {"path": str(workshop.artifact)}},
            "__source": {"commit": COMMIT},
        },
        "roles": ["j4c.deploy.image"],
        "tasks": [
            {
                "ansible.builtin.copy": {
                    "content": "{{ __image | to_json }}",
                    "dest": str(workshop.root / "out"),
                    "mode": "0600",
                }
            }
        ],
    }
    playbook = workshop.root / "play.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", playbook],
        env={
            **os.environ,
            "PATH": os.pathsep.join(["/usr/bin", os.environ.get("PATH", "")]),
            "ANSIBLE_COLLECTIONS_PATH": str(workshop.root / "names"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    image = json.loads((workshop.root / "out").read_text(encoding="utf-8"))["image"]
    assert image["id"] == workshop.id_of(workshop.exact)
    assert image["labels"]["team"] == "a"

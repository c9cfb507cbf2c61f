# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils import _image_recipe as recipes
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_build import build_command
from ansible_collections.j4c.deploy.plugins.module_utils._image_secrets import Secret

COMMIT = {"id": "4f1c2ab00000000000000000000000000000aaaa", "short": "4f1c2ab", "time": "2026-11-21T14:35:00Z"}
FILE = context.ArtifactFile("shop.jar", 1, "a" * 64)
ARTIFACT = context.Artifact("shop", "1.0", "/store", "shop.jar", "", "b" * 64, "2026-01-01T00:00:00Z", (FILE,))
WANTED = recipes.Wanted(name="shop", version="", artifact={}, dockerfile="/srv/Dockerfile", commit=COMMIT)
TEXT = "ARG BASE=jre\nFROM $BASE\nCOPY 30-application/ /\n"
BASES = {"jre": recipes.BaseImage("jre", id="sha256:0")}


def recipe(
    text: str = TEXT, artifact: context.Artifact = ARTIFACT, bases: t.Any = None, **change: t.Any
) -> recipes.Recipe:
    return recipes.make_recipe(dataclasses.replace(WANTED, **change), artifact, text, BASES if bases is None else bases)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:10Z", 10),
        ("1970-01-01T01:00:10+01:00", 10),
        ("1969-12-31 23:00:10 -0100", 10),
        ("1970-01-01T00:00:10.123Z", 10),
        ("1970-01-01T00:00:10", 10),
        ("10", 10),
        ("1970-13-01T00:00:10Z", None),
        ("yesterday", None),
    ],
)
def test_epoch_of(text: str, expected: int | None) -> None:
    assert recipes.epoch_of(text) == expected


@pytest.mark.parametrize(
    ("name", "version", "commit", "expected"),
    [
        ("shop", "1.0", {}, ["shop:1.0"]),
        ("shop", "1.0", {"short": "abc"}, ["shop:1.0-abc", "shop:1.0"]),
        ("shop", "1.0", {"id": "0123456789"}, ["shop:1.0-0123456", "shop:1.0"]),
        ("localhost:5000/a/b-c_d.e", "1", {}, ["localhost:5000/a/b-c_d.e:1"]),
    ],
)
def test_tags_of(name: str, version: str, commit: dict[str, str], expected: list[str]) -> None:
    assert list(recipes.tags_of(name, version, commit)) == expected


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("Shop", "1", "name is 'Shop'"),
        ("shop:1", "1", "name is 'shop:1'"),
        ("-x", "1", "name is '-x'"),
        ("", "1", "name is ''"),
        ("shop", "1.0+build", r"tag '1\.0\+build'"),
        ("shop", "x" * 129, "more than 128"),
        ("shop", "1 --load", "tag '1 --load'"),
    ],
)
def test_names_that_no_image_can_have(name: str, version: str, message: str) -> None:
    with pytest.raises(DeployError, match=message):
        recipes.tags_of(name, version, {})


def test_labels() -> None:
    made = recipe(source="https://git.example.com/shop", labels={"team": "a", "org.opencontainers.image.title": "Shop"})
    labels = dict(made.labels)
    assert labels.pop("io.j4c.fingerprint") == made.fingerprint
    assert labels.pop("io.j4c.inputs").startswith('{"args":"')
    assert labels == {
        "io.j4c.artifact.sha256": "b" * 64,
        "io.j4c.base.id": "sha256:0",
        "org.opencontainers.image.base.name": "jre",
        "org.opencontainers.image.created": "2026-11-21T14:35:00Z",
        "org.opencontainers.image.revision": COMMIT["id"],
        "org.opencontainers.image.source": "https://git.example.com/shop",
        "org.opencontainers.image.title": "Shop",
        "org.opencontainers.image.version": "1.0",
        "team": "a",
    }


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (recipes.BaseImage("jre"), ("jre", None, None)),
        (recipes.BaseImage("jre", id="sha256:0"), ("jre", None, "sha256:0")),
        (recipes.BaseImage("jre", id="sha256:0", digest="sha256:d"), ("jre", "sha256:d", "sha256:0")),
    ],
)
def test_labels_of_the_base(base: recipes.BaseImage, expected: tuple[str, str | None, str | None]) -> None:
    text = "FROM tool AS one\nFROM jre AS two\nFROM two\nCOPY --from=one / /\n"
    labels = recipe(text, bases={"jre": base, "tool": recipes.BaseImage("tool", id="sha256:t")}).labels
    keys = ("org.opencontainers.image.base.name", "org.opencontainers.image.base.digest", "io.j4c.base.id")
    assert tuple(labels.get(key) for key in keys) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        ("https://git.example.com/shop", "https://git.example.com/shop"),
        ("https://me:" + "word@git.example.com:8443/shop.git", "https://git.example.com:8443/shop.git"),
        ("https://token@git.example.com/shop", "https://git.example.com/shop"),
        ("https://git.example.com/shop?private_token=x#y", "https://git.example.com/shop"),
        ("ssh://git:" + "word@git.example.com/shop", "ssh://git@git.example.com/shop"),
        ("git@git.example.com:shop.git", "git@git.example.com:shop.git"),
    ],
)
def test_the_source_has_no_credentials(url: str, expected: str) -> None:
    assert recipe(source=url).labels.get("org.opencontainers.image.source", "") == expected


def test_own_libraries_have_a_layer_where_the_dockerfile_copies_it() -> None:
    names = ("shop.jar", "lib/other-1.0.jar", "lib/shop-core-1.0.jar")
    artifact = dataclasses.replace(ARTIFACT, files=tuple(context.ArtifactFile(name, 1, "a" * 64) for name in names))
    layers = {
        text: [item.layer for item in recipe(TEXT + text, artifact, own_libraries=["shop-*"]).placements]
        for text in ("", "COPY 15-own-libraries/ /\n")
    }
    assert list(layers.values()) == [
        ["30-application", "10-libraries", "10-libraries"],
        ["30-application", "10-libraries", "15-own-libraries"],
    ]


@pytest.mark.parametrize(
    ("commit", "created", "expected"),
    [
        (COMMIT, "2026-01-01T00:00:00Z", "2026-11-21T14:35:00Z"),
        ({}, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ({}, "", "1980-01-01T00:00:00Z"),
    ],
)
def test_the_time_of_the_image(commit: dict[str, str], created: str, expected: str) -> None:
    made = recipe(artifact=dataclasses.replace(ARTIFACT, created=created), commit=commit)
    assert made.labels["org.opencontainers.image.created"] == expected
    assert made.epoch == recipes.epoch_of(expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"dockerfile": "/elsewhere/Dockerfile"}, []),
        ({"cache": False, "timeout": 1.0}, []),
        ({"text": TEXT + "USER 1\n"}, ["dockerfile"]),
        ({"args": {"BASE": "jre"}}, ["args"]),
        ({"labels": {"a": "b"}}, ["labels"]),
        ({"version": "1.1"}, ["labels"]),
        ({"source": "https://git.example.com"}, ["labels"]),
        ({"commit": {**COMMIT, "id": "5" * 40}}, ["commit"]),
        ({"commit": {**COMMIT, "time": "2026-11-22T00:00:00Z"}}, ["commit"]),
        ({"bases": {"jre": recipes.BaseImage("jre", id="sha256:1")}}, ["base"]),
        ({"bases": {"jre": recipes.BaseImage("jre")}}, ["base"]),
        (
            {"artifact": dataclasses.replace(ARTIFACT, files=(dataclasses.replace(FILE, sha256="c" * 64),))},
            ["artifact"],
        ),
        ({"artifact": dataclasses.replace(ARTIFACT, path="/other", fingerprint="x")}, []),
    ],
)
def test_each_input_is_seen(change: dict[str, t.Any], expected: list[str]) -> None:
    before, after = recipe(), recipe(**change)
    assert recipes.changed_inputs(before.inputs, after.inputs) == expected
    assert (before.fingerprint == after.fingerprint) is not bool(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"args": {"BASSE": "x"}}, r"'/srv/Dockerfile' declares no build argument BASSE"),
        ({"labels": {"io.j4c.x": "y"}}, r"labels io\.j4c\.x are not yours"),
        ({"labels": {"x": "https://me:" + "word@host/"}}, r"labels has a secret in 'x' \(password in a URL\)\.$"),
        ({"layout": "quarkus"}, r"is no Quarkus fast-jar: its main file is 'shop\.jar'"),
        ({"commit": {"time": "yesterday"}}, "time 'yesterday'"),
        ({"artifact": dataclasses.replace(ARTIFACT, version="")}, "no version"),
    ],
)
def test_parts_that_do_not_fit(change: dict[str, t.Any], message: str) -> None:
    with pytest.raises(DeployError, match=message) as caught:
        recipe(**change)
    assert caught.value.hint


EXACT, PLAIN = "shop:1.0-4f1c2ab", "shop:1.0"
GOOD = recipe()


def tagged(tag: str, image: str, *, good: bool = True, known: bool = True) -> recipes.Tagged:
    inputs = dict(GOOD.inputs) if good else {**GOOD.inputs, "args": "0", "dockerfile": "0"}
    return recipes.Tagged(tag, image, GOOD.fingerprint if good else "f", inputs if known else {})


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        ([], [("build", "there is no image 'shop:1.0-4f1c2ab'")]),
        ([tagged(EXACT, "a"), tagged(PLAIN, "a")], []),
        ([tagged(EXACT, "a")], [("tag", PLAIN)]),
        ([tagged(PLAIN, "a")], [("tag", EXACT)]),
        ([tagged(EXACT, "a"), tagged(PLAIN, "b", good=False)], [("tag", PLAIN)]),
        ([tagged(EXACT, "b", good=False), tagged(PLAIN, "a")], [("tag", EXACT)]),
        ([tagged(EXACT, "a"), tagged(PLAIN, "b")], [("build", "the tags name different images with the same labels")]),
        ([tagged(EXACT, "b", good=False)], [("build", "changed: args, dockerfile")]),
        ([tagged(PLAIN, "b", good=False, known=False)], [("build", "'shop:1.0' was not built by this module")]),
    ],
)
def test_plan(found: list[recipes.Tagged], steps: list[tuple[str, str]]) -> None:
    planned = recipes.plan(GOOD, found)
    assert [(step.action, step.why if step.action == "build" else step.tag) for step in planned] == steps
    assert all(step.id == "a" for step in planned if step.action == "tag")


def test_the_diff_shows_the_inputs() -> None:
    diff = recipes.diff_of(GOOD, [tagged(PLAIN, "b", good=False)])
    assert f"{EXACT}: absent\n{PLAIN}: b\nargs: 0\n" in diff["before"]
    assert f"{EXACT}: to be built\n{PLAIN}: to be built\nargs: {GOOD.inputs['args']}\n" in diff["after"]


def test_nothing_to_do_has_an_empty_diff() -> None:
    diff = recipes.diff_of(GOOD, [tagged(EXACT, "a"), tagged(PLAIN, "a")])
    assert diff["before"] == diff["after"]


def test_the_command_of_the_build() -> None:
    wanted = dataclasses.replace(WANTED, args={"BASE": "--x"}, cache=False, cache_from=["shop:cache"])
    given = [Secret("npm", file="/run/npm"), Secret("maven", env="MAVEN_TOKEN")]
    argv = build_command(wanted, {"b": "2", "a": "1"}, "/context", "/metadata", given)
    assert argv[:3] == ["docker", "buildx", "build"]
    assert "--no-cache" in argv
    assert argv[argv.index("--build-arg") + 1] == "BASE=--x"
    assert argv[argv.index("--cache-from") + 1] == "shop:cache"
    assert [argv[at + 1] for at, word in enumerate(argv) if word == "--secret"] == [
        "id=npm,src=/run/npm",
        "id=maven,env=MAVEN_TOKEN",
    ]
    assert argv[-6:] == ["--label", "a=1", "--label", "b=2", "--", "/context"]
    # it gets its name when it has passed
    assert "--tag" not in argv
    assert "--no-cache" not in build_command(WANTED, {}, "/context", "/metadata")

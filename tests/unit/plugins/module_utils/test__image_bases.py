# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_bases as bases
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import Base
from ansible_collections.j4c.deploy.plugins.module_utils._image_recipe import BaseImage


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("pull access denied for x, repository does not exist or may require 'docker login': denied", "base_denied"),
        ("unauthorized: authentication required", "base_denied"),
        ("manifest for x:1 not found: manifest unknown: manifest unknown", "base_missing"),
        ("no matching manifest for linux/amd64 in the manifest list entries", "base_missing"),
        ('Get "https://nowhere.invalid/v2/": dial tcp: lookup nowhere.invalid: no such host', "base_unreachable"),
        ('Get "https://x/v2/": net/http: request canceled (Client.Timeout exceeded)', "base_unreachable"),
        ("toomanyrequests: You have reached your pull rate limit", "base_limited"),
        ("failed to register layer: write /usr/lib/x: no space left on device", "disk_full"),
    ],
)
def test_why_an_image_could_not_be_pulled(said: str, code: str) -> None:
    found, meaning, remedy = bases.diagnose(said)
    assert found == code
    assert meaning
    assert remedy.endswith(".")


class Engine:
    """Stands in for the engine's API: what it answers to a pull, and what it was asked for."""

    def __init__(self, *events: dict[str, t.Any]) -> None:
        self.events = events
        self.asked: list[str] = []

    def pull(self, name: str, **_how: t.Any) -> t.Iterator[dict[str, t.Any]]:
        self.asked.append(name)
        yield from self.events


@pytest.mark.parametrize(
    ("name", "asked"),
    [("jre", "jre:latest"), ("jre:25", "jre:25"), ("h:5000/jre", "h:5000/jre:latest"), ("a@b", "a@b")],
)
def test_one_image_is_pulled(name: str, asked: str) -> None:
    engine = Engine({"status": "Pulling"}, {"status": "Done"})
    bases.pull(engine, Base(name, 1), "Dockerfile")
    assert engine.asked == [asked]


def test_an_error_in_the_stream_is_seen() -> None:
    engine = Engine({"status": "Pulling"}, {"error": "unauthorized", "errorDetail": {}})
    with pytest.raises(DeployError) as caught:
        bases.pull(engine, Base("jre:25", 3), "/srv/Dockerfile")
    assert caught.value.msg.startswith("The image 'jre:25' (/srv/Dockerfile:3) is not on this engine, and its registry")
    assert caught.value.fields["evidence"]["code"] == "base_denied"
    assert caught.value.fields["evidence"]["output"] == ["unauthorized"]


class Images:
    """Stands in for the engine's API: one image."""

    def __init__(self, image: dict[str, t.Any]) -> None:
        self.image = image

    def inspect_image(self, _name: str) -> dict[str, t.Any]:
        return self.image


@pytest.mark.parametrize(
    ("name", "digests", "digest"),
    [
        ("jre:25", [], ""),
        ("jre:25", ["other@sha256:1"], ""),
        ("jre:25", ["other@sha256:1", "docker.io/library/jre@sha256:2"], "sha256:2"),
        ("h:5000/jre:25", ["h:5000/jre@sha256:3"], "sha256:3"),
        ("jre@sha256:4", [], "sha256:4"),
    ],
)
def test_the_digest_is_that_of_the_name(name: str, digests: list[str], digest: str) -> None:
    image = {"Id": "sha256:0", "RepoDigests": digests, "Config": {"User": "7"}, "RootFS": {"Layers": ["a"]}}
    assert bases.look(Images(image), [name]) == {name: BaseImage(name, "sha256:0", digest, "7", ("a",))}

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_pull against a real engine and a real registry, whose storage is tampered with."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.integration.registry import PASSWORD, USER, Registry, credentials
from tests.integration.run_module import run_module
from tests.integration.world import playbook

pytestmark = pytest.mark.xdist_group("registry")
UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def registry() -> t.Iterator[Registry]:
    """A registry that wants a login."""
    made = Registry(login=True)
    yield made
    made.remove()


class Pushed:
    """A new image that the registry has and the engine has no more."""

    def __init__(self, registry: Registry, scratch: Path, name: str, tag: str = "1") -> None:
        self.registry = registry
        self.path = name
        self.name = f"{registry.local}/{name}"
        self.scratch = scratch
        self.credentials = credentials(scratch)
        self.id = registry.image()
        options = {"image": self.id, "name": self.name, "tags": [tag], "credentials": self.credentials}
        self.digest = str(run_module("image_push", scratch, options)["image"]["digest"])
        registry.forget(self.id)

    def pull(self, *, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
        """Run the module."""
        usual = {"name": self.name, "digest": self.digest, "credentials": self.credentials, "retries": 0}
        return run_module("image_pull", self.scratch, {**usual, **more}, check=check)

    def present(self) -> bool:
        """Tell whether the engine has it."""
        return any(item["Id"] == self.id for item in self.registry.api.images(all=True))


def code(result: t.Mapping[str, t.Any]) -> str:
    """Return the class of a failure."""
    assert result.get("failed"), result
    assert (result["changed"], result["phase"], result["decision"]) == (False, "container_build", "ROLLBACK")
    return str(result["evidence"]["code"])


def names(result: t.Mapping[str, t.Any]) -> list[str]:
    """Return the names of the steps."""
    return [step["name"] for step in result["steps"]]


def test_an_image_is_pulled_by_digest_once(registry: Registry, tmp_path: Path) -> None:
    image = Pushed(registry, tmp_path, "pull/once")
    planned = image.pull(tags=["1-a"], check=True)
    assert (planned["changed"], planned["image"], image.present()) == (True, None, False)
    assert [(step["name"], step["result"]) for step in planned["steps"][1:]] == [
        ("pull", "planned"),
        ("tag", "planned"),
    ]

    pulled = image.pull(tags=["1-a"])
    assert (pulled["changed"], pulled["phase"], pulled["decision"]) == (True, "container_build", "PROCEED")
    assert names(pulled) == ["observe", "ask", "pull", "verify", "tag"]
    assert (pulled["image"]["id"], pulled["image"]["digest"]) == (image.id, image.digest)
    assert pulled["diff"]["before"] == {"image": None, "tags": {}}
    assert registry.api.inspect_image(f"{image.name}:1-a")["Id"] == image.id
    assert PASSWORD not in json.dumps(pulled)

    again = image.pull(tags=["1-a"], credentials="", timeout=30)
    assert (again["changed"], names(again), again["image"]["id"]) == (False, ["observe"], image.id)
    tagged = image.pull(tags=["1-a", "live"])
    assert (tagged["changed"], names(tagged)) == (True, ["observe", "tag"])


def test_what_is_there_needs_no_registry(tmp_path: Path) -> None:
    own = Registry()
    try:
        image = Pushed(own, tmp_path, "pull/alone")
        assert image.pull(credentials="")["changed"]
        own.kill()
        there = image.pull(credentials="")
        assert (there["changed"], there["image"]["id"]) == (False, image.id)
        own.forget(image.id)
        assert code(image.pull(credentials="")) == "unreachable"
    finally:
        own.remove()


def test_a_moved_tag_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    first = Pushed(registry, tmp_path, "pull/moved")
    second = Pushed(registry, tmp_path, "pull/moved")
    assert registry.digest("pull/moved", "1") == second.digest != first.digest
    assert first.pull()["image"]["id"] == first.id


def test_a_login_is_needed(registry: Registry, tmp_path: Path) -> None:
    image = Pushed(registry, tmp_path, "pull/login")
    assert code(image.pull(credentials="")) == "no_login"
    assert code(image.pull(credentials=credentials(tmp_path, "another word"))) == "unauthorized"
    assert not image.present()


def test_a_digest_that_the_registry_does_not_have(registry: Registry, tmp_path: Path) -> None:
    image = Pushed(registry, tmp_path, "pull/unknown")
    missing = image.pull(digest=UNKNOWN)
    assert code(missing) == "missing"
    assert UNKNOWN in missing["msg"]
    assert "is no digest" in image.pull(digest="latest")["msg"]


def test_a_manifest_that_was_tampered_with(registry: Registry, tmp_path: Path) -> None:
    image = Pushed(registry, tmp_path, "pull/manifest")
    registry.sh(f"echo >> {registry.file(image.digest)}")
    assert code(image.pull()) == "mismatch"
    assert not image.present()


def test_a_layer_that_was_tampered_with(registry: Registry, tmp_path: Path) -> None:
    image, other = Pushed(registry, tmp_path, "pull/layer"), Pushed(registry, tmp_path, "pull/other")
    (layer,), (wrong,) = (registry.layers(item.path, "1") for item in (image, other))
    registry.sh(f"cp {registry.file(wrong)} {registry.file(layer)}")
    refused = image.pull()
    assert code(refused) == "mismatch"
    assert not image.present()
    assert other.pull()["changed"]


PLAY = """
- hosts: builder
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        __image: {image: {id: "%(id)s", tags: ["shop:2.0-4f1c2ab", "shop:2.0"]}}
    - ansible.builtin.include_role: {name: j4c.deploy.registry, tasks_from: push}
- hosts: servers
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: j4c.deploy.registry, tasks_from: pull}
    - ansible.builtin.debug: {msg: "released {{ __pulled.image.id }} {{ __pulled.image.digest }}"}
"""


def test_the_role_pushes_from_the_builder_and_pulls_on_the_servers(registry: Registry, tmp_path: Path) -> None:
    image = registry.image()
    (tmp_path / "play.yml").write_text(PLAY % {"id": image}, encoding="utf-8")
    variables = {
        "j4c_state_dir": str(tmp_path),
        "j4c_image": "shop",
        "j4c_registry": f"{registry.local}/role",
        "j4c_registry_username": USER,
        "j4c_registry_password": PASSWORD,
    }
    (tmp_path / "vars.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
    output = playbook(tmp_path / "play.yml", "-e", f"@{tmp_path}/vars.yml", "-vvv", "--diff")
    digest = registry.digest("role/shop", "2.0")
    assert digest is not None
    assert digest == registry.digest("role/shop", "2.0-4f1c2ab")
    assert f"released {image} {digest}" in output
    assert (tmp_path / "registry.json").stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in output

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_push against a real engine and real registries: with a login and without, with TLS and without, dying."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.integration import claims
from tests.integration.registry import PASSWORD, SECONDS, Line, Registry, archive, credentials
from tests.integration.run_module import result_of, run_module, start_module

pytestmark = pytest.mark.xdist_group("registry")
BIG = 8 << 20


@pytest.fixture(scope="module")
def registry() -> t.Iterator[Registry]:
    """A registry that takes everything from everybody."""
    made = Registry()
    yield made
    made.remove()


@pytest.fixture
def own() -> t.Iterator[Registry]:
    """A registry to be broken."""
    made = Registry()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def guarded() -> t.Iterator[Registry]:
    """A registry that wants a login and has a certificate that nobody signed."""
    made = Registry(login=True, tls=True)
    yield made
    made.remove()


def push(scratch: Path, image: str, name: str, *tags: str, **more: t.Any) -> dict[str, t.Any]:
    """Run the module."""
    how = {key: more.pop(key) for key in ("check", "env") if key in more}
    options = {"image": image, "name": name, "tags": list(tags) or ["1"], "retries": 0, **more}
    return run_module("image_push", scratch, options, **how)


def steps(result: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """Return name and result of each step."""
    return [(step["name"], step["result"]) for step in result["steps"]]


def code(result: t.Mapping[str, t.Any]) -> str:
    """Return the class of a failure."""
    assert result.get("failed"), result
    assert (result["changed"], result["phase"], result["decision"]) == (False, "container_build", "ROLLBACK")
    return str(result["evidence"]["code"])


def test_an_image_is_pushed_once_and_verified(registry: Registry, tmp_path: Path) -> None:
    image, name = registry.image(), f"{registry.local}/push/once"

    planned = push(tmp_path, image, name, "1-a", "1", check=True)
    assert (planned["changed"], planned["image"]["digest"]) == (True, None)
    assert steps(planned) == [("observe", "ok"), ("push", "planned"), ("push", "planned")]
    assert registry.digest("push/once", "1") is None

    pushed = push(tmp_path, image, name, "1-a", "1")
    digest = pushed["image"]["digest"]
    assert (pushed["changed"], pushed["phase"], pushed["decision"]) == (True, "container_build", "PROCEED")
    assert [name for name, _result in steps(pushed)] == ["observe", "push", "verify", "push", "verify"]
    assert digest == registry.digest("push/once", "1") == registry.digest("push/once", "1-a")
    assert pushed["diff"] == {"before": {"1-a": "", "1": ""}, "after": {"1-a": digest, "1": digest}}
    assert (pushed["image"]["id"], pushed["image"]["tags"]) == (image, [f"{name}:1-a", f"{name}:1"])
    assert pushed["evidence"]["layers_moved"] == 1

    again = push(tmp_path, image, name, "1-a", "1")
    assert (again["changed"], again["image"]["digest"], steps(again)) == (False, digest, [("observe", "ok")])
    assert push(tmp_path, image, name, "1", check=True)["changed"] is False


def test_a_tag_of_another_image_is_moved_and_told(registry: Registry, tmp_path: Path) -> None:
    old, new, name = registry.image(), registry.image(), f"{registry.local}/push/moved"
    before = push(tmp_path, old, name)["image"]["digest"]
    moved = push(tmp_path, new, name)
    assert moved["changed"]
    assert moved["evidence"]["reason"] == f"1: it names {before} now"
    assert moved["diff"]["before"] == {"1": before}
    assert registry.digest("push/moved", "1") == moved["image"]["digest"] != before


def test_a_layer_that_the_registry_lost_is_pushed_again(own: Registry, tmp_path: Path) -> None:
    image, name = own.image(), f"{own.local}/push/lost"
    digest = push(tmp_path, image, name)["image"]["digest"]
    (layer,) = own.layers("push/lost", "1")
    own.sh(f"rm {own.file(layer)}")
    mended = push(tmp_path, image, name)
    assert (mended["changed"], mended["image"]["digest"]) == (True, digest)
    assert mended["evidence"]["reason"] == f"1: the registry lost {layer}"
    assert own.get(f"push/lost/blobs/{layer}").status_code == 200
    assert push(tmp_path, image, name)["changed"] is False


def test_the_login_comes_from_a_file_and_goes_nowhere_else(guarded: Registry, tmp_path: Path) -> None:
    image, name = guarded.image(), f"{guarded.local}/push/login"
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "DOCKER_CONFIG": str(home)}

    assert code(push(tmp_path, image, name, env=environment)) == "no_login"
    wrong = push(tmp_path, image, name, credentials=credentials(tmp_path, "another word"), env=environment)
    assert code(wrong) == "unauthorized"
    readable = push(tmp_path, image, name, credentials=credentials(tmp_path, mode=0o640), env=environment)
    assert "has mode 0640" in readable["msg"]
    assert readable["decision"] == "ROLLBACK"

    pushed = push(tmp_path, image, name, credentials=credentials(tmp_path), env=environment)
    assert pushed["image"]["digest"] == guarded.digest("push/login", "1")
    for result in (wrong, readable, pushed):
        assert PASSWORD not in json.dumps(result)
        assert "another word" not in json.dumps(result)
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("place", "expected", "remedy"),
    [
        ("plain", "insecure", "insecure-registries"),
        ("self-signed", "unknown_ca", "certs.d"),
        ("nobody", "unreachable", "Start it"),
    ],
)
def test_a_registry_that_cannot_be_used(
    place: str, expected: str, remedy: str, registry: Registry, guarded: Registry, tmp_path: Path
) -> None:
    places = {"plain": registry.remote, "self-signed": guarded.remote, "nobody": f"127.0.0.1:{claims.port()}"}
    refused = push(tmp_path, registry.image(), f"{places[place]}/push/refused", credentials=credentials(tmp_path))
    assert code(refused) == expected
    assert places[place] in refused["msg"]
    assert remedy in refused["hint"]


def test_what_may_pass_is_tried_again(registry: Registry, tmp_path: Path) -> None:
    name = f"127.0.0.1:{claims.port()}/push/later"
    refused = push(tmp_path, registry.image(), name, retries=1)
    assert (code(refused), refused["evidence"]["tries"]) == ("unreachable", 2)
    assert steps(refused) == [("observe", "failed"), ("observe", "failed")]


def test_a_registry_that_forbids_to_write(registry: Registry, tmp_path: Path) -> None:
    proxy = f"server {{ listen 5000; location / {{ limit_except GET {{ deny all; }} proxy_pass http://{registry.remote}; }} }}"
    api, port = registry.api, claims.port()
    made = api.create_container(
        "nginx:1.28",
        name=f"j4c-test-registry-proxy-{port}",
        ports=[5000],
        host_config=api.create_host_config(port_bindings={5000: ("127.0.0.1", port)}),
    )
    try:
        api.put_archive(made["Id"], "/", archive({"etc/nginx/conf.d/default.conf": proxy.encode()}))
        api.start(made["Id"])
        # until the proxy listens, that is a reason to try again
        refused = push(tmp_path, registry.image(), f"127.0.0.1:{port}/push/forbidden", retries=6)
    finally:
        api.remove_container(made["Id"], force=True, v=True)
    assert code(refused) == "denied"
    assert "right to push" in refused["hint"]


def test_a_registry_that_dies_in_the_middle_of_a_push_and_comes_back(own: Registry, tmp_path: Path) -> None:
    image = own.image(BIG)
    line = Line(own.port, BIG // 2, own.kill)
    options = {"image": image, "name": f"{line.address}/push/dies", "tags": ["1"], "retries": 6, "timeout": SECONDS}
    try:
        process = start_module("image_push", tmp_path, options)
        assert line.cut.wait(SECONDS), "the push did not get to its middle"
        own.start()
        pushed = result_of(process)
    finally:
        line.close()
    assert pushed["changed"], pushed
    assert pushed["evidence"]["layers_retried"] == 1
    assert pushed["image"]["digest"] == own.digest("push/dies", "1")
    assert own.get(f"push/dies/blobs/{own.layers('push/dies', '1')[0]}").status_code == 200


def test_a_registry_that_dies_in_the_middle_of_a_push_and_stays_away(own: Registry, tmp_path: Path) -> None:
    image = own.image(BIG)
    line = Line(own.port, BIG // 2, own.kill)
    try:
        refused = push(tmp_path, image, f"{line.address}/push/gone", timeout=40)
    finally:
        line.close()
    assert line.cut.is_set()
    assert code(refused) == "unreachable"
    assert "did not end within 40 s" in refused["msg"]
    assert ("push", "failed") in steps(refused)
    own.start()
    assert own.digest("push/gone", "1") is None
    assert push(tmp_path, image, f"{own.local}/push/gone")["changed"]


def test_an_image_that_the_engine_does_not_have(registry: Registry, tmp_path: Path) -> None:
    missing = push(tmp_path, "sha256:" + "0" * 64, f"{registry.local}/push/none")
    assert "does not have" in missing["msg"]
    unbuilt = push(tmp_path, "", f"{registry.local}/push/none", check=True)
    assert (unbuilt["changed"], unbuilt["image"]) == (True, None)

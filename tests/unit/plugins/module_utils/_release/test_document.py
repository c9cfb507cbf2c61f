# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release import document as documents

from tests.unit.plugins.module_utils._release.samples import (
    SETTINGS,
    release,
    settings,
)

V7 = release("v7", config="hash")
# as ``docker compose config --format json`` writes it
OWNER: dict[str, t.Any] = {
    "name": "shop",
    "services": {
        "shop": {
            "image": "shop:latest",
            "build": {"context": "/srv/shop", "dockerfile": "Dockerfile"},
            "container_name": "shop",
            "depends_on": {"database": {"condition": "service_healthy", "required": True}},
            "deploy": {"resources": {"limits": {"memory": "536870912"}}, "placement": {}},
            "environment": {"LANG": "C", "EMPTY": None, "J4C_SLOT": "owner"},
            "labels": {"team": "pay", "io.j4c.slot": "owner"},
            "links": ["database"],
            "networks": {
                "default": None,
                "back": {"aliases": ["shop", "pay"]},
                "plain": {"aliases": ["shop"]},
                "edge": {"ipv4_address": "10.0.0.9"},
            },
            "ports": [{"mode": "ingress", "target": 8080, "published": "8080", "protocol": "tcp"}],
            "profiles": ["prod"],
            "pull_policy": "always",
            "restart": "on-failure:3",
            "scale": 1,
            "secrets": [{"source": "password", "target": "/run/secrets/password"}],
            "configs": [{"source": "app", "target": "/app.properties"}],
            "volumes": [
                {"type": "volume", "source": "data", "target": "/data"},
                {"type": "volume", "target": "/anonymous"},
                {"type": "bind", "source": "/etc/ssl", "target": "/etc/ssl", "read_only": True},
                {"type": "tmpfs", "target": "/tmp"},
            ],
        },
        "database": {"image": "postgres"},
    },
    "networks": {
        "default": {"name": "shop_default"},
        "back": {"name": "shop_back", "external": True},
        "plain": {"name": "shop_plain"},
        "edge": {"name": "shop-edge"},
        "unused": {"name": "shop_unused"},
    },
    "volumes": {"data": {"name": "shop_data"}, "dump": {"name": "shop_dump"}},
    "secrets": {
        "password": {"name": "shop_password", "file": "/srv/shop/password"},
        "other": {"name": "shop_other", "file": "/srv/shop/other"},
    },
    "configs": {"app": {"name": "shop_app", "file": "/srv/shop/app"}, "more": {"name": "m", "file": "/srv/shop/m"}},
}


def owner(*remove: str, **section: t.Any) -> dict[str, t.Any]:
    """Return the owner's file with the service's section changed."""
    changed = copy.deepcopy(OWNER)
    for key in remove:
        del changed["services"]["shop"][key]
    changed["services"]["shop"].update(section)
    return changed


def test_the_compose_file_of_a_slot() -> None:
    before = copy.deepcopy(OWNER)
    found = documents.slot_document(OWNER, SETTINGS, "green", V7)
    assert found == {
        "name": "shop-green",
        "services": {
            "shop": {
                "image": V7.image["id"],
                "deploy": {"resources": {"limits": {"memory": "536870912"}}, "placement": {}},
                "restart": "no",
                "environment": {
                    "LANG": "C",
                    "J4C_COMMIT": "",
                    "J4C_RELEASE": "v7",
                    "J4C_SLOT": "green",
                },
                "labels": {
                    "team": "pay",
                    "io.j4c.service": "shop",
                    "io.j4c.slot": "green",
                    "io.j4c.release": "v7",
                    "io.j4c.config": "hash",
                },
                "networks": {
                    "edge": {"ipv4_address": "172.30.0.12"},
                    "shop-data": None,
                    # two slots must not answer to the service's own name
                    "shop_back": {"aliases": ["pay"]},
                    "shop_plain": None,
                },
                "ports": [
                    {
                        "target": 8080,
                        "published": "18082",
                        "host_ip": "127.0.0.1",
                        "protocol": "tcp",
                        "mode": "ingress",
                    }
                ],
                "secrets": OWNER["services"]["shop"]["secrets"],
                "configs": OWNER["services"]["shop"]["configs"],
                "volumes": OWNER["services"]["shop"]["volumes"],
            }
        },
        "networks": {
            "edge": {"name": "shop-edge", "external": True},
            "shop-data": {"name": "shop-data", "external": True},
            "shop_back": {"name": "shop_back", "external": True},
            "shop_plain": {"name": "shop_plain", "external": True},
        },
        "volumes": {"data": {"name": "shop_data"}},
        "secrets": {"password": {"name": "shop_password", "file": "/srv/shop/password"}},
        "configs": {"app": {"name": "shop_app", "file": "/srv/shop/app"}},
    }
    assert before == OWNER


@pytest.mark.parametrize("key", ["build", "container_name", "depends_on", "links", "profiles", "pull_policy", "scale"])
def test_keys_that_belong_to_the_owners_project_are_dropped(key: str) -> None:
    section = documents.slot_document(OWNER, SETTINGS, "blue", V7)["services"]["shop"]
    assert key in OWNER["services"]["shop"]
    assert key not in section


def test_a_file_with_nothing_but_an_image_is_enough() -> None:
    found = documents.slot_document({"services": {"shop": {"image": "x"}}}, SETTINGS, "blue", V7)
    assert set(found) == {"name", "services", "networks"}
    assert found["services"]["shop"]["ports"][0]["published"] == "18081"
    assert documents.networks_of(found) == ["shop-data", "shop-edge"]
    assert documents.secret_files(found) == []


def test_the_files_and_networks_that_must_be_there() -> None:
    found = documents.slot_document(OWNER, SETTINGS, "blue", V7)
    assert documents.networks_of(found) == ["shop-data", "shop-edge", "shop_back", "shop_plain"]
    assert documents.secret_files(found) == ["/srv/shop/app", "/srv/shop/password"]
    found["secrets"]["password"] = {"name": "shop_password", "environment": "PASSWORD"}
    assert documents.secret_files(found) == ["/srv/shop/app"]


@pytest.mark.parametrize("mode", ["host", "none", "service:database"])
def test_a_service_without_an_address_of_its_own_is_refused(mode: str) -> None:
    with pytest.raises(DeployError) as caught:
        documents.slot_document(owner("networks", network_mode=mode), SETTINGS, "blue", V7)
    assert f"Service 'shop' sets network_mode '{mode}'" in caught.value.msg
    assert caught.value.hint == "Take network_mode out of the compose file."


@pytest.mark.parametrize(
    ("document", "names"),
    [({}, "none"), ({"services": None}, "none"), ({"services": {"web": {}, "db": {}}}, "db, web")],
)
def test_a_missing_service_is_named_with_those_that_are_there(document: dict[str, t.Any], names: str) -> None:
    with pytest.raises(DeployError) as caught:
        documents.slot_document(document, SETTINGS, "blue", V7)
    assert caught.value.msg == f"The compose file has no service 'shop' (it has: {names})."
    assert "j4c_service" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(owner(environment={"LANG": "de"}), id="environment"),
        pytest.param(owner(volumes=[]), id="mounts"),
        pytest.param(owner(secrets=[]), id="secrets"),
        pytest.param(owner(command=["serve"]), id="command"),
        pytest.param(owner(restart="always"), id="restart"),
        pytest.param(owner("restart"), id="no-restart"),
        pytest.param(owner(labels={}), id="labels"),
        pytest.param(owner(deploy={"resources": {"limits": {"memory": "1"}}}), id="memory"),
        pytest.param({**OWNER, "volumes": {"data": {"name": "elsewhere"}}}, id="volume-name"),
        pytest.param({**OWNER, "configs": {"app": {"name": "x", "file": "/other"}}}, id="config-file"),
    ],
)
def test_the_config_hash_changes_with_how_the_service_runs(changed: dict[str, t.Any]) -> None:
    assert documents.config_hash(changed, SETTINGS) != documents.config_hash(OWNER, SETTINGS)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(owner(image="shop:2"), id="image"),
        pytest.param(owner("build"), id="build"),
        pytest.param(owner(container_name="other"), id="container-name"),
        pytest.param(
            owner(environment={**OWNER["services"]["shop"]["environment"], "J4C_RELEASE": "v9"}), id="release"
        ),
        pytest.param({**OWNER, "volumes": {**OWNER["volumes"], "dump": {"name": "x"}}}, id="unused-volume"),
        pytest.param({**OWNER, "services": {**OWNER["services"], "database": {}}}, id="other-service"),
        pytest.param(dict(reversed(OWNER.items())), id="order"),
    ],
)
def test_the_config_hash_stays_with_image_and_release(changed: dict[str, t.Any]) -> None:
    assert documents.config_hash(changed, SETTINGS) == documents.config_hash(OWNER, SETTINGS)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, []),
        ({"ports": []}, []),
        (
            {"ports": [{"target": 8080}, {"target": 9000}, {"target": "8443"}]},
            [
                "Port 9000 is not published: only 8080 is served through the gateway.",
                "Port 8443 is not published: only 8080 is served through the gateway.",
            ],
        ),
        ({"deploy": {"replicas": 1}}, []),
        ({"deploy": {"replicas": 3}}, ["3 replicas were asked for, but a slot runs one container."]),
        ({"scale": 2}, ["2 replicas were asked for, but a slot runs one container."]),
    ],
)
def test_what_does_not_take_effect_is_told(section: dict[str, t.Any], expected: list[str]) -> None:
    assert documents.notes(owner(**section), SETTINGS) == expected


@pytest.mark.parametrize(
    ("restart", "expected"),
    [(None, "unless-stopped"), ("no", "unless-stopped"), ("always", "always"), ("on-failure:3", "on-failure:3")],
)
def test_a_live_container_restarts_as_its_owner_says(restart: str | None, expected: str) -> None:
    assert documents.owner_restart(owner(restart=restart), SETTINGS) == expected


def test_values_of_the_environment_are_not_public() -> None:
    shown = documents.public(OWNER)
    assert shown["services"]["shop"]["environment"] == dict.fromkeys(("LANG", "EMPTY", "J4C_SLOT"), "(not shown)")
    assert shown["services"]["database"]["environment"] == {}
    assert OWNER["services"]["shop"]["environment"]["LANG"] == "C"
    assert documents.public({"services": None}) == {"services": None}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, 0),
        ({"mem_limit": "268435456"}, 268435456),
        ({"deploy": {"resources": {"limits": {"memory": "536870912"}}}}, 536870912),
        ({"deploy": {"resources": {"limits": None}}}, 0),
        ({"deploy": None}, 0),
    ],
)
def test_the_memory_limit_in_bytes(section: dict[str, t.Any], expected: int) -> None:
    assert documents.memory_limit(section) == expected


def test_the_settings_decide_where_a_slot_is() -> None:
    changed = settings(service="pay", port=9003, edge_network="pay-edge", networks=())
    found = documents.slot_document({"services": {"pay": {"image": "x"}}}, changed, "blue", V7)
    assert found["name"] == "pay-blue"
    assert found["networks"] == {"edge": {"name": "pay-edge", "external": True}}
    assert found["services"]["pay"]["ports"][0]["target"] == 9003


def test_a_dollar_sign_stays_one() -> None:
    """What the owner's resolved file has is doubled already; what we add must be, and paths on this machine must not."""
    document = {
        "services": {"shop": {"image": "x", "environment": {"KEY": "a$$b"}, "secrets": [{"source": "s"}]}},
        "secrets": {"s": {"name": "s", "file": "/srv/$$money"}},
    }
    made = documents.slot_document(document, SETTINGS, "green", release("v1", commit="c$d"))
    section = made["services"]["shop"]
    assert (section["environment"]["KEY"], section["environment"]["J4C_COMMIT"]) == ("a$$b", "c$$d")
    assert documents.secret_files(made) == ["/srv/$money"]

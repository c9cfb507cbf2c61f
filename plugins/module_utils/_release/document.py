# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the owner's compose file to what runs in a slot.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import copy
import hashlib
import json
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, Settings

LABEL = "io.j4c"
# what names or places a container in the owner's own project, and must not in a slot
DROPPED = (
    "build",
    "container_name",
    "depends_on",
    "links",
    "network_mode",
    "networks",
    "ports",
    "profiles",
    "pull_policy",
    "scale",
)


def project(service: str, slot: str) -> str:
    """Return the compose project name of a slot."""
    return f"{service}-{slot}"


def escape(value: str) -> str:
    """Return a value as a compose file must have it, where a dollar sign begins a variable."""
    return value.replace("$", "$$")


def unescape(value: str) -> str:
    """Return what compose makes of a value in a resolved file."""
    return value.replace("$$", "$")


def owner_service(document: t.Mapping[str, t.Any], settings: Settings) -> dict[str, t.Any]:
    """Return the service's section of the resolved compose file.

    :raises DeployError: the file lacks the service, or the service cannot run twice on one host as it is written.
    """
    services = document.get("services") or {}
    if settings.service not in services:
        names = ", ".join(sorted(services)) or "none"
        raise DeployError(
            f"The compose file has no service '{settings.service}' (it has: {names}).",
            hint="Set the option service (j4c_service) to one of them, or add the service to the file.",
        )
    section = dict(services[settings.service])
    mode = section.get("network_mode")
    if mode:
        raise DeployError(
            f"Service '{settings.service}' sets network_mode '{mode}', but a slot needs its own address on '{settings.edge_network}'.",
            hint="Take network_mode out of the compose file.",
        )
    return section


def notes(document: t.Mapping[str, t.Any], settings: Settings) -> list[str]:
    """Return what of the owner's file does not take effect in a slot and that its owner should know."""
    section = owner_service(document, settings)
    found = []
    for port in section.get("ports") or []:
        if int(port["target"]) != settings.port:
            found.append(f"Port {port['target']} is not published: only {settings.port} is served through the gateway.")
    replicas = (section.get("deploy") or {}).get("replicas") or section.get("scale") or 1
    if int(replicas) > 1:
        found.append(f"{replicas} replicas were asked for, but a slot runs one container.")
    return found


def slot_document(document: t.Mapping[str, t.Any], settings: Settings, slot: str, release: Release) -> dict[str, t.Any]:
    """Return the compose file of a slot: the owner's service, pinned and placed. Pure.

    :param document: the owner's file as ``docker compose config`` resolved it.
    :param slot: ``blue`` or ``green``.
    :param release: what to pin: its image by id.
    """
    section = copy.deepcopy(owner_service(document, settings))
    owner_networks = section.get("networks") or {}
    for key in DROPPED:
        section.pop(key, None)
    section["image"] = release.image["id"]
    # a candidate that crashes must be seen to crash; the owner's policy is set when it gets traffic
    section["restart"] = "no"
    section["ports"] = [
        {
            "target": settings.port,
            "published": str(settings.slot_ports[slot]),
            "host_ip": "127.0.0.1",
            "protocol": "tcp",
            "mode": "ingress",
        }
    ]
    section["environment"] = {
        # a variable without a value would be taken from whatever environment starts the container
        **{key: value for key, value in (section.get("environment") or {}).items() if value is not None},
        "J4C_COMMIT": escape(release.commit),
        "J4C_RELEASE": release.id,
        "J4C_SLOT": slot,
    }
    section["labels"] = {
        **(section.get("labels") or {}),
        f"{LABEL}.service": settings.service,
        f"{LABEL}.slot": slot,
        f"{LABEL}.release": release.id,
        f"{LABEL}.config": release.config_hash,
    }
    networks: dict[str, t.Any] = {"edge": {"name": settings.edge_network, "external": True}}
    section["networks"] = {"edge": {"ipv4_address": settings.addresses[slot]}}
    for name in settings.networks:
        networks[name] = {"name": name, "external": True}
        section["networks"][name] = None
    for key, options in owner_networks.items():
        name = ((document.get("networks") or {}).get(key) or {}).get("name", key)
        # the default network of the owner's project has nothing on it that a slot could reach
        if key == "default" or name == settings.edge_network:
            continue
        networks[name] = {"name": name, "external": True}
        aliases = [alias for alias in (options or {}).get("aliases") or [] if alias != settings.service]
        section["networks"][name] = {"aliases": aliases} if aliases else None
    result: dict[str, t.Any] = {
        "name": project(settings.service, slot),
        "services": {settings.service: section},
        "networks": networks,
    }
    for kind, used in (
        ("volumes", _volumes(section)),
        ("secrets", _sources(section, "secrets")),
        ("configs", _sources(section, "configs")),
    ):
        chosen = {key: value for key, value in (document.get(kind) or {}).items() if key in used}
        if chosen:
            result[kind] = chosen
    return result


def _volumes(section: t.Mapping[str, t.Any]) -> set[str]:
    return {
        item["source"] for item in section.get("volumes") or [] if item.get("type") == "volume" and item.get("source")
    }


def _sources(section: t.Mapping[str, t.Any], kind: str) -> set[str]:
    return {item["source"] for item in section.get(kind) or []}


def networks_of(slot_file: t.Mapping[str, t.Any]) -> list[str]:
    """Return the names of the networks that must exist before a slot can start."""
    return sorted(item["name"] for item in slot_file["networks"].values())


def secret_files(slot_file: t.Mapping[str, t.Any]) -> list[str]:
    """Return the paths of the secret and config files that must exist before a slot can start."""
    entries = [*(slot_file.get("secrets") or {}).values(), *(slot_file.get("configs") or {}).values()]
    return sorted(unescape(item["file"]) for item in entries if item.get("file"))


def config_hash(document: t.Mapping[str, t.Any], settings: Settings) -> str:
    """Return the sha256 over everything but image and release that decides how the service runs."""
    blank = Release("", settings.service, "", "", {"id": "", "name": ""}, "")
    text = json.dumps(slot_document(document, settings, "blue", blank), sort_keys=True)
    restart = owner_service(document, settings).get("restart") or ""
    return hashlib.sha256(f"{restart}\n{text}".encode()).hexdigest()


def owner_restart(document: t.Mapping[str, t.Any], settings: Settings) -> str:
    """Return the restart policy that a live container gets: the owner's, or ``unless-stopped``."""
    policy = owner_service(document, settings).get("restart")
    return str(policy) if policy and policy != "no" else "unless-stopped"


def public(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a copy of a compose file without the values of its environment, for diffs."""
    shown = copy.deepcopy(dict(document))
    for section in (shown.get("services") or {}).values():
        section["environment"] = dict.fromkeys(section.get("environment") or {}, "(not shown)")
    return shown


def memory_limit(section: t.Mapping[str, t.Any]) -> int:
    """Return the memory limit of a service in bytes; 0 when it has none."""
    limits = ((section.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    return int(section.get("mem_limit") or limits.get("memory") or 0)

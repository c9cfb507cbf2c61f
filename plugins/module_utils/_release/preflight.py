# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be checked before the first change, all findings at once.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._memory import available_memory
from ansible_collections.j4c.deploy.plugins.module_utils._release import document as documents
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import STACK_HINT
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Settings

MIB = 1 << 20
DEFAULT_SLOT_BYTES = 256 * MIB


def preflight(
    api: t.Any,
    settings: Settings,
    observed: Observed,
    slot: str,
    slot_file: t.Mapping[str, t.Any],
    meminfo: str = "/proc/meminfo",
    *,
    urgent: bool = False,
) -> list[str]:
    """Check that a container can be started in ``slot``; return what a person should be warned of.

    :param slot_file: the compose file that it will be started from.
    :param meminfo: where the kernel tells how much memory is available.
    :param urgent: somebody goes back in an incident: little disk or memory is no reason to refuse that.
    :raises DeployError: with every finding and what to do about it; nothing has been changed.
    """
    findings = [
        *_gateway(api, settings),
        *_strangers(api, settings, observed, slot),
        *_networks(api, settings, observed, slot, slot_file),
        *_port(api, settings, observed, slot),
        *_files(slot_file),
    ]
    scarce = [*_disk(api, settings), *_memory(settings, observed, slot_file, meminfo)]
    if not urgent:
        findings, scarce = findings + scarce, []
    if findings:
        count = "1 problem" if len(findings) == 1 else f"{len(findings)} problems"
        raise DeployError(
            f"Nothing was changed: {count} before the start in slot '{slot}'. " + " ".join(findings), findings=findings
        )
    return scarce


def _gateway(api: t.Any, settings: Settings) -> list[str]:
    view = engine.inspect_container(api, settings.gateway_container)
    if view is None:
        return [f"There is no gateway container '{settings.gateway_container}'. {STACK_HINT}"]
    if not view["State"].get("Running"):
        return [f"The gateway container '{settings.gateway_container}' is {view['State']['Status']}. {STACK_HINT}"]
    return []


def _ours(observed: Observed, slot: str) -> set[str]:
    view = observed.slots[slot]
    return {view.container, *view.strays} - {""}


def _strangers(api: t.Any, settings: Settings, observed: Observed, slot: str) -> list[str]:
    project = documents.project(settings.service, slot)
    findings = [
        f"Container '{name}' is in the compose project '{project}' of slot '{slot}', but no release made it. "
        "Move it to another project, or remove it with 'docker rm'."
        for name in observed.slots[slot].strangers
    ]
    name = f"{project}-{settings.service}-1"
    taken = engine.inspect_container(api, name)
    if taken is not None and taken["Id"] not in _ours(observed, slot) and name not in observed.slots[slot].strangers:
        findings.append(
            f"The name '{name}', which slot '{slot}' needs, belongs to container {taken['Id'][:12]} of image "
            f"'{taken['Config'].get('Image') or taken['Image']}'. Rename it with 'docker rename', or remove it."
        )
    return findings


def _networks(
    api: t.Any, settings: Settings, observed: Observed, slot: str, slot_file: t.Mapping[str, t.Any]
) -> list[str]:
    with engine.engine_errors("Listing networks"):
        known = {item["Name"]: item["Id"] for item in api.networks()}
        findings = [
            f"There is no network '{name}'. {STACK_HINT}"
            for name in documents.networks_of(slot_file)
            if name not in known
        ]
        if settings.edge_network not in known:
            return findings
        members = api.inspect_network(known[settings.edge_network]).get("Containers") or {}
    for container, member in members.items():
        address = member.get("IPv4Address", "").partition("/")[0]
        if address == settings.addresses[slot] and container not in _ours(observed, slot):
            findings.append(
                f"Address {address} of slot '{slot}' is taken by container '{member['Name']}'. "
                "Remove that container from the network, or choose other addresses (j4c_edge_addresses)."
            )
    return findings


def _port(api: t.Any, settings: Settings, observed: Observed, slot: str) -> list[str]:
    # the slot's own container holds the port until it is cleared
    if observed.slots[slot].status in ("running", "paused") or observed.slots[slot].strays:
        return []
    port = settings.slot_ports[slot]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            if exc.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            owner = _publisher(api, port)
            return [
                f"Port {port} on 127.0.0.1, which slot '{slot}' needs, is in use{owner} ({exc.strerror}). "
                f"Find its owner with 'ss -ltnp sport = :{port}' and end it, or choose another port (j4c_slot_ports)."
            ]
    return []


def _publisher(api: t.Any, port: int) -> str:
    with engine.engine_errors("Listing all containers"):
        for item in api.containers(all=False):
            if any(entry.get("PublicPort") == port for entry in item.get("Ports") or []):
                return f" by container '{item['Names'][0].lstrip('/')}'"
    return ""


def _files(slot_file: t.Mapping[str, t.Any]) -> list[str]:
    return [
        f"The secret file '{path}' of the compose file is missing. Make it, or run playbooks/stack.yml, which does."
        for path in documents.secret_files(slot_file)
        if not os.path.exists(path)
    ]


def _disk(api: t.Any, settings: Settings) -> list[str]:
    with engine.engine_errors("Reading the engine's information"):
        root = api.info().get("DockerRootDir", "")
    findings = []
    for path, what in ((settings.state_dir, "state_dir"), (root, "the engine's data")):
        if not os.path.isdir(path):
            continue
        free = shutil.disk_usage(path).free
        if free < settings.min_free_bytes:
            findings.append(
                f"Only {free // MIB} MiB are free under '{path}' ({what}), {settings.min_free_bytes // MIB} MiB are needed "
                "(min_free_mb, j4c_min_free_mb). See what takes the space with 'docker system df' and free some."
            )
    return findings


def _memory(settings: Settings, observed: Observed, slot_file: t.Mapping[str, t.Any], meminfo: str) -> list[str]:
    need = (documents.memory_limit(slot_file["services"][settings.service]) or DEFAULT_SLOT_BYTES) * 11 // 10
    # a slot that is cleared or stopped first gives its memory back
    if observed.idle.status in ("running", "paused") or settings.strategy == "recreate":
        return []
    available = available_memory(meminfo)
    if available is None or available >= need:
        return []
    return [
        f"{available // MIB} MiB of memory are available, {need // MIB} MiB are needed for a second container of the service. "
        "Free some, lower its memory limit, or use strategy 'recreate'."
    ]

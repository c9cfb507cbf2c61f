# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start-up cache of a service's JVM: where it is, how a container gets it, how one is trained.

A container has the directory of its image mounted, and its JVM reads its options from a file in there. The file is empty
until a cache is trained and verified, so that a JVM never sees an option that it could stumble over.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import copy
import os
import re
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._files import write_atomic

MODES = ("off", "cache", "fast")
MOUNT = "/j4c-aot"
CACHE = "app.aot"
OPTIONS = "options"
# the launcher reads it, and it can name a file; JAVA_TOOL_OPTIONS cannot
VARIABLE = "JDK_JAVA_OPTIONS"
ARGUMENT = f"@{MOUNT}/{OPTIONS}"
LABEL = "io.j4c.aot"
FIRST_JDK = 25
_USE = f"-XX:AOTCache={MOUNT}/{CACHE}\n"
# costs throughput under load, and starts faster
_FAST = "-XX:TieredStopAtLevel=1\n"
TRAINING = f"-XX:AOTCacheOutput={MOUNT}/{CACHE}\n"
# a JVM that cannot use the cache does not start
VERIFYING = f"-XX:AOTMode=on\n{_USE}"


def options_text(mode: str) -> str:
    """Return the options of a JVM that has a cache, for ``cache`` or ``fast``."""
    return _USE + (_FAST if mode == "fast" else "")


def folder(root: str) -> str:
    """Return the directory of all caches of a service.

    :param root: its state directory.
    """
    return os.path.join(root, "aot")


def directory_of(root: str, image: str) -> str:
    """Return the directory of the cache of an image.

    :param image: its id; empty for a name that stands for any.
    """
    return os.path.join(folder(root), image.rpartition(":")[2][:24] or "image")


def mounted(document: t.Mapping[str, t.Any], service: str, directory: str) -> dict[str, t.Any]:
    """Return a resolved compose file whose service gets a cache from a directory. Pure."""
    changed = copy.deepcopy(dict(document))
    section = changed["services"][service]
    entry = {"type": "bind", "source": directory, "target": MOUNT, "read_only": True}
    section["volumes"] = [*(section.get("volumes") or []), entry]
    environment = section.get("environment") or {}
    given = environment.get(VARIABLE)
    section["environment"] = {**environment, VARIABLE: f"{given} {ARGUMENT}" if given else ARGUMENT}
    return changed


def mount_of(document: t.Mapping[str, t.Any], service: str) -> str | None:
    """Return the directory that a compose file gives the service its cache from, ``None`` when it does not."""
    section = (document.get("services") or {}).get(service) or {}
    for entry in section.get("volumes") or []:
        if entry.get("target") == MOUNT:
            return str(entry["source"])
    return None


def prepare(document: t.Mapping[str, t.Any], service: str) -> None:
    """Make what a container of this compose file needs to start without a cache; one that is there stays.

    :raises OSError: it cannot be made.
    """
    directory = mount_of(document, service)
    if directory is not None:
        os.makedirs(os.path.dirname(directory), mode=0o700, exist_ok=True)
        os.makedirs(directory, mode=0o755, exist_ok=True)
        if not os.path.exists(os.path.join(directory, OPTIONS)):
            write_options(directory, "")


def write_options(directory: str, text: str) -> None:
    """Write the options that the next JVM starts with; the user of a container must be able to read them."""
    write_atomic(os.path.join(directory, OPTIONS), text, mode=0o644)


def read_options(directory: str) -> str:
    """Return the options that the next JVM starts with."""
    try:
        with open(os.path.join(directory, OPTIONS), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def training_document(
    slot_file: t.Mapping[str, t.Any], service: str, directory: str, environment: t.Mapping[str, str], writable: bool
) -> dict[str, t.Any]:
    """Return the compose file of a one-shot container beside a slot: the same settings, no traffic. Pure.

    :param slot_file: what the live slot was started with.
    :param directory: where the JVM finds its options, and writes the cache.
    :param environment: further environment, for example to switch jobs off.
    """
    made = copy.deepcopy(dict(slot_file))
    made["name"] = f"{service}-aot"
    section = made["services"][service]
    section["restart"] = "no"
    # some port of this machine's own address: the gateway does not know it
    section["ports"] = [{**section["ports"][0], "published": ""}]
    section["networks"] = {
        name: {key: value for key, value in (options or {}).items() if key not in ("ipv4_address", "aliases")} or None
        for name, options in section["networks"].items()
    }
    for entry in section["volumes"]:
        if entry.get("target") == MOUNT:
            entry.update({"source": directory, "read_only": not writable})
    section["environment"] = {**section["environment"], "J4C_SLOT": "aot", **environment}
    kept = {key: value for key, value in section["labels"].items() if not key.startswith("io.j4c.")}
    section["labels"] = {**kept, LABEL: service}
    return made


def java_major(text: str) -> int | None:
    """Return the number in what ``java -version`` says, ``None`` when it is not there."""
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match.group(1)) if match else None

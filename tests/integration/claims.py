# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports and networks that a test process has for itself, whatever other test processes do on this machine.

A claim is a lock on a file: it is held until the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import random
import socket
import typing as t
from pathlib import Path

import docker

# One place for all checkouts of a machine, whatever TMPDIR says.
FOLDER = Path("/tmp") / f"j4c-claims-{os.getuid()}"
# Below the range that the kernel takes ports of outgoing connections from, and beside the ports of the example.
PORTS = range(20000, 28000)
NETWORKS = [f"10.213.{number}" for number in range(256)]
_held: list[t.TextIO] = []


def port() -> int:
    """Return a port of this machine that nobody listens on and no other test process gets.

    :raises RuntimeError: when all are taken.
    """
    return int(_claim("port", [str(number) for number in PORTS], lambda name: _can_listen(int(name))))


def network() -> str:
    """Return the first three numbers of a /24 network that no other test process and no network of the engine has.

    :raises RuntimeError: when all are taken.
    """
    taken = _engine_networks()

    def free(name: str) -> bool:
        wanted = ipaddress.ip_network(f"{name}.0/24")
        return not any(wanted.overlaps(other) for other in taken)

    return _claim("network", NETWORKS, free)


def _claim(kind: str, names: t.Sequence[str], usable: t.Callable[[str], bool]) -> str:
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    # in an order of its own, so that two processes do not try the same names one after the other
    for name in random.sample(names, len(names)):
        lock = open(FOLDER / f"{kind}-{name}", "a", encoding="ascii")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        if usable(name):
            _held.append(lock)
            return name
        lock.close()
    raise RuntimeError(f"every {kind} from {names[0]} to {names[-1]} is taken; look at {FOLDER}")


def _can_listen(number: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", number))
        except OSError:
            return False
        return True


def _engine_networks() -> list[ipaddress.IPv4Network]:
    found = []
    for item in docker.from_env().api.networks():
        for config in (item.get("IPAM") or {}).get("Config") or []:
            subnet = ipaddress.ip_network(config["Subnet"])
            if isinstance(subnet, ipaddress.IPv4Network):
                found.append(subnet)
    return found

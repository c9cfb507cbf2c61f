# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's switch: which slot new requests go to, and what is still open on a slot.

The gateway chooses a slot for each request by files in a directory: ``green`` present means green, otherwise blue;
without ``present`` it answers 503. One rename is the switch and the only commit point of a release.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import sync_directory

ESTABLISHED = "01"
STACK_HINT = "Run playbooks/stack.yml for this host, then try again."


class Gateway:
    """The flag directory and the container that reads it.

    :param directory: the mounted directory, on persistent disk.
    :param container: name of the gateway's container.
    """

    def __init__(self, directory: str, container: str) -> None:
        self._directory = directory
        self._container = container

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def exists(self) -> bool:
        """Whether the switch files are there."""
        return os.path.exists(self._path("present")) and any(
            os.path.exists(self._path(name)) for name in ("green", "green.off")
        )

    def create(self) -> None:
        """Make the switch files that are missing; blue is live at first. A slot that is live stays so."""
        os.makedirs(self._directory, mode=0o755, exist_ok=True)
        names = ["present"] if {"green", "green.off"} & set(os.listdir(self._directory)) else ["green.off", "present"]
        for name in names:
            with open(self._path(name), "a", encoding="ascii"):
                os.chmod(self._path(name), 0o644)
        sync_directory(self._directory)

    def flag(self) -> str:
        """Return the slot that new requests go to.

        :raises DeployError: the directory is unreadable or was never set up, so nothing can be said.
        """
        try:
            names = set(os.listdir(self._directory))
        except OSError as exc:
            raise DeployError(
                f"The gateway's directory '{self._directory}' cannot be read: {exc.strerror}.", hint=STACK_HINT
            ) from exc
        if "present" not in names or not names & {"green", "green.off"}:
            raise DeployError(f"The gateway's directory '{self._directory}' has no switch files.", hint=STACK_HINT)
        return "green" if "green" in names else "blue"

    def switch(self, slot: str) -> None:
        """Send new requests to ``slot``; durable when it returns.

        :raises DeployError: the rename failed; the gateway still points where it did.
        """
        if self.flag() == slot:
            return
        source, target = ("green.off", "green") if slot == "green" else ("green", "green.off")
        try:
            os.rename(self._path(source), self._path(target))
            sync_directory(self._directory)
        except OSError as exc:
            raise DeployError(f"Switching the gateway to '{slot}' failed: {exc.strerror}.") from exc

    def open_connections(self, api: t.Any, address: str, port: int) -> int:
        """Return how many connections the gateway has open to a slot.

        The gateway closes idle ones after a few seconds, so what stays is a request or stream in flight.

        :raises DeployError: the gateway runs, but its connections cannot be read.
        """
        view = engine.inspect_container(api, self._container)
        if view is None or not view["State"].get("Running"):
            return 0
        return count_established(self._socket_table(api, view), address, port)

    def _socket_table(self, api: t.Any, view: t.Mapping[str, t.Any]) -> str:
        # as root the table of the container's network namespace can be read without starting a process in it
        with contextlib.suppress(OSError), open(f"/proc/{view['State']['Pid']}/net/tcp", encoding="ascii") as file:
            return file.read()
        with engine.engine_errors(f"Reading the connections of '{self._container}'"):
            started = api.exec_create(view["Id"], ["cat", "/proc/net/tcp"])
            return str(api.exec_start(started["Id"]).decode("ascii", "replace"))


def count_established(table: str, address: str, port: int) -> int:
    """Count established connections to ``address:port`` in the text of /proc/net/tcp (proc(5); address in host byte order)."""
    wanted = f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}:{port:04X}"
    rows = (line.split() for line in table.splitlines()[1:])
    return sum(1 for row in rows if len(row) > 3 and row[2] == wanted and row[3] == ESTABLISHED)

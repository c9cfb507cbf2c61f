# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database sessions of a slot: a frozen transaction would hold its locks for as long as the slot is parked.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Database

BUSY = "SELECT count(*) FROM pg_stat_activity WHERE client_addr = ANY('{%s}'::inet[]) AND state <> 'idle'"
END = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE client_addr = ANY('{%s}'::inet[])"


class Sessions:
    """Sessions that come from the addresses of one container.

    :param database: where to look; ``None`` when the service has no database to watch.
    """

    def __init__(self, api: t.Any, database: Database | None, container: str) -> None:
        self._api = api
        self._database = database
        view = engine.inspect_container(api, container) if database and container else None
        networks = ((view or {}).get("NetworkSettings") or {}).get("Networks") or {}
        self._addresses = [
            str(ipaddress.ip_address(item["IPAddress"])) for item in networks.values() if item.get("IPAddress")
        ]

    def busy(self) -> int:
        """Return how many sessions are in a statement or a transaction."""
        return self._count(BUSY)

    def end(self) -> int:
        """End all sessions and return how many there were."""
        return self._count(END)

    def _count(self, query: str) -> int:
        if self._database is None or not self._addresses:
            return 0
        argv = [
            "psql",
            "-XAtqw",
            "-U",
            self._database.user,
            "-d",
            self._database.name,
            "-c",
            query % ",".join(self._addresses),
        ]
        with engine.engine_errors(f"Asking '{self._database.container}' for its sessions"):
            started = self._api.exec_create(self._database.container, argv)
            output = self._api.exec_start(started["Id"]).decode("utf-8", "replace").strip()
            rc = self._api.exec_inspect(started["Id"])["ExitCode"]
        if rc != 0 or not output.isdigit():
            raise DeployError(f"psql in '{self._database.container}' failed with exit status {rc}: {output}")
        return int(output)

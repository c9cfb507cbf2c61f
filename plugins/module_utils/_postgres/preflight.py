# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can stand in the way of a restore, all findings at once, before anything is changed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import Server
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import identifier, literal
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.source import Source

READ_SECONDS = 60.0
MIB = 1 << 20
PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = {name}"
SLOTS = "SELECT slot_name AS name FROM pg_replication_slots WHERE database = {name}"
SUBSCRIPTIONS = "SELECT subname AS name FROM pg_subscription WHERE subdbid = {oid}"
AVAILABLE = "SELECT name FROM pg_available_extensions"
ROLES = "SELECT rolname AS name FROM pg_roles"
DATA = "SELECT current_setting('data_directory') AS path"


def findings(
    api: t.Any,
    server: Server,
    psql: Psql,
    live: t.Mapping[str, t.Any],
    version_num: int,
    source: Source,
    min_free_bytes: int,
) -> list[str]:
    """Return a sentence for each thing that stands in the way, with what to do about it.

    :param psql: a session with any database of the server.
    :param live: the live database, see ``describe_database``.
    :param version_num: of the server.
    """
    return [
        *_version(source.manifest, version_num),
        *_needs(source.manifest, psql),
        *_bound(psql, live),
        *_space(api, server, psql, live, source, min_free_bytes),
    ]


def _version(manifest: t.Mapping[str, t.Any], version_num: int) -> list[str]:
    if not manifest:
        return []
    theirs, ours = manifest["server"]["version_num"] // 10000, version_num // 10000
    if theirs <= ours:
        return []
    return [
        f"The backup is of PostgreSQL {theirs}, the server is of version {ours}. Restore it on version {theirs} or newer."
    ]


def _needs(manifest: t.Mapping[str, t.Any], psql: Psql) -> list[str]:
    if not manifest:
        return []
    available = {item["name"] for item in psql.rows(AVAILABLE, READ_SECONDS)}
    roles = {item["name"] for item in psql.rows(ROLES, READ_SECONDS)}
    found = [
        f"The extension {identifier(item['name'])} that the backup needs is not installed on the server. Install it there."
        for item in manifest["database"]["extensions"]
        if item["name"] not in available
    ]
    found += [
        f"The role {identifier(name)} that the backup needs does not exist. Make it, globals.sql of the backup says how."
        for name in manifest["database"]["roles"]
        if name not in roles
    ]
    return found


def _bound(psql: Psql, live: t.Mapping[str, t.Any]) -> list[str]:
    name = literal(live["name"])
    found = [
        f"The transaction {item['gid']!r} is prepared in the database, which cannot be renamed while it is. "
        "End it with COMMIT PREPARED or ROLLBACK PREPARED."
        for item in psql.rows(PREPARED.format(name=name), READ_SECONDS)
    ]
    found += [
        f"The replication slot {item['name']!r} is bound to the database and would stay with the old one. Drop it first."
        for item in psql.rows(SLOTS.format(name=name), READ_SECONDS)
    ]
    found += [
        f"The subscription {item['name']!r} is bound to the database and would stay with the old one. Drop it first."
        for item in psql.rows(SUBSCRIPTIONS.format(oid=live["oid"]), READ_SECONDS)
    ]
    return found


def _space(
    api: t.Any, server: Server, psql: Psql, live: t.Mapping[str, t.Any], source: Source, min_free_bytes: int
) -> list[str]:
    folder = data_folder(api, server, psql.row(DATA, READ_SECONDS)["path"])
    if folder is None:
        return []
    need = source.bytes * 13 // 10 + min_free_bytes
    free = shutil.disk_usage(folder).free
    if free >= need:
        return []
    return [
        f"Only {free // MIB} MiB are free for the database under '{folder}'; a copy beside the live one of "
        f"{live['bytes'] // MIB} MiB needs {need // MIB} MiB (with min_free_mb). Free some, or remove earlier copies with state 'pruned'."
    ]


def data_folder(api: t.Any, server: Server, inside: str) -> str | None:
    """Return the directory on this host that holds the data of the server, ``None`` when it cannot be seen from here.

    :param inside: its path in the container.
    """
    view = engine.inspect_container(api, server.id) or {}
    mounts = [item for item in view.get("Mounts", []) if f"{inside}/".startswith(f"{item['Destination']}/")]
    if mounts:
        folder = max(mounts, key=lambda item: len(item["Destination"])).get("Source", "")
        return folder if folder and os.path.isdir(folder) else None
    if any(f"{inside}/".startswith(f"{path}/") for path in (view.get("HostConfig", {}).get("Tmpfs") or {})):
        return None
    with engine.engine_errors("Reading the engine's information"):
        root = api.info().get("DockerRootDir", "")
    return root if os.path.isdir(root) else None

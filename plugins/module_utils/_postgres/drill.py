# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore drill: a backup restored into a server of its own that nobody can reach, and compared with its manifest.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres import backups as store
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import differences, prepare, read_content
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.facts import create_database
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import Helper, Server
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import dsn
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

FOLDER = "/backup"
USER = "j4c_drill"
DATABASE = "j4c_drill_copy"
START_SECONDS = 120.0
READ_SECONDS = 60.0
# the user that the official image runs the server as
SYSTEM_USER = "postgres"


def drill(
    api: t.Any,
    runner: Runner,
    owner: str,
    server: Server,
    folder: str,
    manifest: t.Mapping[str, t.Any],
    timeout: float,
) -> dict[str, t.Any]:
    """Restore a backup for real and compare what comes out.

    :param owner: see ``Helper``.
    :param server: whose image is used; the server itself is not touched.
    :param folder: the backup.
    :param timeout: seconds that each part may take.
    :returns: ``{seconds, tables, rows}``.
    :raises DeployError: it cannot be restored, or other rows come out than went in.
    """
    started = time.monotonic()
    env = {"POSTGRES_USER": USER, "POSTGRES_HOST_AUTH_METHOD": "trust", "PGUSER": USER, "PGPORT": "5432"}
    with Helper(api, runner, owner, server, mounts={FOLDER: folder}, isolated=True, env=env) as helper:
        _start(helper, manifest)
        _roles(helper, folder)
        admin = helper.connect(USER)
        admin.run(create_database(DATABASE, manifest["database"], manifest["server"]["version_num"]), timeout)
        helper.run(
            [
                "pg_restore",
                "--exit-on-error",
                f"--jobs={manifest['jobs']}",
                f"--dbname={dsn(DATABASE)}",
                f"{FOLDER}/{store.DUMP}",
            ],
            "Restoring the backup into a throw-away database",
            timeout=timeout,
        )
        psql = helper.connect(DATABASE)
        prepare(psql)
        found = read_content(psql, manifest["digest"], timeout)
    problems = differences(manifest, found, digests=manifest["digest"] == "content")
    if problems:
        raise DeployError(
            f"The backup was restored into a throw-away database, and {len(problems)} things are different there: "
            f"{'; '.join(problems[:5])}.",
            hint="Do not rely on this backup; take another one and look at the disk.",
            problems=problems,
        )
    counts = [item.get("rows") or 0 for item in found["tables"]]
    return {"seconds": round(time.monotonic() - started, 3), "tables": len(counts), "rows": sum(counts)}


def _start(helper: Helper, manifest: t.Mapping[str, t.Any]) -> None:
    settings = {"listen_addresses": "127.0.0.1", "port": "5432", "fsync": "off", "full_page_writes": "off"}
    if manifest["server"].get("libraries"):
        settings["shared_preload_libraries"] = manifest["server"]["libraries"]
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    running = helper.start(["docker-entrypoint.sh", "postgres", *options], SYSTEM_USER)
    deadline = time.monotonic() + START_SECONDS
    # the server that only initialises the cluster does not listen there
    while helper.run(["pg_isready", "-q"], "Asking for the server", timeout=READ_SECONDS, check=False).rc != 0:
        if not running() or time.monotonic() >= deadline:
            raise DeployError(
                f"The throw-away server ended, or did not answer within {START_SECONDS:g} s.",
                hint="Use verify 'checksum' when the image of the database cannot make a new cluster.",
            )
        time.sleep(0.2)


def _roles(helper: Helper, folder: str) -> None:
    with open(os.path.join(folder, store.GLOBALS), encoding="utf-8") as file:
        statements = file.read()
    # roles that this cluster was made with are there already; whatever else is missing, the restore will tell
    helper.run(
        ["psql", "-X", "-q", "-w", "-d", dsn(USER)],
        "Making the roles of the throw-away server",
        timeout=READ_SECONDS,
        stdin=statements,
        check=False,
    )

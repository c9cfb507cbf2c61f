# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup from the lock to the last removed predecessor.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import typing as t
from dataclasses import asdict

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import sync_directory, write_json
from ansible_collections.j4c.deploy.plugins.module_utils._postgres import backups as store
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import prepare, read_content
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.drill import drill
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.facts import (
    describe_database,
    describe_server,
    list_extensions,
)
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import Helper, Server, sweep
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import dsn
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.plan import (
    Plan,
    Wanted,
    compression_for,
    plan_backup,
    schema_hash,
    summary,
)
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

FOLDER = "/backup"
MIB = 1 << 20
READ_SECONDS = 60.0
LOCK_WAIT_SECONDS = 60
# a compressed dump has no indexes and is seldom more than this part of the database
DUMP_SHARE = 4
SNAPSHOT = """
SELECT pg_export_snapshot() AS name, pg_current_snapshot()::text AS visible,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS lsn
"""
# asks for no lock on any table
USER_BYTES = """
SELECT greatest(0, pg_database_size(current_database()) - pg_database_size('template1')) AS bytes
"""


class Backup:
    """Takes one backup.

    :param backups: where it goes.
    :param server: where the database is.
    """

    def __init__(self, api: t.Any, runner: Runner, backups: store.Backups, server: Server, wanted: Wanted) -> None:
        self._api = api
        self._runner = runner
        self._backups = backups
        self._server = server
        self._wanted = wanted
        self._id = store.new_id()
        self._partial = backups.path(self._id + store.PARTIAL)
        self._log = StepLog()
        self._warnings: list[str] = []

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Take the backup, or only say what would be done. See the module's documentation for the result.

        :raises DeployError: no backup was made; nothing of it is left.
        """
        if check_mode:
            return self._planned(self._plan())
        self._backups.prepare()
        lock = Lock(self._backups.root, {"run": self._id, "kind": "backup", "release": self._wanted.release})
        lock.acquire(self._wanted.lock_timeout)
        try:
            self._tidy()
            plan = self._plan()
            return self._take(plan) if plan.steps else self._planned(plan)
        except OSError as exc:
            raise self._failed(DeployError(f"The backup could not be written: {exc}.")) from exc
        except DeployError as exc:
            raise self._failed(exc) from exc
        finally:
            lock.release()

    def _plan(self) -> Plan:
        return plan_backup(self._wanted, self._backups.good(self._wanted.database), self._id, now())

    def _tidy(self) -> None:
        left = self._backups.sweep()
        if sweep(self._api, self._backups.root) or left:
            self._warnings.append(f"Removed what an interrupted run left: {', '.join(left) or 'a helper container'}.")

    def _failed(self, exc: DeployError) -> DeployError:
        shutil.rmtree(self._partial, ignore_errors=True)
        said = f"{exc.msg}\n{exc.stderr or ''}"
        if re.search(r"no space left", said, re.IGNORECASE):
            exc.hint = (
                f"Free some space under '{self._backups.root}', or give directory (j4c_backup_dir) another place."
            )
        exc.steps = self._log.results
        exc.fields.setdefault("evidence", {"kept": self._backups.ids()})
        return exc

    def _take(self, plan: Plan) -> dict[str, t.Any]:
        started = time.monotonic()
        os.mkdir(self._partial, 0o700)
        mounts = {FOLDER: self._partial}
        with Helper(self._api, self._runner, self._backups.root, self._server, mounts=mounts) as helper:
            manifest = self._dump(helper)
            manifest["seconds"] = round(time.monotonic() - started, 3)
            with self._log.step("verify") as note:
                note["detail"] = self._verify(helper, manifest)
        if self._wanted.verify == "drill":
            with self._log.step("drill") as note:
                manifest["verified"]["drill"] = drill(
                    self._api,
                    self._runner,
                    self._backups.root,
                    self._server,
                    self._partial,
                    manifest,
                    self._wanted.timeout,
                )
                note["detail"] = f"restored and compared in {manifest['verified']['drill']['seconds']} s"
        with self._log.step("publish"):
            manifest["verified"]["time"] = now()
            write_json(os.path.join(self._partial, store.MANIFEST), manifest)
            os.rename(self._partial, self._backups.path(self._id))
            sync_directory(self._backups.root)
        self._prune(plan)
        before = [item for item in self._backups.ids() if item != self._id]
        return self._result(manifest, before + list(plan.pruned), plan)

    def _check_space(self, psql: Psql) -> None:
        good = self._backups.good(self._wanted.database)
        need = good[-1]["bytes"] * 5 // 4 if good else psql.row(USER_BYTES, READ_SECONDS)["bytes"] // DUMP_SHARE
        free = shutil.disk_usage(self._backups.root).free
        if free < need + self._wanted.min_free_bytes:
            raise DeployError(
                f"Only {free // MIB} MiB are free under '{self._backups.root}'; about {need // MIB} MiB for the backup and "
                f"{self._wanted.min_free_bytes // MIB} MiB besides are needed (min_free_mb, j4c_min_free_mb).",
                hint="Free some, or give directory (j4c_backup_dir) another place.",
            )

    def _dump(self, helper: Helper) -> dict[str, t.Any]:
        wanted, psql = self._wanted, helper.connect(self._wanted.database)
        self._check_space(psql)
        tool = helper.run(["pg_dump", "--version"], "Asking pg_dump for its version", timeout=READ_SECONDS).stdout
        version = re.search(r"(\d+)(\.\d+)*", tool)
        compression = compression_for(wanted.compression, int(version.group(1)) if version else 0)
        with self._log.step("snapshot") as note:
            prepare(psql)
            psql.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", READ_SECONDS)
            created = now()
            snapshot = psql.row(SNAPSHOT, READ_SECONDS)
            server, database = describe_server(psql), describe_database(psql, wanted.database)
            note["detail"] = f"{snapshot['visible']} at {snapshot['lsn']}"
        with self._log.step("dump") as note:
            helper.run(
                [
                    "pg_dump",
                    "--format=directory",
                    f"--jobs={wanted.jobs}",
                    f"--compress={compression}",
                    f"--snapshot={snapshot['name']}",
                    f"--lock-wait-timeout={LOCK_WAIT_SECONDS}s",
                    f"--file={FOLDER}/{store.DUMP}",
                    f"--dbname={dsn(wanted.database)}",
                ],
                f"Dumping database '{wanted.database}'",
                timeout=wanted.timeout,
            )
            note["detail"] = f"{wanted.jobs} jobs, {compression}"
        with self._log.step("content"):
            content = read_content(psql, wanted.digest, wanted.timeout)
            extensions = list_extensions(psql)
            psql.run("COMMIT", READ_SECONDS)
        with self._log.step("globals"):
            self._globals(helper)
        with self._log.step("seal") as note:
            dump = f"{FOLDER}/{store.DUMP}"
            schema = helper.run(
                ["pg_restore", "--schema-only", "--file=-", dump], "Reading the dump's schema", timeout=wanted.timeout
            )
            files = store.describe_files(self._partial)
            store.settle(self._partial)
            size = sum(item["bytes"] for item in files.values())
            note["detail"] = f"{len(files)} files, {size} bytes"
        return {
            "schema": store.SCHEMA,
            "id": self._id,
            "service": self._backups.service,
            "release": wanted.release,
            "created": created,
            "ended": now(),
            "database": {**(database or {}), "extensions": extensions},
            "server": {**server, "image": self._server.image},
            "tools": {"pg_dump": tool.strip()},
            "snapshot": {key: snapshot[key] for key in ("visible", "lsn")},
            "compression": compression,
            "jobs": wanted.jobs,
            "digest": wanted.digest,
            **content,
            "schema_sha256": schema_hash(schema.stdout),
            "toc_entries": self._toc_entries(helper),
            "files": files,
            "bytes": size,
            "verified": {},
        }

    def _globals(self, helper: Helper) -> None:
        argv = ["pg_dumpall", "--roles-only", "--no-role-passwords", f"--file={FOLDER}/{store.GLOBALS}"]
        helper.run(
            [*argv, f"--dbname={dsn(self._wanted.database)}"],
            "Dumping the roles without their passwords",
            timeout=READ_SECONDS,
        )

    def _toc_entries(self, helper: Helper) -> int:
        listed = helper.run(
            ["pg_restore", "--list", f"{FOLDER}/{store.DUMP}"], "Listing the dump", timeout=self._wanted.timeout
        )
        return sum(1 for line in listed.stdout.splitlines() if line.strip() and not line.startswith(";"))

    def _verify(self, helper: Helper, manifest: dict[str, t.Any]) -> str:
        problems = store.file_problems(self._partial, manifest["files"])
        if not problems and self._toc_entries(helper) != manifest["toc_entries"]:
            problems = ["the table of contents changed"]
        if problems:
            raise DeployError(
                f"The backup is not what was written: {'; '.join(problems[:3])}.",
                hint="Look at the disk, its log and its space.",
            )
        manifest["verified"]["files"] = len(manifest["files"])
        return f"{len(manifest['files'])} files read again, {manifest['toc_entries']} entries"

    def _prune(self, plan: Plan) -> None:
        if self._wanted.releases is None:
            self._warnings.append("No backup was removed: it is not known which releases are kept.")
        if not plan.pruned:
            return
        with self._log.step("prune") as note:
            for backup_id in plan.pruned:
                self._backups.remove(backup_id)
            note["detail"] = ", ".join(plan.pruned)

    def _planned(self, plan: Plan) -> dict[str, t.Any]:
        if plan.enough:
            manifest = self._backups.manifest(plan.enough)
            msg = f"Backup '{plan.enough}' is younger than {self._wanted.max_age:g} s: it is enough."
            return {
                **self._common(self._backups.ids(), [], msg),
                "changed": False,
                "backup": summary(manifest, self._backups.path(plan.enough)),
            }
        for name in plan.steps:
            self._log.add(name, "planned")
        msg = f"Would back up database '{self._wanted.database}' to '{self._backups.root}'."
        after = [item for item in self._backups.ids() if item not in plan.pruned]
        result = self._common(self._backups.ids(), list(plan.pruned), msg)
        result["diff"]["after"] = "".join(f"{item}\n" for item in [*after, "<new backup>"])
        return {**result, "changed": True, "backup": None}

    def _result(self, manifest: dict[str, t.Any], before: list[str], plan: Plan) -> dict[str, t.Any]:
        noun = summary(manifest, self._backups.path(self._id))
        msg = (
            f"Backup '{self._id}' of database '{self._wanted.database}': {noun['tables']} tables, {noun['rows']} rows, "
            f"{manifest['bytes']} bytes in {manifest['seconds']} s."
        )
        return {**self._common(sorted(before), list(plan.pruned), msg), "changed": True, "backup": noun}

    def _common(self, before: list[str], pruned: list[str], msg: str) -> dict[str, t.Any]:
        after = self._backups.ids()
        return {
            "msg": msg,
            "pruned": pruned,
            "steps": self._log.results,
            "evidence": {"kept": after, "retention": asdict(self._wanted.retention)},
            "warnings": self._warnings,
            "diff": {
                "before": "".join(f"{item}\n" for item in before),
                "after": "".join(f"{item}\n" for item in after),
            },
        }

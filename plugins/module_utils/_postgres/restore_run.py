# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restoring, undoing and pruning share: the lock, the sessions, what is done when something breaks.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres import backups as store
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.facts import describe_database
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.heal import heal, heal_one
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import Helper, Server, sweep
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import identifier
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.records import OPEN, Record, Records
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog


@dataclass(frozen=True)
class Wanted:
    """What is restored and how: the module's options. Times are in seconds.

    :param source: ``latest``, the id of a backup, or the path of a dump.
    :param restore: the restore to take back; the newest when empty.
    """

    database: str
    source: str = "latest"
    restore: str = ""
    jobs: int = 2
    accept_loss: bool = False
    swap_timeout: float = 5.0
    keep_seconds: float = 0.0
    min_free_bytes: int = 1 << 30
    lock_timeout: float = 0.0
    timeout: float = 3600.0


class Run:
    """One run on one database; a subclass says what it does.

    :param backups: where backups and the records of restores are.
    """

    def __init__(self, api: t.Any, runner: Runner, backups: store.Backups, server: Server, wanted: Wanted) -> None:
        self._api = api
        self._runner = runner
        self._backups = backups
        self._server = server
        self._wanted = wanted
        self._records = Records(backups.root)
        self._id = store.new_id()
        self._scratch = backups.path(self._id + store.PARTIAL)
        self._log = StepLog()
        self._warnings: list[str] = []
        self._healed: list[str] = []

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Do it, or in check mode only say what would be done. See the module's documentation for the result.

        :raises DeployError: nothing is different from before, or the error says what is.
        """
        self._backups.prepare()
        lock = Lock(self._backups.root, {"run": self._id, "kind": "restore", "release": ""})
        lock.acquire(self._wanted.lock_timeout)
        try:
            if not check_mode:
                left = self._backups.sweep()
                if sweep(self._api, self._backups.root) or left:
                    self._warnings.append(
                        f"Removed what an interrupted run left: {', '.join(left) or 'a helper container'}."
                    )
            return self.work(check_mode)
        except DeployError as exc:
            exc.steps = self._log.results
            exc.fields = {"outcome": "FAILED_SAFE", "healed": self._healed, "live_unchanged": True, **exc.fields}
            raise
        except OSError as exc:
            raise DeployError(f"The restore could not be recorded: {exc}.", steps=self._log.results) from exc
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
            lock.release()

    def work(self, check_mode: bool) -> dict[str, t.Any]:
        """Return the module's result."""
        raise NotImplementedError

    def _helper(self, mounts: t.Mapping[str, str] | None = None) -> Helper:
        return Helper(self._api, self._runner, self._backups.root, self._server, mounts=mounts)

    def _admin(self, helper: Helper, check_mode: bool) -> Psql:
        """Return a session that is not with the database itself, after healing what was left."""
        admin = self._outside(helper)
        if check_mode:
            for item in self._records.all(self._wanted.database):
                if item.phase in OPEN:
                    self._warnings.append(
                        f"Restore '{item.id}' was interrupted; before anything else it would be ended."
                    )
        else:
            self._healed = heal(admin, self._records, self._wanted.database, self._wanted.timeout)
            self._warnings += self._healed
        return admin

    def _live(self, admin: Psql) -> dict[str, t.Any]:
        live = describe_database(admin, self._wanted.database)
        if live is None:
            raise DeployError(
                f"There is no database '{self._wanted.database}' in '{self._server.container}'.",
                hint=f"Make an empty one with CREATE DATABASE {identifier(self._wanted.database)}, then restore.",
            )
        return live

    def _aborted(self, record: Record, exc: DeployError | OSError) -> DeployError:
        error = exc if isinstance(exc, DeployError) else DeployError(f"The restore could not be recorded: {exc}.")
        error.fields.setdefault("restore", record.result())
        try:
            # the session of before may be gone
            with self._helper() as helper:
                record, told = heal_one(self._outside(helper), self._records, record, self._wanted.timeout)
            error.fields["restore"] = record.result()
            error.fields["live_unchanged"] = record.phase == "failed"
            error.msg = f"{error.msg} {told}"
        except (DeployError, OSError) as second:
            error.fields["live_unchanged"] = None
            error.msg = f"{error.msg} What it left could not be put in order yet: {second}"
            error.hint = "Start the database if it is down, and run the same again: the next run does it first."
        return error

    def _outside(self, helper: Helper) -> Psql:
        return helper.connect("template1" if self._wanted.database == "postgres" else "postgres")

    def _common(self, outcome: str, msg: str, losses: list[dict[str, t.Any]], report: list[str]) -> dict[str, t.Any]:
        return {
            "outcome": outcome,
            "msg": msg,
            "loss": losses,
            "report": report,
            "healed": self._healed,
            "steps": self._log.results,
            "evidence": {},
            "warnings": self._warnings,
        }

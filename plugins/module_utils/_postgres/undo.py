# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from a restore, and its end: the name back to the database from before, and what is no more needed removed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres import side as sides
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import prepare
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.loss import describe, read_loss
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.plan import age
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.records import Record
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.restore_run import Run
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.swap import names, swap
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now


class Undo(Run):
    """Undoes the last restore."""

    def work(self, check_mode: bool) -> dict[str, t.Any]:
        """Undo; see the module's documentation for the result."""
        with self._helper() as helper:
            admin = self._admin(helper, check_mode)
            record = self._to_undo(admin)
            with self._log.step("loss"):
                session = helper.connect(record.database)
                prepare(session)
                losses = read_loss(session, record.reference or {}, bool(record.reference), self._wanted.timeout)
                old = helper.connect(record.before)
                moved = [] if check_mode else sides.advance_sequences(session, old)
                session.close()
                old.close()
            report = describe(losses)
            diff = {
                "before": f"{record.database}: restored from {record.source}\n{record.before}: as it was\n",
                "after": f"{record.database}: as it was\n{record.side}: restored from {record.source}\n",
            }
            common = {"restore": record.result(), "backup": None, "diff": diff, "changed": True}
            if check_mode:
                msg = f"Would bring back '{record.before}' as '{record.database}'."
                return {
                    **self._common("PLANNED", msg, losses, report),
                    **common,
                    "downtime_seconds": 0.0,
                    "sequences_advanced": [],
                }
            with self._log.step("swap") as note:
                record = self._records.save(record, phase="undoing")
                try:
                    done = swap(admin, record.database, record.before, record.side, self._wanted.swap_timeout)
                except DeployError as exc:
                    raise self._aborted(record, exc) from exc
                record = self._records.save(record, phase="undone")
                note["detail"] = f"{done['seconds'] * 1000:.0f} ms without a database"
        msg = (
            f"The database from before restore '{record.id}' serves again; the restored one is kept as '{record.side}'."
        )
        return {
            **self._common("UNDONE", msg, losses, report),
            **common,
            "restore": record.result(),
            "downtime_seconds": done["seconds"],
            "sequences_advanced": moved,
        }

    def _to_undo(self, admin: Psql) -> Record:
        done = [item for item in self._records.all(self._wanted.database) if item.phase == "restored"]
        chosen = [item for item in done if item.id == self._wanted.restore] if self._wanted.restore else done[-1:]
        if not chosen:
            listed = ", ".join(item.id for item in done[-5:]) or "none"
            raise DeployError(
                f"There is no restore {self._wanted.restore or 'of this database'} to undo.",
                hint=f"There are: {listed}.",
            )
        record = chosen[0]
        found = names(admin, record.live_oid, record.side_oid)
        if found.get(record.side_oid, {}).get("name") != record.database:
            raise DeployError(
                f"Restore '{record.id}' is not the one that serves now.", hint="Undo the restores after it first."
            )
        if found.get(record.live_oid, {}).get("name") != record.before:
            raise DeployError(
                f"The database from before restore '{record.id}' is gone: there is no '{record.before}'.",
                hint="Restore a backup instead.",
            )
        return record


class Prune(Run):
    """Removes databases that were swapped out long ago."""

    def work(self, check_mode: bool) -> dict[str, t.Any]:
        """Remove them; see the module's documentation for the result."""
        with self._helper() as helper:
            admin = self._admin(helper, check_mode)
            doomed = []
            for record in self._records.all(self._wanted.database):
                oid, name = (
                    (record.side_oid, record.side) if record.phase == "undone" else (record.live_oid, record.before)
                )
                old = age(record.swapped or record.created, now()) >= self._wanted.keep_seconds
                if (
                    record.phase in ("restored", "undone")
                    and old
                    and names(admin, oid).get(oid, {}).get("name") == name
                ):
                    doomed.append((record, name))
            for record, name in doomed:
                if check_mode:
                    self._log.add(f"drop {name}", "planned")
                    continue
                with self._log.step(f"drop {name}"):
                    sides.drop(admin, name, self._wanted.timeout)
                    self._records.save(record, phase="pruned")
        listed = [name for _record, name in doomed]
        outcome = "UNCHANGED" if not doomed else "PLANNED" if check_mode else "PRUNED"
        msg = f"{'Would remove' if check_mode else 'Removed'} {', '.join(listed) or 'nothing'}."
        diff = {"before": "".join(f"{name}\n" for name in listed), "after": ""}
        return {
            **self._common(outcome, msg, [], []),
            "changed": bool(doomed),
            "restore": None,
            "backup": None,
            "downtime_seconds": 0.0,
            "sequences_advanced": [],
            "pruned": listed,
            "diff": diff,
        }

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore: beside the live database, compared, and then swapped in.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres import side as sides
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.content import differences, prepare, read_content
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.facts import (
    create_database,
    describe_database,
    describe_server,
)
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import Helper
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.loss import describe, read_loss, split
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import derived
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.plan import summary
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.preflight import findings
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import Psql
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.records import Record
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.restore_run import Run
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.source import (
    FOLDER,
    Source,
    check_backup,
    find_source,
    free_bytes,
    toc_entries,
    unpack_plain,
    unpacked_bytes,
)
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.swap import swap
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now

MIB = 1 << 20
PLAIN_FILE = "dump.sql"


class Restore(Run):
    """Restores a source and swaps it in."""

    def work(self, check_mode: bool) -> dict[str, t.Any]:
        """Restore; see the module's documentation for the result."""
        source = find_source(self._backups, self._wanted.database, self._wanted.source)
        if source.kind == "plain":
            with self._log.step("unpack"):
                source = self._unpacked(source)
        with self._helper({FOLDER: source.folder}) as helper:
            admin = self._admin(helper, check_mode)
            live = self._live(admin)
            server = describe_server(admin)
            with self._log.step("preflight") as note:
                problems = [] if source.kind == "plain" else check_backup(source, lambda: toc_entries(helper, source))
                problems += findings(
                    self._api, self._server, admin, live, server["version_num"], source, self._wanted.min_free_bytes
                )
                if problems:
                    raise DeployError(f"Nothing was changed. {' '.join(problems)}", findings=problems)
                note["detail"] = f"{source.kind} dump, {source.bytes // MIB} MiB"
            same = self._comparable(source, live, server)
            with self._log.step("loss") as note:
                session = helper.connect(self._wanted.database)
                prepare(session)
                losses = read_loss(session, source.manifest, same, self._wanted.timeout)
                session.close()
                note["detail"] = f"{len(losses)} tables"
            if check_mode:
                return self._planned(source, losses)
            if losses and not self._wanted.accept_loss:
                raise DeployError(
                    f"Restoring '{source.name}' would lose rows: {'; '.join(describe(losses))}.",
                    hint="Say that they may be lost with accept_loss (-e j4c_accept_loss=true), or choose another backup.",
                    loss=losses,
                    report=describe(losses),
                )
            record = Record(
                id=self._id,
                database=self._wanted.database,
                source=source.name,
                live_oid=live["oid"],
                side=derived(self._wanted.database, f"restore_{self._id}"),
                before=derived(self._wanted.database, f"before_{self._id}"),
                created=now(),
            )
            return self._replace(helper, admin, source, live, server, record, losses, same)

    def _unpacked(self, source: Source) -> Source:
        free = free_bytes(self._backups.root)
        need = unpacked_bytes(source, free) + self._wanted.min_free_bytes
        if free < need:
            raise DeployError(
                f"Only {free // MIB} MiB are free under '{self._backups.root}', {need // MIB} MiB are needed to unpack "
                f"'{source.name}' (with min_free_mb).",
                hint="Free some, or give directory (j4c_backup_dir) another place.",
            )
        os.mkdir(self._scratch, 0o700)
        unpack_plain(source, os.path.join(self._scratch, PLAIN_FILE))
        return replace(source, folder=self._scratch, file=PLAIN_FILE)

    def _comparable(self, source: Source, live: t.Mapping[str, t.Any], server: t.Mapping[str, t.Any]) -> bool:
        """Whether transactions of the backup and of the live database can be compared."""
        manifest = source.manifest
        return bool(
            manifest
            and manifest["digest"] != "none"
            and manifest["server"]["system_identifier"] == server["system_identifier"]
            and manifest["database"]["oid"] == live["oid"]
        )

    def _replace(
        self,
        helper: Helper,
        admin: Psql,
        source: Source,
        live: t.Mapping[str, t.Any],
        server: t.Mapping[str, t.Any],
        record: Record,
        losses: list[dict[str, t.Any]],
        same: bool,
    ) -> dict[str, t.Any]:
        wanted = self._wanted
        record = self._records.save(record)
        try:
            with self._log.step("load") as note:
                like = source.manifest["database"] if source.manifest else live
                admin.run(create_database(record.side, like, server["version_num"], live["owner"]), wanted.timeout)
                made = describe_database(admin, record.side)
                record = self._records.save(record, side_oid=made["oid"] if made else 0)
                sides.load(helper, source, record.side, wanted.jobs, wanted.timeout)
                note["detail"] = record.side
            side, content = self._compared(helper, source, record)
            with self._log.step("carry over"):
                sides.carry_over(admin, live, record.side)
                old = helper.connect(record.database)
                prepare(old)
                moved = sides.advance_sequences(old, side)
                if same and losses:
                    losses = split(losses, old, side, source.manifest["snapshot"]["visible"], wanted.timeout)
                for session in (old, side):
                    session.close()
                # writes what the renames would have to wait for
                with contextlib.suppress(DeployError):
                    admin.run("CHECKPOINT", wanted.timeout)
            with self._log.step("swap") as note:
                record = self._records.save(record, phase="swapping")
                done = swap(admin, record.database, record.side, record.before, wanted.swap_timeout)
                record = self._records.save(
                    record,
                    phase="restored",
                    swapped=now(),
                    reference={**content, "digest": "counts", "snapshot": {"visible": done["visible"]}},
                )
                note["detail"] = f"{done['seconds'] * 1000:.0f} ms without a database"
        except (DeployError, OSError) as exc:
            raise self._aborted(record, exc) from exc
        losses, late = self._settled(helper, source, record, losses, same)
        moved += [item for item in late if item not in moved]
        report = describe(losses)
        msg = f"Restored '{source.name}' into '{record.database}', {done['seconds'] * 1000:.0f} ms without a database. "
        msg += f"The old one is kept as '{record.before}'."
        return {
            **self._common("RESTORED", msg, losses, report),
            "changed": True,
            "restore": record.result(),
            "backup": summary(source.manifest, source.folder) if source.manifest else None,
            "downtime_seconds": done["seconds"],
            "sequences_advanced": moved,
            "diff": {"before": f"{record.database}: as it was\n", "after": self._after(source, record.before, report)},
        }

    def _compared(self, helper: Helper, source: Source, record: Record) -> tuple[Psql, dict[str, t.Any]]:
        """Return a session with the restored database, and its content."""
        side = helper.connect(record.side)
        with self._log.step("analyze"):
            side.run("ANALYZE", self._wanted.timeout)
        with self._log.step("verify") as note:
            prepare(side)
            digest = source.manifest.get("digest", "counts")
            content = read_content(side, "counts" if digest == "none" else digest, self._wanted.timeout)
            problems = sides.invalid_indexes(side)
            if source.manifest and digest != "none":
                same_major = self._major(side) == source.manifest["server"]["version_num"] // 10000
                problems += differences(source.manifest, content, digests=digest == "content" and same_major)
            else:
                self._warnings.append(f"'{source.name}' has no counts, so what came out of it could not be compared.")
            if problems:
                raise DeployError(
                    f"What was restored is not what '{source.name}' says: {'; '.join(problems[:5])}.",
                    hint="Choose another backup.",
                    problems=problems,
                )
            note["detail"] = f"{len(content['tables'])} tables, {sum(item['rows'] for item in content['tables'])} rows"
        return side, content

    @staticmethod
    def _major(psql: Psql) -> int:
        return int(describe_server(psql)["version_num"]) // 10000

    def _settled(
        self, helper: Helper, source: Source, record: Record, losses: list[dict[str, t.Any]], same: bool
    ) -> tuple[list[dict[str, t.Any]], list[str]]:
        """Look once more at the old database, in which nobody writes any more, and return the final losses."""
        with self._log.step("settle"):
            old, new = helper.connect(record.before), helper.connect(record.database)
            prepare(old)
            prepare(new)
            late = sides.advance_sequences(old, new)
            if same:
                visible = source.manifest["snapshot"]["visible"]
                final = read_loss(old, source.manifest, same, self._wanted.timeout)
                if [(item["newer"], item["gone"]) for item in final] != [
                    (item["newer"], item["gone"]) for item in losses
                ]:
                    losses = split(final, old, new, visible, self._wanted.timeout)
        return losses, late

    def _planned(self, source: Source, losses: list[dict[str, t.Any]]) -> dict[str, t.Any]:
        for name in ("load", "analyze", "verify", "carry over", "swap", "settle"):
            self._log.add(name, "planned")
        report = describe(losses)
        msg = f"Would restore '{source.name}' into '{self._wanted.database}'; "
        msg += f"lost would be: {'; '.join(report)}." if report else "no row would be lost."
        return {
            **self._common("PLANNED", msg, losses, report),
            "changed": True,
            "restore": None,
            "backup": summary(source.manifest, source.folder) if source.manifest else None,
            "downtime_seconds": 0.0,
            "sequences_advanced": [],
            "diff": {
                "before": f"{self._wanted.database}: as it is\n",
                "after": self._after(source, derived(self._wanted.database, "before_<id>"), report),
            },
        }

    def _after(self, source: Source, before: str, report: list[str]) -> str:
        lines = [f"{self._wanted.database}: restored from {source.name}", f"{before}: as it was"]
        return "".join(f"{line}\n" for line in [*lines, *(f"lost: {item}" for item in report)])

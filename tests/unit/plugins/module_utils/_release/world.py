# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server for the release engine: real files, processes and answers, only the containers are written down."""

from __future__ import annotations

import json
import socket
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.j4c.deploy.plugins.module_utils._health import Check
from ansible_collections.j4c.deploy.plugins.module_utils._release.engine import Engine, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import read_journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import read_holder
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Settings
from ansible_collections.j4c.deploy.plugins.module_utils._release.protocol import protocol_of
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

from tests.unit.plugins.module_utils._release.fake_docker import PROJECT, FakeDocker, container
from tests.unit.plugins.module_utils._release.samples import release, settings
from tests.unit.web import Web

# leaves the file that it was to start for World to find; takes a file that it is to read as resolved
COMPOSE = """\
#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in -p) project=$2 ;; -f) file=$2 ;; --no-start) project=made-$project ;; config) exec cat ;; esac
    shift
done
[ ! -e "$STARTED/hang" ] || { trap '' TERM; sleep 600; }
[ ! -e "$STARTED/refuse" ] || { cat "$STARTED/refuse" >&2; exit 17; }
exec cp "$file" "$STARTED/$project.json"
"""
DOCUMENT: dict[str, t.Any] = {"services": {"shop": {"image": "shop:latest", "environment": {"KEY": "secret"}}}}


class Killed(BaseException):
    """Ends a run as kill -9 would: nothing is taken back."""


class World(FakeDocker):
    """A server on which compose starts containers; ``newborns`` has the state that those of a release get to.

    :param root: an empty directory for it.
    :param front: answers in the gateway's place.
    """

    def __init__(self, root: Path, front: Web) -> None:
        super().__init__(container("shop-core-gateway-1"))
        self.known_networks = {"shop-edge": {}, "shop-data": {}}
        self.newborns: dict[str, str] = {}
        self.killer: t.Callable[[], bool] = lambda: False
        self.front = front
        self.started = root / "started"
        self.settings: Settings = settings(
            state_dir=str(root / "state"),
            project_dir=str(root),
            slot_ports=dict(zip(("blue", "green"), free_ports())),
            gateway_url=front.url,
            checks=(Check("container", "container"),),
            min_free_bytes=1,
            startup_timeout=0.2,
            watch_seconds=0.0,
            drain_timeout=0.0,
        )
        for folder in (self.started, root / "bin"):
            folder.mkdir()
        program = root / "bin" / "docker"
        program.write_text(COMPOSE, "utf-8")
        program.chmod(0o755)
        self.runner = Runner({"PATH": f"{root / 'bin'}:/usr/bin:/bin", "STARTED": str(self.started)})
        self.engine.store.prepare()
        self.engine.gateway.create()
        front.answers["/"] = self.answer

    @property
    def engine(self) -> Engine:
        return Engine(self, self.runner, self.settings)

    def answer(self) -> tuple[int, bytes, dict[str, str]]:
        """Answer as the gateway does."""
        return 200, b"", {"X-J4C-Slot": self.engine.gateway.flag()}

    def containers(self, all: bool, filters: t.Mapping[str, str] | None = None) -> list[dict[str, t.Any]]:  # noqa: A002
        for path in self.started.glob("*.json"):
            section = json.loads(path.read_text("utf-8"))["services"]["shop"]
            project = path.stem.replace("made-", "")
            name = f"{project}-{section['labels']['io.j4c.release']}"
            status = self.newborns.get(section["labels"]["io.j4c.release"], "running")
            status = "created" if path.name.startswith("made-") else status
            self.views[name] = container(
                name, status, labels={**section["labels"], PROJECT: project}, image=section["image"]
            )
            path.unlink()
        return super().containers(all, filters)

    def inspect_container(self, name: str) -> dict[str, t.Any]:
        if self.killer():
            raise Killed
        return super().inspect_container(name)

    def run(self, wanted: Wanted, run_id: str, report: t.Any = lambda event, result: None) -> dict[str, t.Any]:
        return self.engine.run(wanted, run_id, report)

    def release(self, name: str, run_id: str = "", **more: t.Any) -> dict[str, t.Any]:
        return self.run(Wanted("release", release(name), DOCUMENT), run_id or f"run-{name}", **more)

    def let_nobody_be_healthy(self) -> None:
        """Have each release judged by a check that fails, those that are stored and those to come."""
        self.settings = replace(self.settings, checks=(Check("up", "tcp"),))
        store = self.engine.store
        for item in store.load_releases().values():
            store.save_release(item, protocol=protocol_of(self.settings))

    def slots(self) -> dict[str, str]:
        seen = self.engine.observe()
        return {slot: f"{view.release} {view.status}".strip() for slot, view in seen.slots.items()}

    def told(self, *events: str) -> list[str]:
        """Return the journal's records of some events, as ``event step``."""
        records = read_journal(self.engine.store.path("journal.jsonl"))
        return [f"{item['event']} {item['step']}" for item in records if item["event"] in events]

    def clean(self) -> bool:
        """Tell whether nobody holds the lock, and no run is recorded as unfinished."""
        return not read_holder(self.engine.store.root) and self.engine.store.load_state().run is None


def free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], two.getsockname()[1]]

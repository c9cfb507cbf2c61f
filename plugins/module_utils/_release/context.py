# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of one run share.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._health import HealthReport, Target
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway
from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import Journal
from ansible_collections.j4c.deploy.plugins.module_utils._release.lock import Lock
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import (
    Observed,
    Release,
    Settings,
    SlotView,
    State,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.observe import observe_slot
from ansible_collections.j4c.deploy.plugins.module_utils._release.protocol import with_protocol
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store
from ansible_collections.j4c.deploy.plugins.module_utils._release.termination import Termination
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

Kind = t.Literal["release", "rollback"]


@dataclass
class Context:
    """One run: its tools, what was seen before it began, and what it has found out so far.

    :param document: the resolved compose file of ``release``; read from the store for a rollback.
    :param reason: why a rollback was asked for; it is kept with the release that is rolled back.
    :param report: tells whoever follows the run that it has got to ``prepared`` or ``sealed``.
    :param gone_back: what a rollback was asked for was done while an interrupted run was ended.
    :param lenient: go on when a record cannot be written: the traffic matters more on the way back and once sealed.
    """

    api: t.Any
    runner: Runner
    settings: Settings
    store: Store
    gateway: Gateway
    lock: Lock
    journal: Journal
    run_id: str
    kind: Kind
    observed: Observed
    release: Release
    slot: str
    document: dict[str, t.Any]
    reason: str = ""
    termination: Termination = field(default_factory=Termination)
    log: StepLog = field(default_factory=StepLog)
    report: t.Callable[[str], None] = lambda event: None
    health: HealthReport | None = None
    state: State = field(default_factory=State)
    decision: str = "SUCCESS"
    lenient: bool = False
    switched: bool = False
    gone_back: bool = False
    halted_at: float | None = None
    downtime: float = 0.0
    drained: bool = True
    open_connections: int = 0
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def previous(self) -> SlotView | None:
        """The slot that served before this run."""
        return self.observed.live

    @property
    def run(self) -> t.Mapping[str, t.Any]:
        """The run as state.json has it."""
        return self.state.run or {}

    @property
    def alone(self) -> bool:
        """Whether two containers of the service must never run at once."""
        return "recreate" in (self.settings.strategy, self.run.get("strategy"))

    def save(self, **changes: t.Any) -> None:
        """Change the recorded state, on disk first.

        :raises DeployError: it cannot be written, and the run is not ``lenient``.
        """
        state = replace(self.state, **changes)
        try:
            self.store.save_state(state)
        except OSError as exc:
            self._unwritten(exc)
        self.state = state

    def mark(self, **changes: t.Any) -> None:
        """Change the record of this run in the state."""
        self.save(run={**self.run, **changes})

    def record(self, event: str, step: str, **fields: t.Any) -> None:
        """Write to the journal.

        :raises DeployError: it cannot be written, and the run is not ``lenient``.
        """
        try:
            self.journal.write(event, step, **fields)
        except OSError as exc:
            self._unwritten(exc)

    def _unwritten(self, exc: OSError) -> None:
        what = f"The records of the run cannot be written: {exc.strerror} (below '{self.store.root}')."
        if not self.lenient:
            raise DeployError(what, hint="Free space there, or make it writable.") from exc
        if what not in self.problems:
            self.problems.append(what)

    def known(self, release_id: str) -> Release:
        """Return a release by its id: that of the run, or a stored one.

        :raises DeployError: there is no such release.
        """
        if release_id == self.release.id:
            return self.release
        if release_id not in self.observed.releases:
            raise DeployError(f"Release '{release_id or 'without a name'}' is not known on this server.")
        return self.observed.releases[release_id]

    def judged(self, release: Release) -> Settings:
        """Return the settings with the checks and the identity that belong to a release."""
        return with_protocol(self.settings, self.store.load_protocol(release.id))

    def view(self, slot: str) -> SlotView:
        """Look at a slot now."""
        return observe_slot(self.api, self.settings.service, slot)

    def inspect(self, container: str) -> dict[str, t.Any] | None:
        """Inspect a container by id or name."""
        return engine.inspect_container(self.api, container)

    def target(self, slot: str) -> Target:
        """Return where a slot is probed: its port on loopback and its container."""
        return Target("127.0.0.1", self.settings.slot_ports[slot], self.view(slot).container or None)

    def open_on(self, slot: str) -> int:
        """Return how many connections the gateway has open to a slot."""
        return self.gateway.open_connections(self.api, self.settings.addresses[slot], self.settings.port)

    def wait(self, done: t.Callable[[], bool], timeout: float, interval: float = 0.05) -> bool:
        """Poll ``done`` until it is true or ``timeout`` seconds are over; return what it said last."""
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() >= deadline:
                return False
            time.sleep(interval)
        return True

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of a load: what was asked, what failed, how long it took, which slot answered."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

EXAMPLES = 5
NOT_QUICK = ("slow", "stream")


@dataclass(frozen=True)
class Failure:
    """One failed request: when it was due (UTC), what kind it was of, how it failed, what was known of the answer."""

    time: str
    request: str
    kind: str
    status: int
    slot: str
    detail: str


@dataclass(frozen=True)
class Latency:
    """Milliseconds from when requests were due until their answers were complete."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: t.Sequence[float]) -> Latency:
        """Summarise; all zero when there is nothing to summarise."""
        ordered = sorted(seconds)

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1) if ordered else 0.0

        return cls(len(ordered), at(0.50), at(0.95), at(0.99), at(1.0))


@dataclass(frozen=True)
class Second:
    """The requests that were due in one second of the run."""

    second: int
    requests: int
    failed: int
    max_ms: float
    slots: dict[str, int]


@dataclass(frozen=True)
class Report:
    """What became of a load.

    :param failures: number of failed requests by kind: ``refused``, ``reset``, ``closed``, ``truncated``, ``status``,
        ``timeout``, ``protocol``, ``unsent``.
    :param examples: the first failures of each kind.
    :param latency: of answered requests, by name of the request; ``quick`` is all but slow ones and streams.
    :param slots: answers by their header X-J4C-Slot, ``-`` for those without.
    :param posted: idempotency keys whose insert was confirmed: each must be stored, once.
    :param unsure: idempotency keys of failed inserts: each may be stored, once.
    :param connections: how many were opened; ``replaced`` of them because the server had closed an idle one.
    :param lag_ms: longest time that a request started after it was due: a large one says that this machine was too
        busy to keep the schedule.
    """

    started: str
    seconds: float
    total: int
    failures: dict[str, int]
    examples: list[Failure]
    latency: dict[str, Latency]
    slots: dict[str, int]
    timeline: list[Second]
    posted: list[str]
    unsure: list[str]
    connections: int
    replaced: int
    lag_ms: float

    @property
    def failed(self) -> int:
        """Number of failed requests."""
        return sum(self.failures.values())

    def as_dict(self) -> dict[str, t.Any]:
        """Return everything as plain values, for JSON."""
        return {**dataclasses.asdict(self), "failed": self.failed}

    def summary(self) -> str:
        """Return some lines for people: totals, latencies, failures with examples."""
        lines = [
            f"{self.total} requests in {self.seconds:.1f} s, {self.failed} failed; "
            f"{len(self.posted)} inserts confirmed; {self.connections} connections, {self.replaced} replaced; "
            f"schedule kept within {self.lag_ms:.0f} ms",
            "answered by " + ", ".join(f"{slot} {count}" for slot, count in sorted(self.slots.items())),
            f"{'request':<10} {'count':>7} {'p50':>9} {'p95':>9} {'p99':>9} {'max':>9}  (ms)",
        ]
        for name, row in self.latency.items():
            lines.append(f"{name:<10} {row.count:>7} {row.p50:>9.1f} {row.p95:>9.1f} {row.p99:>9.1f} {row.max:>9.1f}")
        for kind, count in sorted(self.failures.items()):
            lines.append(f"failed, {kind}: {count}")
            for item in self.examples:
                if item.kind == kind:
                    known = f"status {item.status or '-'} slot {item.slot or '-'}"
                    lines.append(f"  {item.time} {item.request} {known} {item.detail}")
        return "\n".join(lines)


@dataclass
class Recorder:
    """Collects what happens; ``begin`` is the loop's time of the start, ``started`` the wall clock's in seconds."""

    begin: float
    started: float
    total: int = 0
    failed: int = 0
    connections: int = 0
    replaced: int = 0
    lag: float = 0.0
    posted: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    _failures: dict[str, list[Failure]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _latencies: dict[str, list[float]] = field(default_factory=dict)
    _slots: dict[str, int] = field(default_factory=dict)
    _seconds: dict[int, list[tuple[bool, float, str]]] = field(default_factory=dict)

    def answered(self, request: str, due: float, now: float, slot: str, key: str) -> None:
        """Record a right answer; ``key`` is the one of an insert, else empty."""
        self._latencies.setdefault(request, []).append(now - due)
        self._slots[slot or "-"] = self._slots.get(slot or "-", 0) + 1
        if key:
            self.posted.append(key)
        self._record(due, now, False, slot)

    def broke(
        self, request: str, due: float, now: float, kind: str, *, status: int, slot: str, detail: str, key: str
    ) -> None:
        """Record a failed request."""
        self.failed += 1
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._failures.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(Failure(self._utc(due), request, kind, status, slot, detail))
        if key:
            self.unsure.append(key)
        self._record(due, now, True, slot)

    def _record(self, due: float, now: float, failed: bool, slot: str) -> None:
        self.total += 1
        self._seconds.setdefault(int(due - self.begin), []).append((failed, now - due, slot or "-"))

    def _utc(self, moment: float) -> str:
        stamp = datetime.fromtimestamp(self.started + moment - self.begin, timezone.utc)
        return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def report(self, now: float) -> Report:
        """Sum up; ``now`` is the loop's time of the end."""
        timeline = []
        for second, rows in sorted(self._seconds.items()):
            slots: dict[str, int] = {}
            for _failed, _time, slot in rows:
                slots[slot] = slots.get(slot, 0) + 1
            longest = round(max(row[1] for row in rows) * 1000, 1)
            timeline.append(Second(second, len(rows), sum(row[0] for row in rows), longest, slots))
        quick = [value for name, values in self._latencies.items() if name not in NOT_QUICK for value in values]
        return Report(
            started=self._utc(self.begin),
            seconds=round(now - self.begin, 3),
            total=self.total,
            failures=dict(self._counts),
            examples=[item for items in self._failures.values() for item in items],
            latency={
                "quick": Latency.of(quick),
                **{name: Latency.of(values) for name, values in sorted(self._latencies.items())},
            },
            slots=dict(self._slots),
            timeline=timeline,
            posted=list(self.posted),
            unsure=list(self.unsure),
            connections=self.connections,
            replaced=self.replaced,
            lag_ms=round(self.lag * 1000, 1),
        )

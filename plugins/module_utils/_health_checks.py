# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of health checks.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import socket
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient, HttpError, HttpResponse
from ansible_collections.j4c.deploy.plugins.module_utils._json_pointer import resolve_pointer
from ansible_collections.j4c.deploy.plugins.module_utils._metrics_text import count_samples

OBSERVED_LENGTH = 500
Inspect = t.Callable[[str], "dict[str, t.Any] | None"]


@dataclass(frozen=True)
class Target:
    """What is probed: ``host`` and ``port``, and the name or id of its ``container`` when it has one."""

    host: str
    port: int
    container: str | None = None


@dataclass(frozen=True)
class Check:
    """One check of a health protocol.

    :param kind: a key of ``KINDS``.
    :param port: port to use instead of the target's.
    :param status: HTTP statuses that are good.
    :param timeout: seconds.
    :param json: JSON pointer to the value that must be there.
    :param version_pointer: JSON pointer to the version, compared when one is expected.
    :param min_lines: the metrics must have more lines than this.
    """

    name: str
    kind: str
    path: str = "/"
    port: int | None = None
    status: tuple[int, ...] = (200,)
    timeout: float = 2.0
    json: t.Mapping[str, t.Any] = field(default_factory=dict)
    json_not_empty: bool = False
    version_pointer: str | None = None
    min_lines: int = 10
    headers: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """How a check went: what was ``observed``, what was ``expected``, and in ``detail`` why it failed."""

    name: str
    kind: str
    healthy: bool
    seconds: float
    observed: str
    expected: str
    detail: str


class Unhealthy(Exception):
    """A check failed: ``observed`` is what was there instead."""

    def __init__(self, detail: str, observed: str = "") -> None:
        super().__init__(detail)
        self.observed = observed


@dataclass(frozen=True)
class _Probe:
    check: Check
    target: Target
    inspect: Inspect
    client: HttpClient
    version: str | None

    @property
    def port(self) -> int:
        return self.check.port or self.target.port

    def fetch(self) -> HttpResponse:
        url = f"http://{self.target.host}:{self.port}{self.check.path}"
        try:
            response = self.client.get(url, self.check.timeout, self.check.headers)
        except HttpError as exc:
            raise Unhealthy(f"{url}: {exc}") from exc
        if response.status not in self.check.status:
            raise Unhealthy(f"{url} answered with status {response.status}", response.text())
        return response

    def container(self) -> dict[str, t.Any]:
        found = self.inspect(self.target.container) if self.target.container else None
        if found is None:
            raise Unhealthy(f"there is no container '{self.target.container or ''}'")
        return found


def _http(probe: _Probe) -> str:
    response = probe.fetch()
    check = probe.check
    if not (check.json or check.json_not_empty or (check.version_pointer and probe.version)):
        return f"status {response.status}"
    try:
        document = response.json()
    except ValueError:
        raise Unhealthy("the answer is not JSON", response.text()) from None
    if check.json_not_empty and not document:
        raise Unhealthy("the answer is empty", response.text())
    wanted = dict(check.json)
    if check.version_pointer and probe.version:
        wanted[check.version_pointer] = probe.version
    for pointer, value in wanted.items():
        try:
            found = resolve_pointer(document, pointer)
        except LookupError as exc:
            raise Unhealthy(str(exc), response.text()) from exc
        if found != value:
            raise Unhealthy(f"'{pointer}' is {found!r}, not {value!r}", response.text())
    return " ".join(response.text().split())


def _metrics(probe: _Probe) -> str:
    text = probe.fetch().text()
    lines = len(text.splitlines())
    if lines <= probe.check.min_lines:
        raise Unhealthy(f"{lines} lines of metrics, more than {probe.check.min_lines} are expected", text)
    try:
        return f"{lines} lines, {count_samples(text)} samples"
    except ValueError as exc:
        raise Unhealthy(f"the metrics cannot be parsed: {exc}") from exc


def _container(probe: _Probe) -> str:
    found = probe.container()
    state = found["State"]
    status = state.get("Status", "")
    if state.get("OOMKilled"):
        raise Unhealthy("the container ran out of memory", f"status {status}")
    if status != "running":
        raise Unhealthy(f"the container is {status}, exit status {state.get('ExitCode')}", f"status {status}")
    if found.get("RestartCount"):
        raise Unhealthy(f"the container was restarted {found['RestartCount']} times", f"status {status}")
    health = (state.get("Health") or {}).get("Status", "none")
    if health == "unhealthy":
        raise Unhealthy("the container's own health check fails", f"status {status}, health {health}")
    return f"status {status}"


def _port(probe: _Probe) -> str:
    if not probe.target.container:
        return _tcp(probe)
    bindings = (probe.container()["NetworkSettings"].get("Ports") or {}).values()
    bound = [f"{item['HostIp']}:{item['HostPort']}" for items in bindings for item in items or []]
    if not any(item.rpartition(":")[2] == str(probe.port) for item in bound):
        raise Unhealthy(f"port {probe.port} is not bound", ", ".join(bound) or "no port is bound")
    return ", ".join(bound)


def _tcp(probe: _Probe) -> str:
    try:
        with socket.create_connection((probe.target.host, probe.port), probe.check.timeout):
            return f"{probe.target.host}:{probe.port} accepts connections"
    except OSError as exc:
        raise Unhealthy(f"{probe.target.host}:{probe.port} does not accept connections: {exc.strerror or exc}") from exc


KINDS: dict[str, t.Callable[[_Probe], str]] = {
    "container": _container,
    "http": _http,
    "metrics": _metrics,
    "port": _port,
    "tcp": _tcp,
}


def _expected(check: Check, version: str | None) -> str:
    if check.kind == "http":
        parts = [
            f"status {' or '.join(map(str, check.status))}",
            *(f"{key} = {value}" for key, value in check.json.items()),
        ]
        if check.json_not_empty:
            parts.append("JSON that is not empty")
        if check.version_pointer and version:
            parts.append(f"{check.version_pointer} = {version}")
        return ", ".join(parts)
    return {
        "container": "running, never restarted",
        "metrics": f"more than {check.min_lines} lines of Prometheus metrics",
        "port": "the port is bound",
        "tcp": "the port accepts connections",
    }[check.kind]


def run_check(check: Check, target: Target, inspect: Inspect, client: HttpClient, version: str | None) -> CheckResult:
    """Run one check; never raises for a service that is not well."""
    started = time.monotonic()
    expected = _expected(check, version)
    try:
        observed, detail, healthy = KINDS[check.kind](_Probe(check, target, inspect, client, version)), "", True
    except Unhealthy as exc:
        observed, detail, healthy = " ".join(exc.observed.split()), str(exc), False
    return CheckResult(
        check.name,
        check.kind,
        healthy,
        round(time.monotonic() - started, 4),
        observed[:OBSERVED_LENGTH],
        expected,
        detail,
    )

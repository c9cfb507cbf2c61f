# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of health checks.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import datetime
import socket
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._grpc_health import GrpcError, ask_health
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient, HttpError, HttpResponse
from ansible_collections.j4c.deploy.plugins.module_utils._json_pointer import differences
from ansible_collections.j4c.deploy.plugins.module_utils._metrics_text import count_samples

OBSERVED_LENGTH = 500
# a restart longer ago says nothing about how the service is now
RECENT_SECONDS = 600
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
    :param service: name of the gRPC service, ``""`` for the server as a whole.
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
    service: str = ""


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

    @property
    def place(self) -> str:
        host = self.target.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def fetch(self) -> HttpResponse:
        url = f"http://{self.place}{self.check.path}"
        try:
            response = self.client.get(url, self.check.timeout, self.check.headers)
        except HttpError as exc:
            raise Unhealthy(f"{url}: {exc}") from exc
        if response.status not in self.check.status:
            leads = f", leading to {response.headers['Location']}" if "Location" in response.headers else ""
            raise Unhealthy(f"{url} answered with status {response.status}{leads}", response.text())
        return response

    def container(self) -> dict[str, t.Any]:
        found = self.inspect(self.target.container) if self.target.container else None
        if found is None:
            raise Unhealthy(f"there is no container '{self.target.container or ''}'")
        return found


def _http(probe: _Probe) -> str:
    response = probe.fetch()
    check = probe.check
    wanted = dict(check.json)
    if check.version_pointer and probe.version:
        wanted[check.version_pointer] = probe.version
    if not (wanted or check.json_not_empty):
        return f"status {response.status}"
    try:
        document = response.json()
    except ValueError:
        raise Unhealthy("the answer is not JSON", response.text()) from None
    if check.json_not_empty and not document:
        raise Unhealthy("the answer is empty", response.text())
    wrong = differences(document, wanted)
    if wrong:
        raise Unhealthy(", ".join(wrong), response.text())
    return response.text()


def _http_expects(check: Check, version: str | None) -> str:
    parts = [f"status {' or '.join(map(str, check.status))}", *(f"{key} = {item}" for key, item in check.json.items())]
    if check.json_not_empty:
        parts.append("JSON that is not empty")
    if check.version_pointer and version:
        parts.append(f"{check.version_pointer} = {version}")
    return ", ".join(parts)


def _metrics(probe: _Probe) -> str:
    text = probe.fetch().text()
    lines = len(text.splitlines())
    if lines <= probe.check.min_lines:
        raise Unhealthy(f"{lines} lines of metrics, more than {probe.check.min_lines} are expected", text)
    try:
        return f"{lines} lines, {count_samples(text)} samples"
    except ValueError as exc:
        raise Unhealthy(f"the metrics cannot be parsed: {exc}", f"{lines} lines") from exc


def _container(probe: _Probe) -> str:
    found = probe.container()
    state = found["State"]
    status = state.get("Status", "")
    observed = f"status {status}, exit status {state.get('ExitCode')}, restarts {found.get('RestartCount', 0)}"
    if state.get("OOMKilled"):
        raise Unhealthy("the container ran out of memory", observed)
    if status != "running":
        # the engine does not always notice what killed it
        killed = ", killed by somebody or because it ran out of memory" if state.get("ExitCode") == 137 else ""
        raise Unhealthy(f"the container is {status}{killed}", observed)
    started = _seconds_since(state.get("StartedAt", ""))
    if found.get("RestartCount") and started < RECENT_SECONDS:
        raise Unhealthy(f"the container ended and was restarted {started:.0f} s ago", observed)
    health = (state.get("Health") or {}).get("Status", "none")
    if health == "unhealthy":
        raise Unhealthy("the container's own health check fails", f"{observed}, health {health}")
    return f"status {status}"


def _seconds_since(stamp: str) -> float:
    """Return how long ago the engine's time stamp was; 0 when there is none."""
    try:
        then = datetime.datetime.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return 0.0
    return max(0.0, time.time() - then.timestamp())


def _port(probe: _Probe) -> str:
    if not probe.target.container:
        return _tcp(probe)
    found = probe.container()
    if found.get("HostConfig", {}).get("NetworkMode") == "host":
        return _tcp(probe)
    bindings = (found["NetworkSettings"].get("Ports") or {}).values()
    bound = [f"{item['HostIp']}:{item['HostPort']}" for items in bindings for item in items or []]
    if not any(item.rpartition(":")[2] == str(probe.port) for item in bound):
        raise Unhealthy(f"port {probe.port} is not bound", ", ".join(bound) or "no port is bound")
    return ", ".join(bound)


def _tcp(probe: _Probe) -> str:
    try:
        with socket.create_connection((probe.target.host, probe.port), probe.check.timeout):
            return f"{probe.place} accepts connections"
    except (TimeoutError, socket.timeout):
        raise Unhealthy(f"{probe.place} does not accept connections within {probe.check.timeout:g} s") from None
    except OSError as exc:
        raise Unhealthy(f"{probe.place} does not accept connections: {exc.strerror or exc}") from exc


def _grpc(probe: _Probe) -> str:
    try:
        status = ask_health(probe.target.host, probe.port, probe.check.service, probe.check.timeout)
    except GrpcError as exc:
        raise Unhealthy(f"{probe.place}: {exc}") from exc
    if status != "SERVING":
        raise Unhealthy(f"the service is {status}", status)
    return status


@dataclass(frozen=True)
class Kind:
    """A kind of check.

    :param run: does the check; returns what was observed, raises ``Unhealthy``.
    :param expects: says what is expected, given the check and the version.
    :param options: the fields of ``Check`` that it uses, besides ``name`` and ``kind``.
    :param waits: whether it waits for the service, so that it is better done beside others.
    """

    run: t.Callable[[_Probe], str]
    expects: t.Callable[[Check, str | None], str]
    options: frozenset[str]
    waits: bool = True


_REQUEST = frozenset({"path", "port", "status", "timeout", "headers"})
KINDS: dict[str, Kind] = {
    "container": Kind(
        _container, lambda _check, _version: "running, not restarted in the last 10 minutes", frozenset(), waits=False
    ),
    "grpc": Kind(_grpc, lambda _check, _version: "SERVING", frozenset({"port", "service", "timeout"})),
    "http": Kind(_http, _http_expects, _REQUEST | {"json", "json_not_empty", "version_pointer"}),
    "metrics": Kind(
        _metrics,
        lambda check, _version: f"more than {check.min_lines} lines of Prometheus metrics",
        _REQUEST | {"min_lines"},
    ),
    "port": Kind(_port, lambda _check, _version: "the port is bound", frozenset({"port", "timeout"}), waits=False),
    "tcp": Kind(_tcp, lambda _check, _version: "the port accepts connections", frozenset({"port", "timeout"})),
}


def run_check(check: Check, target: Target, inspect: Inspect, client: HttpClient, version: str | None) -> CheckResult:
    """Run one check; never raises for a service that is not well."""
    started = time.monotonic()
    kind = KINDS[check.kind]
    try:
        observed, detail, healthy = kind.run(_Probe(check, target, inspect, client, version)), "", True
    except Unhealthy as exc:
        observed, detail, healthy = exc.observed, str(exc), False
    return CheckResult(
        check.name,
        check.kind,
        healthy,
        round(time.monotonic() - started, 4),
        " ".join(observed.split())[:OBSERVED_LENGTH],
        kind.expects(check, version),
        detail,
    )

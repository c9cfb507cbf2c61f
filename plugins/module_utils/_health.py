# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A health protocol: its checks, one round of them, and waiting until all pass.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import functools
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._health_checks import (
    KINDS,
    Check,
    CheckResult,
    Inspect,
    Target,
    run_check,
)
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._json_pointer import is_pointer

__all__ = [
    "HEALTH_CHECK_OPTIONS",
    "Check",
    "HealthReport",
    "Target",
    "checks_from_options",
    "probe",
    "probe_service",
    "wait_healthy",
]

# of an answer in a message; the whole of it is in the result
TOLD_LENGTH = 200
HEALTH_CHECK_OPTIONS: dict[str, t.Any] = {
    "headers": {"type": "dict"},
    "json": {"type": "dict"},
    "json_not_empty": {"type": "bool"},
    "kind": {"type": "str", "required": True, "choices": sorted(KINDS)},
    "min_lines": {"type": "int"},
    "name": {"type": "str", "required": True},
    "path": {"type": "str"},
    "port": {"type": "int"},
    "service": {"type": "str"},
    "status": {"type": "list", "elements": "int"},
    "timeout": {"type": "float"},
    "version_pointer": {"type": "str"},
}


@dataclass(frozen=True)
class HealthReport:
    """The last round of checks; ``attempts`` rounds in ``elapsed`` seconds. ``reason`` says why waiting was given up."""

    healthy: bool
    checks: tuple[CheckResult, ...]
    attempts: int
    elapsed: float
    reason: str | None = None

    def result(self) -> dict[str, t.Any]:
        """Return the ``health`` noun of module results."""
        return {
            "healthy": self.healthy,
            "checks": [asdict(item) for item in self.checks],
            "attempts": self.attempts,
            "elapsed": round(self.elapsed, 3),
        }

    def failures(self) -> str:
        """Return one sentence on the checks that failed."""
        return "; ".join(
            f"{item.name}: {item.detail}" + (f" ({item.observed[:TOLD_LENGTH]})" if item.observed else "")
            for item in self.checks
            if not item.healthy
        )


def _bad(number: int, option: str, value: object, why: str, todo: str = "Mend this check.") -> DeployError:
    return DeployError(f"Option checks[{number}].{option} is '{value}': {why}.", hint=todo)


def checks_from_options(options: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Check, ...]:
    """Turn the option ``checks`` into checks.

    :raises DeployError: one makes no sense; names option, value, why and what to do.
    """
    if not options:
        raise DeployError(
            "Option checks is empty: a release would be taken as healthy without being asked.",
            hint="Give at least one check.",
        )
    checks: list[Check] = []
    for number, option in enumerate(options):
        given = {key: value for key, value in option.items() if value is not None}
        check = _check_from(number, given)
        if check.name in {item.name for item in checks}:
            raise _bad(number, "name", check.name, "another check has this name", "Give each check a name of its own.")
        checks.append(check)
    return tuple(checks)


def _check_from(number: int, given: t.Mapping[str, t.Any]) -> Check:
    headers = {key: str(value) for key, value in given.get("headers", {}).items()}
    check = Check(**{**given, "status": tuple(given.get("status", (200,))), "headers": headers})
    for key in given:
        if key not in KINDS[check.kind].options | {"name", "kind"}:
            raise _bad(number, key, given[key], f"a check of the kind {check.kind} does not use it", "Leave it out.")
    for key, good, why in (
        ("name", bool(check.name), "it is empty"),
        ("path", check.path.startswith("/"), "it does not start with '/'"),
        ("timeout", check.timeout > 0, "it is not above 0"),
        ("port", check.port is None or 0 < check.port < 65536, "that is no TCP port"),
        ("status", bool(check.status) and all(100 <= item <= 599 for item in check.status), "that is no HTTP status"),
        ("json", all(map(is_pointer, check.json)), "a JSON pointer is a text such as /status or /checks/0/name"),
        (
            "version_pointer",
            check.version_pointer is None or is_pointer(check.version_pointer),
            "that is no JSON pointer such as /version",
        ),
        ("min_lines", check.min_lines >= 0, "it is negative"),
        ("service", len(check.service.encode()) < 128, "it is longer than 127 bytes"),
    ):
        if not good:
            raise _bad(number, key, given.get(key), why)
    return check


def probe(checks: t.Sequence[Check], target: Target, inspect: Inspect, version: str | None = None) -> HealthReport:
    """Run every check once, those that wait for the service beside each other.

    A round takes as long as its slowest check, so at most the longest ``timeout`` of a check.

    :param inspect: returns what the engine knows of a container, or ``None``; asked once for each container.
    :param version: the version that checks with ``version_pointer`` expect.
    """
    started = time.monotonic()
    look = functools.lru_cache(maxsize=None)(inspect)
    with HttpClient() as client, ThreadPoolExecutor(max_workers=len(checks)) as pool:
        waiting = {
            check.name: pool.submit(run_check, check, target, look, client, version)
            for check in checks
            if KINDS[check.kind].waits
        }
        # the engine is asked from this thread only
        done = {
            check.name: run_check(check, target, look, client, version) for check in checks if check.name not in waiting
        }
        results = tuple(done[name] if name in done else waiting[name].result() for name in (c.name for c in checks))
    return HealthReport(all(item.healthy for item in results), results, 1, time.monotonic() - started)


def wait_healthy(
    checks: t.Sequence[Check],
    target: Target,
    inspect: Inspect,
    *,
    version: str | None = None,
    timeout: float,
    interval: float = 0.1,
    give_up: t.Callable[[], str | None] = lambda: None,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> HealthReport:
    """Run rounds of checks until all pass.

    :param timeout: seconds after which the last round is returned as it is.
    :param interval: seconds between two rounds.
    :param give_up: returns why waiting makes no sense any more, or ``None``.
    """
    started = clock()
    attempts = 0
    while True:
        report = probe(checks, target, inspect, version)
        attempts += 1
        elapsed = clock() - started
        reason = None if report.healthy else give_up()
        if report.healthy or reason or elapsed >= timeout:
            return replace(report, attempts=attempts, elapsed=elapsed, reason=reason)
        sleep(interval)


def _no_container(_name: str) -> None:
    """Stand in for the engine when a service has no container."""


def probe_service(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of the module ``health_probe``; see its documentation.

    :raises DeployError: an option makes no sense, or the service is not healthy in time.
    """
    checks = checks_from_options(params["checks"])
    host, port, container, timeout = (params[key] for key in ("host", "port", "container", "timeout"))
    for option, good, why in (
        ("port", 0 < port < 65536, "that is no TCP port"),
        ("timeout", timeout >= 0, "it is negative"),
        ("interval", params["interval"] > 0, "it is not above 0"),
    ):
        if not good:
            raise DeployError(f"Option {option} is '{params[option]}': {why}.", hint="Mend it.")
    if not container and any(check.kind == "container" for check in checks):
        raise DeployError(
            "Option container is not given, but a check is of the kind container.", hint="Name the service's container."
        )
    inspect: Inspect = functools.partial(engine.inspect_container, engine.connect()) if container else _no_container
    report = wait_healthy(
        checks,
        Target(host, port, container or None),
        inspect,
        version=params["version"] or None,
        timeout=timeout,
        interval=params["interval"],
    )
    if not report.healthy:
        waited = f" within {timeout:g} s" if timeout else ""
        raise DeployError(
            f"The service on {host}:{port} is not healthy{waited}: {report.failures()}.",
            hint=f"Look at 'docker logs --tail 50 {container}'." if container else "Look at the log of the service.",
            health=report.result(),
        )
    return {"changed": False, "health": report.result()}

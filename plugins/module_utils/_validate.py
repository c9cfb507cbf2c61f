# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation after a release: smoke requests and a latency baseline, through the gateway.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import math
import re
import time
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient, HttpError, HttpResponse
from ansible_collections.j4c.deploy.plugins.module_utils._json_pointer import resolve_pointer
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import Decision, verdict
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "post_deployment_validation"
READING = ("GET", "HEAD", "OPTIONS")
OBSERVED_LENGTH = 500


@dataclass(frozen=True)
class Smoke:
    """One request and what its answer must be.

    :param body: text to send; ``json_body`` is sent as JSON instead.
    :param regex: expression that must be found in the answer.
    :param json: JSON pointer to the value that must be there.
    :param timeout: seconds.
    """

    name: str
    path: str
    method: str = "GET"
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    json_body: t.Any = None
    status: tuple[int, ...] = (200,)
    regex: str | None = None
    json: t.Mapping[str, t.Any] = field(default_factory=dict)
    timeout: float = 5.0


@dataclass(frozen=True)
class Baseline:
    """The latency baseline: ``samples`` requests to ``path``; above ``p95_ms`` the decision is ``on_breach``."""

    path: str
    samples: int = 50
    p95_ms: float = 500.0
    on_breach: Decision = "REVIEW"
    timeout: float = 5.0


@dataclass(frozen=True)
class SmokeResult:
    """How a smoke request went."""

    name: str
    passed: bool
    seconds: float
    observed: str
    expected: str
    detail: str


@dataclass(frozen=True)
class Latency:
    """Measured latencies of the answers that came, in milliseconds."""

    path: str
    samples: int
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    limit_ms: float


def percentile(values: t.Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: the smallest value that at least ``percent`` % of all values do not exceed.

    :raises ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def smoke_from_options(options: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Smoke, ...]:
    """Turn the option ``smoke`` into requests.

    :raises DeployError: one makes no sense; names option, value, why and what to do.
    """
    requests = []
    for number, option in enumerate(options):
        given = {key: value for key, value in option.items() if value is not None}
        request = Smoke(**{**given, "status": tuple(given.get("status", (200,)))})
        if not request.path.startswith("/"):
            raise DeployError(
                f"Option smoke[{number}].path is '{request.path}': it does not start with '/'.",
                hint="Mend this request.",
            )
        try:
            re.compile(request.regex or "")
        except re.error as exc:
            raise DeployError(
                f"Option smoke[{number}].regex is '{request.regex}': {exc}.", hint="Mend this expression."
            ) from exc
        requests.append(request)
    return tuple(requests)


def baseline_from_options(option: t.Mapping[str, t.Any] | None) -> Baseline | None:
    """Turn the option ``latency`` into a baseline.

    :raises DeployError: it makes no sense.
    """
    if option is None:
        return None
    baseline = Baseline(**{key: value for key, value in option.items() if value is not None})
    if baseline.samples < 1 or baseline.p95_ms <= 0:
        raise DeployError(
            f"Option latency has samples {baseline.samples} and p95_ms {baseline.p95_ms:g}: both must be above 0.",
            hint="Mend it, or leave latency out.",
        )
    return baseline


def run_smoke(client: HttpClient, url: str, request: Smoke) -> SmokeResult:
    """Send one request and judge its answer; never raises for a service that is not well."""
    started = time.monotonic()
    headers = dict(request.headers)
    data = request.body.encode() if request.body is not None else None
    if request.json_body is not None:
        data = json.dumps(request.json_body).encode()
        headers.setdefault("Content-Type", "application/json")
    try:
        response = client.request(request.method, url + request.path, request.timeout, headers, data)
        detail, observed = _judge(request, response), f"status {response.status}: {' '.join(response.text().split())}"
    except HttpError as exc:
        detail, observed = f"{request.method} {url}{request.path}: {exc}", ""
    expected = [
        f"status {' or '.join(map(str, request.status))}",
        *(f"{key} = {value}" for key, value in request.json.items()),
    ]
    if request.regex:
        expected.append(f"/{request.regex}/")
    return SmokeResult(
        request.name,
        not detail,
        round(time.monotonic() - started, 4),
        observed[:OBSERVED_LENGTH],
        ", ".join(expected),
        detail,
    )


def _judge(request: Smoke, response: HttpResponse) -> str:
    """Return why an answer is not good, ``""`` when it is."""
    if response.status not in request.status:
        return f"{request.method} {request.path} answered with status {response.status}"
    if request.regex and not re.search(request.regex, response.text()):
        return f"the answer does not match /{request.regex}/"
    for pointer, value in request.json.items():
        try:
            found = resolve_pointer(response.json(), pointer)
        except (ValueError, LookupError) as exc:
            return str(exc)
        if found != value:
            return f"'{pointer}' is {found!r}, not {value!r}"
    return ""


def measure(client: HttpClient, url: str, baseline: Baseline) -> Latency:
    """Send the baseline's requests one after the other and return what they took."""
    taken, failed = [], 0
    for _number in range(baseline.samples):
        try:
            response = client.get(url + baseline.path, baseline.timeout)
        except HttpError:
            failed += 1
            continue
        if response.status >= 500:
            failed += 1
        else:
            taken.append(response.seconds * 1000)
    p50, p95, p99, longest = (round(percentile(taken, rank), 1) if taken else 0.0 for rank in (50, 95, 99, 100))
    return Latency(baseline.path, baseline.samples, failed, p50, p95, p99, longest, baseline.p95_ms)


def decide(smoke: t.Sequence[SmokeResult], latency: Latency | None, on_breach: Decision) -> tuple[Decision, str]:
    """Return the decision and one sentence on why. Pure."""
    failed = [item for item in smoke if not item.passed]
    if failed:
        told = "; ".join(f"{item.name}: {item.detail}" for item in failed)
        return "ROLLBACK", f"{len(failed)} of {len(smoke)} smoke requests failed: {told}."
    if latency is not None and latency.failed:
        return "ROLLBACK", f"{latency.failed} of {latency.samples} requests to {latency.path} failed."
    if latency is not None and latency.p95_ms > latency.limit_ms:
        return (
            on_breach,
            f"95 % of the requests to {latency.path} took up to {latency.p95_ms:g} ms, the limit is {latency.limit_ms:g} ms.",
        )
    measured = f", p95 of {latency.path} is {latency.p95_ms:g} ms" if latency else ""
    return "SUCCESS", f"{len(smoke)} smoke requests passed{measured}."


def validate(url: str, requests: t.Sequence[Smoke], baseline: Baseline | None, check_mode: bool) -> dict[str, t.Any]:
    """Run the validation and return the module's result.

    :param url: base URL, without a slash at its end.
    :param check_mode: leave out requests that may change something.
    """
    log = StepLog()
    results = []
    with HttpClient() as client:
        for request in requests:
            if check_mode and request.method not in READING:
                log.add(f"smoke {request.name}", "skipped", f"{request.method} may change something")
                continue
            result = run_smoke(client, url, request)
            results.append(result)
            log.add(f"smoke {request.name}", "ok" if result.passed else "failed", result.detail, result.seconds)
        latency = None
        if baseline is not None:
            with log.step("latency") as note:
                latency = measure(client, url, baseline)
                note["detail"] = f"p50 {latency.p50_ms:g} ms, p95 {latency.p95_ms:g} ms, p99 {latency.p99_ms:g} ms"
    decision, why = decide(results, latency, baseline.on_breach if baseline else "REVIEW")
    return {
        "changed": False,
        "msg": f"{decision}: {why}",
        "smoke": [asdict(item) for item in results],
        "latency": asdict(latency) if latency else None,
        "steps": log.results,
        "evidence": {"smoke": [asdict(item) for item in results if not item.passed]},
        **verdict(PHASE, decision),
    }

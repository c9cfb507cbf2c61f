# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation after a release: smoke requests and a latency baseline, through the gateway.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient, HttpError, HttpResponse
from ansible_collections.j4c.deploy.plugins.module_utils._json_pointer import differences, is_pointer
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import Decision, verdict
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "post_deployment_validation"
READING = ("GET", "HEAD", "OPTIONS")
OBSERVED_LENGTH = 500
# the decision is certain after the first; a few show whether it is all of them
ENOUGH_FAILURES = 5


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
    """The latency baseline: ``samples`` requests to ``path``; above ``p95_ms`` the decision is ``on_breach``.

    :param concurrency: requests that are under way at the same time.
    :param timeout: seconds of one request.
    """

    path: str
    samples: int = 50
    p95_ms: float = 500.0
    on_breach: Decision = "REVIEW"
    concurrency: int = 1
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
    """Latencies of the good answers in milliseconds, ``None`` without any.

    :param samples: requests that were sent.
    :param failed: those without an answer, or with a status other than 2xx; ``detail`` is why the last of them failed.
    """

    path: str
    samples: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    limit_ms: float
    detail: str = ""


def percentile(values: t.Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: the smallest value that at least ``percent`` % of all values do not exceed.

    :raises ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(percent * len(values) / 100) - 1)]


def _bad(option: str, value: object, why: str, todo: str = "Mend it.") -> DeployError:
    return DeployError(f"Option {option} is '{value}': {why}.", hint=todo)


def _given(option: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in option.items() if value is not None}


def url_from_option(url: str) -> str:
    """Return the base URL without a slash at its end.

    :raises DeployError: it is none.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise _bad("url", url, "that is no URL", "Give one such as http://127.0.0.1:9003.") from None
    if parts.username is not None or parts.password is not None:
        raise DeployError("Option url holds a user name.", hint="Give a header Authorization to the requests instead.")
    if not good or parts.query or parts.fragment:
        raise _bad("url", url, "that is no base URL", "Give one such as http://127.0.0.1:9003.")
    return url.rstrip("/")


def smoke_from_options(options: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Smoke, ...]:
    """Turn the option ``smoke`` into requests.

    :raises DeployError: one makes no sense; names option, value, why and what to do.
    """
    requests: list[Smoke] = []
    for number, option in enumerate(options):
        given = _given(option)
        headers = {key: str(value) for key, value in given.get("headers", {}).items()}
        request = Smoke(**{**given, "status": tuple(given.get("status", (200,))), "headers": headers})
        for key, good, why in (
            ("name", bool(request.name), "it is empty"),
            ("name", request.name not in {item.name for item in requests}, "another request has this name"),
            ("path", request.path.startswith("/"), "it does not start with '/'"),
            ("method", re.fullmatch(r"[A-Z]+", request.method), "a method is a word in capitals, such as POST"),
            ("status", request.status and all(100 <= item <= 599 for item in request.status), "that is no HTTP status"),
            ("json", all(map(is_pointer, request.json)), "a JSON pointer is a text such as /status or /items/0/id"),
            ("timeout", request.timeout > 0, "it is not above 0"),
        ):
            if not good:
                raise _bad(f"smoke[{number}].{key}", given.get(key), why)
        try:
            re.compile(request.regex or "")
        except re.error as exc:
            raise _bad(f"smoke[{number}].regex", request.regex, str(exc)) from exc
        requests.append(request)
    return tuple(requests)


def identity_from_option(option: t.Mapping[str, t.Any] | None) -> tuple[Smoke, ...]:
    """Turn the option ``identity`` into a request that proves which release answers; none when it is not given.

    :raises DeployError: it makes no sense.
    """
    if option is None:
        return ()
    for key, good, why in (
        ("path", option["path"].startswith("/"), "it does not start with '/'"),
        ("pointer", is_pointer(option["pointer"]), "that is no JSON pointer such as /commit"),
    ):
        if not good:
            raise _bad(f"identity.{key}", option[key], why)
    return (Smoke("identity", option["path"], json={option["pointer"]: option["value"]}),)


def baseline_from_option(option: t.Mapping[str, t.Any] | None) -> Baseline | None:
    """Turn the option ``latency`` into a baseline.

    :raises DeployError: it makes no sense.
    """
    if option is None:
        return None
    baseline = Baseline(**_given(option))
    for key, good, why in (
        ("path", baseline.path.startswith("/"), "it does not start with '/'"),
        ("samples", 1 <= baseline.samples <= 10000, "it is not between 1 and 10000"),
        ("concurrency", 1 <= baseline.concurrency <= 100, "it is not between 1 and 100"),
        ("p95_ms", baseline.p95_ms > 0, "it is not above 0"),
        ("timeout", baseline.timeout > 0, "it is not above 0"),
    ):
        if not good:
            raise _bad(f"latency.{key}", getattr(baseline, key), why)
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
        detail, observed = judge(request, response), f"status {response.status}: {' '.join(response.text().split())}"
    except HttpError as exc:
        detail, observed = f"{request.method} {url}{request.path}: {exc}", ""
    return SmokeResult(
        request.name,
        not detail,
        round(time.monotonic() - started, 4),
        observed[:OBSERVED_LENGTH],
        _expected(request),
        detail,
    )


def _expected(request: Smoke) -> str:
    parts = [f"status {' or '.join(map(str, request.status))}"]
    if request.regex:
        parts.append(f"/{request.regex}/")
    return ", ".join([*parts, *(f"{key} = {value}" for key, value in request.json.items())])


def judge(request: Smoke, response: HttpResponse) -> str:
    """Return why an answer is not good, ``""`` when it is. Pure."""
    if response.status not in request.status:
        return f"{request.method} {request.path} answered with status {response.status}"
    if request.regex and not re.search(request.regex, response.text()):
        return f"the answer does not match /{request.regex}/"
    if not request.json:
        return ""
    try:
        return ", ".join(differences(response.json(), request.json))
    except ValueError:
        return "the answer is not JSON"


def measure(client: HttpClient, url: str, baseline: Baseline) -> Latency:
    """Send the baseline's requests on kept connections and return what they took; ends early when several have failed."""
    taken: list[float] = []
    failures: list[str] = []
    numbers = itertools.count()

    def work() -> None:
        # next() of a count is atomic
        while len(failures) < ENOUGH_FAILURES and next(numbers) < baseline.samples:
            try:
                response = client.get(url + baseline.path, baseline.timeout)
            except HttpError as exc:
                failures.append(str(exc))
                continue
            if 200 <= response.status < 300:
                taken.append(response.seconds * 1000)
            else:
                failures.append(f"status {response.status}")

    with ThreadPoolExecutor(baseline.concurrency) as pool:
        for worker in [pool.submit(work) for _worker in range(baseline.concurrency)]:
            worker.result()
    return latency_of(baseline, taken, failures)


def latency_of(baseline: Baseline, taken: t.Sequence[float], failures: t.Sequence[str]) -> Latency:
    """Sum up what was measured. Pure.

    :param taken: milliseconds of each good answer.
    :param failures: why each of the others failed.
    """
    p50, p95, p99, longest = (round(percentile(taken, rank), 1) if taken else None for rank in (50, 95, 99, 100))
    return Latency(
        baseline.path,
        len(taken) + len(failures),
        len(failures),
        p50,
        p95,
        p99,
        longest,
        baseline.p95_ms,
        failures[-1] if failures else "",
    )


def decide(smoke: t.Sequence[SmokeResult], latency: Latency | None, on_breach: Decision) -> tuple[Decision, str]:
    """Return the decision and one sentence on why. Pure."""
    failed = [item for item in smoke if not item.passed]
    if failed:
        told = "; ".join(f"{item.name}: {item.detail}" for item in failed)
        return "ROLLBACK", f"{len(failed)} of {len(smoke)} smoke requests failed: {told}."
    if latency is not None and latency.failed:
        return (
            "ROLLBACK",
            f"{latency.failed} of {latency.samples} requests to {latency.path} failed, the last: {latency.detail}.",
        )
    if latency is not None and latency.p95_ms is not None and latency.p95_ms > latency.limit_ms:
        return (
            on_breach,
            f"95 % of the requests to {latency.path} took up to {latency.p95_ms:g} ms, the limit is {latency.limit_ms:g} ms.",
        )
    done = [f"{len(smoke)} smoke requests passed"] if smoke else []
    if latency is not None:
        done.append(f"p95 of {latency.path} is {latency.p95_ms:g} ms")
    return "SUCCESS", f"{', '.join(done) or 'nothing was asked for'}."


def validate(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Return the result of the module ``service_validate``; see its documentation.

    :param check_mode: leave out requests that may change something.
    :raises DeployError: an option makes no sense.
    """
    url = url_from_option(params["url"])
    requests = (*identity_from_option(params["identity"]), *smoke_from_options(params["smoke"]))
    baseline = baseline_from_option(params["latency"])
    log = StepLog()
    results = []
    latency = None
    with HttpClient() as client:
        for request in requests:
            if check_mode and request.method not in READING:
                log.add(f"smoke {request.name}", "skipped", f"{request.method} may change something")
                continue
            result = run_smoke(client, url, request)
            results.append(result)
            log.add(f"smoke {request.name}", "ok" if result.passed else "failed", result.detail, result.seconds)
        if baseline is not None:
            started = time.monotonic()
            latency = measure(client, url, baseline)
            good, why = decide([], latency, baseline.on_breach)
            log.add("latency", "ok" if good == "SUCCESS" else "failed", why, time.monotonic() - started)
    decision, why = decide(results, latency, baseline.on_breach if baseline else "REVIEW")
    failed = decision in params["fail_on"]
    bad_latency = decision != "SUCCESS" and all(item.passed for item in results)
    return {
        "changed": False,
        "failed": failed,
        "msg": f"{decision}: {why}" + (" Look at the log of the service, or roll it back." if failed else ""),
        "smoke": [asdict(item) for item in results],
        "latency": asdict(latency) if latency else None,
        "steps": log.results,
        "evidence": {
            "smoke": [asdict(item) for item in results if not item.passed],
            "latency": asdict(latency) if latency and bad_latency else None,
        },
        "warnings": [] if requests or baseline else ["Nothing was validated: smoke, latency and identity are empty."],
        **verdict(PHASE, decision),
    }

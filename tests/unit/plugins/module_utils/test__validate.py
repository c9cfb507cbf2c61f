# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import random
import threading
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _validate as v
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient, HttpResponse

from tests.unit.web import Web, nobody, web


@pytest.fixture
def server() -> t.Iterator[Web]:
    with web() as made:
        yield made


def validate(url: str, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    given = {"url": url, "smoke": [], "latency": None, "identity": None, "fail_on": [], **params}
    return v.validate(given, check_mode)


# nearest rank, by hand
@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([15, 20, 35, 40, 50], 5, 15),
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        ([3, 6, 7, 8, 8, 10, 13, 15, 16, 20], 25, 7),
        ([3, 6, 7, 8, 8, 10, 13, 15, 16, 20], 75, 15),
        ([9], 50, 9),
        ([9], 99, 9),
        ([2, 1], 50, 1),
        ([2, 1], 51, 2),
        ([2, 1], 0, 1),
        (list(range(1, 51)), 95, 48),
        (list(range(1, 101)), 95, 95),
        (list(range(1, 101)), 99, 99),
        # 0.07 * 100 is more than 7 in floating point
        (list(range(1, 101)), 7, 7),
    ],
)
def test_percentiles(values: list[float], percent: float, expected: float) -> None:
    random.Random(1).shuffle(values)
    assert v.percentile(values, percent) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        v.percentile([], 50)


PASSED = v.SmokeResult("a", True, 0.1, "", "", "")
FAILED = v.SmokeResult("b", False, 0.1, "", "", "GET /b answered with status 500")
FAST = v.Latency("/h", 50, 0, 1.0, 500.0, 3.0, 900.0, 500.0)
SLOW = v.Latency("/h", 50, 0, 1.0, 500.1, 3.0, 900.0, 500.0)
BROKEN = v.Latency("/h", 5, 5, None, None, None, None, 500.0, "status 503")


@pytest.mark.parametrize(
    ("smoke", "latency", "on_breach", "decision", "why"),
    [
        ([PASSED], FAST, "REVIEW", "SUCCESS", "1 smoke requests passed, p95 of /h is 500 ms."),
        ([PASSED], None, "REVIEW", "SUCCESS", "1 smoke requests passed."),
        ([], FAST, "REVIEW", "SUCCESS", "p95 of /h is 500 ms."),
        ([], None, "REVIEW", "SUCCESS", "nothing was asked for."),
        ([PASSED], SLOW, "REVIEW", "REVIEW", "took up to 500.1 ms, the limit is 500 ms"),
        ([PASSED], SLOW, "ROLLBACK", "ROLLBACK", "took up to 500.1 ms, the limit is 500 ms"),
        (
            [PASSED, FAILED],
            FAST,
            "REVIEW",
            "ROLLBACK",
            "1 of 2 smoke requests failed: b: GET /b answered with status 500.",
        ),
        ([FAILED], SLOW, "REVIEW", "ROLLBACK", "1 of 1 smoke requests failed"),
        ([PASSED], BROKEN, "REVIEW", "ROLLBACK", "5 of 5 requests to /h failed, the last: status 503."),
    ],
)
def test_decisions(
    smoke: list[v.SmokeResult], latency: v.Latency | None, on_breach: t.Any, decision: str, why: str
) -> None:
    decided, told = v.decide(smoke, latency, on_breach)
    assert decided == decision
    assert why in told


@pytest.mark.parametrize(
    ("request_", "status", "body", "why"),
    [
        ({}, 200, b"", ""),
        ({"status": (201, 409)}, 409, b"", ""),
        ({"status": (201, 409)}, 200, b"", "GET /x answered with status 200"),
        ({"regex": "count.: ?[0-9]+"}, 200, b'{"count":12}', ""),
        ({"regex": "count.: ?[0-9]+$"}, 200, b'{"count":12}', "the answer does not match /count.: ?[0-9]+$/"),
        ({"json": {"/count": 12}}, 200, b'{"count":12}', ""),
        ({"json": {"/count": "12"}}, 200, b'{"count":12}', "'/count' is 12, not '12'"),
        ({"json": {"/total": 12}}, 200, b'{"count":12}', "'total' of '/total' is missing"),
        ({"json": {"/count": 12}}, 200, b"<p>", "the answer is not JSON"),
        ({"regex": "no", "json": {"/a": 1}}, 500, b"", "GET /x answered with status 500"),
    ],
)
def test_answers_are_judged(request_: dict[str, t.Any], status: int, body: bytes, why: str) -> None:
    assert v.judge(v.Smoke("x", "/x", **request_), HttpResponse(status, {}, body, 0.0)) == why


def test_what_was_measured_is_summed_up() -> None:
    baseline = v.Baseline("/h", samples=20, p95_ms=10.0)
    latency = v.latency_of(baseline, [float(number) for number in range(1, 19)], ["one", "two"])
    assert latency == v.Latency("/h", 20, 2, 9.0, 18.0, 18.0, 18.0, 10.0, "two")
    assert v.latency_of(baseline, [], ["x"]) == v.Latency("/h", 1, 1, None, None, None, None, 10.0, "x")


@pytest.mark.parametrize(
    ("smoke", "told"),
    [
        ({"path": "x"}, "Option smoke[1].path is 'x': it does not start with '/'"),
        ({"name": ""}, "Option smoke[1].name is '': it is empty"),
        ({"name": "one"}, "Option smoke[1].name is 'one': another request has this name"),
        ({"method": "post"}, "Option smoke[1].method is 'post'"),
        ({"method": "GET /"}, "Option smoke[1].method is 'GET /'"),
        ({"status": []}, "Option smoke[1].status is '[]'"),
        ({"status": [99]}, "Option smoke[1].status is '[99]'"),
        ({"json": {"a": 1}}, "Option smoke[1].json is '{'a': 1}': a JSON pointer is"),
        ({"timeout": 0.0}, "Option smoke[1].timeout is '0.0'"),
        ({"regex": "("}, "Option smoke[1].regex is '(': missing )"),
    ],
)
def test_smoke_requests_that_make_no_sense_are_refused(smoke: dict[str, t.Any], told: str) -> None:
    with pytest.raises(DeployError) as caught:
        v.smoke_from_options([{"name": "one", "path": "/"}, {"name": "two", "path": "/", **smoke}])
    assert told in caught.value.msg
    assert caught.value.hint


@pytest.mark.parametrize(
    ("latency", "told"),
    [
        ({"path": "x"}, "Option latency.path is 'x'"),
        ({"samples": 0}, "Option latency.samples is '0': it is not between 1 and 10000"),
        ({"samples": 10001}, "Option latency.samples is '10001'"),
        ({"concurrency": 0}, "Option latency.concurrency is '0'"),
        ({"p95_ms": 0.0}, "Option latency.p95_ms is '0.0'"),
        ({"timeout": 0.0}, "Option latency.timeout is '0.0'"),
    ],
)
def test_a_baseline_that_makes_no_sense_is_refused(latency: dict[str, t.Any], told: str) -> None:
    with pytest.raises(DeployError) as caught:
        v.baseline_from_option({"path": "/", **latency})
    assert told in caught.value.msg


@pytest.mark.parametrize(
    ("identity", "told"),
    [({"path": "x"}, "Option identity.path is 'x'"), ({"pointer": "commit"}, "Option identity.pointer is 'commit'")],
)
def test_an_identity_that_makes_no_sense_is_refused(identity: dict[str, t.Any], told: str) -> None:
    with pytest.raises(DeployError) as caught:
        v.identity_from_option({"path": "/", "pointer": "/a", "value": "x", **identity})
    assert told in caught.value.msg


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:9003", "ftp://h", "http://", "http://h:x", "http://h?a=b", "http://h#f"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DeployError, match="Option url is"):
        v.url_from_option(url)


def test_a_password_in_a_url_is_refused_and_not_told() -> None:
    with pytest.raises(DeployError) as caught:
        v.url_from_option("http://me:hunter2@127.0.0.1:9003")
    assert "hunter2" not in str(caught.value.result())


def test_a_good_release_is_a_success(server: Web) -> None:
    server.answers["/api/health"] = (200, b'{"commit": "abc", "n": 1}')
    result = validate(
        server.url + "/api/",
        identity={"path": "/health", "pointer": "/commit", "value": "abc"},
        smoke=[{"name": "n", "path": "/health", "json": {"/n": 1}, "regex": None}],
        latency={"path": "/health", "samples": 10, "p95_ms": 5000.0},
    )
    assert (result["phase"], result["decision"], result["changed"]) == ("post_deployment_validation", "SUCCESS", False)
    assert [item["name"] for item in result["smoke"]] == ["identity", "n"]
    assert set(result["smoke"][0]) == {"name", "passed", "seconds", "observed", "expected", "detail"}
    assert (result["latency"]["samples"], result["latency"]["failed"]) == (10, 0)
    assert 0 < result["latency"]["p50_ms"] <= result["latency"]["p95_ms"] <= result["latency"]["max_ms"]
    assert [(item["name"], item["result"]) for item in result["steps"]] == [
        ("smoke identity", "ok"),
        ("smoke n", "ok"),
        ("latency", "ok"),
    ]
    assert result["evidence"] == {"smoke": [], "latency": None}
    assert (result["warnings"], result["failed"]) == ([], False)


def test_a_bad_answer_is_evidence(server: Web) -> None:
    server.answers["/a"] = (200, b"fine")
    server.answers["/b"] = (500, b"stack\n  trace")
    result = validate(server.url, smoke=[{"name": "a", "path": "/a"}, {"name": "b", "path": "/b", "regex": "x"}])
    assert result["decision"] == "ROLLBACK"
    assert result["msg"] == "ROLLBACK: 1 of 2 smoke requests failed: b: GET /b answered with status 500."
    (evidence,) = result["evidence"]["smoke"]
    assert (evidence["name"], evidence["observed"], evidence["expected"]) == (
        "b",
        "status 500: stack trace",
        "status 200, /x/",
    )


def test_bodies_are_sent(server: Web) -> None:
    server.answers["/"] = (200, b"")
    smoke = [
        {"name": "json", "path": "/", "method": "POST", "json_body": {"a": [1]}, "headers": {"X-Number": 1}},
        {"name": "text", "path": "/", "method": "POST", "body": "ä", "headers": {"Content-Type": "text/plain"}},
        {"name": "null", "path": "/", "method": "DELETE"},
    ]
    assert validate(server.url, smoke=smoke)["decision"] == "SUCCESS"
    json, text, null = server.requests
    assert (json.body, json.headers["Content-Type"], json.headers["X-Number"]) == (
        b'{"a": [1]}',
        "application/json",
        "1",
    )
    assert (text.body, text.headers["Content-Type"]) == ("ä".encode(), "text/plain")
    assert (null.method, null.body) == ("DELETE", b"")


def test_nobody_answers() -> None:
    with nobody() as port:
        url = f"http://127.0.0.1:{port}"
        result = validate(url, smoke=[{"name": "a", "path": "/a"}], latency={"path": "/h"})
    assert result["decision"] == "ROLLBACK"
    assert result["smoke"][0]["detail"] == f"GET {url}/a: connection refused"
    assert (result["latency"]["samples"], result["latency"]["failed"]) == (5, 5)


def test_a_slow_service_is_for_review(server: Web) -> None:
    server.answers["/h"] = (200, b"")
    result = validate(server.url, latency={"path": "/h", "samples": 5, "p95_ms": 0.001})
    assert result["decision"] == "REVIEW"
    assert result["evidence"]["latency"]["limit_ms"] == 0.001
    assert result["steps"][0]["result"] == "failed"
    result = validate(server.url, latency={"path": "/h", "samples": 5, "p95_ms": 0.001, "on_breach": "ROLLBACK"})
    assert result["decision"] == "ROLLBACK"


def test_errors_are_no_latencies(server: Web) -> None:
    server.answers["/h"] = (404, b"")
    result = validate(server.url, latency={"path": "/h", "samples": 50})
    assert result["decision"] == "ROLLBACK"
    assert result["latency"]["detail"] == "status 404"
    assert len(server.requests) == 5


def test_a_few_errors_do_not_hide(server: Web) -> None:
    answers = itertools.chain([(503, b"")], itertools.repeat((200, b"")))
    server.answers["/h"] = lambda: next(answers)
    result = validate(server.url, latency={"path": "/h", "samples": 20})
    assert (result["decision"], result["latency"]["samples"], result["latency"]["failed"]) == ("ROLLBACK", 20, 1)


def test_as_many_requests_are_under_way_as_asked_for(server: Web) -> None:
    # each waits until four are there
    together = threading.Barrier(4)

    def answer() -> tuple[int, bytes]:
        together.wait(timeout=10)
        return 200, b""

    server.answers["/h"] = answer
    with HttpClient() as client:
        latency = v.measure(client, server.url, v.Baseline("/h", samples=40, concurrency=4))
    assert (latency.samples, latency.failed, len(server.requests)) == (40, 0, 40)


def test_check_mode_changes_nothing(server: Web) -> None:
    server.answers["/"] = (200, b"")
    smoke = [{"name": item, "path": "/", "method": item} for item in ("GET", "POST", "HEAD", "DELETE")]
    result = validate(server.url, check_mode=True, smoke=smoke, latency={"path": "/", "samples": 3})
    assert [item.method for item in server.requests] == ["GET", "HEAD", "GET", "GET", "GET"]
    assert [(item["result"], item["detail"]) for item in result["steps"]][:4] == [
        ("ok", ""),
        ("skipped", "POST may change something"),
        ("ok", ""),
        ("skipped", "DELETE may change something"),
    ]
    assert result["decision"] == "SUCCESS"


@pytest.mark.parametrize(("fail_on", "failed"), [([], False), (["REVIEW"], False), (["REVIEW", "ROLLBACK"], True)])
def test_the_module_fails_when_asked_to(server: Web, fail_on: list[str], failed: bool) -> None:
    result = validate(server.url, smoke=[{"name": "a", "path": "/"}], fail_on=fail_on)
    assert (result["decision"], result["failed"]) == ("ROLLBACK", failed)


def test_nothing_to_validate_is_told(server: Web) -> None:
    result = validate(server.url)
    assert result["decision"] == "SUCCESS"
    assert "Nothing was validated" in result["warnings"][0]

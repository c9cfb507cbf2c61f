# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._release import identity
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Identity, Settings, WarmUp

from tests.unit.plugins.module_utils._release.samples import release, settings
from tests.unit.web import Web, nobody, web

COMMIT = "c" * 40
V1 = release("v1", commit=COMMIT)
IMAGE = V1.image["id"]
WHERE = Identity("/info", "/git/commit")


@pytest.fixture
def server() -> t.Iterator[Web]:
    with web() as made:
        yield made


@pytest.fixture
def client() -> t.Iterator[HttpClient]:
    with HttpClient() as made:
        yield made


def info(commit: object) -> bytes:
    return json.dumps({"git": {"commit": commit}}).encode()


def at(server: Web, **changes: t.Any) -> Settings:
    return settings(
        slot_ports={"blue": 1, "green": server.port}, gateway_url=server.url, **{"identity": WHERE, **changes}
    )


def test_a_slot_is_proven_by_image_and_commit(server: Web, client: HttpClient) -> None:
    server.answers["/info"] = (200, info(COMMIT))
    told = identity.prove_slot(client, at(server), "green", V1, IMAGE)
    assert told == f"image {IMAGE[7:19]}, commit {COMMIT[:12]}"


@pytest.mark.parametrize(("where", "commit"), [(None, COMMIT), (WHERE, "")])
def test_without_identity_or_commit_the_image_is_proof(
    server: Web, client: HttpClient, where: t.Any, commit: str
) -> None:
    proven = release("v1", commit=commit)
    assert identity.prove_slot(client, at(server, identity=where), "green", proven, IMAGE) == f"image {IMAGE[7:19]}"
    assert server.requests == []


def test_another_image_is_not_the_release(server: Web, client: HttpClient) -> None:
    with pytest.raises(DeployError, match="Slot 'green' runs image sha256:x, not sha256:v1"):
        identity.prove_slot(client, at(server), "green", V1, "sha256:x")


def test_another_commit_is_not_the_release(server: Web, client: HttpClient) -> None:
    server.answers["/info"] = (200, info("d" * 40))
    with pytest.raises(DeployError, match=f"says it is commit '{'d' * 40}', release 'v1' is commit") as caught:
        identity.prove_slot(client, at(server), "green", V1, IMAGE)
    assert "J4C_COMMIT" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, b"<html>"), "Expecting value"),
        ((200, b"{}"), "'git' of '/git/commit' is missing"),
        ((200, b'{"git": {}}'), "'commit' of '/git/commit' is missing"),
        ((404, b""), "Expecting value"),
    ],
)
def test_a_service_that_does_not_tell_is_told(server: Web, client: HttpClient, answer: t.Any, why: str) -> None:
    server.answers["/info"] = answer
    with pytest.raises(DeployError) as caught:
        identity.answer_of(client, server.url, WHERE)
    assert caught.value.msg.startswith(f"{server.url}/info does not tell which release it is at '/git/commit': ")
    assert why in caught.value.msg


def test_a_service_that_is_not_there_is_told(client: HttpClient) -> None:
    with nobody() as port, pytest.raises(DeployError, match="connection refused"):
        identity.answer_of(client, f"http://127.0.0.1:{port}", WHERE)


BLUE = {"X-J4C-Slot": "blue"}
GREEN = {"X-J4C-Slot": "green"}


def in_turn(*answers: t.Any) -> t.Callable[[], t.Any]:
    """Return what gives one answer after the other, then the last one for ever."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_the_gateway_is_proven_by_answers_in_a_row(server: Web, client: HttpClient) -> None:
    good = (200, info(COMMIT), GREEN)
    server.answers["/info"] = in_turn(
        (200, info(COMMIT), BLUE), (502, b"", GREEN), good, good, (200, info("other"), GREEN), (200, b"{", GREEN), good
    )
    told = identity.prove_gateway(client, at(server), "green", V1)
    assert told.startswith("3 answers in a row, the first after ")
    assert len(server.requests) == 9


@pytest.mark.parametrize(("where", "commit"), [(None, COMMIT), (WHERE, "")])
def test_without_identity_or_commit_the_slot_is_proof(
    server: Web, client: HttpClient, where: t.Any, commit: str
) -> None:
    server.answers["/" if where is None else "/info"] = (404, b"", GREEN)
    identity.prove_gateway(client, at(server, identity=where), "green", release("v1", commit=commit))
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, info(COMMIT), BLUE), "status 200 from slot 'blue'"),
        ((200, info(COMMIT)), "status 200 from slot ''"),
        ((503, b"", GREEN), "status 503 from slot 'green'"),
        ((200, info("other"), GREEN), "commit 'other'"),
        ((200, b"{}", GREEN), "'git' of '/git/commit' is missing"),
    ],
)
def test_a_gateway_that_does_not_reach_the_release_is_told(
    server: Web, client: HttpClient, monkeypatch: pytest.MonkeyPatch, answer: t.Any, why: str
) -> None:
    monkeypatch.setattr(identity, "PROOF_SECONDS", 0.05)
    server.answers["/info"] = answer
    with pytest.raises(DeployError) as caught:
        identity.prove_gateway(client, at(server), "green", V1)
    begin = f"The gateway at {server.url} does not answer with release 'v1' from slot 'green': "
    assert caught.value.msg.startswith(begin)
    assert why in caught.value.msg


def test_a_gateway_that_is_not_there_is_told(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "PROOF_SECONDS", 0.0)
    with nobody() as port, pytest.raises(DeployError, match="connection refused"):
        identity.prove_gateway(client, settings(gateway_url=f"http://127.0.0.1:{port}"), "green", V1)


@pytest.mark.parametrize(
    ("plan", "paths", "told"),
    [
        (WarmUp(("/a", "/b"), 5), ["/a", "/a", "/a", "/b", "/b"], "5 requests, first "),
        (WarmUp(("/a",), 0), [], "no warm-up requests"),
        (WarmUp((), 5), [], "no warm-up requests"),
        (WarmUp(("/none",), 1), ["/none"], "1 requests, first "),
    ],
)
def test_the_first_requests_go_over_all_paths(
    server: Web, client: HttpClient, plan: WarmUp, paths: list[str], told: str
) -> None:
    server.answers.update({"/a": (200, b"a"), "/b": (401, b"b")})
    assert identity.warm_up(client, server.url, plan).startswith(told)
    assert sorted(request.path for request in server.requests) == paths


def test_a_path_that_only_fails_is_no_release(server: Web, client: HttpClient) -> None:
    server.answers.update({"/a": (200, b"a"), "/b": (500, b"b")})
    with pytest.raises(DeployError, match=r"answers http://.*/b with errors only \(2 requests, last status 500\)"):
        identity.warm_up(client, server.url, WarmUp(("/a", "/b"), 4))


def test_a_path_that_fails_at_first_is_warm_later(server: Web, client: HttpClient) -> None:
    server.answers["/a"] = in_turn((503, b""), (503, b""), (200, b""))
    assert identity.warm_up(client, server.url, WarmUp(("/a",), 4)).startswith("4 requests")


def test_the_time_for_first_requests_is_limited(
    server: Web, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "WARM_UP_SECONDS", 0.1)
    started = time.monotonic()

    def slow() -> t.Any:
        time.sleep(max(0.0, started + 0.15 - time.monotonic()))
        return 200, b""

    server.answers["/a"] = slow
    told = identity.warm_up(client, server.url, WarmUp(("/a",), 1000))
    assert int(told.split()[0]) == len(server.requests) <= identity.WARM_UP_THREADS

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import docker.errors
import pytest
import requests
from ansible_collections.j4c.deploy.plugins.module_utils import _registry_courier as couriers
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._registry_errors import RegistryError, registry_error
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

DIGEST = f"sha256:{'d' * 64}"
# what Docker 26.1 told while it pushed to docker-registry 2.8
PUSH: list[dict[str, t.Any]] = [
    {"status": "The push refers to repository [127.0.0.1:5000/a/b]"},
    {"status": "Preparing", "progressDetail": {}, "id": "443410cb38ae"},
    {"status": "Preparing", "progressDetail": {}, "id": "5f70bf18a086"},
    {"status": "Layer already exists", "progressDetail": {}, "id": "5f70bf18a086"},
    {"status": "Pushing", "progressDetail": {"current": 33280, "total": 200000}, "id": "443410cb38ae"},
    {"status": "Retrying in 5 seconds", "progressDetail": {}, "id": "443410cb38ae"},
    {"status": "Pushing", "progressDetail": {"current": 204800, "total": 200000}, "id": "443410cb38ae"},
    {"status": "Pushed", "progressDetail": {}, "id": "443410cb38ae"},
    {"status": f"1: digest: {DIGEST} size: 526"},
    {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 526}},
]
PULL: list[dict[str, t.Any]] = [
    {"status": "Pulling from a/b", "id": DIGEST},
    {"status": "Already exists", "progressDetail": {}, "id": "5f70bf18a086"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "443410cb38ae"},
    {"status": "Downloading", "progressDetail": {"current": 2048, "total": 200252}, "id": "443410cb38ae"},
    {"status": "Downloading", "progressDetail": {"current": 200252, "total": 200252}, "id": "443410cb38ae"},
    {"status": "Pull complete", "progressDetail": {}, "id": "443410cb38ae"},
    {"status": f"Digest: {DIGEST}"},
]


class Engine:
    """An engine that has only settings, which trust every registry of this machine."""

    def info(self) -> dict[str, t.Any]:
        return {"RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"]}}


class Desk:
    """A courier and what it did."""

    def __init__(self, retries: int = 2, timeout: float = 60.0) -> None:
        self.log = StepLog()
        self.slept: list[float] = []
        self.courier = couriers.Courier(
            lambda seconds: Engine(), "127.0.0.1:1/a/b", None, retries, timeout, self.log, self.slept.append
        )

    @property
    def steps(self) -> list[str]:
        return [step["result"] for step in self.log.results]


def failing(*texts: str) -> t.Callable[[], tuple[int, str]]:
    """Return an action that fails for these reasons, one a time, and then works."""
    left = list(texts)

    def action() -> tuple[int, str]:
        if left:
            raise registry_error("Trying", left.pop(0), "127.0.0.1:1", "127.0.0.1:1/a/b", None)
        return 42, "done"

    return action


@pytest.mark.parametrize(
    ("events", "digest", "told"),
    [
        (PUSH, DIGEST, {"layers_moved": 1, "layers_present": 1, "layers_retried": 1, "bytes": 204800}),
        (PULL, "", {"layers_moved": 1, "layers_present": 1, "layers_retried": 0, "bytes": 200252}),
        ([], "", {"layers_moved": 0, "layers_present": 0, "layers_retried": 0, "bytes": 0}),
    ],
)
def test_what_the_engine_tells_is_counted(events: list[dict[str, t.Any]], digest: str, told: dict[str, int]) -> None:
    progress = couriers.Progress()
    for event in events:
        progress.note(event)
    assert (progress.digest, progress.told()) == (digest, told)


def test_what_may_pass_is_tried_again_after_a_longer_pause() -> None:
    desk = Desk(retries=7)
    reasons = ["connection refused"] * 7
    assert desk.courier.patiently("push", failing(*reasons)) == 42
    assert desk.slept == [1, 2, 4, 8, 16, 30, 30][: len(desk.slept)]
    assert desk.steps == ["failed"] * 7 + ["ok"]


@pytest.mark.parametrize(
    ("retries", "reasons", "tries"),
    [(2, ["connection refused"] * 3, 3), (0, ["connection refused"], 1), (2, ["EOF", "denied"], 2), (2, ["denied"], 1)],
)
def test_what_failed_for_good_is_told(retries: int, reasons: list[str], tries: int) -> None:
    desk = Desk(retries=retries)
    with pytest.raises(RegistryError) as caught:
        desk.courier.patiently("push", failing(*reasons))
    assert caught.value.fields["evidence"]["tries"] == tries == len(desk.log.results)
    assert caught.value.steps == desk.log.results


def test_no_pause_goes_beyond_the_time_limit() -> None:
    desk = Desk(retries=9, timeout=0.5)
    with pytest.raises(RegistryError):
        desk.courier.patiently("push", failing(*["connection refused"] * 9))
    assert desk.slept == []


def test_the_engine_is_followed_with_an_empty_login() -> None:
    given = []

    def start(login: dict[str, str]) -> t.Iterator[dict[str, t.Any]]:
        given.append(login)
        return iter(PUSH)

    assert Desk().courier.move("Pushing", start).digest == DIGEST
    assert given == [{}]


def raising(error: Exception) -> t.Callable[[dict[str, str]], t.Iterator[dict[str, t.Any]]]:
    def start(_login: dict[str, str]) -> t.Iterator[dict[str, t.Any]]:
        raise error

    return start


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (lambda login: iter([*PUSH[:5], {"errorDetail": {}, "error": "denied: no"}]), "denied"),
        (raising(docker.errors.APIError("x", explanation="manifest unknown")), "missing"),
        (raising(docker.errors.NotFound("x", explanation="no such host")), "unknown_host"),
    ],
)
def test_what_the_engine_refuses_has_a_class(start: t.Any, code: str) -> None:
    with pytest.raises(RegistryError) as caught:
        Desk().courier.move("Pushing 'x'", start)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "start", [lambda login: iter(PUSH), raising(requests.exceptions.ReadTimeout("read timed out"))]
)
def test_who_is_late_is_asked_why(start: t.Any) -> None:
    with pytest.raises(RegistryError) as caught:
        Desk(timeout=0).courier.move("Pushing 'x'", start)
    assert caught.value.msg == "Pushing 'x' did not end within 0 s: the registry '127.0.0.1:1': connection refused."
    assert "j4c_registry_timeout" in str(caught.value.hint)


def test_an_engine_that_goes_away_is_no_registry_that_does() -> None:
    with pytest.raises(DeployError, match="the Docker engine went away") as caught:
        Desk().courier.move("Pushing 'x'", raising(requests.exceptions.ConnectionError("gone")))
    assert not isinstance(caught.value, RegistryError)

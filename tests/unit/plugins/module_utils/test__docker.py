# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import docker.errors
import pytest
import requests
from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

from tests.unit.plugins.module_utils._release.fake_docker import FakeDocker, conflict, container


@pytest.mark.parametrize(
    ("error", "told", "hint"),
    [
        (conflict("name is taken"), "Pausing x failed: name is taken", None),
        (docker.errors.APIError("plain"), "Pausing x failed: plain", None),
        (docker.errors.DockerException("no"), "Pausing x failed: the Docker engine did not answer: no", "Start the engine"),
        (requests.ConnectionError("gone"), "Pausing x failed: the Docker engine did not answer: gone", "Start the engine"),
        (requests.ReadTimeout("slow"), "Pausing x failed: the Docker engine did not answer: slow", "Start the engine"),
    ],
)  # fmt: skip
def test_errors_of_the_engine_say_what_was_done(error: Exception, told: str, hint: str | None) -> None:
    with pytest.raises(DeployError) as caught, engine.engine_errors("Pausing x"):
        raise error
    assert caught.value.msg == told
    assert (caught.value.hint or "").startswith(hint or "")
    assert bool(caught.value.hint) is bool(hint)


def test_other_errors_are_not_the_engines() -> None:
    with pytest.raises(KeyError), engine.engine_errors("Pausing x"):
        raise KeyError("x")


def test_what_is_not_there_is_none() -> None:
    api: t.Any = FakeDocker(container("a"))
    api.images["i"] = {"Id": "i"}
    assert engine.inspect_container(api, "b") is None
    assert engine.inspect_image(api, "j") is None
    assert (engine.inspect_container(api, "a") or {})["Id"] == "a"
    assert engine.inspect_image(api, "i") == {"Id": "i"}


def test_an_engine_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(DeployError, match="Connecting to the Docker engine failed: the Docker engine did not answer"):
        engine.connect()

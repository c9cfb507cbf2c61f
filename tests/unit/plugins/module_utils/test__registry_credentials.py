# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _registry_credentials as credentials
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

GOOD = json.dumps({"username": "robot", "password": "a long word"})


def write(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "login.json"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("path", [None, ""])
def test_no_file_is_no_login(path: str | None) -> None:
    assert credentials.read_credentials(path) is None


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_login_is_read_and_does_not_show_itself(tmp_path: Path, mode: int) -> None:
    login = credentials.read_credentials(write(tmp_path, GOOD, mode))
    assert login is not None
    assert login.engine == {"username": "robot", "password": "a long word"}
    assert login.basic == "Basic " + base64.b64encode(b"robot:a long word").decode()
    assert "a long word" not in repr(login)
    assert login.scrub(f"x a long word {login.basic} y") == "x ******** Basic ******** y"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, GOOD, mode)
    with pytest.raises(DeployError, match=f"has mode {mode:04o}") as caught:
        credentials.read_credentials(path)
    assert f"chmod 600 {path}" in str(caught.value.hint)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, GOOD)
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(DeployError, match="belongs to user id"):
        credentials.read_credentials(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a long word", "is not JSON"),
        ("\xff", "is not JSON"),
        ('["robot", "a long word"]', "exactly a username and a password"),
        ('{"username": "robot"}', "exactly a username and a password"),
        ('{"username": "robot", "password": "a long word", "email": ""}', "exactly a username and a password"),
        ('{"username": "", "password": "a long word"}', "empty or no text"),
        ('{"username": "robot", "password": 5}', "empty or no text"),
        ('{"username": "ro:bot", "password": "a long word"}', "with a colon"),
    ],
)
def test_what_is_no_login_is_refused_without_being_quoted(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DeployError, match=said) as caught:
        credentials.read_credentials(write(tmp_path, text))
    assert "a long word" not in json.dumps(caught.value.result())


@pytest.mark.parametrize("make", [lambda path: None, os.mkdir])
def test_a_file_that_is_not_there(tmp_path: Path, make: t.Callable[[Path], None]) -> None:
    make(tmp_path / "login")
    with pytest.raises(DeployError, match="option credentials is '.*login'"):
        credentials.read_credentials(str(tmp_path / "login"))

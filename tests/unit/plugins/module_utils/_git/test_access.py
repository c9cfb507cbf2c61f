# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.access import (
    Address,
    access_to,
    explain,
    masked,
    read_address,
)

NONE = {"credentials_file": None, "ssh_key": None, "ssh_known_hosts": None}


@pytest.mark.parametrize(
    ("url", "scheme", "origin"),
    [
        ("https://git.example.org/a/b.git", "https", "https://git.example.org"),
        ("https://git.example.org:8443/b", "https", "https://git.example.org:8443"),
        ("http://[::1]:80/b", "http", "http://[::1]:80"),
        ("ssh://git@git.example.org:2222/b.git", "ssh", ""),
        ("git@git.example.org:a/b.git", "ssh", ""),
        ("git.example.org:b", "ssh", ""),
        ("file:///srv/b.git", "file", ""),
        ("/srv/b.git", "file", ""),
    ],
)
def test_an_address_is_read(url: str, scheme: str, origin: str) -> None:
    assert read_address("url", url) == Address(url, scheme, origin)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:geheim@host/x",
        "https://geheim@host/x",
        "http://:geheim@host/x",
        "https://host/x?token=geheim",
        "ssh://git:geheim@host/x",
        "ftp://me:geheim@host/x",
        "https://me:geheim@host:none/x",
        "ext::sh -c geheim%",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(DeployError) as error:
        read_address("url", url)
    assert error.value.hint
    assert "geheim" not in str(error.value.result()) or url.startswith("ext")


def test_a_url_is_masked() -> None:
    assert masked("https://me:x@host/a?b=c") == "https://***@host/a"
    assert masked("/srv/x") == "/srv/x"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Host key verification failed.", "ssh_known_hosts"),
        ("git@host: Permission denied (publickey).", "ssh_key"),
        ("fatal: could not read Username for 'https://host': terminal prompts disabled", "credentials_file"),
        ("fatal: Authentication failed for 'https://host/x/'", "credentials_file"),
        ("ssh: Could not resolve hostname host", "Check the URL"),
    ],
)
def test_what_git_says_is_explained(said: str, told: str) -> None:
    assert told in explain(said)


def private(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def test_ssh_uses_this_key_and_these_hosts_alone(tmp_path: Path) -> None:
    key, hosts = private(tmp_path / "the key", "x"), private(tmp_path / "the hosts", "x")
    given = {**NONE, "ssh_key": key, "ssh_known_hosts": hosts}
    with access_to(read_address("url", "git@host:x"), given) as access:
        command = shlex.split(access.environment["GIT_SSH_COMMAND"] or "")
    assert command == [
        *("ssh", "-o", "BatchMode=yes", "-i", key, "-o", "IdentitiesOnly=yes"),
        *("-o", f'UserKnownHostsFile="{hosts}"', "-o", "StrictHostKeyChecking=yes"),
    ]
    shown = subprocess.run([*command, "-G", "host"], capture_output=True, text=True, check=True).stdout
    assert f"identityfile {key}\n" in shown
    assert hosts in shown


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Username for 'https://host:8443': ", "m@e"),
        ("Password for 'https://m%40e@host:8443': ", "a:b/c"),
        ("Password for 'https://host:8443': ", "a:b/c"),
        ("Password for 'https://m%40e@HOST:8443': ", "a:b/c"),
        ("Password for 'https://you@host:8443': ", ""),
        ("Password for 'https://host': ", ""),
        ("Password for 'http://host:8443': ", ""),
        ("Password for 'https://other:8443': ", ""),
        ("Password for 'https://host:8443.other.org': ", ""),
        ("Password for 'https://host:8443@other': ", ""),
        ("Enter passphrase for key '/x': ", ""),
        ("", ""),
    ],
)
def test_a_question_of_the_host_is_answered(tmp_path: Path, question: str, answer: str) -> None:
    file = private(
        tmp_path / "file", "https://x:wrong@other\nhttps://m%40e:a%3Ab%2Fc@host:8443\nhttps://x:wrong@host\n"
    )
    given: dict[str, t.Any] = {**NONE, "credentials_file": file}
    with access_to(read_address("url", "https://host:8443/x.git"), given) as access:
        script = Path(access.environment["GIT_ASKPASS"] or "")
        assert access.settings == ("credential.helper=", "core.askPass=")
        assert stat.S_IMODE(script.parent.stat().st_mode) == 0o700
        assert "a:b" not in "".join(item.read_text(encoding="utf-8") for item in script.parent.iterdir())
        done = subprocess.run([str(script), question], capture_output=True, text=True, check=False)
    assert done.stdout.rstrip("\n") == answer
    assert bool(done.returncode) == (not answer)
    assert not script.exists()


def test_files_of_secrets_must_be_private(tmp_path: Path) -> None:
    address = read_address("url", "https://host/x")
    for path, told in (
        (tmp_path, "that is not a file"),
        (tmp_path / "none", "it cannot be read: No such file or directory"),
    ):
        with pytest.raises(DeployError, match=told), access_to(address, {**NONE, "credentials_file": str(path)}):
            pass
    shared = private(tmp_path / "shared", "https://a:b@host\n")
    for mode in (0o640, 0o604, 0o660):
        Path(shared).chmod(mode)
        with (
            pytest.raises(DeployError, match="others may use it too"),
            access_to(address, {**NONE, "credentials_file": shared}),
        ):
            pass

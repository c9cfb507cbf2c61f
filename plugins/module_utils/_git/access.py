# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How git gets at a remote without a secret in its arguments, environment, settings or output.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import sys
import tempfile
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import USERINFO, Access, Clone
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

OPTIONS = ("credentials_file", "ssh_key", "ssh_known_hosts")
SCHEMES = ("file", "http", "https", "ssh")
SCP = re.compile(r"^(?:[\w.-]+@)?[\w.-]+:(?!/{2})[^:]\S*$")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
ANSWER_SECONDS = 20.0
# git asks it "Username for 'https://host': " and then "Password for 'https://user@host': "
ASKPASS = r"""
import re, sys, urllib.parse

def parts(url):
    found = urllib.parse.urlsplit(url)
    port = found.port or {"http": 80, "https": 443}.get(found.scheme)
    return (found.scheme, found.hostname, port), urllib.parse.unquote(found.username or ""), found.password

path, origin, question = sys.argv[1:]
asked = re.match(r"(Username|Password) for '([^']*)': ?\Z", question)
place, user, _none = parts(asked[2] if asked else "")
if not asked or place != parts(origin)[0]:
    sys.exit("this is not a question of " + origin)
for line in open(path, encoding="utf-8"):
    try:
        found, name, password = parts(line.strip())
    except ValueError:
        continue
    if found == place and password is not None and user in ("", name):
        print(name if asked[1] == "Username" else urllib.parse.unquote(password))
        sys.exit(0)
sys.exit("it has no line with a user and a password for " + origin)
"""


@dataclass(frozen=True)
class Address:
    """Where a repository is.

    :param url: as it is given to git; it has no secret in it.
    :param scheme: ``file``, ``http``, ``https`` or ``ssh``.
    :param origin: ``https://host:port`` of those that ask for a password, else ``""``.
    """

    url: str
    scheme: str
    origin: str = ""


def masked(url: str) -> str:
    """Return a URL without user, password and query."""
    return USERINFO.sub("://***@", url.partition("?")[0])


def read_address(option: str, url: str) -> Address:
    """Read the URL of a repository. Pure.

    :param option: what it is called in the error.
    :raises DeployError: it has a secret in it, or names a way that is not one of these.
    """
    told = f"Option {option} is '{masked(url)}'"
    if os.path.isabs(url):
        return Address(url, "file")
    if "://" not in url:
        if SCP.match(url):
            return Address(url, "ssh")
        raise DeployError(
            f"{told}: that is no URL of a repository.", hint="Give an https, ssh or file URL, or an absolute path."
        )
    try:
        parts = urllib.parse.urlsplit(url)
        _valid = parts.port
    except ValueError as exc:
        raise DeployError(f"{told}: that is no URL: {exc}.", hint="Give an https, ssh or file URL.") from exc
    if parts.scheme not in SCHEMES:
        raise DeployError(
            f"{told}: '{parts.scheme}' is none of {', '.join(SCHEMES)}.", hint="Give a URL of one of these."
        )
    web = parts.scheme in ("http", "https")
    if parts.password is not None or (web and (parts.username is not None or parts.query)):
        raise DeployError(
            f"{told}: a URL is shown to everybody, so it must not have a user, password or token in it.",
            hint="Put 'https://user:password@host' into a file with mode 0600 and name it in credentials_file.",
        )
    return Address(url, parts.scheme, f"{parts.scheme}://{parts.netloc}" if web else "")


def private_file(option: str, path: str) -> None:
    """Check that a file with a secret is there and nobody else can read it.

    :raises DeployError: it is not.
    """
    told = f"Option {option} is '{path}'"
    try:
        found = os.stat(path)
    except OSError as exc:
        raise DeployError(
            f"{told}: it cannot be read: {exc.strerror}.", hint="Put it there, owned by the builder's user, mode 0600."
        ) from exc
    if not stat.S_ISREG(found.st_mode):
        raise DeployError(f"{told}: that is not a file.", hint="Name the file itself.")
    if found.st_mode & 0o077:
        raise DeployError(
            f"{told}: others may use it too, its mode is {stat.S_IMODE(found.st_mode):04o}.",
            hint=f"Run 'chmod 0600 {path}'.",
        )
    if not os.access(path, os.R_OK):
        raise DeployError(f"{told}: this user may not read it.", hint=f"Run as its owner (user id {found.st_uid}).")


@contextlib.contextmanager
def access_to(address: Address, params: t.Mapping[str, t.Any]) -> t.Iterator[Access]:
    """Yield how git gets at a repository.

    :param params: ``credentials_file``, ``ssh_key``, ``ssh_known_hosts``; each may be empty.
    :raises DeployError: one of these files cannot be used.
    """
    ssh = []
    if params["ssh_key"]:
        private_file("ssh_key", params["ssh_key"])
        ssh += ["-i", params["ssh_key"], "-o", "IdentitiesOnly=yes"]
    if params["ssh_known_hosts"]:
        if not os.path.isfile(params["ssh_known_hosts"]):
            raise DeployError(
                f"Option ssh_known_hosts is '{params['ssh_known_hosts']}': there is no such file.",
                hint="Make it with 'ssh-keyscan <host>' and compare the key with the one that its owner tells.",
            )
        ssh += ["-o", f'UserKnownHostsFile="{params["ssh_known_hosts"]}"', "-o", "StrictHostKeyChecking=yes"]
    environment: dict[str, str | None] = {}
    if ssh:
        environment["GIT_SSH_COMMAND"] = shlex.join(["ssh", "-o", "BatchMode=yes", *ssh])
    path = params["credentials_file"]
    if not path or not address.origin:
        yield Access(environment)
        return
    private_file("credentials_file", path)
    if address.scheme == "http" and urllib.parse.urlsplit(address.url).hostname not in LOOPBACK:
        raise DeployError(
            f"The URL is '{address.url}': http sends the password of credentials_file for everybody to read.",
            hint="Give an https URL.",
        )
    with tempfile.TemporaryDirectory(prefix="j4c-askpass-") as folder:
        # it reads the file itself: no copy of a password is made
        script, command = os.path.join(folder, "answer.py"), os.path.join(folder, "askpass")
        answer = [sys.executable, "-I", script, path, address.origin]
        for name, text, mode in (
            (script, ASKPASS, 0o600),
            (command, f'#!/bin/sh\nexec {shlex.join(answer)} "$1"\n', 0o700),
        ):
            with open(name, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
        question = f"Password for '{address.origin}': "
        asked = Runner(timeout=ANSWER_SECONDS).run([*answer, question], check=False)
        if asked.rc != 0:
            why = asked.stderr.strip().splitlines()[-1:] or ["it cannot be read"]
            raise DeployError(
                f"Option credentials_file is '{path}': {why[0]}.",
                hint="Its lines are 'https://user:password@host', with special characters percent-encoded.",
            )
        # what other helpers of this user know is neither asked nor, after a refusal, forgotten
        yield Access({**environment, "GIT_ASKPASS": command}, ("credential.helper=", "core.askPass="))


@contextlib.contextmanager
def access_to_remote(path: str, remote: str, params: t.Mapping[str, t.Any]) -> t.Iterator[Access]:
    """Say how git gets at a remote of a clone, while the context lasts: as its user does, unless an option is given.

    :param path: directory of the clone; what is wrong with it is left to others to tell.
    :raises DeployError: see ``access_to`` and ``read_address``.
    """
    given = any(params[name] for name in OPTIONS) and os.path.isdir(path)
    url = Clone(path, ANSWER_SECONDS).line("remote", "get-url", "--", remote) if given else ""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(access_to(read_address(f"remote '{remote}'", url), params)) if url else Access()


def explain(complaint: str) -> str:
    """Return what to do about what git or ssh said about a remote. Pure."""
    said = complaint.lower()
    if "host key verification failed" in said:
        return "Give the host's key in ssh_known_hosts (j4c_source_known_hosts)."
    if any(
        word in said
        for word in (
            "authentication failed",
            "could not read username",
            "could not read password",
            "permission denied",
            "403",
        )
    ):
        return "Give this user a key in its SSH agent, or set ssh_key (j4c_source_ssh_key) or credentials_file (j4c_source_credentials)."
    return "Check the URL, and that this machine can reach it."

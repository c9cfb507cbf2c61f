# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the login for a registry.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

MAX_BYTES = 1 << 16
FORMAT_HINT = 'Write {"username": "...", "password": "..."} into it; a token is a password.'


@dataclass(frozen=True)
class Credentials:
    """A login: ``username`` and ``password``; its text shows neither."""

    username: str
    password: str = field(repr=False)

    @property
    def engine(self) -> dict[str, str]:
        """The login as the engine's API wants it."""
        return {"username": self.username, "password": self.password}

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def scrub(self, text: str) -> str:
        """Return a text without the password, in whatever form it could have come into it."""
        for secret in (self.password, self.basic[len("Basic ") :]):
            text = text.replace(secret, "********")
        return text


def read_credentials(path: str | None) -> Credentials | None:
    """Return the login that a file holds, ``None`` when no file is named.

    :raises DeployError: it is not there, others may read it, or it holds something else.
    """
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            _refuse_public(path, status)
            data = json.loads(file.read(MAX_BYTES))
    except OSError as exc:
        raise DeployError(
            f"The option credentials is '{path}', which cannot be read: {exc.strerror}.",
            hint="Make the file on this host, with mode 0600 and for the user that this task runs as.",
        ) from exc
    except ValueError:
        # what the parser says could quote the password
        raise DeployError(f"The credentials file '{path}' is not JSON.", hint=FORMAT_HINT) from None
    if not isinstance(data, dict) or sorted(data) != ["password", "username"]:
        raise DeployError(
            f"The credentials file '{path}' does not have exactly a username and a password.", hint=FORMAT_HINT
        )
    if not all(isinstance(value, str) and value for value in data.values()) or ":" in data["username"]:
        raise DeployError(
            f"The credentials file '{path}' has a username or password that is empty or no text, or a username with a colon.",
            hint=FORMAT_HINT,
        )
    return Credentials(**data)


def _refuse_public(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise DeployError(f"The option credentials is '{path}', which is not a file.", hint=FORMAT_HINT)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise DeployError(
            f"The credentials file '{path}' has mode {mode:04o}: others than its owner may use it.",
            hint=f"Run 'chmod 600 {path}', and change the password if others could have read it.",
        )
    if status.st_uid not in (0, os.geteuid()):
        raise DeployError(
            f"The credentials file '{path}' belongs to user id {status.st_uid}, this task runs as {os.geteuid()}.",
            hint=f"Run 'chown {os.geteuid()} {path}'.",
        )

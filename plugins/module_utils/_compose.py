# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker compose command line, for one project.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._run import Completed, Runner

READ_SECONDS = 60.0
# what compose may take beyond what it was told to wait
MARGIN_SECONDS = 30.0
STDIN = "-"
# what compose says, and what a person can do about it
HINTS = (
    (
        r"is not a docker command|unknown (shorthand )?flag: '?-{0,2}p|unknown command",
        "Install the plugin docker compose 2.20 or newer, or run the role j4c.deploy.engine.",
    ),
    (r"Cannot connect to the Docker daemon", "Start the engine, or run the role j4c.deploy.engine."),
    (r"Address already in use", "Another container has that address: remove it from the network."),
    (
        r"port is already allocated|address already in use",
        "Find who listens on that port with 'ss -ltnp' and end it, or choose another port.",
    ),
    (
        r"No such image|pull access denied|manifest unknown",
        "Build the image, or load it into the engine of this server.",
    ),
    (r"no space left on device", "See what takes the space with 'docker system df' and free some."),
)


def hint_for(message: str) -> str | None:
    """Return what to do about a message of docker compose, or ``None`` when that is not known."""
    return next((hint for pattern, hint in HINTS if re.search(pattern, message)), None)


def failure(what: str, done: Completed) -> DeployError:
    """Return the error for a docker compose that failed: its own last lines, and what to do."""
    lines = [line.strip() for line in (done.stderr.strip() or done.stdout.strip()).splitlines() if line.strip()]
    told = [
        line
        for line in lines
        if re.search(r"error|failed|invalid|not found|no such|unhealthy|exited", line, re.IGNORECASE)
    ] or lines
    message = "; ".join(dict.fromkeys(told[-3:])) or f"exit status {done.rc}"
    return DeployError(
        f"{what} failed: {message}",
        hint=hint_for(done.stderr),
        command=done.argv,
        rc=done.rc,
        stdout=done.stdout,
        stderr=done.stderr,
    )


class Compose:
    """One compose project.

    :param project: its name.
    :param files: its compose files; ``-`` reads ``text`` instead.
    :param project_dir: where relative paths in the files start.
    :param text: the compose file itself, for the file ``-``.
    """

    def __init__(
        self, runner: Runner, project: str, files: t.Sequence[str], project_dir: str, text: str | None = None
    ) -> None:
        self._runner = runner
        self._project = project
        self._project_dir = project_dir
        self._text = text
        self._base = ["docker", "compose", "--project-directory", project_dir, "-p", project]
        for file in files:
            self._base += ["-f", file]

    def _run(self, what: str, args: t.Sequence[str], timeout: float = READ_SECONDS) -> str:
        done = self._runner.run(
            [*self._base, *args], check=False, stdin=self._text, timeout=timeout, cwd=self._project_dir, what=what
        )
        if done.rc != 0:
            raise failure(what, done)
        return done.stdout

    def config(self) -> dict[str, t.Any]:
        """Return the files as one document with everything in them resolved.

        :raises DeployError: they do not parse, or name files that are not there.
        """
        return dict(
            json.loads(self._run(f"Reading the compose file of '{self._project}'", ["config", "--format", "json"]))
        )

    def hashes(self) -> dict[str, str]:
        """Return the hash of each service's configuration, as containers carry it in a label."""
        text = self._run(f"Reading the compose file of '{self._project}'", ["config", "--hash", "*"])
        return dict(line.split() for line in text.splitlines() if line.strip())

    def up(
        self,
        services: t.Sequence[str],
        *,
        timeout: float,
        deps: bool = False,
        wait: bool = False,
        start: bool = True,
    ) -> None:
        """Create and start services from images that are here.

        :param timeout: seconds until it is given up.
        :param deps: start what they depend on as well.
        :param wait: return when they are healthy.
        :param start: start them; otherwise they are only made.
        :raises DeployError: compose failed; with its own last lines.
        """
        args = ["up", "--detach" if start else "--no-start", "--no-build", "--pull", "never"]
        if not deps:
            args.append("--no-deps")
        if wait:
            args += ["--wait", "--wait-timeout", str(int(timeout))]
        self._run(
            f"Starting {', '.join(services)} of '{self._project}'", [*args, "--", *services], timeout + MARGIN_SECONDS
        )

    def down(self, *, timeout: float, volumes: bool = False) -> None:
        """Remove the project's containers and networks, and its volumes when asked."""
        self._run(
            f"Removing '{self._project}'", ["down", "--remove-orphans", *(["--volumes"] if volumes else [])], timeout
        )

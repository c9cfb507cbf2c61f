# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper container: the tools of the database's own image, beside the database and never in it.

A long process in the database container is adopted by the server when its parent is killed, and when it dies of a signal the
server restarts all sessions. A helper has a process namespace of its own, and ends when the process that made it ends.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import tarfile
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import tail
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.names import dsn, passfile_line
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.psql import ARGV, Psql
from ansible_collections.j4c.deploy.plugins.module_utils._run import Completed, Runner

LABEL = "io.j4c.helper"
PASSFILE = "run/j4c/passfile"
CONNECT_SECONDS = 30.0
REMOVE_SECONDS = 30.0
# a session that waits for a lock or sorts for hours should notice that its client is gone (PostgreSQL 14 and newer)
WATCH_CLIENT = """
SELECT set_config(name, '1s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'
"""
WATCH_OPTION = "-c client_connection_check_interval=1s"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server in a container, and how to log in.

    :param container: its name.
    :param image: id of its image.
    :param password: empty when the server trusts connections from inside its container.
    """

    container: str
    id: str
    image: str
    user: str
    port: int = 5432
    password: str = field(default="", repr=False)


def find_server(api: t.Any, container: str, user: str, port: int, password_file: str | None) -> Server:
    """Return the server in a container.

    :param password_file: path of a file on this host with the user's password.
    :raises DeployError: there is no such container, it does not run, or the file cannot be read.
    """
    view = engine.inspect_container(api, container)
    if view is None:
        raise DeployError(
            f"There is no container '{container}' (option container).",
            hint="Name the container of the database; 'docker ps' shows what runs.",
        )
    if not view["State"].get("Running") or view["State"].get("Paused"):
        raise DeployError(
            f"The database container '{container}' is {view['State']['Status']}.",
            hint="Start it with playbooks/stack.yml, and look at its log when it does not stay up.",
        )
    password = ""
    if password_file:
        try:
            with open(password_file, encoding="utf-8") as file:
                password = file.read().rstrip("\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise DeployError(
                f"Option password_file is '{password_file}', and it cannot be read: {exc}.",
                hint="Name a file that the remote user may read, or leave it out when the server asks for no password.",
            ) from exc
    return Server(container, view["Id"], view["Image"], user, port, password)


def sweep(api: t.Any, owner: str) -> int:
    """Remove helpers that an engine crash left; only who holds the lock of ``owner`` may. Return how many there were."""
    with engine.engine_errors("Looking for helpers that were left"):
        found = api.containers(all=True, filters={"label": f"{LABEL}={owner}"})
    for item in found:
        _remove(api, item["Id"])
    return len(found)


def _remove(api: t.Any, container: str) -> None:
    deadline = time.monotonic() + REMOVE_SECONDS
    with engine.engine_errors("Removing a helper"):
        while engine.inspect_container(api, container) is not None:
            # the engine removes it as well, and says so when both do
            with contextlib.suppress(engine.docker.errors.APIError):
                api.remove_container(container, force=True, v=True)
            if time.monotonic() >= deadline:
                raise DeployError(f"The helper container {container[:12]} cannot be removed.")
            time.sleep(0.05)


class Helper:
    """A helper container; a context manager that starts and removes it.

    :param owner: whose helper it is, see ``sweep``.
    :param server: the database that it is beside, or whose image it runs.
    :param mounts: host directories by the path that they have in it.
    :param isolated: without any network, so that nothing in it reaches the server.
    :param env: further environment.
    """

    def __init__(
        self,
        api: t.Any,
        runner: Runner,
        owner: str,
        server: Server,
        *,
        mounts: t.Mapping[str, str] | None = None,
        isolated: bool = False,
        env: t.Mapping[str, str] | None = None,
    ) -> None:
        self._api = api
        self._runner = runner
        self._owner = owner
        self._server = server
        self._mounts = dict(mounts or {})
        self._isolated = isolated
        self._env = {
            "PGAPPNAME": "j4c",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": server.user,
            "PGPASSFILE": f"/{PASSFILE}",
            "PGCONNECT_TIMEOUT": str(int(CONNECT_SECONDS)),
            **(env or {}),
        }
        self._life: t.Any = None
        self._sessions: list[Psql] = []
        self._options = ""
        self.user = f"{os.geteuid()}:{os.getegid()}"
        self.name = f"j4c-helper-{secrets.token_hex(6)}"

    def __enter__(self) -> Helper:
        with engine.engine_errors(f"Starting a helper from the image of '{self._server.container}'"):
            self._create()
            try:
                self._api.put_archive(self.name, "/", self._files())
                self._life = self._api.attach_socket(self.name, params={"stdin": 1, "stdout": 1, "stream": 1})
                self._api.start(self.name)
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _create(self) -> None:
        self._api.create_container(
            self._server.image,
            [],
            # its input is this process's end of a socket: when this process dies, however it dies, the container ends
            entrypoint=["cat"],
            stdin_open=True,
            name=self.name,
            environment=self._env,
            labels={LABEL: self._owner},
            healthcheck={"test": ["NONE"]},
            host_config=self._api.create_host_config(
                network_mode="none" if self._isolated else f"container:{self._server.id}",
                mounts=[engine.docker.types.Mount(*item, type="bind") for item in self._mounts.items()],
                auto_remove=True,
                init=True,
                security_opt=["no-new-privileges:true"],
            ),
        )

    def _files(self) -> bytes:
        content = passfile_line(self._server.password).encode() if self._server.password else b""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            folder, file = tarfile.TarInfo(os.path.dirname(PASSFILE)), tarfile.TarInfo(PASSFILE)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o700
            file.size, file.mode = len(content), 0o600
            for member in (folder, file):
                member.uid, member.gid = os.geteuid(), os.getegid()
                tar.addfile(member, io.BytesIO(content))
        return archive.getvalue()

    def connect(self, database: str) -> Psql:
        """Return a new session with a database. It ends with the helper.

        :raises DeployError: the server refuses it.
        """
        argv = [*ARGV, "-d", dsn(database)]
        with engine.engine_errors(f"Starting psql beside '{self._server.container}'"):
            made = self._api.exec_create(self.name, argv, stdin=True, user=self.user)
            psql = Psql(self._api.exec_start(made["Id"], socket=True), self._server.container)
        self._sessions.append(psql)
        try:
            if psql.run(WATCH_CLIENT, CONNECT_SECONDS):
                self._options = WATCH_OPTION
        except DeployError as exc:
            raise DeployError(
                f"No session with database '{database}' in '{self._server.container}' as user '{self._server.user}': {exc.msg}",
                hint="Mend the options database, user and password_file, or start the database.",
            ) from exc
        return psql

    def run(
        self,
        argv: t.Sequence[str],
        what: str,
        *,
        timeout: float,
        user: str | None = None,
        stdin: str | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a program in the helper to its end. It ends with the helper, however this process ends.

        :param user: the user that it runs as; the one of this process when omitted.
        :raises DeployError: it failed while ``check`` is set; with the first error that it told, not only the last line.
        """
        options = ["--user", user or self.user, "--env", f"PGOPTIONS={self._options}"]
        options += ["--interactive"] if stdin is not None else []
        argv = ["docker", "exec", *options, self.name, *argv]
        done = self._runner.run(argv, what=what, timeout=timeout, stdin=stdin, check=False)
        if check and done.rc != 0:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            told = [line for line in lines if re.search(r"error|fatal", line, re.IGNORECASE)] or lines[-1:]
            raise DeployError(
                f"{what} failed with exit status {done.rc}: {'; '.join(told[:2]) or 'it was killed, or told nothing'}.",
                command=done.argv,
                rc=done.rc,
                stdout=tail(done.stdout, 20),
                stderr=tail(done.stderr, 20),
            )
        return done

    def start(self, argv: t.Sequence[str], user: str) -> t.Callable[[], bool]:
        """Start a program in the helper and leave it running there; return a function that tells whether it still does."""
        with engine.engine_errors(f"Starting {argv[0]} in a helper"):
            # where clients look for the server is not for the server's own scripts
            made = self._api.exec_create(self.name, list(argv), user=user, environment={"PGHOST": ""})
            self._api.exec_start(made["Id"], detach=True)

        def running() -> bool:
            with engine.engine_errors(f"Looking at {argv[0]} in a helper"):
                return bool(self._api.exec_inspect(made["Id"])["Running"])

        return running

    def close(self) -> None:
        """End the sessions, and the container with all that runs in it."""
        for psql in self._sessions:
            psql.close()
        if self._life is not None:
            self._life.close()
        _remove(self._api, self.name)

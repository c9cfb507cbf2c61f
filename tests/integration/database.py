# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server in a container of its own, with names that break whatever quotes them wrongly."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
import typing as t
from pathlib import Path

import docker

from tests.integration.run_module import result_of, run_module, start_module

IMAGE = "postgres:17"
ADMIN = "admin"
# quotes, spaces, dashes, upper case, and what shells and connection strings would look at
DATABASE = 'Ord\'er "db" -$x=1'
USER = 'O\'Brien "the" -$u'
TABLE = '"We""ird $chema"."T a\'b -x"'
START_SECONDS = 180.0
WAIT_SECONDS = 120.0
CONTENT = f"""
CREATE SCHEMA "We""ird $chema";
CREATE TABLE {TABLE} (id bigserial PRIMARY KEY, "v'x" text, amount numeric NOT NULL CHECK (amount >= 0), made timestamptz DEFAULT now());
INSERT INTO {TABLE} ("v'x", amount) SELECT md5(g::text), g FROM generate_series(1, 2000) g;
CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance numeric NOT NULL);
INSERT INTO accounts SELECT g, 'owner ' || g, 100 FROM generate_series(1, 500) g;
CREATE TABLE transfers (id bigserial PRIMARY KEY, account int NOT NULL REFERENCES accounts, amount numeric NOT NULL);
INSERT INTO transfers (account, amount) SELECT 1 + g % 500, g FROM generate_series(1, 1000) g;
CREATE INDEX ON transfers (account);
CREATE VIEW rich AS SELECT * FROM accounts WHERE balance > 1000;
CREATE TABLE empty ();
SELECT lo_from_bytea(0, 'large'::bytea);
"""


def ident(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def conninfo(database: str) -> str:
    """Return the connection string of a database."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


class Postgres:
    """One server; ``remove`` ends it.

    It trusts its own socket, and wants a password over TCP, also from inside the container.

    :param folder: a directory for the backups and the modules' arguments.
    """

    def __init__(self, folder: Path) -> None:
        self.api = docker.from_env().api
        self.name = f"j4c-test-db-{secrets.token_hex(6)}"
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.password = f"p:w\\{secrets.token_hex(8)}"
        self.password_file = folder / "password"
        self.password_file.write_text(self.password + "\n", encoding="utf-8")
        self.directory = folder / "backups"

    def start(self, image: str = IMAGE) -> Postgres:
        """Start the server and make user and database."""
        made = self.api.create_container(
            image,
            ["postgres", "-c", "fsync=off", "-c", "max_prepared_transactions=5", "-c", "wal_level=logical"],
            name=self.name,
            environment={
                "POSTGRES_USER": ADMIN,
                "POSTGRES_PASSWORD": self.password,
                "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256",
            },
            host_config=self.api.create_host_config(init=True, tmpfs={"/var/lib/postgresql/data": "size=1g"}),
        )
        self.api.start(made["Id"])
        # the server that only initialises the cluster listens on the socket alone
        self.wait(lambda: self._exec(["pg_isready", "-q", "-h", "127.0.0.1"])[0] == 0, START_SECONDS)
        quoted = self.password.replace("'", "''")
        self.sql(f"CREATE ROLE {ident(USER)} SUPERUSER LOGIN PASSWORD '{quoted}'", "postgres")
        self.sql(f"CREATE DATABASE {ident(DATABASE)} OWNER {ident(USER)}", "postgres")
        return self

    def remove(self) -> None:
        """Remove the server, and helpers that a test left beside it."""
        for item in self.api.containers(all=True, filters={"label": "io.j4c.helper"}):
            if str(self.folder) in item["Labels"]["io.j4c.helper"]:
                with contextlib.suppress(docker.errors.APIError):
                    self.api.remove_container(item["Id"], force=True, v=True)
        with contextlib.suppress(docker.errors.NotFound):
            self.api.remove_container(self.name, force=True, v=True)

    def _exec(self, argv: t.Sequence[str]) -> tuple[int, str]:
        made = self.api.exec_create(self.name, list(argv))
        output = self.api.exec_start(made["Id"]).decode("utf-8", "replace")
        return int(self.api.exec_inspect(made["Id"])["ExitCode"]), output

    def _psql(self, database: str) -> list[str]:
        options = ["-XAtqw", "-v", "ON_ERROR_STOP=1", "-U", ADMIN, "-d", conninfo(database)]
        return ["docker", "exec", "-i", self.name, "psql", *options]

    def sql(self, statements: str, database: str = DATABASE) -> str:
        """Run SQL as administrator and return its output."""
        done = subprocess.run(
            self._psql(database), input=statements, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def session(self, statements: str, database: str = DATABASE) -> t.Iterator[None]:
        """Keep a session open that has run ``statements`` and does nothing more."""
        with subprocess.Popen(
            self._psql(database), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(f"{statements};\n\\echo ready\n")
                process.stdin.flush()
                assert process.stdout.readline().strip() == "ready"
                yield
            finally:
                process.stdin.close()

    def wait(self, reached: t.Callable[[], object], timeout: float = WAIT_SECONDS) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + timeout
        while not reached():
            assert time.monotonic() < deadline, "a condition is not reached"
            time.sleep(0.05)

    def waits_for_a_lock(self) -> bool:
        """Whether a session of a helper waits for a lock."""
        return self.sql("SELECT count(*) FROM pg_locks WHERE NOT granted", "postgres") != "0"

    def helpers(self) -> list[str]:
        """Return the ids of the helper containers beside this server."""
        found = self.api.containers(all=True, filters={"label": "io.j4c.helper"})
        return [item["Id"] for item in found if str(self.folder) in item["Labels"]["io.j4c.helper"]]

    def options(self, **more: t.Any) -> dict[str, t.Any]:
        """Return the options of a module that works on the database."""
        return {
            "directory": str(self.directory),
            "service": "shop",
            "container": self.name,
            "database": DATABASE,
            "user": USER,
            "password_file": str(self.password_file),
            "min_free_mb": 1,
            **more,
        }

    def run(self, module: str, *, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
        """Run a module to its end and return its result."""
        return run_module(module, self.scratch, self.options(**more), check=check)

    def begin(self, module: str, **more: t.Any) -> subprocess.Popen[str]:
        """Start a module and return its process."""
        return start_module(module, self.scratch, self.options(**more))

    def backup(self, *, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
        """Take a backup and return the result."""
        return self.run("postgres_backup", check=check, **more)

    def result(self, process: subprocess.Popen[str]) -> dict[str, t.Any]:
        """Wait for a module's process and return its result."""
        return result_of(process)

    def info(self, directory: Path | None = None, **more: t.Any) -> dict[str, t.Any]:
        """Return what postgres_backup_info says."""
        options = {"directory": str(directory or self.directory), "service": "shop", **more}
        return run_module("postgres_backup_info", self.scratch, options)

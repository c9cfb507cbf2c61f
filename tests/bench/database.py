# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a client sees no database while it is restored, and how long that takes; beside psql with a plain dump.

``J4C_BENCH_ROWS`` is the number of rows, a million of them are about 150 MB.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import typing as t
from pathlib import Path

from tests.bench._table import Table, seconds
from tests.integration.database import ADMIN, DATABASE, Postgres, conninfo, ident

ROWS = int(os.environ.get("J4C_BENCH_ROWS", "200000"))
CONTENT = f"""
CREATE TABLE bench (id bigint PRIMARY KEY, account int NOT NULL, amount numeric NOT NULL, note text NOT NULL);
INSERT INTO bench SELECT g, g % 1000, g, md5(g::text) FROM generate_series(1, {ROWS}) g;
CREATE INDEX ON bench (account);
CREATE INDEX ON bench (note);
"""
# prints the time of each good answer, and asks again 10 ms later whatever the answer was
CLIENT = """
while read -r go; do
  if [ "$(psql -XAtqw -U "$2" -d "$1" -c 'SELECT 1 FROM bench WHERE id = 1' 2>/dev/null)" = 1 ]; then date +%s.%N; else echo; fi
  sleep 0.01
done
"""


class Client:
    """Asks the database for one row in a loop, with a new connection each time."""

    def __init__(self, postgres: Postgres) -> None:
        self._argv = ["docker", "exec", "-i", postgres.name, "sh", "-c", CLIENT, "sh", conninfo(DATABASE), ADMIN]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._started = threading.Event()
        self._good: list[float] = []

    def _ask(self) -> None:
        with subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            while not self._stop.is_set():
                process.stdin.write("go\n")
                process.stdin.flush()
                answer = process.stdout.readline().strip()
                if answer:
                    self._good.append(float(answer))
                    self._started.set()
            process.stdin.close()

    def __enter__(self) -> Client:
        self._thread.start()
        self._started.wait(60)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def gap(self) -> float:
        """Return the longest time between two good answers, in seconds."""
        return max(after - before for before, after in zip(self._good, self._good[1:]))


def bench(folder: Path) -> t.Iterator[Table]:
    """Yield one table: restore, undo, nothing, and the plain way, in this order."""
    postgres = Postgres(folder)
    try:
        postgres.start().sql(CONTENT)
        size = int(postgres.sql("SELECT pg_database_size(current_database())")) / 1e6
        backup = seconds(lambda: _good(postgres.backup()))
        dump = folder / "dump.sql"
        with dump.open("wb") as file:
            argv = ["docker", "exec", postgres.name, "pg_dump", "-U", ADMIN, "-d", conninfo(DATABASE)]
            plain_backup = seconds(lambda: subprocess.run(argv, stdout=file, check=True))
        works: dict[str, t.Callable[[], object]] = {
            "nothing, for comparison": lambda: postgres.sql("SELECT pg_sleep(3)"),
            "postgres_restore": lambda: _good(postgres.run("postgres_restore")),
            "postgres_restore, undone": lambda: _good(postgres.run("postgres_restore", state="undone")),
            "psql into an emptied database": lambda: _plain(postgres, dump),
        }
        rows: list[tuple[str, float, float]] = []
        for name, work in works.items():
            with Client(postgres) as client:
                taken = seconds(work)
            rows.append((name, taken, client.gap() * 1000))
        yield Table(
            f"Restoring a database of {size:.0f} MB",
            ("way", "total s", "longest gap ms"),
            rows,
            (
                f"Gap: between two good answers to a client that connects anew each time. Backup {backup:.2f} s, with counts and "
                f"digests; pg_dump to plain SQL {plain_backup:.2f} s.",
            ),
        )
    finally:
        with contextlib.suppress(OSError):
            postgres.remove()


def _good(result: dict[str, t.Any]) -> None:
    if result.get("failed"):
        raise RuntimeError(result["msg"])


def _plain(postgres: Postgres, dump: Path) -> None:
    name = ident(DATABASE)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)", "postgres")
    postgres.sql(f"CREATE DATABASE {name}", "postgres")
    argv = ["docker", "exec", "-i", postgres.name, "psql", "-q", "-U", ADMIN, "-d", conninfo(DATABASE)]
    with dump.open("rb") as file:
        subprocess.run(argv, stdin=file, stdout=subprocess.DEVNULL, check=True)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_restore against a real server: what comes back, what is refused, and what kills it."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest

from tests.integration.database import ADMIN, CONTENT, DATABASE, TABLE, USER, Postgres, conninfo, ident
from tests.integration.world import playbook

pytestmark = pytest.mark.xdist_group("postgres_restore")
APPLICATION = 'O\'App "x" $r'
NAMES = "SELECT string_agg(datname, E'\\n' ORDER BY datname) FROM pg_database WHERE datname LIKE 'Ord%'"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Postgres]:
    made = Postgres(tmp_path_factory.mktemp("postgres"))
    try:
        made.start().sql(CONTENT)
        name, role = ident(DATABASE), ident(APPLICATION)
        made.sql(
            f"CREATE ROLE {role} LOGIN; REVOKE ALL ON DATABASE {name} FROM PUBLIC;"
            f"GRANT CONNECT ON DATABASE {name} TO {role} WITH GRANT OPTION;"
            f"GRANT ALL ON accounts TO {role};"
            f"COMMENT ON DATABASE {name} IS 'it''s \\ the one';"
            f'ALTER DATABASE {name} SET search_path TO "We""ird $chema", public;'
            f"ALTER ROLE {role} IN DATABASE {name} SET work_mem TO '5MB';"
            f"ALTER DATABASE {name} CONNECTION LIMIT 50;"
        )
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def taken(postgres: Postgres) -> dict[str, t.Any]:
    """A backup of the untouched database."""
    return dict(postgres.backup()["backup"])


@pytest.fixture(autouse=True)
def _untouched(postgres: Postgres, taken: dict[str, t.Any]) -> t.Iterator[None]:
    """Give every test the database as the backup has it, with the same oid, and nothing beside it."""
    yield
    while restored(postgres):
        assert postgres.run("postgres_restore", state="undone")["outcome"] == "UNDONE"
    pruned = postgres.run("postgres_restore", state="pruned", keep_hours=0)
    assert not pruned.get("failed"), pruned
    postgres.sql(
        f"DELETE FROM transfers WHERE id > 1000; DELETE FROM accounts WHERE id > 500; DROP TABLE IF EXISTS late; DELETE FROM {TABLE} WHERE id > 2000"
    )
    assert postgres.sql(NAMES, "postgres") == DATABASE


def records(postgres: Postgres) -> list[dict[str, t.Any]]:
    paths = sorted(postgres.directory.glob("shop/restores/*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def restored(postgres: Postgres) -> list[str]:
    return [item["id"] for item in records(postgres) if item["phase"] == "restored"]


def restore(postgres: Postgres, *, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    return postgres.run("postgres_restore", check=check, **more)


def oid(postgres: Postgres, name: str = DATABASE) -> int:
    quoted = name.replace("'", "''")
    return int(postgres.sql(f"SELECT oid FROM pg_database WHERE datname = '{quoted}'", "postgres"))


def around(postgres: Postgres) -> str:
    return postgres.sql(
        "SELECT d.datacl, pg_get_userbyid(d.datdba), shobj_description(d.oid, 'pg_database'), d.datconnlimit, d.datallowconn,"
        " (SELECT array_agg((setrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)"
        " FROM pg_database d WHERE datname = current_database()"
    )


class Client:
    """Connects anew for each statement and tries again at once when it fails, in a thread of its own."""

    def __init__(self, postgres: Postgres, statement: str) -> None:
        self._stop = False
        script = (
            'while read -r go; do psql -XAtqw -U admin -d "$1" -c "$2" >/dev/null 2>&1 && echo ok || echo failed; done'
        )
        self._argv = ["docker", "exec", "-i", postgres.name, "sh", "-c", script, "sh", conninfo(DATABASE), statement]
        self.answers: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._loop)

    def _loop(self) -> None:
        with subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            while not self._stop:
                process.stdin.write("go\n")
                process.stdin.flush()
                self.answers.append((time.monotonic(), process.stdout.readline().strip()))
            process.stdin.close()

    def good(self) -> int:
        return sum(1 for _moment, answer in self.answers if answer == "ok")

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop = True
        self._thread.join()


def test_everything_comes_back_and_can_be_undone(postgres: Postgres, taken: dict[str, t.Any]) -> None:
    # of this moment, so that the report has nothing of other tests
    taken = postgres.backup()["backup"]
    before, live = around(postgres), oid(postgres)
    postgres.sql(
        "UPDATE accounts SET balance = 0 WHERE id <= 3; INSERT INTO accounts VALUES (501, 'new', 1), (502, 'new', 1);"
        "DELETE FROM transfers WHERE id = 1000; CREATE TABLE late AS SELECT 1 AS one;"
        f"INSERT INTO {TABLE} (amount) SELECT 1 FROM generate_series(1, 5)"
    )
    planned = restore(postgres, check=True, accept_loss=True)
    assert planned["outcome"] == "PLANNED"
    assert planned["changed"]
    assert any("late" in line for line in planned["report"])
    assert "lost: " in planned["diff"]["after"]
    refused = restore(postgres)
    assert refused["failed"]
    assert "j4c_accept_loss" in refused["msg"]
    assert refused["live_unchanged"]
    assert postgres.sql(NAMES, "postgres") == DATABASE

    result = restore(postgres, source=taken["id"], accept_loss=True)
    assert result["outcome"] == "RESTORED", result
    lost = {item["name"]: (item["inserted"], item["updated"], item["deleted"]) for item in result["loss"]}
    assert lost == {"accounts": (2, 3, 0), "transfers": (0, 0, 1), "late": (1, 0, 0), "T a'b -x": (5, 0, 0)}
    assert around(postgres) == before
    assert postgres.sql("SELECT count(*), sum(balance) FROM accounts") == "500|50000"
    assert postgres.sql("SELECT count(*) FROM transfers") == "1000"
    assert oid(postgres) != live
    assert oid(postgres, result["restore"]["before"]) == live
    # ids that clients may hold already are not given again
    assert int(postgres.sql(f"INSERT INTO {TABLE} (amount) VALUES (1) RETURNING id")) > 2005

    undone = restore(postgres, state="undone")
    assert undone["outcome"] == "UNDONE", undone
    assert {item["name"]: item["newer"] for item in undone["loss"]} == {"T a'b -x": 1}
    assert oid(postgres) == live
    assert around(postgres) == before
    assert postgres.sql("SELECT count(*) FROM accounts WHERE balance = 0") == "3"
    postgres.sql("UPDATE accounts SET balance = 100 WHERE id <= 3; INSERT INTO transfers VALUES (1000, 1, 1000)")
    again = restore(postgres, state="undone")
    assert "There is no restore" in again["msg"]


def test_a_client_that_reconnects_in_a_tight_loop_does_not_stop_the_swap(
    postgres: Postgres, taken: dict[str, t.Any]
) -> None:
    statement = "INSERT INTO public.transfers (account, amount) VALUES (1, 1)"
    with Client(postgres, statement) as first, Client(postgres, "SELECT pg_sleep(0.01)") as second:
        postgres.wait(lambda: first.good() and second.good())
        with postgres.session("BEGIN; LOCK TABLE public.accounts IN ACCESS SHARE MODE"):
            result = restore(postgres, accept_loss=True, swap_timeout=60)
        assert result["outcome"] == "RESTORED", result
        done = first.good()
        postgres.wait(lambda: first.good() > done + 2)
    # every row that a client was told of is either in the loss report or in the new database
    kept = int(postgres.sql("SELECT count(*) FROM transfers")) - 1000
    lost = {item["name"]: item["inserted"] for item in result["loss"]}["transfers"]
    assert kept + lost >= first.good()
    assert postgres.sql("SELECT count(*) = count(DISTINCT id) FROM transfers") == "t"


@pytest.mark.parametrize("phase", ["loading", "swapping"])
def test_a_killed_module_leaves_one_of_two_good_ends(postgres: Postgres, taken: dict[str, t.Any], phase: str) -> None:
    live = oid(postgres)
    # COMMENT holds the lock that the rename waits for
    with postgres.session(f"BEGIN; COMMENT ON DATABASE {ident(DATABASE)} IS 'x'", "postgres"):
        process = postgres.begin("postgres_restore", accept_loss=True, swap_timeout=100)
        postgres.wait(lambda: any(item["phase"] == phase for item in records(postgres)))
        if phase == "swapping":
            postgres.wait(postgres.waits_for_a_lock)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        postgres.wait(lambda: not postgres.helpers())
    if phase == "loading":
        assert oid(postgres) == live
    else:
        # the server ends what it has begun
        postgres.wait(lambda: DATABASE in postgres.sql(NAMES, "postgres").splitlines() and oid(postgres) != live)
    assert postgres.sql("SELECT count(*) FROM accounts") == "500"
    healed = restore(postgres, state="pruned", keep_hours=1000)
    told = {"loading": "the live database serves unchanged", "swapping": "was complete"}
    assert told[phase] in healed["healed"][0]
    assert len(postgres.sql(NAMES, "postgres").splitlines()) == (1 if phase == "loading" else 2)


def test_a_server_that_dies_between_fence_and_rename_is_opened_again(
    postgres: Postgres, taken: dict[str, t.Any]
) -> None:
    live = oid(postgres)
    with postgres.session(f"BEGIN; COMMENT ON DATABASE {ident(DATABASE)} IS 'x'", "postgres"):
        process = postgres.begin("postgres_restore", accept_loss=True, swap_timeout=100)
        closed = "SELECT count(*) FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'"
        postgres.wait(lambda: postgres.sql(closed, "postgres") == "1" and postgres.waits_for_a_lock())
        # the backend of the swap dies, and with it all sessions
        pid = postgres.sql("SELECT pid FROM pg_locks WHERE NOT granted", "postgres").splitlines()[0]
        postgres.api.exec_start(postgres.api.exec_create(postgres.name, ["sh", "-c", f"kill -9 {pid}"])["Id"])
        result = postgres.result(process)
    assert result["failed"]
    postgres.wait(lambda: ready(postgres))
    healed = restore(postgres, state="pruned", keep_hours=1000)
    assert result["live_unchanged"] or "the live database serves unchanged" in healed["healed"][0]
    assert oid(postgres) == live
    assert postgres.sql("SELECT count(*) FROM accounts") == "500"
    assert postgres.sql(NAMES, "postgres") == DATABASE


def ready(postgres: Postgres) -> bool:
    with contextlib.suppress(AssertionError):
        return postgres.sql("SELECT 1", "postgres") == "1"
    return False


def test_a_swap_that_takes_too_long_lets_everybody_in_again(postgres: Postgres, taken: dict[str, t.Any]) -> None:
    live = oid(postgres)
    with postgres.session(f"BEGIN; COMMENT ON DATABASE {ident(DATABASE)} IS 'x'", "postgres"):
        result = restore(postgres, accept_loss=True, swap_timeout=0.2)
    assert result["failed"]
    assert result["live_unchanged"]
    assert "the live database serves unchanged" in result["msg"]
    assert oid(postgres) == live
    assert postgres.sql("SELECT count(*) FROM accounts") == "500"


def test_two_at_once_and_one_that_is_under_way(postgres: Postgres, taken: dict[str, t.Any]) -> None:
    with postgres.session(f"BEGIN; COMMENT ON DATABASE {ident(DATABASE)} IS 'x'", "postgres"):
        process = postgres.begin("postgres_restore", accept_loss=True, swap_timeout=100)
        postgres.wait(lambda: any(item["phase"] == "swapping" for item in records(postgres)))
        second = restore(postgres, accept_loss=True)
        assert second["failed"]
        assert "locked by a restore" in second["msg"]
    assert postgres.result(process)["outcome"] == "RESTORED"


def altered(manifest: dict[str, t.Any], folder: Path) -> None:
    path = next(item for item in sorted(folder.rglob("*.dat.zst")) if item.stat().st_size > 100)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(manifest: dict[str, t.Any], folder: Path) -> None:
    path = next(item for item in sorted(folder.rglob("*.dat.zst")) if item.stat().st_size > 100)
    path.write_bytes(path.read_bytes()[:-10])


def newer(manifest: dict[str, t.Any], folder: Path) -> None:
    manifest["server"]["version_num"] = 990000


def needy(manifest: dict[str, t.Any], folder: Path) -> None:
    manifest["database"]["extensions"] = [{"name": "no such", "version": "1"}]
    manifest["database"]["roles"] = ["no 'one'"]


def other_rows(manifest: dict[str, t.Any], folder: Path) -> None:
    manifest["tables"][-1]["rows"] += 1
    manifest["tables"][-1]["digest"] = "7"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (altered, "was altered"),
        (cut, "bytes instead of"),
        (newer, "The backup is of PostgreSQL 99"),
        (needy, 'The extension "no such"'),
        (other_rows, "rows instead of"),
    ],
)
def test_a_backup_that_is_not_good_is_refused(
    postgres: Postgres, taken: dict[str, t.Any], tmp_path: Path, damage: t.Callable[..., None], told: str
) -> None:
    live = oid(postgres)
    folder = tmp_path / "shop" / taken["id"]
    shutil.copytree(taken["path"], folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    damage(manifest, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = restore(postgres, directory=str(tmp_path), accept_loss=True)
    assert result["failed"]
    assert told in result["msg"]
    assert result["live_unchanged"]
    assert oid(postgres) == live
    assert postgres.sql(NAMES, "postgres") == DATABASE


def test_what_is_bound_to_the_database_stops_it(postgres: Postgres, taken: dict[str, t.Any]) -> None:
    # a slot waits for the transactions that are open when it is made
    postgres.sql("SELECT pg_create_logical_replication_slot('bound', 'pgoutput')")
    postgres.sql("BEGIN; INSERT INTO accounts VALUES (900, 'x', 1); PREPARE TRANSACTION 'waiting'")
    try:
        result = restore(postgres, accept_loss=True)
    finally:
        postgres.sql("ROLLBACK PREPARED 'waiting'")
        postgres.sql("SELECT pg_drop_replication_slot('bound')")
    assert result["failed"]
    assert len(result["findings"]) == 2
    assert "'waiting'" in result["msg"]
    assert "'bound'" in result["msg"]


def dump(postgres: Postgres, path: Path, *options: str) -> Path:
    argv = ["docker", "exec", postgres.name, "pg_dump", "-U", ADMIN, *options, "-d", conninfo(DATABASE)]
    with path.open("wb") as file:
        subprocess.run(argv, stdout=file, check=True)
    return path


@pytest.mark.parametrize("kind", ["dump.sql", "dump.sql.gz", "dump.custom"])
def test_dumps_made_elsewhere(postgres: Postgres, taken: dict[str, t.Any], tmp_path: Path, kind: str) -> None:
    path = dump(postgres, tmp_path / kind, *(["-Fc"] if kind == "dump.custom" else []))
    if kind.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    postgres.sql("INSERT INTO accounts VALUES (501, 'new', 1)")
    refused = restore(postgres, source=str(path))
    assert "is not known" in refused["msg"]
    result = restore(postgres, source=str(path), accept_loss=True)
    assert result["outcome"] == "RESTORED", result
    assert postgres.sql("SELECT count(*) FROM accounts") == "500"
    assert not list(postgres.directory.glob("shop/*.partial"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text[: len(text) // 2], "is cut off"),
        (lambda text: text.replace(b"CREATE TABLE public.empty", b"CREATE TABEL public.empty"), "syntax error"),
        (lambda text: b"\\connect postgres\n" + text, "could leave the database"),
        (
            lambda text: text.replace(b"\t100\n", b"\t-100\n", 1).replace(
                b"numeric NOT NULL\n", b"numeric NOT NULL CHECK (balance > 0)\n", 1
            ),
            "violates",
        ),
    ],
)
def test_an_sql_dump_that_is_not_good_changes_nothing(
    postgres: Postgres, taken: dict[str, t.Any], tmp_path: Path, change: t.Callable[[bytes], bytes], told: str
) -> None:
    live = oid(postgres)
    path = dump(postgres, tmp_path / "dump.sql")
    path.write_bytes(change(path.read_bytes()))
    result = restore(postgres, source=str(path), accept_loss=True)
    assert result["failed"]
    assert told in result["msg"], result["msg"]
    assert oid(postgres) == live
    assert postgres.sql(NAMES, "postgres") == DATABASE


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"source": "20200101T000000Z-000000"}, "There is no backup"),
        ({"source": "/no/such/dump.sql"}, "cannot be read"),
        ({"source": "/etc/passwd"}, "neither SQL"),
        ({"database": "no such", "source": "latest"}, "There is no good backup of database 'no such'"),
        ({"swap_timeout": 0}, "Option swap_timeout is '0.0'"),
        ({"min_free_mb": 1 << 40}, "MiB are free"),
        ({"state": "undone", "restore": "none"}, "There is no restore none"),
    ],
)
def test_bad_options(postgres: Postgres, taken: dict[str, t.Any], options: dict[str, t.Any], told: str) -> None:
    if "min_free_mb" in options:
        options = {**options, "source": str(dump(postgres, postgres.folder / "space.sql"))}
    result = restore(postgres, accept_loss=True, **options)
    assert result["failed"]
    assert told in result["msg"]
    assert USER not in postgres.sql(NAMES, "postgres")


def test_the_playbook(postgres: Postgres, taken: dict[str, t.Any], tmp_path: Path) -> None:
    # the role knows the container by the service's name
    service = f"{postgres.name}-s"
    variables = {
        "j4c_service": service,
        "j4c_state_dir": str(tmp_path / "state"),
        "j4c_config_dir": str(tmp_path / "config"),
        "j4c_backup_dir": str(tmp_path / "backups"),
        "j4c_database": DATABASE,
        "j4c_database_user": USER,
        "j4c_min_free_mb": 1,
    }
    (tmp_path / "vars.json").write_text(json.dumps(variables), encoding="utf-8")
    secrets = tmp_path / "config/secrets"
    secrets.mkdir(parents=True)
    (secrets / "db_password").write_text(postgres.password, encoding="utf-8")
    shutil.copytree(taken["path"], tmp_path / "backups" / service / taken["id"])
    gateway = tmp_path / "state" / service / "gateway"
    gateway.mkdir(parents=True)
    for name in ("present", "green.off"):
        (gateway / name).touch()
    given = ("-e", f"@{tmp_path}/vars.json")
    postgres.sql("INSERT INTO accounts VALUES (501, 'new', 1)")
    live = oid(postgres)
    postgres.api.rename(postgres.name, f"{service}-core-postgres-1")
    try:
        planned = playbook("playbooks/restore.yml", *given, "--check", "--diff")
        assert "inserted or updated" in planned
        refused = playbook("playbooks/restore.yml", *given, check=False)
        assert "j4c_accept_loss" in refused
        done = playbook("playbooks/restore.yml", *given, "-e", "j4c_accept_loss=true")
        assert "ms without a database" in done
        undone = playbook("playbooks/restore.yml", *given, "-e", "j4c_undo=true")
        assert "serves again" in undone
        pruned = playbook(
            "playbooks/restore.yml", *given, "-e", '{"j4c_restore_state": "pruned", "j4c_restore_keep_hours": 0}'
        )
        assert "Removed" in pruned
        assert postgres.password not in planned + refused + done + undone + pruned
    finally:
        postgres.api.rename(f"{service}-core-postgres-1", postgres.name)
    assert oid(postgres) == live

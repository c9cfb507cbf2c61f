# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_backup against a real server, and what kills it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.integration.database import CONTENT, DATABASE, USER, Postgres
from tests.integration.world import playbook

pytestmark = pytest.mark.xdist_group("postgres_backup")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Postgres]:
    made = Postgres(tmp_path_factory.mktemp("postgres"))
    try:
        made.start().sql(CONTENT)
        yield made
    finally:
        made.remove()


def manifest(result: dict[str, t.Any]) -> dict[str, t.Any]:
    path = Path(result["backup"]["path"]) / "manifest.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


@contextlib.contextmanager
def blocked(postgres: Postgres, **options: t.Any) -> t.Iterator[subprocess.Popen[str]]:
    """A backup whose pg_dump waits for a table that somebody locked."""
    with postgres.session("BEGIN; LOCK TABLE empty IN ACCESS EXCLUSIVE MODE"):
        process = postgres.begin("postgres_backup", **options)
        try:
            postgres.wait(postgres.waits_for_a_lock)
            yield process
        except BaseException:
            process.kill()
            raise


def test_a_backup_is_of_one_moment_private_and_restorable(postgres: Postgres) -> None:
    with blocked(postgres, verify="drill", release="v7") as process:
        # nobody who writes is stopped, and what is written now is not in the snapshot
        postgres.sql("INSERT INTO accounts VALUES (1000, 'late', 1)")
        secret = postgres.password
        for helper in postgres.helpers():
            assert secret not in json.dumps(postgres.api.inspect_container(helper))
            made = postgres.api.exec_create(
                helper, ["sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ"], user="0"
            )
            seen = postgres.api.exec_start(made["Id"])
            assert b"pg_dump" in seen
            assert secret.encode() not in seen
    result = postgres.result(process)
    postgres.sql("DELETE FROM accounts WHERE id = 1000")
    assert result["changed"], result
    found = manifest(result)
    assert {(item["schema"], item["name"]): item["rows"] for item in found["tables"]} == {
        ('We"ird $chema', "T a'b -x"): 2000,
        ("public", "accounts"): 500,
        ("public", "empty"): 0,
        ("public", "transfers"): 1000,
    }
    assert found["database"]["name"] == DATABASE
    assert found["database"]["owner"] == USER
    assert found["database"]["roles"] == [USER]
    assert found["large_objects"]["count"] == 1
    assert found["snapshot"]["lsn"]
    assert found["release"] == "v7"
    assert found["verified"]["drill"]["rows"] == 3500
    folder = Path(result["backup"]["path"])
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or secret.encode() not in path.read_bytes()
    assert secret not in json.dumps(result)
    assert "O'Brien" in (folder / "globals.sql").read_text(encoding="utf-8")
    assert [item["id"] for item in postgres.info()["backups"]][0] == found["id"]
    assert not postgres.helpers()


def test_a_killed_module_leaves_no_backup_and_the_next_run_tidies_up(postgres: Postgres) -> None:
    before = postgres.info()["backups"]
    with blocked(postgres) as process:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # what it started dies with it, although nobody told it to
        postgres.wait(lambda: not postgres.helpers())
        postgres.wait(lambda: not postgres.waits_for_a_lock())
    found = postgres.info()
    assert found["backups"] == before
    assert len(found["unfinished"]) == 1
    result = postgres.backup()
    assert result["changed"], result
    assert found["unfinished"][0] in json.dumps(result["warnings"])
    assert not postgres.info()["unfinished"]


def test_a_killed_helper_fails_the_backup_and_the_server_does_not_notice(postgres: Postgres) -> None:
    before, since = postgres.info()["backups"], postgres.sql("SELECT pg_postmaster_start_time()")
    with postgres.session("BEGIN"), blocked(postgres) as process:
        (helper,) = postgres.helpers()
        postgres.api.kill(helper)
        result = postgres.result(process)
        sessions = postgres.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'psql' AND state = 'idle in transaction'"
        )
        assert int(sessions) == 2
    assert result["failed"]
    assert "Dumping database" in result["msg"]
    assert postgres.info()["backups"] == before
    assert not list(postgres.directory.glob("shop/*.partial"))
    assert postgres.sql("SELECT pg_postmaster_start_time()") == since


def test_a_second_backup_at_the_same_time_is_refused(postgres: Postgres) -> None:
    with blocked(postgres) as process:
        second = postgres.backup()
        assert second["failed"]
        assert "locked by a backup" in second["msg"]
    assert postgres.result(process)["changed"]


def test_a_full_disk_leaves_nothing_behind(postgres: Postgres, tmp_path: Path) -> None:
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    folder = tmp_path / "small"
    folder.mkdir()
    own = f"size=3m,mode=0700,uid={os.geteuid()},gid={os.getegid()}"
    subprocess.run([*root, "mount", "-t", "tmpfs", "-o", own, "j4c-test", str(folder)], check=True)
    try:
        first = postgres.backup(directory=str(folder))
        assert first["changed"], first
        postgres.sql(
            "CREATE TABLE big AS SELECT decode(string_agg(md5(random()::text || g || h), ''), 'hex') AS b "
            "FROM generate_series(1, 4000) g, generate_series(1, 64) h GROUP BY g"
        )
        result = postgres.backup(directory=str(folder), min_free_mb=0)
        assert result["failed"]
        assert "No space left" in result["msg"]
        assert "j4c_backup_dir" in result["msg"]
        names = sorted(item.name for item in (folder / "shop").iterdir())
        assert names == sorted([first["backup"]["id"], "lock"])
        assert not postgres.info(folder, verify=True)["damaged"]
        refused = postgres.backup(directory=str(folder), min_free_mb=100)
        assert refused["failed"]
        assert "min_free_mb" in refused["msg"]
    finally:
        postgres.sql("DROP TABLE IF EXISTS big")
        subprocess.run([*root, "umount", str(folder)], check=True)


def test_retention_keeps_what_kept_releases_need(postgres: Postgres, tmp_path: Path) -> None:
    directory, state = tmp_path / "kept", tmp_path / "state"
    release = state / "shop/releases/v1"
    release.mkdir(parents=True)
    written = {"id": "v1", "service": "shop", "version": "1", "commit": "", "image": {}, "config_hash": ""}
    (release / "manifest.json").write_text(json.dumps(written), encoding="utf-8")
    options: dict[str, t.Any] = {"directory": str(directory), "state_dir": str(state), "digest": "counts"}
    first = postgres.backup(release="v1", **options)["backup"]
    only_one = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    second = postgres.backup(release="v2", **options, retention=only_one)
    assert not second["pruned"]
    planned = postgres.backup(check=True, release="v2", **options, retention=only_one)
    assert planned["pruned"] == [second["backup"]["id"]]
    assert planned["changed"]
    assert "<new backup>" in planned["diff"]["after"]
    assert len(postgres.info(directory)["backups"]) == 2
    # an unfinished or unreadable one counts as none
    shutil.copytree(first["path"], directory / "shop/20200101T000000Z-000000")
    (directory / "shop/20200101T000000Z-000000/manifest.json").write_text("{", encoding="utf-8")
    third = postgres.backup(release="v2", **options, retention=only_one)
    assert third["pruned"] == [second["backup"]["id"]]
    found = postgres.info(directory)
    assert [item["id"] for item in found["backups"]] == [third["backup"]["id"], first["id"]]
    enough = postgres.backup(max_age=3600, **options)
    assert not enough["changed"]
    assert enough["backup"]["id"] == third["backup"]["id"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"container": "no-such-container"}, "There is no container 'no-such-container'"),
        ({"database": "no such"}, 'database "no such" does not exist'),
        ({"user": "nobody"}, "as user 'nobody'"),
        ({"password_file": "/no/such/file"}, "Option password_file is '/no/such/file'"),
        ({"compression": "zip"}, "Option compression is 'zip'"),
        ({"service": "../x"}, "Option service is '../x'"),
        ({"jobs": 0}, "Option jobs is '0'"),
        ({"directory": "/proc/no"}, "'/proc/no/shop' cannot be written"),
    ],
)
def test_bad_options(postgres: Postgres, options: dict[str, t.Any], told: str) -> None:
    before = postgres.info()["backups"]
    result = postgres.backup(**options)
    assert result["failed"]
    assert told in result["msg"]
    assert postgres.password not in json.dumps(result)
    assert postgres.info()["backups"] == before


def test_the_playbook(postgres: Postgres, tmp_path: Path) -> None:
    # the role knows the container by the service's name
    service = f"{postgres.name}-s"
    postgres.api.rename(postgres.name, f"{service}-core-postgres-1")
    try:
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
        output = playbook("playbooks/backup.yml", "-e", f"@{tmp_path}/vars.json", "-v")
    finally:
        postgres.api.rename(f"{service}-core-postgres-1", postgres.name)
    assert "of database 'Ord" in output
    assert "changed=1" in output
    assert postgres.password not in output

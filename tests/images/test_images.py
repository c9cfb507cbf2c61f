# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the stack do what the official ones do, whichever of the two is there."""

from __future__ import annotations

import subprocess
import sys
import time
import typing as t
import uuid
from pathlib import Path

import docker
import pytest
import requests
from docker.models.containers import Container

GET = Path(__file__).parent / "get.py"
START_SECONDS = 240
Start = t.Callable[..., Container]


@pytest.fixture(scope="module")
def engine() -> t.Iterator[docker.DockerClient]:
    """The engine of this machine."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def start(engine: docker.DockerClient) -> t.Iterator[Start]:
    """A function that starts a container, which is gone after the test."""
    started: list[Container] = []

    def _start(image: str, *command: str, **options: t.Any) -> Container:
        name = f"j4c-test-images-{uuid.uuid4().hex[:8]}"
        container = engine.containers.run(image, list(command) or None, name=name, detach=True, **options)
        started.append(container)
        return container

    yield _start
    for container in started:
        container.remove(force=True, v=True)


def wait_for(condition: t.Callable[[], bool], container: Container) -> None:
    """Wait until a condition holds; fail with the container's log when it does not in time."""
    end = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < end, container.logs().decode()
        time.sleep(0.05)


def says(container: Container, *argv: str, **options: t.Any) -> str:
    """Run a program in a container and return its output, empty when it fails."""
    rc, output = container.exec_run(list(argv), **options)
    return output.decode().strip() if rc == 0 else ""


def address(container: Container) -> str:
    """Return the container's address on the default bridge."""
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])


def published(container: Container, port: int) -> str:
    """Return the URL of a published port."""
    container.reload()
    return f"http://127.0.0.1:{container.ports[f'{port}/tcp'][0]['HostPort']}"


def answers(url: str) -> bool:
    """Return whether a URL answers with 200."""
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def stopped(container: Container) -> int:
    """Stop a container with the image's own signal and return its exit status: 137 when it had to be killed."""
    container.stop(timeout=60)
    return int(container.wait()["StatusCode"])


@pytest.fixture
def database(start: Start, tmp_path: Path) -> Container:
    """PostgreSQL with a password from a file, a database of its own and two files for its first start."""
    tmp_path.chmod(0o755)
    (tmp_path / "password").write_text("correct\n")
    init = tmp_path / "init"
    init.mkdir()
    (init / "1.sql").write_text("CREATE TABLE answer (value int);")
    (init / "2.sh").write_text('psql -c "INSERT INTO answer VALUES (42)"\n')
    container = start(
        "postgres:17",
        *("postgres", "-c", "max_connections=55"),
        environment={
            "POSTGRES_USER": "owner",
            "POSTGRES_DB": "shop",
            "POSTGRES_PASSWORD_FILE": "/run/secrets/password",
        },
        volumes=[f"{tmp_path / 'password'}:/run/secrets/password:ro", f"{init}:/docker-entrypoint-initdb.d:ro"],
    )
    # On the network it is reachable only when it is complete.
    wait_for(lambda: bool(says(container, "pg_isready", "-h", "127.0.0.1", "-U", "owner", "-d", "shop")), container)
    return container


def test_postgres_runs_the_first_files_and_takes_arguments(database: Container) -> None:
    assert says(database, "psql", "-U", "owner", "-Atc", "SELECT value FROM answer", "shop") == "42"
    assert says(database, "psql", "-U", "owner", "-Atc", "SHOW max_connections", "shop") == "55"


@pytest.mark.parametrize(("password", "expected"), [("correct", "1"), ("wrong", "")])
def test_postgres_wants_the_password_on_the_network(database: Container, password: str, expected: str) -> None:
    argv = ["psql", "-h", address(database), "-U", "owner", "-Atc", "SELECT 1", "shop"]
    assert says(database, *argv, environment={"PGPASSWORD": password}) == expected


def test_postgres_runs_as_999_and_keeps_its_data(database: Container) -> None:
    assert says(database, "stat", "-c", "%u:%a", "/proc/1", "/var/lib/postgresql/data") == "999:555\n999:700"
    assert stopped(database) == 0
    database.start()
    wait_for(lambda: bool(says(database, "pg_isready", "-h", "127.0.0.1", "-U", "owner", "-d", "shop")), database)
    assert says(database, "psql", "-U", "owner", "-Atc", "SELECT value FROM answer", "shop") == "42"


def test_postgres_refuses_to_start_without_a_password(start: Start) -> None:
    container = start("postgres:17")
    assert container.wait(timeout=START_SECONDS)["StatusCode"] == 1
    assert b"POSTGRES_PASSWORD" in container.logs()


def test_redis_answers_other_containers_and_runs_as_999(start: Start) -> None:
    server = start("redis:8", "redis-server", "--appendonly", "yes")
    client = start("redis:8", "sleep", "infinity")
    wait_for(lambda: says(client, "redis-cli", "-h", address(server), "SET", "key", "value") == "OK", server)
    assert says(server, "redis-cli", "GET", "key") == "value"
    assert says(server, "stat", "-c", "%u", "/proc/1", "/data", "/data/appendonlydir") == "999\n999\n999"
    assert stopped(server) == 0


@pytest.mark.parametrize("arguments", [["--protected-mode", "yes"], ["/tmp/redis.conf"]])
def test_redis_obeys_who_sets_protected_mode(start: Start, tmp_path: Path, arguments: list[str]) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "redis.conf").write_text("protected-mode yes\n")
    server = start("redis:8", "redis-server", *arguments, volumes=[f"{tmp_path}/redis.conf:/tmp/redis.conf:ro"])
    wait_for(lambda: says(server, "redis-cli", "PING") == "PONG", server)
    assert says(server, "redis-cli", "CONFIG", "GET", "protected-mode").endswith("yes")


def test_prometheus_is_ready_as_nobody(start: Start) -> None:
    container = start("prom/prometheus:v3.5.0", ports={"9090/tcp": ("127.0.0.1", None)})
    wait_for(lambda: answers(f"{published(container, 9090)}/-/ready"), container)
    assert says(container, "id", "-u") == "65534"
    assert "SUCCESS" in says(container, "/bin/promtool", "check", "config", "/etc/prometheus/prometheus.yml")


def test_nginx_serves_what_conf_d_says(start: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "default.conf").write_text("server { listen 80; location / { return 200 'here'; } }\n")
    container = start(
        "nginx:1.28",
        ports={"80/tcp": ("127.0.0.1", None)},
        volumes=[f"{tmp_path}:/etc/nginx/conf.d:ro"],
        read_only=True,
        tmpfs={"/var/cache/nginx": "", "/run": ""},
    )
    wait_for(lambda: answers(published(container, 80)), container)
    assert requests.get(published(container, 80), timeout=5).text == "here"
    assert says(container, "id", "-u", "nginx") == "101"
    assert b"GET / HTTP/1.1" in container.logs(stderr=False)
    assert stopped(container) == 0


def test_java_is_where_the_official_image_has_it(start: Start) -> None:
    container = start("eclipse-temurin:25-jre", "sleep", "infinity")
    assert 'JAVA_VERSION="25' in says(container, "cat", "/opt/java/openjdk/release")
    assert says(container, "sh", "-c", "command -v java") == "/opt/java/openjdk/bin/java"
    assert "25" in says(container, "java", "-version")


def test_nothing_to_do_builds_and_pulls_nothing() -> None:
    done = subprocess.run([sys.executable, str(GET)], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "built" not in done.stdout
    assert "pulled" not in done.stdout


def test_an_image_that_is_not_to_be_had_is_an_error_that_names_it() -> None:
    image = "registry.invalid/j4c/nothing:1"
    done = subprocess.run([sys.executable, str(GET), image], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert f"{image}: not to be had" in done.stdout

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that are started from code kept on the target, over the connections local and ssh."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.integration.sshd import Daemon
from tests.integration.world import playbook

pytestmark = pytest.mark.xdist_group("kept")
RESULT = re.compile(r"^(?:ok|changed|fatal): \[target\](?:: FAILED!)? => ", re.MULTILINE)
KEPT, THERE, AS_EVER = "its code was sent and kept", "its code was there already", "its code is sent as ever: "
# ansible-core limits the number of open files by a wrapper that only the ordinary way has
ORDINARY = {"ANSIBLE_PYTHON_MODULE_RLIMIT_NOFILE": "1024"}
PLAIN = {"ANSIBLE_PIPELINING": "0"}
SECRET = "Xyzzy-4711"


class Server:
    """Answers on 127.0.0.1, and at each request looks for ``SECRET`` in the command lines of all processes."""

    def __init__(self) -> None:
        self.exposed: list[str] = []
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.headers.get("X-Token", ""))
                outer.exposed += [line for line in command_lines() if SECRET in line]
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_args: t.Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def command_lines() -> t.Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().decode(errors="replace")
        except OSError:
            continue


class Target:
    """A host with a cache directory of its own."""

    def __init__(self, folder: Path, variables: t.Mapping[str, t.Any]) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.kept = self.cache / "j4c.deploy"
        self.variables = {"ansible_python_interpreter": sys.executable, **variables}
        self.remote_tmp = folder / "tmp"

    def run(
        self,
        module: str,
        options: t.Mapping[str, t.Any],
        *args: str,
        env: t.Mapping[str, str] | None = None,
        task: t.Mapping[str, t.Any] | None = None,
    ) -> tuple[dict[str, t.Any], str]:
        """Run a module in a playbook and return its result, and all that was said."""
        play = {
            "hosts": "target",
            "gather_facts": False,
            "environment": {"XDG_CACHE_HOME": str(self.cache)},
            "tasks": [{f"j4c.deploy.{module}": dict(options), "name": "Run", **(task or {})}],
        }
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
        inventory = {"all": {"hosts": {"target": dict(self.variables)}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        quiet = {
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_REMOTE_TEMP": str(self.remote_tmp),
        }
        said = playbook(
            self.folder / "play.yml",
            "-vv",
            "-i",
            str(self.folder / "hosts.yml"),
            *args,
            env={**quiet, **(env or {})},
            check=False,
        )
        found = RESULT.search(said)
        assert found, said
        return json.JSONDecoder().raw_decode(said[found.end() :])[0], said

    def copies(self) -> dict[str, tuple[int, int]]:
        """Return inode and size of each kept copy."""
        return {path.name: (path.stat().st_ino, path.stat().st_size) for path in self.kept.glob("*")}


@pytest.fixture(scope="module")
def server() -> t.Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def daemon() -> t.Iterator[Daemon]:
    made = Daemon()
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def folder() -> t.Iterator[Path]:
    """A directory whose parents nobody else can change, with a short path."""
    made = Path(tempfile.mkdtemp(prefix="kept-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def local(folder: Path) -> Target:
    return Target(folder, {"ansible_connection": "local"})


@pytest.fixture(params=["local", "ssh"])
def target(request: pytest.FixtureRequest, folder: Path) -> Target:
    if request.param == "local":
        return Target(folder, {"ansible_connection": "local"})
    return Target(folder, request.getfixturevalue("daemon").variables)


def probe(server: Server, **check: t.Any) -> dict[str, t.Any]:
    return {"port": server.port, "checks": [{"name": "web", "kind": "http", "path": "/", **check}]}


def python_of_everybody() -> str:
    """Return a Python that other users can run; that of the tests may be where only root can read."""
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            subprocess.run([path, "-c", ""], user=65534, cwd="/", check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return path
    raise AssertionError("no Python that other users can run")


def timeless(value: t.Any) -> t.Any:
    """Return a result without the figures that differ from run to run."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in ("seconds", "elapsed")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_the_second_run_finds_the_code_there_and_says_the_same(target: Target, server: Server) -> None:
    first, said = target.run("health_probe", probe(server))
    assert KEPT in said
    copies = target.copies()
    assert len(copies) == 1
    second, said = target.run("health_probe", probe(server))
    assert THERE in said
    assert target.copies() == copies
    ordinary, said = target.run("health_probe", probe(server), env=ORDINARY)
    assert AS_EVER in said
    assert timeless(first) == timeless(second) == timeless(ordinary)
    assert first["health"]["healthy"]


def test_without_pipelining_and_with_a_secret(target: Target, server: Server) -> None:
    options = probe(server, headers={"X-Token": SECRET})
    for env, expected in (({}, KEPT), (PLAIN, THERE)):
        server.exposed.clear()
        server.asked.clear()
        result, said = target.run("health_probe", options, env=env, task={"no_log": True})
        assert expected in said
        assert "censored" in result
        assert SECRET not in said
        assert server.asked == [SECRET]
        assert server.exposed == []
        files = [path for top in (target.cache, target.remote_tmp) for path in top.rglob("*") if path.is_file()]
        assert len(files) == 1
        assert SECRET.encode() not in files[0].read_bytes()


def test_a_damaged_copy_is_replaced(local: Target, server: Server) -> None:
    local.run("health_probe", probe(server))
    [copy] = local.kept.iterdir()
    whole = copy.read_bytes()
    copy.write_bytes(whole[:5000] + b"!" + whole[5001:])
    result, said = local.run("health_probe", probe(server))
    assert KEPT in said
    assert result["health"]["healthy"]
    assert copy.read_bytes() == whole


@pytest.mark.parametrize("obstacle", ["open to others", "of another user", "a file"])
def test_where_the_code_cannot_be_kept_the_module_runs_as_ever(local: Target, server: Server, obstacle: str) -> None:
    if obstacle == "a file":
        local.cache.write_text("", encoding="ascii")
    else:
        local.kept.mkdir(parents=True, mode=0o700)
    if obstacle == "open to others":
        local.kept.chmod(0o777)
    if obstacle == "of another user":
        os.chown(local.kept, 65534, -1)
    result, said = local.run("health_probe", probe(server))
    assert AS_EVER in said
    assert result["health"]["healthy"]
    assert "WARNING" not in said
    assert not local.kept.is_dir() or not list(local.kept.iterdir())


def test_a_module_that_fails_fails_as_ever(local: Target, server: Server) -> None:
    options = probe(server, status=404)
    local.run("health_probe", options)
    result, said = local.run("health_probe", options)
    ordinary, _said = local.run("health_probe", options, env=ORDINARY)
    assert THERE in said
    assert "FAILED!" in said
    assert timeless(result) == timeless(ordinary)
    refused, said = local.run("health_probe", {**options, "nobody": 1})
    ordinary, _said = local.run("health_probe", {**options, "nobody": 1}, env=ORDINARY)
    assert THERE in said
    assert refused == ordinary
    assert "Unsupported parameters" in refused["msg"]


def test_check_mode_changes_nothing(local: Target, folder: Path) -> None:
    def git(*args: str) -> str:
        argv = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", *args]
        return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet", "origin")
    git("-C", "origin", "commit", "--quiet", "--allow-empty", "--message", "feat: begin")
    git("clone", "--quiet", "origin", "clone")
    git("-C", "origin", "commit", "--quiet", "--allow-empty", "--message", "feat: go on")
    behind = git("-C", "clone", "rev-parse", "origin/main")
    options = {"path": str(folder / "clone")}
    local.run("git_verify", options, "--check")
    assert git("-C", "clone", "rev-parse", "origin/main") == behind
    _result, said = local.run("git_verify", options)
    assert THERE in said
    assert git("-C", "clone", "rev-parse", "origin/main") != behind


def test_another_user_has_a_directory_of_its_own(local: Target, server: Server, folder: Path) -> None:
    local.run("health_probe", probe(server))
    mine = local.copies()
    others = folder / "others"
    others.mkdir(mode=0o700)
    os.chown(others, 65534, 65534)
    become = {
        "become": True,
        "become_user": "nobody",
        "become_method": "ansible.builtin.su",
        "become_flags": "-s /bin/sh",
        "environment": {"XDG_CACHE_HOME": str(others)},
    }
    as_nobody = {"vars": {"ansible_python_interpreter": python_of_everybody()}}
    _result, said = local.run("git_verify", {"path": "/nowhere"}, task={**become, **as_nobody})
    assert KEPT in said
    [copy] = (others / "j4c.deploy").iterdir()
    assert copy.stat().st_uid == 65534
    assert local.copies() == mine
    # not even root's directory is used by another user
    become["environment"] = {"XDG_CACHE_HOME": str(local.cache)}
    _result, said = local.run("git_verify", {"path": "/nowhere"}, task={**become, **as_nobody})
    assert AS_EVER in said
    assert local.copies() == mine


def test_the_interpreter_is_looked_for(local: Target, server: Server) -> None:
    local.variables["ansible_python_interpreter"] = "auto_silent"
    local.run("git_verify", {"path": "/nowhere"})
    result, said = local.run("git_verify", {"path": "/nowhere"})
    assert THERE in said
    assert result["ansible_facts"]["discovered_interpreter_python"].startswith("/")

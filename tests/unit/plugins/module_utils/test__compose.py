# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._compose import STDIN, Compose, failure, hint_for
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._run import Completed, Runner

PLUGIN = "Install the plugin docker compose"
HELP = "\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information\n"


# recorded from docker 26 and docker compose 2.26
@pytest.mark.parametrize(
    ("stderr", "hint"),
    [
        ("unknown flag: --project-directory\n" + HELP, PLUGIN),
        ("unknown shorthand flag: 'p' in -p\n" + HELP, PLUGIN),
        ("docker: unknown command: docker compose\n" + HELP, PLUGIN),
        ("docker: 'compose' is not a docker command.\nSee 'docker --help'\n", PLUGIN),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", "Start the engine"),
        ("Error response from daemon: Address already in use", "Another container has that address"),
        ("Bind for 127.0.0.1:18081 failed: port is already allocated", "Find who listens on that port"),
        ("listen tcp4 127.0.0.1:18081: bind: address already in use", "Find who listens on that port"),
        ("Error response from daemon: No such image: shop:1", "Build the image"),
        ("Error response from daemon: pull access denied for shop", "Build the image"),
        ("manifest unknown: manifest unknown", "Build the image"),
        ("write /var/lib/docker/x: no space left on device", "See what takes the space"),
        ("yaml: did not find expected node content", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_what_to_do_about_what_compose_says(stderr: str, hint: str) -> None:
    found = failure("Starting shop", Completed(("docker", "compose"), 1, "", stderr))
    assert (found.hint or "").startswith(hint)
    assert bool(found.hint) is bool(hint)
    assert hint_for(stderr) == found.hint


@pytest.mark.parametrize(
    ("stdout", "stderr", "told"),
    [
        (
            "",
            " Container shop-blue-shop-1  Creating\n"
            " Container shop-blue-shop-1  Created\n"
            "Error response from daemon: driver failed\n",
            "Error response from daemon: driver failed",
        ),
        ("", "yaml: line 1: did not find expected ',' or ']'\n", "yaml: line 1: did not find expected ',' or ']'"),
        ("", "service x Error a\nfailed b\ninvalid c\nexited d\n", "failed b; invalid c; exited d"),
        ("", "Error a\nError a\n\nError a\n", "Error a"),
        ("one\ntwo\nthree\nfour\n", "", "two; three; four"),
        ("lost", "kept", "kept"),
        ("", " \n", "exit status 14"),
    ],
)
def test_the_lines_that_matter_are_told(stdout: str, stderr: str, told: str) -> None:
    found = failure("Starting shop", Completed(("docker", "compose", "up"), 14, stdout, stderr))
    assert found.msg == f"Starting shop failed: {told}"
    assert (found.rc, found.command) == (14, ["docker", "compose", "up"])
    assert (found.stdout, found.stderr) == (stdout, stderr)


PROGRAM = """\
#!/bin/sh
printf '%s\\n' "$@" > "$OUT/argv"
pwd > "$OUT/pwd"
cat > "$OUT/stdin"
cat "$OUT/answer"
exit "$(cat "$OUT/rc")"
"""


class Docker:
    """A program ``docker`` that notes down how it was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "docker").write_text(PROGRAM, "utf-8")
        (root / "docker").chmod(0o755)
        self.answers("")
        self.runner = Runner({"PATH": f"{root}:/usr/bin:/bin", "OUT": str(root)})

    def answers(self, text: str, rc: int = 0) -> None:
        (self.root / "answer").write_text(text, "utf-8")
        (self.root / "rc").write_text(f"{rc}\n", "utf-8")

    def read(self, name: str) -> str:
        return (self.root / name).read_text("utf-8")

    def compose(self, *files: str, text: str | None = None) -> Compose:
        return Compose(self.runner, "shop-blue", files or ("a.json",), str(self.root), text)


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


@pytest.mark.parametrize(
    ("call", "args"),
    [
        (
            lambda compose: compose.up(["shop"], timeout=9),
            "up --detach --no-build --pull never --no-deps -- shop",
        ),
        (
            lambda compose: compose.up(["shop", "db"], timeout=9.7, deps=True, wait=True),
            "up --detach --no-build --pull never --wait --wait-timeout 9 -- shop db",
        ),
        (lambda compose: compose.down(timeout=9), "down --remove-orphans"),
        (lambda compose: compose.down(timeout=9, volumes=True), "down --remove-orphans --volumes"),
        (lambda compose: compose.hashes(), "config --hash *"),
    ],
)
def test_compose_is_called_for_the_project(docker: Docker, call: t.Callable[[Compose], object], args: str) -> None:
    call(docker.compose("a.json", "b.json"))
    base = f"compose --project-directory {docker.root} -p shop-blue -f a.json -f b.json"
    assert docker.read("argv").splitlines() == [*base.split(), *args.split()]
    assert docker.read("pwd").strip() == str(docker.root)
    assert docker.read("stdin") == ""


def test_a_file_with_secrets_is_never_an_argument(docker: Docker) -> None:
    docker.answers(json.dumps({"services": {"shop": {"image": "x"}}}))
    text = "services: {shop: {environment: {KEY: hunter2}}}"
    assert docker.compose(STDIN, text=text).config() == {"services": {"shop": {"image": "x"}}}
    assert docker.read("stdin") == text
    assert "hunter2" not in docker.read("argv")
    assert docker.read("argv").split()[-5:] == ["-f", "-", "config", "--format", "json"]


def test_hashes_are_read(docker: Docker) -> None:
    docker.answers("shop 9ba05c\n\ndb 4711\n")
    assert docker.compose().hashes() == {"shop": "9ba05c", "db": "4711"}


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda compose: compose.up(["shop", "db"], timeout=9), "Starting shop, db of 'shop-blue'"),
        (lambda compose: compose.down(timeout=9), "Removing 'shop-blue'"),
        (lambda compose: compose.config(), "Reading the compose file of 'shop-blue'"),
        (lambda compose: compose.hashes(), "Reading the compose file of 'shop-blue'"),
    ],
)
def test_a_failure_names_what_was_done(docker: Docker, call: t.Callable[[Compose], object], what: str) -> None:
    docker.answers("invalid project", rc=15)
    with pytest.raises(DeployError) as caught:
        call(docker.compose())
    assert caught.value.msg == f"{what} failed: invalid project"
    assert caught.value.rc == 15

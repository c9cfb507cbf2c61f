# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of rollback.yml with a paused standby, and of deploy.yml with nothing to do, against a playbook with one ping."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from pathlib import Path

from tests.bench._table import Table, interleaved, ratios, seconds
from tests.demo.workspace import make_clone
from tests.integration.world import EXAMPLE, SERVICE, SHARED, World, artifact, playbook

ROUNDS = 9
PING = "- hosts: servers\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"


def bench(folder: Path) -> t.Iterator[Table]:
    """Deploy two versions of the example under a name of its own, then measure."""
    world = World(folder)
    ping = folder / "ping.yml"
    ping.write_text(PING, encoding="utf-8")
    try:
        world.start()
        given = _variables(world, folder)
        for subject in ("feat: add the service", "feat: change nothing"):
            _commit(folder / "clone", subject)
            playbook("playbooks/deploy.yml", *given)
            world.idle()

        def taken(path: Path | str, *args: str) -> float:
            return seconds(lambda: playbook(path, *args))

        def back() -> float:
            world.idle()
            wanted = {"j4c_release": world.state["standby"]["release"], "j4c_force_reason": "bench"}
            return taken("playbooks/rollback.yml", *given, "-e", json.dumps(wanted))

        works = {
            "one ping": lambda: taken(ping),
            "deploy.yml, nothing to do": lambda: taken("playbooks/deploy.yml", *given),
        }
        yield ratios(
            "A deploy with nothing to do", interleaved(works, ROUNDS), "one ping", ["At most 3.5 times is the goal."]
        )
        works = {"one ping": lambda: taken(ping), "rollback.yml": back}
        yield ratios(
            "A rollback to a paused standby", interleaved(works, ROUNDS), "one ping", ["At most 1.5 times is the goal."]
        )
    finally:
        world.stop()


def _variables(world: World, folder: Path) -> tuple[str, str]:
    """Return the arguments of a playbook that deploys from a clone of its own."""
    artifact(world.scratch)
    make_clone(EXAMPLE, folder / "origin.git", folder / "clone")
    for name in ("mvnw", ".mvn"):
        origin = SHARED / SERVICE / name
        (shutil.copytree if origin.is_dir() else shutil.copy2)(origin, folder / "clone" / name)
    (folder / "compose.yaml").write_text(world.compose(), encoding="utf-8")
    variables = {
        **world.variables,
        "j4c_source": str(folder / "clone"),
        "j4c_compose_file": str(folder / "compose.yaml"),
        "j4c_artifact_store": str(folder / "artifacts"),
    }
    (folder / "vars.json").write_text(json.dumps(variables), encoding="utf-8")
    return "-e", f"@{folder}/vars.json"


def _commit(clone: Path, subject: str) -> None:
    for argv in (["add", "--all"], ["commit", "--quiet", "--allow-empty", "--message", subject], ["push", "--quiet"]):
        subprocess.run(["git", "-C", str(clone), *argv], check=True)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A code change of the example on its way to a server: shipped, against ``docker save | ssh | docker load``.

Both image stores, over SSH to an engine in a container of this machine. "work" are the seconds of all steps, "tasks" those
of the playbook with Ansible's own. Run it with ``python -m tests.bench.ship``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from tests.integration.fleet import STORES, Fleet
from tests.integration.run_module import run_module
from tests.integration.world import EXAMPLE, SHARED, artifact

ROUNDS = 3
SOURCE = Path("src/main/java/io/aurigraph/v11")


def changed_artifact(folder: Path) -> dict[str, t.Any]:
    """Build the example with another text in its code and return the artifact."""
    clone = folder / "clone"
    shutil.copytree(SHARED / EXAMPLE.name, clone, ignore=shutil.ignore_patterns("target"))
    source = next(
        path for path in sorted(clone.rglob("*.java")) if '"' in path.read_text("utf-8") and "test" not in path.parts
    )
    text = source.read_text(encoding="utf-8")
    at = text.rindex("}")
    source.write_text(
        text[:at] + '\n    static String bench() {\n        return "bench";\n    }\n}\n', encoding="utf-8"
    )
    options = {"project": str(clone), "name": "aurigraph-v11-standalone", "store": str(folder / "artifacts")}
    built = run_module("maven_build", folder / "scratch", options)
    assert not built.get("failed"), built
    return dict(built["artifact"])


def image(fleet: Fleet, built: t.Mapping[str, t.Any], commit: str) -> dict[str, t.Any]:
    """Make an image of an artifact and return it."""
    options = {
        "name": fleet.images.name,
        "commit": {"id": commit * 40, "short": commit * 7, "time": "2026-01-31T12:00:00+00:00"},
        "artifact": built,
        "dockerfile": str(EXAMPLE / "Dockerfile"),
    }
    made = run_module("container_image", fleet.images.scratch, options)
    assert not made.get("failed"), made
    fleet.images.made.add(made["image"]["id"])
    return dict(made["image"])


def by_hand(fleet: Fleet, store: str, tag: str) -> float:
    """Bring an image to a server as one does without tools, and return the seconds."""
    hosted = fleet.keys.variables(fleet.servers[store].port, "root")
    common = str(hosted["ansible_ssh_common_args"]).split()
    ssh = ["ssh", *common, "-i", str(fleet.keys.path), "-p", str(hosted["ansible_port"]), "root@127.0.0.1"]
    started = time.monotonic()
    save = subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    subprocess.run([*ssh, "docker", "load", "--quiet"], stdin=save.stdout, check=True, capture_output=True, timeout=600)
    assert save.wait(timeout=60) == 0
    return time.monotonic() - started


def worked(result: t.Mapping[str, t.Any]) -> float:
    """Return the seconds of a module's steps."""
    return float(sum(step["seconds"] for step in result["steps"]))


def main() -> int:
    """Print bytes, seconds and ratios."""
    folder = Path(tempfile.mkdtemp(prefix="j4c-bench-"))
    (folder / "scratch").mkdir()
    fleet = Fleet(folder / "fleet")
    try:
        before = image(fleet, artifact(folder / "scratch"), "a")
        after = image(fleet, changed_artifact(folder), "b")
        fleet.start()
        for store in STORES:
            taken = by_hand(fleet, store, before["tags"][0])
            print(f"{store:<12}by hand to an empty server: {taken:.2f} s")
            fleet.forget(store)
            first, output = fleet.ship(before, [store])
            assert store in first, output
            ship = first[store]["ship"]["ship"]
            print(
                f"{store:<12}shipped to an empty server: {ship['seconds']:.2f} s, {ship['bytes_sent']} bytes",
                flush=True,
            )
        print(f"{'store':<12}{'bytes':>10}{'of image':>10}{'by hand s':>11}{'work s':>8}{'ratio':>7}{'tasks s':>9}")
        for store in STORES:
            for _round in range(ROUNDS):
                taken = by_hand(fleet, store, after["tags"][0])
                fleet.servers[store].engine.api.remove_image(after["tags"][0], force=True)
                shutil.rmtree(folder / "fleet/cache/archives")
                found, output = fleet.ship(after, [store])
                assert store in found, output
                asked, packed, shipped = (found[store][name] for name in ("asked", "packed", "ship"))
                sent, size = shipped["ship"]["bytes_sent"], shipped["ship"]["bytes_image"]
                work = worked(asked) + worked(packed) + worked(shipped)
                print(
                    f"{store:<12}{sent:>10}{f'1/{size / sent:.0f}':>10}{taken:>11.2f}{work:>8.2f}{f'1/{taken / work:.0f}':>7}"
                    f"{fleet.seconds:>9.2f}",
                    flush=True,
                )
                fleet.servers[store].engine.api.remove_image(shipped["image"]["id"], force=True)
    finally:
        fleet.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image on its way to a server, shipped and by hand: both image stores, over SSH to an engine in a container."""

from __future__ import annotations

import shutil
import subprocess
import time
import typing as t
from pathlib import Path

from tests.bench._table import Table
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


def bench(folder: Path) -> t.Iterator[Table]:
    """Ship the example to empty servers, then a code change of it, each in turn with the same by hand."""
    (folder / "scratch").mkdir()
    fleet = Fleet(folder / "fleet")
    try:
        before = image(fleet, artifact(folder / "scratch"), "a")
        after = image(fleet, changed_artifact(folder), "b")
        fleet.start()
        rows: list[tuple[str | float, ...]] = []
        for store in STORES:
            hand = by_hand(fleet, store, before["tags"][0])
            fleet.forget(store)
            ship = shipped(fleet, store, before)
            rows.append((store, hand, ship.work, ship.work / hand, fleet.seconds, ship.bytes))
        columns = ("store", "by hand s", "steps s", "ratio", "playbook s", "bytes")
        yield Table("The first image of a server", columns, rows)
        rows = []
        for store in STORES:
            for _round in range(ROUNDS):
                hand = by_hand(fleet, store, after["tags"][0])
                fleet.servers[store].engine.api.remove_image(after["tags"][0], force=True)
                shutil.rmtree(folder / "fleet/cache/archives")
                ship = shipped(fleet, store, after)
                fleet.servers[store].engine.api.remove_image(ship.id, force=True)
                share = f"1/{ship.whole / ship.bytes:.0f}"
                rows.append((store, hand, ship.work, ship.work / hand, fleet.seconds, ship.bytes, share))
        notes = [
            "By hand is docker save | ssh | docker load, to the same server: it has the layers that did not change."
        ]
        yield Table("A code change", (*columns, "of the image"), rows, [*notes, "At most 1/1000 is the goal."])
    finally:
        fleet.stop()


class Shipped(t.NamedTuple):
    """A shipped image: its id there, bytes sent and of the whole image, seconds of all steps."""

    id: str
    bytes: int
    whole: int
    work: float


def shipped(fleet: Fleet, store: str, wanted: t.Mapping[str, t.Any]) -> Shipped:
    """Ship an image to one server."""
    found, output = fleet.ship(wanted, [store])
    assert store in found, output
    parts = found[store]
    work = sum(step["seconds"] for name in ("asked", "packed", "ship") for step in parts[name]["steps"])
    told = parts["ship"]["ship"]
    return Shipped(parts["ship"]["image"]["id"], told["bytes_sent"], told["bytes_image"], float(work))

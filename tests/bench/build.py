# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of a build with nothing to do, and of one that goes back to an older source, against Maven's; JVM options of builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

from tests.bench._table import Table, interleaved, ratios, seconds
from tests.integration.run_module import ROOT, run_module

EXAMPLE = ROOT / ".work/demo/aurigraph-v11"
ROUNDS = 5
SOURCE = "src/main/java/io/aurigraph/v11/HealthResource.java"
PLAIN, NOTHING, BACK = "./mvnw package", "maven_build, nothing to do", "maven_build, back to an older source"


def bench(folder: Path) -> t.Iterator[Table]:
    """Build copies of the example; each kind of work has its own, so that none warms up the other's."""
    scratch = folder / "scratch"
    scratch.mkdir()
    maven, ours = folder / "maven", folder / "ours"
    for copy in (maven, ours):
        shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("target", ".git"))
    versions = [(ours / SOURCE).read_text("utf-8"), (ours / SOURCE).read_text("utf-8") + "// another version\n"]

    def module() -> dict[str, t.Any]:
        options = {"project": str(ours), "name": "bench", "store": str(folder / "store")}
        return run_module("maven_build", scratch, options)

    def unchanged() -> float:
        results: list[dict[str, t.Any]] = []
        taken = seconds(lambda: results.append(module()))
        if results[0]["changed"]:
            raise RuntimeError(f"it was built again: {results[0]['msg']}")
        return taken

    def back() -> float:
        text = (ours / SOURCE).read_text("utf-8")
        (ours / SOURCE).write_text(versions[text == versions[0]], encoding="utf-8")
        return unchanged()

    jdk = str(module()["evidence"]["java_home"])
    (ours / SOURCE).write_text(versions[1], encoding="utf-8")
    module()

    def package(clean: bool, options: str) -> float:
        if clean:
            shutil.rmtree(maven / "target", ignore_errors=True)
        env = {**os.environ, "JAVA_HOME": jdk, "MAVEN_OPTS": options}
        argv = ["./mvnw", "-B", "-q", "package", "-DskipTests"]
        return seconds(lambda: subprocess.run(argv, cwd=maven, env=env, check=True, stdin=subprocess.DEVNULL))

    package(True, "")
    works = {PLAIN: lambda: package(False, ""), NOTHING: unchanged, BACK: back}
    yield ratios(
        "A build with nothing to do",
        interleaved(works, ROUNDS),
        NOTHING,
        ["At least 50 times as long for Maven is the goal."],
    )
    short = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    works = {
        "./mvnw clean package": lambda: package(True, ""),
        "the same, JVM options of a build": lambda: package(True, short),
    }
    yield ratios(
        "A build",
        interleaved(works, ROUNDS),
        "./mvnw clean package",
        ["At most two thirds of Maven's time is the goal."],
    )

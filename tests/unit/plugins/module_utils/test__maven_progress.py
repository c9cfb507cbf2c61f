# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_progress as progress
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import TreeMeter

RECORDED = Path(__file__).parents[2] / "fixtures/maven"
GOALS = [progress.Goal("compiler:compile @ app", 2.0), progress.Goal("jar:jar @ app", 8.0)]


def goal(name: str, module: str = "app") -> str:
    plugin, _colon, rest = name.partition(":")
    return f"[INFO] --- {plugin}:3.1.0:{rest} (default-{rest}) @ {module} ---"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("[INFO] --- compiler:3.14.1:compile (default-compile) @ app ---", "compiler:compile @ app"),
        ("[INFO] --- maven-jar-plugin:2.4:jar (default-jar) @ test-project ---", "jar:jar @ test-project"),
        ("[INFO] --- quarkus-maven-plugin:1.2.0.Final:build (default) @ app ---", "quarkus:build @ app"),
        ("[INFO] --- dependency:3.8.1:tree (default-cli) @ app ---", "dependency:tree @ app"),
        ("[INFO] --------------------------< org.example:app >-----", None),
        ("[ERROR] --- compiler:3.14.1:compile (default-compile) @ app ---", None),
    ],
)
def test_a_goal_is_seen(line: str, name: str | None) -> None:
    timeline = progress.Timeline()
    assert timeline.read(line, 1.5) == (name is not None)
    assert timeline.goals == ([progress.Goal(name, 1.5)] if name else [])


def test_the_goals_of_a_recorded_build() -> None:
    timeline = progress.Timeline()
    for line in (RECORDED / "native_missing.log").read_text("utf-8").splitlines():
        timeline.read(line, 0)
    assert [item.name.partition(" @ ")[0] for item in timeline.goals] == [
        "resources:resources",
        "quarkus:generate-code",
        "compiler:compile",
        "quarkus:generate-code-tests",
        "resources:testResources",
        "compiler:testCompile",
        "surefire:test",
        "jar:jar",
        "quarkus:build",
    ]


def test_the_share_follows_the_build_before() -> None:
    timeline = progress.Timeline((GOALS, 10.0))
    assert (timeline.percentage(1), timeline.name, timeline.steps) == (0, "Scanning for projects", (1, 2))
    timeline.read(goal("compiler:compile"), 4.0)
    assert timeline.percentage(4.0) == 20
    assert timeline.percentage(7.0) == 50
    # it takes longer than before
    assert timeline.percentage(99.0) == 80
    timeline.read(goal("jar:jar"), 100.0)
    assert (timeline.percentage(101.0), timeline.steps) == (90, (2, 2))
    assert timeline.percentage(200.0) == progress.MOST
    # a goal that is new: it never goes back
    timeline.read(goal("shade:shade"), 201.0)
    assert (timeline.percentage(202.0), timeline.steps) == (progress.MOST, (3, 3))


def test_the_share_without_a_build_before_is_that_of_the_modules() -> None:
    timeline = progress.Timeline()
    timeline.read("[INFO] Building core 1.0                                       [1/4]", 1)
    timeline.read(goal("jar:jar", "core"), 1)
    assert (timeline.percentage(50), timeline.module) == (0, (1, 4))
    timeline.read("[INFO] Building app 1.0                                        [3/4]", 60)
    assert timeline.percentage(61) == 50


def test_the_stages_of_a_native_build_are_told() -> None:
    timeline = progress.Timeline()
    timeline.read(goal("quarkus:build"), 1)
    assert timeline.read("[2/7] Performing analysis...  [**********]      (21.9s @ 0.87GB)", 30)
    assert timeline.name == "quarkus:build @ app, Performing analysis (2/7)"
    timeline.read(goal("install:install"), 40)
    assert timeline.name == "install:install @ app"


def test_a_good_build_is_remembered(tmp_path: Path) -> None:
    history = progress.History(str(tmp_path / "goals.json"))
    assert history.load("a") == ([], 0.0)
    history.save("a", GOALS, 10.0)
    history.save("b", GOALS[:1], 5.0)
    history.save("a", GOALS, 12.0)
    assert history.load("a") == (GOALS, 12.0)
    assert history.load("b") == (GOALS[:1], 5.0)
    for number in range(2 * progress.KEPT_KEYS):
        history.save(str(number), GOALS, 1.0)
    assert history.load(str(number)) == (GOALS, 1.0)
    assert os.path.getsize(tmp_path / "goals.json") < 5000


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"goals": [1], "seconds": 1}}', '{"a": {"goals": []}}'])
def test_a_damaged_memory_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "goals.json").write_text(text, encoding="utf-8")
    assert progress.History(str(tmp_path / "goals.json")).load("a") == ([], 0.0)


def test_messages_come_with_goals_and_with_time(tmp_path: Path) -> None:
    log, time, sent = tmp_path / "build.log", [100.0], []

    def send(message: str, step: int, steps: int, percentage: int, name: str, metrics: dict[str, t.Any]) -> None:
        sent.append((message, step, steps, percentage, metrics["elapsed_time"]))

    timeline = progress.Timeline((GOALS, 10.0))
    watched = progress.Progress(str(log), timeline, TreeMeter(), send, "jvm", lambda: time[0])
    watched.look(os.getpid())
    assert sent.pop() == ("Scanning for projects: 0 % after 0 s.", 1, 2, 0, 0.0)
    # half a line is none
    log.write_text(f"[INFO] Building app 1 [2/3]\n{goal('compiler:compile')[:20]}", encoding="utf-8")
    time[0] += 1
    watched.look(os.getpid())
    assert sent == []
    with log.open("a", encoding="utf-8") as file:
        file.write(goal("compiler:compile")[20:] + "\n")
    time[0] += 1
    watched.look(os.getpid())
    # nothing was known of the modules, so the share is that of the goals
    assert sent.pop() == ("compiler:compile @ app, module 2 of 3: 20 % after 2 s.", 1, 2, 20, 2.0)
    time[0] += progress.HEARTBEAT_SECONDS - 0.1
    watched.look(os.getpid())
    assert sent == []
    time[0] += 0.2
    watched.look(os.getpid())
    assert sent.pop()[3:] == (61, 6.1)
    with log.open("a", encoding="utf-8") as file:
        file.write(goal("jar:jar") + "\n")
    watched.finish()
    assert [item.name for item in timeline.goals] == ["compiler:compile @ app", "jar:jar @ app"]
    assert sent == []


def test_a_heartbeat_comes_within_five_seconds() -> None:
    # looks are a quarter of a second apart
    assert progress.HEARTBEAT_SECONDS + 0.25 < 5


def test_what_is_measured_is_told() -> None:
    meter = TreeMeter()
    watched = progress.Progress("/nowhere", progress.Timeline(), meter, lambda *told: None, "native-fast")
    watched.look(os.getpid())
    metrics = watched.metrics()
    assert metrics["memory_bytes"] == meter.memory_bytes > 1 << 20
    assert metrics["cpu_threads"] >= 1
    assert metrics["build_profile"] == "native-fast"
    assert metrics["memory_usage"].endswith("MB")

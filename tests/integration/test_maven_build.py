# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module against the real Maven: a small plain project for most of it, the example service once."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
import typing as t
import zipfile
from pathlib import Path

import pytest

from tests.integration.run_module import ROOT, result_of, run_module, start_module

EXAMPLE = ROOT / ".work/demo/aurigraph-v11"
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId>
  <artifactId>app</artifactId>
  <version>1.2</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.junit.jupiter</groupId>
      <artifactId>junit-jupiter</artifactId>
      <version>6.0.3</version>
      <scope>test</scope>
    </dependency>
  </dependencies>
  <build>
    <finalName>app</finalName>
    <plugins>
      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-compiler-plugin</artifactId>
        <version>3.14.1</version>
      </plugin>
      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-surefire-plugin</artifactId>
        <version>3.5.4</version>
      </plugin>
    </plugins>
  </build>
</project>
"""
APP = """\
package org.example;

public final class App {
    public static void main(String[] args) {
        System.out.println("hello");
    }
}
"""
TEST = """\
package org.example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class AppTest {
    @Test
    void adds() throws Exception {
        STATEMENT
    }
}
"""
ABSENT_PARENT = (
    "<parent><groupId>org.example</groupId><artifactId>absent-parent</artifactId><version>7</version></parent>"
)
MODULE = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>org.example</groupId><artifactId>all</artifactId><version>1</version></parent>
  <artifactId>{}</artifactId>
  <dependencies><dependency>
    <groupId>org.example</groupId><artifactId>{}</artifactId><version>1</version>
  </dependency></dependencies>
</project>
"""
# nothing here has this image, whatever else the machine may have
NO_BUILDER = {
    "quarkus.native.container-build": True,
    "quarkus.native.builder-image": "absent.example.org/quarkus/builder-image:none",
}
MANAGED_SNAPSHOT = """\
  <dependencyManagement><dependencies><dependency>
    <groupId>org.example</groupId><artifactId>other</artifactId><version>3-SNAPSHOT</version>
  </dependency></dependencies></dependencyManagement>
</project>
"""


def wait_until(true: t.Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is the folder or below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if place == str(folder) or place.startswith(f"{folder}/"):
                found.append(int(entry.name))
    return found


class Service:
    """A project, a store beside it, and the module."""

    def __init__(self, root: Path) -> None:
        self.root, self.project, self.store = root, root / "project", root / "store"
        self.kept = self.store / "app"
        self.scratch = root / "scratch"
        self.scratch.mkdir()
        assert (EXAMPLE / "mvnw").is_file(), "run 'make setup' first: it makes the Maven wrapper"
        self.project.mkdir()
        shutil.copytree(EXAMPLE / ".mvn", self.project / ".mvn")
        shutil.copy2(EXAMPLE / "mvnw", self.project)
        self.write("pom.xml", POM)
        self.app(APP)

    def write(self, path: str, text: str) -> None:
        place = self.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def app(self, text: str) -> None:
        self.write("src/main/java/org/example/App.java", text)

    def test(self, statement: str) -> None:
        self.write("src/test/java/org/example/AppTest.java", TEST.replace("STATEMENT", statement))

    def modules(self, **needs: str) -> None:
        """Make the project one of modules, each of which needs another one."""
        listed = "".join(f"<module>{name}</module>" for name in needs)
        self.write(
            "pom.xml",
            "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>all</artifactId>"
            f"<version>1</version><packaging>pom</packaging><modules>{listed}</modules></project>",
        )
        for name, other in needs.items():
            self.write(f"{name}/pom.xml", MODULE.format(name, other))

    def options(self, **options: t.Any) -> dict[str, t.Any]:
        return {
            "project": str(self.project),
            "name": "app",
            "store": str(self.store),
            "main": "target/app.jar",
            "timeout": 900,
            "retries": 0,
            **options,
        }

    def run(self, check: bool = False, env: t.Mapping[str, str] | None = None, **options: t.Any) -> dict[str, t.Any]:
        return run_module("maven_build", self.scratch, self.options(**options), check=check, env=env)

    def start(self, **options: t.Any) -> subprocess.Popen[str]:
        return start_module("maven_build", self.scratch, self.options(**options))

    def build(self, **options: t.Any) -> dict[str, t.Any]:
        """Run the module, which must build."""
        result = self.run(**options)
        assert not result.get("failed"), result
        assert result["changed"]
        return result

    def artifacts(self) -> set[str]:
        return {item.parent.name for item in self.kept.glob("*/manifest.json")}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_an_artifact_is_built_once(service: Service) -> None:
    built = service.build()
    artifact, build = built["artifact"], built["build"]
    assert (built["phase"], built["decision"]) == ("artifact_verification", "PROCEED")
    assert [step["name"] for step in built["steps"]] == [
        "build_preparation",
        "build_execution",
        "artifact_verification",
    ]
    assert (artifact["name"], artifact["version"], artifact["main"], artifact["files"]) == ("app", "1.2", "app.jar", 1)
    place = Path(artifact["path"])
    assert (place.parent, place.name) == (service.kept, artifact["fingerprint"])
    assert (place / "app.jar").stat().st_size == artifact["size"]
    manifest = json.loads((place / "manifest.json").read_text("utf-8"))
    assert [item["path"] for item in manifest["files"]] == ["app.jar"]
    assert manifest["sha256"] == artifact["sha256"]
    assert "BUILD SUCCESS" in (place / "build.log").read_text("utf-8")
    assert build["command"] == "./mvnw -B package -DskipTests"
    assert build["profile"] == "jvm"
    assert build["peak_memory_bytes"] > 30 << 20
    assert 0 < build["cpu_seconds"] < 60 * build["seconds"]
    assert "BUILD SUCCESS" in Path(build["log"]).read_text("utf-8")
    assert "src: none" in built["diff"]["before"]

    again = service.run()
    assert (again["changed"], again["reason"], again["build"], again["changed_inputs"]) == (
        False,
        "fingerprint",
        None,
        [],
    )
    assert again["artifact"] == artifact
    assert again["diff"] == {"before": "", "after": ""}


def test_only_inputs_make_it_build_again(service: Service) -> None:
    first = service.build()["artifact"]
    service.write("README.md", "read me")
    service.write("docs/more.md", "more")
    assert not service.run()["changed"]
    service.app(APP.replace("hello", "goodbye"))
    second = service.build()
    assert (second["changed_inputs"], second["reason"]) == (["src"], "changed inputs: src")
    assert second["diff"]["before"].startswith("src: ")
    assert service.build(properties={"skip.it": True})["build"]["command"].endswith("-DskipTests -Dskip.it=true")
    # what was built before is still there, and becomes the latest one
    service.app(APP)
    back = service.run()
    assert (back["changed"], back["artifact"]) == (False, first)
    assert (service.kept / "latest").read_text("ascii").strip() == first["fingerprint"]


def test_check_mode_says_what_it_would_do(service: Service) -> None:
    would = service.run(check=True)
    assert (would["changed"], would["artifact"], would["build"]) == (True, None, None)
    assert would["msg"] == "Would run ./mvnw -B package -DskipTests: there is no stored artifact."
    assert not service.store.exists()
    assert not (service.project / "target").exists()
    built = service.build()
    assert service.run(check=True)["artifact"] == built["artifact"]
    service.app(APP.replace("hello", "goodbye"))
    would = service.run(check=True)
    assert (would["changed"], would["artifact"], would["changed_inputs"]) == (True, None, ["src"])
    assert service.artifacts() == {built["artifact"]["fingerprint"]}


def test_a_damaged_artifact_is_built_again(service: Service) -> None:
    place = Path(service.build()["artifact"]["path"])
    (place / "app.jar").write_bytes(b"damaged")
    again = service.build()
    assert "the stored artifact is damaged: 'app.jar' has 7 bytes instead of" in again["msg"]
    with zipfile.ZipFile(place / "app.jar") as archive:
        assert archive.testzip() is None
    assert not service.run()["changed"]


def test_a_failed_build_leaves_the_one_before(service: Service) -> None:
    good = service.build()["artifact"]
    service.app(APP.replace('"hello"', "hello"))
    failed = service.run()
    assert failed["failed"]
    assert (failed["phase"], failed["decision"], failed["rc"]) == ("build_execution", "ROLLBACK", 1)
    assert failed["failure"]["code"] == "compile"
    assert failed["evidence"]["errors"] == [
        "src/main/java/org/example/App.java:[5,28] cannot find symbol: variable hello"
    ]
    assert "Maven failed (compile): src/main/java/org/example/App.java:[5,28] cannot find symbol" in failed["msg"]
    assert f"({good['fingerprint'][:12]}) stays usable." in failed["msg"]
    assert failed["artifact"] == good
    assert "BUILD FAILURE" in Path(failed["build"]["log"]).read_text("utf-8")
    assert "BUILD FAILURE" not in failed["msg"]
    assert [step["result"] for step in failed["steps"]] == ["ok", "failed"]
    # the way back: the source of before needs no Maven
    service.app(APP)
    assert service.run()["artifact"] == good


def test_a_resource_without_a_source_does_not_stay_in_the_artifact(service: Service) -> None:
    def resources(result: dict[str, t.Any]) -> list[str]:
        with zipfile.ZipFile(Path(result["artifact"]["path"]) / "app.jar") as archive:
            return sorted(name for name in archive.namelist() if name.endswith(".txt"))

    service.write("src/main/resources/one.txt", "one")
    service.write("src/main/resources/two.txt", "two")
    assert resources(service.build()) == ["one.txt", "two.txt"]
    (service.project / "src/main/resources/two.txt").unlink()
    assert resources(service.build()) == ["one.txt"]


def test_how_far_a_build_is(service: Service) -> None:
    told = service.root / "events.jsonl"
    service.build(events=str(told))
    told.unlink()
    service.app(APP.replace("hello", "goodbye"))
    service.build(events=str(told), task_id="deploy-1")
    events = [json.loads(line) for line in told.read_text("utf-8").splitlines()]
    assert {event["task_id"] for event in events} == {"deploy-1"}
    running = [event for event in events if event["phase"] == "build_execution"]
    # which goals are seen depends on how fast they are over; how many there are is known from the build before
    assert running[0]["progress"]["total_steps"] > 3
    assert max(event["metrics"]["memory_bytes"] for event in running) > 0
    assert max(event["metrics"]["cpu_threads"] for event in running) > 0
    shares = [event["progress"]["percentage"] for event in running]
    assert shares == sorted(shares)
    assert (events[-1]["status"], events[-1]["progress"]["percentage"]) == ("SUCCESS", 100)
    history = json.loads((service.kept / "goals.json").read_text("utf-8"))
    assert "compiler:compile @ app" in [name for name, _started in next(iter(history.values()))["goals"]]


def test_an_old_file_is_never_taken_for_the_result(service: Service) -> None:
    service.build()
    service.app(APP.replace("hello", "goodbye"))
    failed = service.run(goals=["compile"])
    assert failed["phase"] == "artifact_verification"
    assert "Maven succeeded, but its artifact 'target/app.jar' is missing." in failed["msg"]
    assert len(service.artifacts()) == 1


def test_tests_are_run_when_they_are_asked_for(service: Service) -> None:
    service.test("assertEquals(3, 1 + 1);")
    service.build()
    failed = service.run(tests=True)
    assert failed["failure"]["code"] == "test"
    assert "AppTest.adds:10 expected: <3> but was: <2>" in failed["msg"]
    service.test("assertEquals(2, 1 + 1);")
    assert "Tests run: 1" in Path(service.build(tests=True)["build"]["log"]).read_text("utf-8")


@pytest.mark.parametrize(
    ("prepare", "options", "phase", "code", "told"),
    [
        (lambda s: (s.project / "pom.xml").unlink(), {}, "build_preparation", None, "there is no pom.xml. Set project"),
        (
            lambda s: s.write("pom.xml", "<project>"),
            {},
            "build_preparation",
            "pom",
            "pom.xml' does not parse: no element",
        ),
        (
            lambda s: (s.project / "pom.xml").write_bytes(bytes(range(256))),
            {},
            "build_preparation",
            "pom",
            "pom.xml' does not parse: not well-formed",
        ),
        (
            lambda s: s.write("pom.xml", POM.replace("<groupId>org.example", ABSENT_PARENT + "<groupId>org.example")),
            {},
            "build_execution",
            "parent",
            "org.example:absent-parent:pom:7",
        ),
        (
            lambda s: s.modules(a="b", b="a"),
            {},
            "build_execution",
            "cyclic",
            "contain a cyclic reference",
        ),
        (
            lambda s: (s.project / "mvnw").unlink(),
            {},
            "build_preparation",
            "wrapper",
            "has no Maven wrapper (mvnw). Make it once",
        ),
        (
            lambda s: (s.project / "mvnw").chmod(0o644),
            {},
            "build_preparation",
            "wrapper",
            "is not executable. Run 'chmod +x",
        ),
        (
            lambda s: s.write("pom.xml", POM.replace(">17<", ">999<")),
            {},
            "build_preparation",
            "jdk_mismatch",
            "There is no JDK 999 or newer on the builder (found: JDK ",
        ),
        (
            lambda s: None,
            {"java_home": "/nowhere"},
            "build_preparation",
            "jdk_mismatch",
            "Option java_home is '/nowhere': there is no JDK.",
        ),
        (
            lambda s: None,
            {"profile": "native", "main": "", "properties": NO_BUILDER},
            "build_preparation",
            "native_missing",
            "needs native-image",
        ),
        (
            lambda s: None,
            {"profile": "native-fast", "main": "", "properties": NO_BUILDER},
            "build_preparation",
            "native_missing",
            "Build with profile jvm until then",
        ),
        (
            lambda s: None,
            {"project": "/nowhere"},
            "build_preparation",
            None,
            "Option project is '/nowhere': there is no such directory.",
        ),
        (lambda s: None, {"name": "../app"}, "build_preparation", None, "Option name is '../app'"),
        (lambda s: None, {"keep": 0}, "build_preparation", None, "Option keep is 0"),
        (lambda s: None, {"store": "/dev/null/store"}, "build_preparation", None, "Option store is '/dev/null/store'"),
        (lambda s: None, {"main": "../app.jar"}, "build_preparation", None, "it must be a file below the project"),
        (
            lambda s: s.write("mvnw", "#!/nowhere/sh\n"),
            {},
            "build_execution",
            "wrapper",
            "could not be started: No such file or directory. Look at the first line of mvnw",
        ),
        (lambda s: None, {"goals": ["pakage"]}, "build_execution", "goals", "Unknown lifecycle phase"),
        (
            lambda s: s.write("pom.xml", POM.replace("junit-jupiter<", "absent<")),
            {},
            "build_execution",
            "dependency",
            "org.junit.jupiter:absent:jar:6.0.3",
        ),
        (
            lambda s: None,
            {"goals": ["package", "-Dmaven.repo.local={root}/m2", "-s", "{root}/dead.xml"]},
            "build_execution",
            "network",
            "Could not transfer artifact",
        ),
    ],
)
def test_what_keeps_a_build_from_being_made(
    service: Service,
    prepare: t.Callable[[Service], t.Any],
    options: dict[str, t.Any],
    phase: str,
    code: str | None,
    told: str,
) -> None:
    # port 9 of this machine: nobody listens there
    mirror = "<mirror><id>dead</id><mirrorOf>*</mirrorOf><url>http://127.0.0.1:9/</url></mirror>"
    (service.root / "dead.xml").write_text(f"<settings><mirrors>{mirror}</mirrors></settings>", encoding="utf-8")
    prepare(service)
    filled = json.loads(json.dumps(options).replace("{root}", str(service.root)))
    result = service.run(**filled)
    assert result["failed"]
    assert told in result["msg"]
    assert result["phase"] == phase
    assert result["decision"] == ("RETRY" if code == "network" else "ROLLBACK")
    assert result.get("failure", {}).get("code") == code
    assert result["hint"] in result["msg"]
    assert result["artifact"] is None
    assert result["steps"][-1]["result"] == "failed" or phase != "build_execution"
    assert not service.artifacts()


def test_the_options_of_the_jvm_are_the_users(service: Service) -> None:
    failed = service.run(env={"MAVEN_OPTS": "-XX:+NoSuchThing"})
    assert failed["failure"]["code"] == "jvm_options"
    assert "Unrecognized VM option 'NoSuchThing'" in failed["msg"]


def test_a_build_that_hangs_is_ended_with_all_it_started(service: Service) -> None:
    service.test("Thread.sleep(600_000);")
    # most machines are at the test by then, with a JVM of its own
    failed = service.run(tests=True, timeout=12)
    assert failed["failure"]["code"] == "timeout"
    assert "did not end within 12 s and was stopped" in failed["msg"]
    wait_until(lambda: not processes_in(service.project))


def test_two_builds_at_once_make_one(service: Service) -> None:
    one, two = service.start(), service.start()
    results = [result_of(one), result_of(two)]
    assert sorted(item["changed"] for item in results) == [False, True]
    assert results[0]["artifact"] == results[1]["artifact"]
    waited = next(item for item in results if not item["changed"])
    assert waited["build"] is None


def test_who_is_building_is_told(service: Service) -> None:
    service.kept.mkdir(parents=True)
    with open(service.kept / "lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("process 4711 of user 0 since then")
        file.flush()
        failed = service.run(lock_timeout=0.3)
    assert failed["failed"]
    assert "Another build of 'app' is running: process 4711 of user 0 since then." in failed["msg"]
    assert not (service.project / "target").exists()


def test_a_killed_build_does_not_disturb_the_next(service: Service) -> None:
    log = service.kept / "build.log"
    service.test("Thread.sleep(600_000);")
    first = service.start(tests=True)
    wait_until(lambda: log.exists() and "Running org.example.AppTest" in log.read_text("utf-8", "replace"), 180)
    first.kill()
    first.communicate(timeout=60)
    # Maven itself goes on, and keeps the lock; the next build ends it before it begins
    assert processes_in(service.project)
    assert "lock" in [step["name"] for step in service.build()["steps"]]
    wait_until(lambda: not processes_in(service.project))
    assert sorted(item.name for item in service.kept.iterdir() if "." in item.name) == ["build.log", "goals.json"]


def test_the_newest_artifacts_are_kept(service: Service) -> None:
    made: list[str] = []
    for number in range(4):
        service.app(APP.replace("hello", f"hello {number}"))
        made.append(service.build(keep=2, released=made[:1])["artifact"]["fingerprint"])
    assert service.artifacts() == {made[0], made[2], made[3]}


def test_what_may_change_by_itself_is_never_skipped(service: Service) -> None:
    service.write("pom.xml", POM.replace("</project>\n", MANAGED_SNAPSHOT))
    one, two = service.build(), service.build()
    assert one["reason"] == "versions that may change without the pom changing: other 3-SNAPSHOT"
    # the first one stays what it is
    assert service.artifacts() == {item["artifact"]["fingerprint"] for item in (one, two)}
    assert len(service.artifacts()) == 2


@pytest.mark.parametrize("small", ["project", "store"])
def test_a_disk_that_is_nearly_full(service: Service, small: str) -> None:
    place = service.root / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)], check=True)
    try:
        shutil.copytree(service.project, place / "project")
        options: dict[str, t.Any] = {small: str(place / small)}
        failed = service.run(**options)
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert failed["failure"]["code"] == "disk"
    assert f"MiB are free at '{place}" in failed["msg"]
    assert failed["phase"] == "build_preparation"


def test_a_store_that_cannot_be_written(service: Service) -> None:
    artifact = service.build()["artifact"]
    subprocess.run(["mount", "--bind", str(service.store), str(service.store)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(service.store)], check=True)
        # what is there can be used
        assert service.run()["artifact"] == artifact
        service.app(APP.replace("hello", "goodbye"))
        failed = service.run()
    finally:
        subprocess.run(["umount", str(service.store)], check=True)
    assert failed["failed"]
    assert f"Option store is '{service.store}': '{service.kept}' cannot be written" in failed["msg"]
    assert failed["artifact"] == artifact
    # it was noticed before anything was touched
    assert (service.project / "target/app.jar").is_file()


def test_the_example_service(service: Service) -> None:
    shutil.rmtree(service.project)
    shutil.copytree(EXAMPLE, service.project, ignore=shutil.ignore_patterns("target"))
    built = service.build(main="")
    artifact = built["artifact"]
    place = Path(artifact["path"])
    assert artifact["main"] == "quarkus-app/quarkus-run.jar"
    assert (place / artifact["main"]).is_file()
    assert artifact["files"] == sum(1 for item in (place / "quarkus-app").rglob("*") if item.is_file())
    assert artifact["files"] > 100
    again = service.run(main="")
    assert (again["changed"], again["artifact"]) == (False, artifact)
    # where nothing compiles to native code, that is what is built instead, and said
    fallen = service.run(main="", profile="native-fast", build_fallback="jvm", properties=NO_BUILDER, check=True)
    assert (fallen["fallback"]["from"], fallen["fallback"]["to"]) == ("native-fast", "jvm")
    assert fallen["fallback"]["failure"]["code"] == "native_missing"
    assert fallen["msg"].startswith("FALLBACK: profile 'native-fast' could not be built (native_missing), ")
    assert "FALLBACK: profile 'native-fast'" in json.dumps(fallen["warnings"])
    assert (fallen["changed"], fallen["artifact"]) == (False, artifact)
    # a jar that is needed is part of what is verified
    next((place / "quarkus-app/lib/main").glob("*.jar")).unlink()
    assert "the stored artifact is damaged: 'quarkus-app/lib/main/" in service.run(check=True, main="")["msg"]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_build as maven
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import marked

# stands for Maven: tells how it was called
WRAPPER = """#!/bin/sh
echo "OPTS=${MAVEN_OPTS-none} HOME=$JAVA_HOME ARGS=$*"
mkdir -p target
echo made > target/app.bin
"""


class Project:
    def __init__(self, root: Path) -> None:
        self.root, self.store = root / "project", root / "store"
        self.write("pom.xml", "<project><version>1</version></project>")
        self.write("mvnw", WRAPPER).chmod(0o755)
        self.jdk = root / "jdk"
        (self.jdk / "bin").mkdir(parents=True)
        (self.jdk / "bin/javac").touch(0o755)
        (self.jdk / "release").write_text('JAVA_VERSION="21.0.1"\n', encoding="utf-8")

    def write(self, path: str, text: str) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def build(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        defaults: dict[str, t.Any] = {
            "project": str(self.root),
            "name": "app",
            "store": str(self.store),
            "main": "target/app.bin",
            "profile": "jvm",
            "goals": ["package"],
            "tests": False,
            "properties": {},
            "java_home": str(self.jdk),
            "timeout": 120.0,
            "keep": 5,
            "keep_days": 0.0,
            "released": [],
            "limits": {},
            "events": "",
            "task_id": "",
            "inputs": [],
            "lock_timeout": 120.0,
            "retries": 0,
            "build_fallback": "none",
        }
        return maven.build({**defaults, **options}, check)

    def called(self, **options: t.Any) -> str:
        """Return how the stand-in was called."""
        return Path(self.build(**options)["build"]["log"]).read_text("utf-8").strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MAVEN_OPTS", raising=False)
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, "-B package -DskipTests"),
        ({"tests": True}, "-B package"),
        ({"goals": ["clean", "verify", "-U"]}, "-B clean verify -U -DskipTests"),
        ({"properties": {"b": True, "a": 1, "c": "x y"}}, "-B package -DskipTests -Da=1 -Db=true -Dc=x y"),
    ],
)
def test_how_maven_is_called(project: Project, options: dict[str, t.Any], arguments: str) -> None:
    assert (
        project.called(**options) == f"OPTS={maven.SHORT_LIVED} HOME={os.path.realpath(project.jdk)} ARGS={arguments}"
    )


def test_the_options_of_the_jvm_are_the_users(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(".mvn/jvm.config", "-Xmx1g")
    assert project.called().startswith("OPTS=none ")
    monkeypatch.setenv("MAVEN_OPTS", "-Xmx2g")
    assert project.called().startswith("OPTS=-Xmx2g ")


def test_a_commit_is_an_input_when_a_plugin_writes_it(project: Project) -> None:
    assert "commit" not in project.build(check=True)["evidence"]["groups"]
    plugin = "<build><plugins><plugin><artifactId>git-commit-id-maven-plugin</artifactId></plugin></plugins></build>"
    project.write("pom.xml", f"<project><version>1</version>{plugin}</project>")
    assert "commit" in project.build(check=True)["evidence"]["groups"]


def test_an_error_carries_what_every_result_has(project: Project) -> None:
    good = project.build()["artifact"]
    project.write("mvnw", "#!/bin/sh\necho '[INFO] Scanning for projects...'\nkill -9 $$\n")
    with pytest.raises(DeployError, match=r"Maven failed \(killed\)\. The full log is") as caught:
        project.build()
    assert caught.value.msg.endswith(f"({good['fingerprint'][:12]}) stays usable.")
    fields = caught.value.fields
    assert (fields["phase"], fields["decision"], fields["artifact"]) == ("build_execution", "ROLLBACK", good)
    assert fields["failure"]["code"] == "killed"
    assert fields["build"]["command"] == "./mvnw -B package -DskipTests"
    assert sorted(fields["evidence"]) == ["errors", "lines"]


def test_maven_is_asked_again_after_the_lock_was_waited_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = project.build()["artifact"]
    unfinished = maven.MavenBuild._find
    answers = [maven.Found(None, "there is no stored artifact", ())]

    def find(self: maven.MavenBuild, ready: maven.Prepared) -> maven.Found:
        return answers.pop() if answers else unfinished(self, ready)

    monkeypatch.setattr(maven.MavenBuild, "_find", find)
    again = project.build()
    assert (again["changed"], again["artifact"], again["build"]) == (False, first, None)


def messages(path: Path) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_build_is_told_about(project: Project, tmp_path: Path) -> None:
    told = tmp_path / "events.jsonl"
    goal = "echo '[INFO] --- jar:3.5.0:jar (default-jar) @ app ---'\n"
    project.write("mvnw", WRAPPER + goal + f"until grep -q jar:jar '{told}'; do sleep 0.05; done\n")
    project.build(events=str(told), task_id="deploy-7")
    found = messages(told)
    assert {item["task_id"] for item in found} == {"deploy-7"}
    assert {item["agent_type"] for item in found} == {"BuildOrchestrationAgent"}
    first, *middle, last = found
    assert (first["phase"], first["status"], first["rollback_available"]) == ("build_preparation", "IN_PROGRESS", False)
    assert first["message"] == "Building: there is no stored artifact."
    named = next(item for item in middle if item["progress"]["step_name"] == "jar:jar @ app")
    assert (named["phase"], named["metrics"]["build_profile"]) == ("build_execution", "jvm")
    assert named["metrics"]["memory_bytes"] > 0
    assert (last["status"], last["progress"]["percentage"], last["next_action"]) == ("SUCCESS", 100, "PROCEED")
    # the goals of this build are what the share of the next one is told by
    history = json.loads((project.store / "app/goals.json").read_text("utf-8"))
    assert [name for kind in history.values() for name, _started in kind["goals"]] == ["jar:jar @ app"]
    told.unlink()
    project.build(events=str(told))
    assert [(item["status"], item["message"][:17]) for item in messages(told)] == [("SUCCESS", "Nothing to build:")]


def test_a_failure_is_told_about(project: Project, tmp_path: Path) -> None:
    told = tmp_path / "events.jsonl"
    project.build()
    project.write("mvnw", "#!/bin/sh\necho '[ERROR] COMPILATION ERROR :'\nexit 1\n")
    with pytest.raises(DeployError):
        project.build(events=str(told))
    last = messages(told)[-1]
    assert (last["status"], last["next_action"], last["rollback_available"]) == ("FAILED", "ROLLBACK", True)
    assert last["critical_errors"] == [last["message"]]
    told.unlink()
    with pytest.raises(DeployError):
        project.build(check=True, project="/nowhere", events=str(told))
    assert not told.exists()


def test_what_has_no_source_any_more_is_not_packaged(project: Project) -> None:
    project.write("pom.xml", "<project><version>1</version><modules><module>core</module></modules></project>")
    project.write("core/pom.xml", "<project><version>1</version><build><directory>out</directory></build></project>")
    for path in ("target/classes/old.txt", "core/out/classes/old.txt", "core/target/kept.txt"):
        project.write(path, "old")
    project.build()
    assert sorted(item.name for item in project.root.rglob("*.txt")) == ["kept.txt"]


@pytest.mark.parametrize(
    ("profile", "fallback"), [("native", "none"), ("native-fast", "none"), ("native", "jvm"), ("native-fast", "jvm")]
)
def test_jvm_mode_takes_the_place_of_a_native_build_only_when_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch, profile: str, fallback: str
) -> None:
    flag = "--initialize-at-run-time=java.util.concurrent.ForkJoinPool"
    project.write("src/main/resources/application.properties", f"quarkus.native.additional-build-args={flag}\n")
    project.write("src/main/java/A.java", "class A {\n  void a() { x.parallelStream(); }\n}\n")
    jvm = dataclasses.replace(maven.PROFILES["jvm"], main="target/app.bin")
    monkeypatch.setitem(maven.PROFILES, "jvm", jvm)
    if fallback == "none":
        with pytest.raises(DeployError) as caught:
            project.build(profile=profile, main="", build_fallback=fallback)
        assert caught.value.fields["failure"]["code"] == "native_forkjoinpool"
        assert caught.value.fields["evidence"] == {
            "forkjoinpool_flag": ["src/main/resources/application.properties:1"],
            "forkjoinpool_users": ["src/main/java/A.java:2"],
        }
        return
    result = project.build(profile=profile, main="", build_fallback=fallback)
    assert result["msg"].startswith(f"FALLBACK: profile '{profile}' could not be built (native_forkjoinpool), ")
    assert result["warnings"][0].startswith("FALLBACK: ")
    assert (result["fallback"]["from"], result["fallback"]["to"]) == (profile, "jvm")
    assert result["fallback"]["failure"]["remedies"]
    assert (result["decision"], result["build"]["profile"]) == ("PROCEED", "jvm")
    assert [step["result"] for step in result["steps"]] == ["failed", "ok", "ok", "ok"]
    # the next time as well: it must not be taken for what was asked for
    again = project.build(profile=profile, main="", build_fallback=fallback)
    assert (again["changed"], again["fallback"]["from"]) == (False, profile)


def test_other_failures_fall_back_to_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maven.native, "_local", lambda: "/bin/true")
    project.write("mvnw", "#!/bin/sh\necho '[ERROR] COMPILATION ERROR :'\nexit 1\n")
    with pytest.raises(DeployError) as caught:
        project.build(profile="native", main="", build_fallback="jvm")
    assert caught.value.fields["failure"]["code"] == "compile"


def test_a_fault_of_the_network_is_tried_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maven, "RETRY_SECONDS", 0.0)
    fault = "[ -e ../once ] || { touch ../once; echo '[ERROR] Could not transfer artifact a:b:jar:1'; exit 1; }\n"
    project.write("mvnw", WRAPPER.replace("mkdir", fault + "mkdir"))
    result = project.build(retries=1)
    assert [(step["name"], step["result"]) for step in result["steps"]] == [
        ("build_preparation", "ok"),
        ("build_execution", "failed"),
        ("build_execution", "ok"),
        ("artifact_verification", "ok"),
    ]


def test_what_does_not_pass_is_not_tried_again(project: Project) -> None:
    project.write("mvnw", "#!/bin/sh\necho x >> ../runs\necho '[ERROR] COMPILATION ERROR :'\nexit 1\n")
    with pytest.raises(DeployError):
        project.build(retries=3)
    assert (project.root.parent / "runs").read_text("utf-8") == "x\n"


def test_a_build_that_holds_too_much_is_ended(project: Project) -> None:
    good = project.build()["artifact"]
    project.write("mvnw", "#!/bin/sh\necho '[INFO] --- jar:3.5.0:jar (default-jar) @ app ---'\nsleep 600\n")
    with pytest.raises(DeployError, match=r"Maven was ended at .*: the build held \d+ MiB, its limit is 0") as caught:
        project.build(limits={"memory_mb": 0.01})
    fields = caught.value.fields
    assert (fields["failure"]["code"], fields["decision"], fields["artifact"]) == ("memory_limit", "ROLLBACK", good)
    assert fields["build"]["peak_memory_bytes"] > 0


def test_an_artifact_that_is_too_large_is_not_kept(project: Project) -> None:
    good = project.build()["artifact"]
    project.write("src/a.txt", "changed")
    project.write("mvnw", WRAPPER + "head -c 70000 /dev/zero > target/app.bin\n")
    with pytest.raises(
        DeployError, match=r"has 0\.1 MiB, its limit is 0\.0; the largest .*: app\.bin \(0\.1\)"
    ) as caught:
        project.build(limits={"artifact_mb": 0.05})
    fields = caught.value.fields
    assert (fields["phase"], fields["failure"]["code"]) == ("artifact_verification", "artifact_size")
    assert (fields["failure"]["subjects"], fields["artifact"]) == (["app.bin"], good)
    assert project.build(limits={"artifact_mb": 0.0})["limits"]["artifact_bytes"] == 0


def test_what_leaves_the_session_of_maven_is_ended_with_it(project: Project) -> None:
    project.write("mvnw", WRAPPER + "setsid sleep 600 <&- >&- 2>&- &\necho $! > ../pid\nsleep 1\nexit 1\n")
    with pytest.raises(DeployError):
        project.build()
    mark = f"{project.store / 'app'}:"
    deadline = time.monotonic() + 60
    while marked("J4C_BUILD", mark):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_commits_of_an_artifact_keep_it(project: Project) -> None:
    def commit(text: str) -> str:
        project.write("README.md", text)
        git = ["git", "-C", str(project.root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", text], check=True)
        return subprocess.run([*git, "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    project.write(".gitignore", "target/\n")
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    commit("one")
    first = project.build()["artifact"]["fingerprint"]
    # only a document changed: the artifact is that of this commit, too
    released = commit("two")
    assert not project.build()["changed"]
    for text in ("b", "c", "d"):
        project.write("src/a.txt", text)
        project.build(keep=1, released=[released])
    kept = {item.parent.name for item in (project.store / "app").glob("*/manifest.json")}
    # what is not committed is no commit's artifact
    assert len(kept) == 2
    assert first in kept


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"keep_days": -1.0}, "Option keep_days is -1: it must be at least 0"),
        ({"retries": -1}, "Option retries is -1"),
        ({"lock_timeout": -1.0}, "Option lock_timeout is -1"),
        ({"timeout": -1.0}, "Option timeout is -1"),
        ({"limits": {"memory_mb": -1.0}}, r"Option limits\.memory_mb is -1"),
        ({"inputs": ["absent"]}, "Option inputs names 'absent': there is no '.*/absent'"),
        (
            {"events": "/nowhere/events.jsonl"},
            "Option events is '/nowhere/events.jsonl': it cannot be written: No such",
        ),
    ],
)
def test_options_that_cannot_be_used(project: Project, options: dict[str, t.Any], told: str) -> None:
    with pytest.raises(DeployError, match=told) as caught:
        project.build(**options)
    assert (caught.value.fields["phase"], caught.value.fields["decision"]) == ("build_preparation", "ROLLBACK")
    assert not (project.root / "target").exists()


def test_further_inputs_decide(project: Project, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api/a.proto").write_text("one", encoding="utf-8")
    project.build(inputs=["../api"])
    assert not project.build(inputs=["../api"])["changed"]
    (tmp_path / "api/a.proto").write_text("two", encoding="utf-8")
    assert project.build(inputs=["../api"])["changed_inputs"] == ["extra"]


def test_settings_that_maven_is_told_to_read_decide(project: Project) -> None:
    settings = project.root.parent / "settings.xml"
    goals = ["package", "-s", "../settings.xml"]
    settings.write_text("<settings/>", encoding="utf-8")
    project.build(goals=goals)
    assert not project.build(goals=goals)["changed"]
    settings.write_text("<settings><offline/></settings>", encoding="utf-8")
    assert project.build(goals=goals)["changed_inputs"] == ["settings"]
    project.write(".mvn/maven.config", f"--settings={settings}\n")
    project.build()
    settings.write_text("<settings/>", encoding="utf-8")
    assert project.build()["changed_inputs"] == ["settings"]


def test_a_property_that_is_given_may_name_a_snapshot(project: Project) -> None:
    version = "<dependency><artifactId>x</artifactId><version>${v}</version></dependency>"
    project.write("pom.xml", f"<project><version>1</version><properties><v>1</v></properties>{version}</project>")
    assert project.build()["changed"]
    assert not project.build()["changed"]
    for options in ({"properties": {"v": "2-SNAPSHOT"}}, {"goals": ["package", "-Dv=2-SNAPSHOT"]}):
        assert "x 2-SNAPSHOT" in project.build(check=True, **options)["reason"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (": > target/app.jar", "its artifact 'target/app.jar' is empty"),
        ("head -c 100 ../good.jar > target/app.jar", r"The jar 'app\.jar' \(100 bytes\) cannot be read"),
        ("{ head -c 60 ../good.jar; printf xxxx; tail -c +65 ../good.jar; } > target/app.jar", "app.jar"),
    ],
    ids=["empty", "truncated", "damaged"],
)
def test_a_jar_that_cannot_be_read_is_not_kept(project: Project, script: str, told: str) -> None:
    with zipfile.ZipFile(project.root.parent / "good.jar", "w") as jar:
        jar.writestr("a.txt", os.urandom(4000))
    project.write("mvnw", "#!/bin/sh\nmkdir -p target\ncp ../good.jar target/app.jar\n")
    good = project.build(main="target/app.jar")["artifact"]
    project.write("mvnw", f"#!/bin/sh\nmkdir -p target\n{script}\n")
    with pytest.raises(DeployError, match=told) as caught:
        project.build(main="target/app.jar")
    assert (caught.value.fields["phase"], caught.value.fields["artifact"]) == ("artifact_verification", good)
    assert f"({good['fingerprint'][:12]}) stays usable." in caught.value.msg
    # what it was made from is built again, and the good one needs no Maven
    project.write("mvnw", "#!/bin/sh\nmkdir -p target\ncp ../good.jar target/app.jar\n")
    assert not project.build(main="target/app.jar")["changed"]


def test_a_jar_that_was_swapped_after_it_was_verified_is_not_used(project: Project) -> None:
    stored = Path(project.build()["artifact"]["path"]) / "app.bin"
    stored.write_bytes(b"evil" + stored.read_bytes()[4:])
    result = project.build()
    assert result["reason"] == "the stored artifact is damaged: 'app.bin' has another checksum"
    assert stored.read_text("utf-8") == "made\n"


RECORDED = Path(__file__).parents[2] / "fixtures/maven"


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("*.log")))
def test_whatever_fails_the_artifact_of_before_stays(project: Project, name: str) -> None:
    good = project.build()["artifact"]
    stored = Path(good["path"]) / good["main"]
    before = (stored.read_bytes(), stored.stat().st_mtime_ns)
    # it fails after it has made something
    project.write("mvnw", WRAPPER + f"cat '{RECORDED / name}.log'\nexit 1\n")
    with pytest.raises(DeployError) as caught:
        project.build()
    failed = caught.value
    assert failed.fields["artifact"] == good
    assert failed.fields["failure"]["code"] != "unknown" or name == "timeout"
    assert failed.fields["decision"] == ("RETRY" if failed.fields["failure"]["retry"] else "ROLLBACK")
    assert f"({good['fingerprint'][:12]}) stays usable." in failed.msg
    assert (stored.read_bytes(), stored.stat().st_mtime_ns) == before
    assert (project.store / "app/latest").read_text("ascii").strip() == good["fingerprint"]
    project.write("mvnw", WRAPPER)
    again = project.build()
    assert (again["changed"], again["artifact"]) == (False, good)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("native_*.log")))
def test_a_native_build_that_fails_falls_back(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(maven.native, "_local", lambda: "/bin/true")
    monkeypatch.setitem(maven.PROFILES, "jvm", dataclasses.replace(maven.PROFILES["jvm"], main="target/app.bin"))
    native = f"case \" $* \" in *' -Pnative '*) cat '{RECORDED / name}.log'; exit 1 ;; esac\n"
    project.write("mvnw", WRAPPER.replace("echo", native + "echo", 1))
    properties = {"quarkus.native.native-image-xmx": "4g", "quarkus.native.enabled": True, "native": "", "a.native": 1}
    goals = ["package", "-Dnative", "-Dquarkus.native.enabled=true", "-Dnatively=1"]
    result = project.build(profile="native", main="", build_fallback="jvm", properties=properties, goals=goals)
    assert result["build"]["profile"] == "jvm"
    # nothing that makes it native again
    assert result["build"]["command"] == "./mvnw -B package -Dnatively=1 -DskipTests -Da.native=1"
    assert result["fallback"]["failure"]["code"].startswith("native_")
    assert result["fallback"]["failure"]["code"] in result["msg"]
    assert "Maven failed (native_" in result["warnings"][0]

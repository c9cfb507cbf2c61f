# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_diagnosis as diagnosis
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_failures as failures

# what Maven, its wrapper and the JVM really said; names of hosts and directories are replaced
RECORDED = Path(__file__).parents[2] / "fixtures/maven"
FACTS = diagnosis.Facts(project="/srv/project", timeout=8)


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.log").read_text(encoding="utf-8")


# file, code, whether to try again, what it is about, an error
CASES: list[tuple[str, str, bool, list[str], str]] = [
    (
        "compile",
        "compile",
        False,
        ["src/main/java/org/example/App.java:[7,17]"],
        "src/main/java/org/example/App.java:[7,17] illegal start of type",
    ),
    (
        "compile_binary",
        "compile",
        False,
        [f"src/main/java/org/example/App.java:[1,{column}]" for column in (1, 2, 3)],
        "src/main/java/org/example/App.java:[1,1] illegal character: '\\u0000'",
    ),
    (
        "compile_types",
        "compile",
        False,
        [f"src/main/java/org/example/App.java:[5,{column}]" for column in (23, 26)],
        "src/main/java/org/example/App.java:[5,26] cannot find symbol: method undefined()",
    ),
    ("cyclic", "cyclic", False, ["org.example:b:1.0", "org.example:a:1.0"], "contain a cyclic reference"),
    (
        "dependency",
        "dependency",
        False,
        ["org.example:absent:jar:9.9"],
        "Could not find artifact org.example:absent:jar:9.9 in central",
    ),
    (
        "dependency_cached",
        "dependency",
        False,
        ["org.example:absent:jar:9.9"],
        "was not found in .* during a previous attempt",
    ),
    ("disk", "disk", False, [], "Error while storing the mojo status: No space left on device"),
    ("goals", "goals", False, [], 'Unknown lifecycle phase "pakage"'),
    ("goals_option", "goals", False, [], "Unrecognized option: --no-such"),
    ("goals_prefix", "goals", False, [], "No plugin found for prefix 'nosuch'"),
    ("jdk_mismatch", "jdk_mismatch", False, [], "error: release version 21 not supported"),
    ("jvm_options", "jvm_options", False, [], "Unrecognized VM option 'NoSuchThing'"),
    ("maven_too_old", "maven_too_old", False, [], "Required Maven version 4.0.0-rc-2 is not met"),
    ("module", "project", False, [], "Child module gone of pom.xml does not exist"),
    ("native_forkjoinpool", "native_forkjoinpool", False, ["java.util.concurrent.ForkJoinPool.common"], "Build step"),
    ("native_heap", "native_init", False, [], "InnocuousForkJoinWorkerThread' was found in the image heap"),
    ("native_init", "native_init", False, [], "Classes that should be initialized at run time got initialized"),
    ("native_injected_netty", "native_injected", False, ["io.netty.util.NetUtil.LOCALHOST4"], "found no method named"),
    (
        "native_injected_quarkus",
        "native_injected",
        False,
        ["org.wildfly.common.net.Inet.INET4_ANY"],
        "found no method named set or setINET4_ANY",
    ),
    ("native_missing", "native_missing", False, [], "No container CLI was found"),
    ("native_oom_heap", "native_oom", False, [], "GC overhead limit exceeded"),
    ("native_oom_killed", "native_oom", False, [], "Exit code was 137 which indicates an out of memory error"),
    ("native_oom_watcher", "native_oom", False, [], "GraalError: java.lang.OutOfMemoryError"),
    (
        "network",
        "network",
        True,
        ["org.apache.maven.plugins:maven-resources-plugin:pom:3.4.0"],
        "Could not transfer artifact",
    ),
    (
        "network_timeout",
        "network",
        True,
        ["org.apache.maven.plugins:maven-resources-plugin:pom:3.4.0"],
        "Read timed out",
    ),
    ("offline", "offline", False, ["org.example:absent:jar:9.9"], "in offline mode"),
    ("oom", "oom_heap", False, ["Java heap space"], "An unknown compilation problem occurred"),
    ("oom_metaspace", "oom_metaspace", False, ["Metaspace"], "Metaspace"),
    ("oom_native", "oom_native", False, [], "Could not allocate compressed class space"),
    ("parent", "parent", False, ["org.example:absent-parent:pom:7"], "Non-resolvable parent POM"),
    ("permission", "permission", False, [], "error while writing org.example.App: could not create parent"),
    (
        "plugin",
        "plugin",
        False,
        ["org.apache.maven.plugins:maven-war-plugin:2.2:war"],
        "Execution default-war of goal .* failed",
    ),
    ("pom", "pom", False, [], "Non-parseable POM pom.xml"),
    ("project", "project", False, [], "'dependencies.dependency.version' for org.example:absent:jar is missing"),
    (
        "test",
        "test",
        False,
        ["AppTest.adds:10", "AppTest.throwsUp:15"],
        "AppTest.throwsUp:15 IllegalState Connection refused",
    ),
    (
        "test_crash",
        "test_crash",
        False,
        ["org.example.AppTest"],
        "The forked VM terminated without properly saying goodbye",
    ),
    ("wrapper", "wrapper_download", True, [], "wget: Failed to fetch"),
    ("wrapper_checksum", "wrapper", False, [], "Failed to validate Maven distribution SHA-256"),
]


@pytest.mark.parametrize(("name", "code", "retry", "subjects", "error"), CASES, ids=[case[0] for case in CASES])
def test_a_recorded_failure_is_diagnosed(name: str, code: str, retry: bool, subjects: list[str], error: str) -> None:
    found = diagnosis.diagnose(1, recorded(name), FACTS)
    assert (found.failure.code, found.failure.retry) == (code, retry)
    assert [item for item in found.errors if error in item or re.search(error, item)], found.errors
    assert list(found.subjects) == subjects
    assert all(item.endswith(".") for item in found.failure.remedies)
    lines = recorded(name).splitlines()
    for item in found.evidence:
        number, _colon, text = item.partition(": ")
        assert lines[int(number) - 1].strip().startswith(text)
    assert not [item for item in found.errors if "[Help" in item or "/srv/project" in item and code != "test"]


def test_every_recorded_log_is_tested_and_described() -> None:
    files = {path.stem for path in RECORDED.glob("*.log")}
    assert files == {case[0] for case in CASES} | {"timeout"}
    described = (RECORDED / "README.md").read_text("utf-8")
    assert not [name for name in files if f"`{name}`" not in described]


def test_every_class_has_a_log_or_a_line() -> None:
    shown = {case[1] for case in CASES} | {"augmentation"}
    assert {failure.code for failure in failures.FAILURES} == shown


def test_every_class_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[4] / "docs/build.md").read_text("utf-8")
    assert not [code for code in failures.BY_CODE if f"`{code}`" not in text]


def test_recorded_logs_name_no_place_of_a_registry() -> None:
    hosts = {
        host
        for path in RECORDED.glob("*.log")
        for host in re.findall(r"https?://([\w.-]+)", path.read_text("utf-8"))
        if not host.endswith((".example.org", "127.0.0.1", "github.com", "java.com"))
    }
    assert not hosts


INJECTED = "Error: com.oracle.svm.core.util.VMError$HostedError: Error in @InjectAccessors handling of field {}"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (
            INJECTED.format(
                "java.util.concurrent.ForkJoinPool.common, accessors class "
                "com.oracle.svm.core.jdk.ForkJoinPoolCommonAccessor: found no method named set or setCommon"
            ),
            "native_forkjoinpool",
        ),
        # the same rule, another class
        (
            INJECTED.format(
                "io.netty.util.NetUtil.LOCALHOST4, accessors class "
                "io.netty.util.NetUtilSubstitutions$NetUtilLocalhost4Accessor: found no method named set or setLOCALHOST4"
            ),
            "native_injected",
        ),
        (
            "Error: An object of type 'java.util.concurrent.ForkJoinWorkerThread$InnocuousForkJoinWorkerThread' "
            "was found in the image heap.",
            "native_init",
        ),
        ("Error: Image build request failed with exit status 137", "native_oom"),
        (
            "[ERROR] Caused by: Image generation failed. Exit code was 137 which indicates an out of memory error.",
            "native_oom",
        ),
        ("[ERROR] Detected Maven Version: 3.6.3 is not in the allowed range [3.9,).", "maven_too_old"),
        ("error: app.jar: class file has wrong version 69.0, should be 65.0", "jdk_mismatch"),
        ("# There is insufficient memory for the Java Runtime Environment to continue.", "oom_native"),
        ("[ERROR] /srv/project/target/app.jar: Permission denied", "permission"),
        ("[ERROR] [error]: Build step io.quarkus.arc.Step#build threw an exception: boom", "augmentation"),
        ("nothing that anybody knows", "unknown"),
    ],
)
def test_a_line_is_a_sign(line: str, code: str) -> None:
    found = diagnosis.diagnose(1, f"[INFO] Scanning for projects...\n{line}\n", FACTS)
    assert found.failure.code == code
    assert f"2: {line}" in found.evidence


def test_the_flag_that_others_advise_is_named_as_the_cause() -> None:
    first, second, third = failures.FORKJOINPOOL_REMEDIES
    assert "profile jvm" in first
    assert second.startswith("Take --initialize-at-run-time=java.util.concurrent.ForkJoinPool")
    assert "it is the cause" in second
    assert "ManagedExecutor" in third


def test_a_build_whose_time_was_over_tells_where_it_was() -> None:
    found = diagnosis.diagnose(None, recorded("timeout"), FACTS)
    assert found.failure.code == "timeout"
    assert found.failure.remedies[0].startswith("It was at surefire:3.5.4:test (default-test) when its 8 s were over.")


@pytest.mark.parametrize(
    ("rc", "facts", "code", "told"),
    [
        (-9, diagnosis.Facts(oom_kills=2), "killed_memory", "The kernel ended it for lack of memory"),
        (-9, diagnosis.Facts(), "killed", "Find out who ended it"),
        (
            137,
            diagnosis.Facts(oom_kills=1, peak_memory_bytes=700 << 20),
            "killed_memory",
            "for lack of memory.*held 700 MiB",
        ),
        (143, diagnosis.Facts(), "killed", "Find out who ended it"),
        (1, diagnosis.Facts(free_bytes=0), "disk", "Free some space"),
        (1, diagnosis.Facts(free_bytes=1 << 40), "unknown", "Read the log"),
    ],
)
def test_facts_beside_the_log_count(rc: int, facts: diagnosis.Facts, code: str, told: str) -> None:
    found = diagnosis.diagnose(rc, recorded("timeout"), facts)
    assert found.failure.code == code
    assert re.search(told, " ".join(found.failure.remedies))


def test_a_part_of_the_build_that_the_kernel_ended() -> None:
    log = recorded("test_crash").replace("Process Exit Code: 3", "Process Exit Code: 137")
    assert diagnosis.diagnose(1, log, diagnosis.Facts(oom_kills=1)).failure.code == "killed_memory"
    # somebody else's process was ended meanwhile
    assert diagnosis.diagnose(1, recorded("test_crash"), diagnosis.Facts(oom_kills=1)).failure.code == "test_crash"
    assert diagnosis.diagnose(1, log, diagnosis.Facts()).failure.code == "test_crash"


def test_what_fails_before_maven_runs_is_the_wrapper() -> None:
    assert diagnosis.diagnose(127, "./mvnw: 109: basename: not found\n", FACTS).failure.code == "wrapper"


def test_a_result_is_never_endless() -> None:
    log = "\n".join(f"[ERROR] /srv/project/A.java:[{number},1] {'x' * 5000}" for number in range(500))
    found = diagnosis.diagnose(1, "[ERROR] COMPILATION ERROR :\n" + log, FACTS)
    assert len(found.errors) == diagnosis.LAST_ERRORS
    assert max(map(len, found.errors + found.evidence)) <= diagnosis.EVIDENCE_WIDTH + 10


@pytest.mark.parametrize("failure", failures.FAILURES, ids=lambda failure: str(failure.code))
def test_an_entry_can_be_used(failure: failures.Failure) -> None:
    assert failure.signs
    assert all(re.compile(sign) for sign in failure.signs)
    assert failure.remedies
    assert all(item.endswith(".") for item in failure.remedies)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_failures as failures

# what Maven, its wrapper and the JVM really said; names of hosts and directories are replaced
RECORDED = Path(__file__).parents[2] / "fixtures/maven"
FACTS = failures.Facts(project="/srv/project", timeout=8)


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "code", "retry", "error"),
    [
        ("compile", "compile", False, "src/main/java/org/example/App.java:[7,17] illegal start of type"),
        (
            "compile_types",
            "compile",
            False,
            "src/main/java/org/example/App.java:[5,26] cannot find symbol: method undefined()",
        ),
        ("dependency", "dependency", False, "Could not find artifact org.example:absent:jar:9.9 in central"),
        ("dependency_cached", "dependency", False, "was not found in .* during a previous attempt"),
        ("disk", "disk", True, "Error while storing the mojo status: No space left on device"),
        ("goals", "goals", False, 'Unknown lifecycle phase "pakage"'),
        ("goals_option", "goals", False, "Unrecognized option: --no-such"),
        ("jdk_mismatch", "jdk_mismatch", False, "error: release version 21 not supported"),
        ("jvm_options", "jvm_options", False, "Unrecognized VM option 'NoSuchThing'"),
        (
            "maven_too_old",
            "maven_too_old",
            False,
            "Required Maven version 4.0.0-rc-2 is not met by current version 3.9.16",
        ),
        ("native_missing", "native_missing", False, "No container CLI was found"),
        ("network", "network", True, "Could not transfer artifact"),
        ("oom", "oom", False, "An unknown compilation problem occurred"),
        ("permission", "permission", False, "error while writing org.example.App: could not create parent directories"),
        ("project", "project", False, "'dependencies.dependency.version' for org.example:absent:jar is missing"),
        ("test", "test", False, "AppTest.throwsUp:15 IllegalState Connection refused"),
        ("test_crash", "test", False, "The forked VM terminated without properly saying goodbye"),
        ("wrapper", "wrapper", True, "wget: Failed to fetch"),
    ],
)
def test_a_recorded_failure_is_diagnosed(name: str, code: str, retry: bool, error: str) -> None:
    found = failures.diagnose(1, recorded(name), FACTS)
    assert (found.code, found.retry) == (code, retry)
    assert [item for item in found.errors if error in item or re.search(error, item)], found.errors
    assert found.remedy.endswith(".")
    lines = recorded(name).splitlines()
    for item in found.evidence:
        number, _colon, text = item.partition(": ")
        assert lines[int(number) - 1].strip().startswith(text)
    assert not [item for item in found.errors if "[Help" in item or "/srv/project" in item and code != "test"]


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
        # the same rule, another class: the flag is not the cause
        (
            INJECTED.format(
                "io.netty.util.NetUtil.LOCALHOST4, accessors class "
                "io.netty.util.NetUtilSubstitutions$NetUtilLocalhost4Accessor: found no method named set or setLOCALHOST4"
            ),
            "native_init",
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
        ("# There is insufficient memory for the Java Runtime Environment to continue.", "oom"),
        ("[ERROR] /srv/project/target/app.jar: Permission denied", "permission"),
        ("[ERROR] [error]: Build step io.quarkus.arc.Step#build threw an exception: boom", "augmentation"),
        ("nothing that anybody knows", "unknown"),
    ],
)
def test_a_line_is_a_sign(line: str, code: str) -> None:
    found = failures.diagnose(1, f"[INFO] Scanning for projects...\n{line}\n", FACTS)
    assert found.code == code
    assert f"2: {line}" in found.evidence


def test_the_flag_that_others_advise_is_named_as_the_cause() -> None:
    assert "--initialize-at-run-time=java.util.concurrent.ForkJoinPool" in failures.NATIVE_REMEDY
    assert "it is the cause" in failures.NATIVE_REMEDY
    assert "profile jvm" in failures.NATIVE_REMEDY


def test_a_build_whose_time_was_over_tells_where_it_was() -> None:
    found = failures.diagnose(None, recorded("timeout"), FACTS)
    assert found.code == "timeout"
    assert found.remedy.startswith("It was at surefire:3.5.4:test (default-test) when its 8 s were over.")


@pytest.mark.parametrize(
    ("rc", "facts", "code", "told"),
    [
        (-9, failures.Facts(), "killed", "Find out who ended it"),
        (137, failures.Facts(oom_kills=1, peak_memory_bytes=700 << 20), "killed", "for lack of memory.*held 700 MiB"),
        (143, failures.Facts(), "killed", "Find out who ended it"),
        (1, failures.Facts(free_bytes=0), "disk", "Free some space"),
        (1, failures.Facts(free_bytes=1 << 40), "unknown", "Read the log"),
    ],
)
def test_facts_beside_the_log_count(rc: int, facts: failures.Facts, code: str, told: str) -> None:
    found = failures.diagnose(rc, recorded("timeout"), facts)
    assert found.code == code
    assert re.search(told, found.remedy)


def test_what_fails_before_maven_runs_is_the_wrapper() -> None:
    assert failures.diagnose(127, "./mvnw: 109: basename: not found\n", FACTS).code == "wrapper"


def test_a_result_is_never_endless() -> None:
    log = "\n".join(f"[ERROR] /srv/project/A.java:[{number},1] {'x' * 5000}" for number in range(500))
    found = failures.diagnose(1, "[ERROR] COMPILATION ERROR :\n" + log, FACTS)
    assert len(found.errors) == failures.LAST_ERRORS
    assert max(map(len, found.errors + found.evidence)) <= failures.EVIDENCE_WIDTH + 10


@pytest.mark.parametrize("failure", failures.FAILURES, ids=lambda failure: str(failure.code))
def test_an_entry_can_be_used(failure: failures.Failure) -> None:
    assert failure.signs
    assert all(re.compile(sign) for sign in failure.signs)
    assert failure.remedy.endswith(".")

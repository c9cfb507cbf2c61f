# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a Maven build fails: signs in its log, remedies in order, whether trying again makes sense.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

FLAG = "--initialize-at-run-time=java.util.concurrent.ForkJoinPool"
JVM_MODE = "Build with profile jvm until then; build_fallback: jvm (j4c_build_fallback) does so by itself."
FORKJOINPOOL_REMEDIES = (
    "Build in JVM mode now: profile jvm (j4c_build_profile), or build_fallback: jvm (j4c_build_fallback).",
    f"Take {FLAG} (or its package) out of the poms, the application's properties, the sources and "
    "native-image.properties. It is often advised for this very error, but it is the cause and not the cure: it makes "
    "GraalVM compile the class initialiser that writes the field, and the accessor of the field only lets it be read.",
    "Use Quarkus' ManagedExecutor or a ThreadPoolExecutor of your own where the common pool is used.",
)
PERMISSION_REMEDIES = (
    "Give the builder's user the right to write there, target/ above all: "
    "a build in a container may have left it to root.",
)
PROJECT_REMEDY = "'./mvnw validate' shows the same place."


@dataclass(frozen=True)
class Failure:
    """A class of failures.

    :param code: its name.
    :param signs: expressions, one of which is found in a line of the log.
    :param remedies: what to do, what helps most often first.
    :param retry: whether the same build may succeed when it is just tried again.
    """

    code: str
    signs: tuple[str, ...]
    remedies: tuple[str, ...]
    retry: bool = False

    def result(self, evidence: t.Sequence[str] = (), subjects: t.Sequence[str] = ()) -> dict[str, t.Any]:
        """Return the ``failure`` of module results: ``{code, evidence, subjects, remedies, retry}``."""
        return {
            "code": self.code,
            "evidence": list(evidence),
            "subjects": list(subjects),
            "remedies": list(self.remedies),
            "retry": self.retry,
        }


# the first that matches wins: what explains more stands before what it causes
FAILURES: tuple[Failure, ...] = (
    Failure(
        "disk",
        (r"No space left on device", r"Disk quota exceeded"),
        (
            "Free some space on the builder: see 'df -h', 'df -i' and 'docker system df'.",
            "Keep fewer artifacts (j4c_keep_releases, j4c_build_keep_days), or set another store (j4c_artifact_store).",
        ),
    ),
    Failure(
        "native_forkjoinpool",
        (r"handling of field java\.util\.concurrent\.ForkJoinPool\.\w+.*found no method named set",),
        FORKJOINPOOL_REMEDIES,
    ),
    Failure(
        "native_missing",
        (
            r"Cannot find the `?.?native-image",
            r"native-image.*(not found|No such file)",
            r"Unable to find a container runtime",
            r"No container (runtime|CLI) was found",
        ),
        (
            "Install GraalVM or Mandrel and set GRAALVM_HOME, or Docker and Quarkus' builder image.",
            JVM_MODE,
        ),
    ),
    Failure(
        "native_oom",
        (
            r"native-image.*OutOfMemory",
            r"GraalError: java\.lang\.OutOfMemoryError",
            r"Terminating due to java\.lang\.OutOfMemoryError",
            r"Image build.* exit (status|code):? 137",
            r"Image generation failed\. Exit code was 137",
            r"The Native Image build process ran out of memory",
            r"Native Image.*[Gg]arbage.collect.*GC overhead",
        ),
        (
            "Give the builder (or its Docker engine) more memory: a native build of a small service holds 4 to 8 GiB.",
            "Set quarkus.native.native-image-xmx (j4c_build_properties) below what is free.",
            JVM_MODE,
        ),
    ),
    Failure(
        "native_injected",
        (r"Error in @InjectAccessors handling of field .*found no method named set",),
        (
            "Take the named class, or its package, out of --initialize-at-run-time: with it, GraalVM compiles the "
            "class initialiser that writes the field, and the accessor of the field only lets it be read.",
            "Update the library (or Quarkus) that brings the accessor, when the flag comes from it.",
            JVM_MODE,
        ),
    ),
    Failure(
        "native_init",
        (r"[Cc]lasses that should be initialized at run ?time got initialized", r"found in the image heap"),
        (
            "Initialise the class whose field holds the named object at run time: see the trace that Maven names.",
            JVM_MODE,
        ),
    ),
    Failure(
        "jdk_mismatch",
        (
            r"release version \d+ not supported",
            r"invalid (target|source) release",
            r"class file has wrong version",
            r"UnsupportedClassVersionError",
            r"RequireJavaVersion failed",
            r"Required Java version \S+ is not met",
        ),
        ("Set java_home (j4c_java_home) to a JDK that the pom's maven.compiler.release and its plugins ask for.",),
    ),
    Failure(
        "maven_too_old",
        (
            r"Required Maven version \S+ is not met",
            r"[Rr]equires Maven version",
            r"RequireMavenVersion",
            r"Detected Maven Version: \S+ is not",
        ),
        ("Make the Maven wrapper anew with a later Maven, for example -Dmaven=3.9.16.",),
    ),
    Failure(
        "test_crash",
        (r"There was a timeout.* in the fork", r"The forked VM terminated without properly saying goodbye"),
        (
            "Look at target/surefire-reports/*.dumpstream: the JVM of the tests ended, or was ended, in the middle.",
            "Give the tests more memory (argLine of maven-surefire-plugin).",
        ),
    ),
    Failure(
        "test",
        (r"There (are|were) test failures", r"Tests run: .*(Failures|Errors): [1-9]"),
        ("Mend the named tests; target/surefire-reports has more.",),
    ),
    Failure(
        "oom_metaspace",
        (r"OutOfMemoryError: (Metaspace|Compressed class space)", r"^\[ERROR\] (Metaspace|Compressed class space)\b"),
        (
            "Take -XX:MaxMetaspaceSize out of MAVEN_OPTS and .mvn/jvm.config, or raise it: "
            "without it there is no such limit.",
        ),
    ),
    Failure(
        "oom_native",
        (
            r"unable to create (new )?native thread",
            r"There is insufficient memory for the Java Runtime",
            r"Could not (allocate|reserve) .*(space|heap)",
        ),
        (
            "Give the builder more memory, end what else needs it, or lower -Xmx in MAVEN_OPTS.",
            "Raise the limit of processes: see 'ulimit -u' and the pids limit of the container.",
        ),
    ),
    Failure(
        "oom_heap",
        (
            r"java\.lang\.OutOfMemoryError",
            r"^\[ERROR\] (Java heap space|GC overhead limit)",
            r"The system is out of resources\.",
        ),
        ("Give Maven more memory with MAVEN_OPTS=-Xmx2g in the builder's environment, or in .mvn/jvm.config.",),
    ),
    Failure("permission", (r"error while writing \S+: (could not create|.*Permission denied)",), PERMISSION_REMEDIES),
    Failure(
        "compile", (r"COMPILATION ERROR", r"maven-compiler-plugin.*Compilation failure"), ("Mend the named lines.",)
    ),
    Failure(
        "wrapper",
        (
            r"cannot find .*unzip",
            r"Failed to validate Maven",
            r"cannot read distributionUrl",
            r"distributionUrl is not valid",
            r"cannot create temp dir",
        ),
        (
            "The wrapper needs unzip, and curl or wget: './mvnw --version' shows its message.",
            "Compare distributionUrl and distributionSha256Sum in .mvn/wrapper/maven-wrapper.properties.",
        ),
    ),
    Failure(
        "wrapper_download",
        (
            r"(wget|curl): Failed to fetch",
            r"Failed to (fetch|download|install) Maven",
            r"MavenWrapperDownloader",
            r"org\.apache\.maven\.wrapper",
        ),
        (
            "Check that the builder reaches the place that .mvn/wrapper/maven-wrapper.properties names, "
            "then build again.",
            "Run './mvnw --version' once where there is a network: what it fetched stays in ~/.m2/wrapper.",
        ),
        True,
    ),
    Failure(
        "offline",
        (r"in offline mode",),
        ("Build once without -o (j4c_build_goals, .mvn/maven.config, offline in settings.xml): it fetches the rest.",),
    ),
    Failure(
        "network",
        (
            r"Could not transfer artifact",
            r"failed to transfer from .* during a previous attempt",
            r"Connection (reset|timed out|refused)",
            r"([Cc]onnect|Read) timed out",
            r"UnknownHostException",
            r"status code: (5\d\d|429)",
            r"Temporary failure in name resolution",
        ),
        (
            "Check the builder's network, proxy and mirror, then build again; -U in goals asks again for what failed.",
            "With -o in goals it is built with what is cached.",
        ),
        True,
    ),
    Failure(
        "parent",
        (r"Non-resolvable parent POM",),
        (
            "Check groupId, artifactId, version and relativePath of <parent>, and that a repository has it.",
            "A parent of your own: build it first ('./mvnw install' in it), or put the modules into one project.",
        ),
    ),
    Failure(
        "dependency",
        (
            r"Could not resolve dependencies",
            r"Could not find artifact",
            r"was not found in .* during a previous attempt",
            r"Non-resolvable import POM",
        ),
        (
            "Check the coordinates of the named artifact, and that one of the project's repositories has it.",
            "-U in goals (j4c_build_goals) asks again for what was missing before.",
        ),
    ),
    Failure("cyclic", (r"contain a cyclic reference",), ("Take one of the named references between modules out.",)),
    Failure("pom", (r"Non-parseable POM", r"Malformed POM", r"Non-readable POM"), (f"Mend the pom; {PROJECT_REMEDY}",)),
    Failure(
        "project",
        (r"Child module .* does not exist", r"The build could not read", r"problems were encountered while processing"),
        (f"Mend the pom; {PROJECT_REMEDY}",),
    ),
    Failure(
        "goals",
        (
            r"Unknown lifecycle phase",
            r"No goals have been specified",
            r"No plugin found for prefix",
            r"Unable to parse command line options",
        ),
        ("Mend goals (j4c_build_goals).",),
    ),
    Failure(
        "jvm_options",
        (r"Could not create the Java Virtual Machine", r"Unrecognized (VM )?option"),
        ("Mend MAVEN_OPTS in the builder's environment, or .mvn/jvm.config.",),
    ),
    Failure(
        "permission",
        (r"Permission denied", r"AccessDenied", r"Read-only file system", r"Operation not permitted"),
        PERMISSION_REMEDIES,
    ),
    Failure(
        "augmentation",
        (r"Build step .* threw an exception",),
        ("Look at the cause that Quarkus names: an extension or a class of the application.",),
    ),
    Failure(
        "plugin",
        (
            r"[Aa] required class was missing while executing",
            r"An API incompatibility was encountered while executing",
            r"Unable to load the mojo",
            r"Execution \S+ of goal \S+ failed",
            r"Internal error: java\.",
        ),
        (
            "Update the named plugin: its version may not know this JDK or this Maven.",
            "-e in goals (j4c_build_goals) shows where in the plugin it happened.",
        ),
    ),
)
TIMEOUT = Failure("timeout", (), ("Give it more time (timeout, j4c_build_timeout), or look at what hung.",))
KILLED = Failure("killed", (), ("Find out who ended it: a person, a time limit of another program, or the kernel.",))
KILLED_MEMORY = Failure(
    "killed_memory",
    (),
    (
        "The kernel ended it for lack of memory: give the builder, or the container that it runs in, more.",
        "End what else needs memory there; 'dmesg' names the largest processes.",
    ),
)
UNKNOWN = Failure("unknown", (), ("Read the log.",))
# what is found out by looking and not from Maven's log
MEMORY_LIMIT = Failure(
    "memory_limit",
    (),
    ("Raise memory_mb in limits (j4c_build_limits), or give the JVMs of the build less (MAVEN_OPTS, argLine).",),
)
ARTIFACT_SIZE = Failure(
    "artifact_size",
    (),
    ("Look at what became larger, or raise artifact_mb in limits (j4c_build_limits).",),
)
CHANGED_MEANWHILE = Failure(
    "changed_meanwhile",
    (),
    ("Build again when nobody works in it; what the build itself writes belongs below target/ or in .gitignore.",),
    True,
)
BUSY = Failure(
    "busy",
    (),
    ("Wait until it has ended, or give this one more time to wait (lock_timeout, j4c_build_lock_timeout).",),
    True,
)
OTHERS = (TIMEOUT, KILLED, KILLED_MEMORY, UNKNOWN, MEMORY_LIMIT, ARTIFACT_SIZE, CHANGED_MEANWHILE, BUSY)
BY_CODE: t.Mapping[str, Failure] = {item.code: item for item in (*FAILURES, *OTHERS)}

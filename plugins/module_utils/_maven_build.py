# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Maven build: prepared, skipped when nothing changed, run, verified and kept.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.j4c.deploy.plugins.module_utils import _fingerprint as fingerprints
from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import LOG, ArtifactStore
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import Facts, diagnose
from ansible_collections.j4c.deploy.plugins.module_utils._maven_native import find_builder, refuse_forkjoinpool_flag
from ansible_collections.j4c.deploy.plugins.module_utils._maven_output import find_output
from ansible_collections.j4c.deploy.plugins.module_utils._maven_project import (
    Jdk,
    Pom,
    find_jdk,
    read_pom,
    require_wrapper,
)
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import Decision, verdict
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import TreeMeter, oom_kills
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PREPARATION, EXECUTION, VERIFICATION = "build_preparation", "build_execution", "artifact_verification"
# a build is over before a better compiler or collector would pay
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
MIN_FREE_BYTES = 512 << 20
LOG_TAIL_BYTES = 4 << 20
TOLD_ERRORS = 5
# below this nobody else had the lock
WAIT_SECONDS = 0.05
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")


@dataclass(frozen=True)
class Profile:
    """What a profile means: Maven's arguments, the main file that it makes, whether it compiles to native code."""

    arguments: tuple[str, ...]
    main: str
    native: bool = False


PROFILES: dict[str, Profile] = {
    "jvm": Profile((), "target/quarkus-app/quarkus-run.jar"),
    "native-fast": Profile(("-Pnative-fast",), "target/*-runner", True),
    "native": Profile(("-Pnative",), "target/*-runner", True),
}


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before Maven runs."""

    pom: Pom
    jdk: Jdk
    argv: tuple[str, ...]
    env: t.Mapping[str, str]
    groups: t.Mapping[str, str]
    fingerprint: str

    @property
    def command(self) -> str:
        """Return the command as a person would type it in the project."""
        return shlex.join(["./mvnw", *self.argv[1:]])


@dataclass(frozen=True)
class Found:
    """What the store has: a usable manifest or ``None``, the reason, and the groups of inputs that changed."""

    manifest: dict[str, t.Any] | None
    reason: str
    changed_inputs: tuple[str, ...]


class MavenBuild:
    """A build of one project.

    :param params: the module's options, see its documentation.
    """

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self._params = params
        self._project = os.path.realpath(params["project"])
        self._profile = PROFILES[params["profile"]]
        self._main = params["main"] or self._profile.main
        self._store = ArtifactStore(params["store"], params["name"])
        self._runner = Runner()
        self._log = StepLog()
        self._phase = PREPARATION
        self._build: dict[str, t.Any] | None = None

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Return the module's result.

        :raises DeployError: something is missing, or the build failed; the artifact that stays usable is named.
        """
        try:
            with self._log.step(PREPARATION) as note:
                ready = self._prepare()
                note["detail"] = f"JDK {ready.jdk.version}, fingerprint {ready.fingerprint[:12]}"
                found = self._find(ready)
            before = self._store.latest()
            if found.manifest is None and not check_mode:
                ready, found = self._make(ready)
            elif found.manifest is not None and not check_mode:
                self._store.select(ready.fingerprint)
            return self._result(ready, found, before)
        except DeployError as exc:
            self._complete(exc)
            raise

    def _complete(self, exc: DeployError) -> None:
        """Give an error what every result has, and name the artifact that stays usable."""
        latest = self._store.latest()
        exc.steps = self._log.results
        exc.fields = {
            "artifact": self._store.noun(latest) if latest else None,
            "build": self._build,
            "evidence": {},
            **verdict(self._phase, "ROLLBACK"),
            **exc.fields,
        }
        if latest:
            exc.msg += f" The artifact of {latest['created']} ({latest['fingerprint'][:12]}) stays usable."

    def _prepare(self) -> Prepared:
        params = self._params
        self._check_options()
        pom = read_pom(self._project)
        wrapper = require_wrapper(self._project)
        identity = ""
        more: tuple[str, ...] = ()
        if self._profile.native:
            builder = find_builder(self._runner, params["profile"], params["properties"])
            refuse_forkjoinpool_flag(self._runner, self._project, params["properties"])
            identity, more = f"{builder.identity} {os.uname().machine}", builder.arguments
        jdk = find_jdk(params["java_home"], os.environ.get("JAVA_HOME", ""), pom.java)
        argv = [wrapper, "-B", *params["goals"], *self._profile.arguments, *more]
        if not params["tests"]:
            argv.append("-DskipTests")
        argv += [f"-D{key}={_text(value)}" for key, value in sorted(params["properties"].items())]
        env = {"JAVA_HOME": jdk.home}
        told = "MAVEN_OPTS" in os.environ or os.path.exists(os.path.join(self._project, ".mvn", "jvm.config"))
        if not told and not self._profile.native:
            env["MAVEN_OPTS"] = SHORT_LIVED
        groups = fingerprints.groups(
            self._runner,
            self._project,
            poms=pom.files,
            jdk=jdk.release + identity,
            options=[params["profile"], self._main, *argv[1:]],
            environment=os.environ,
            named=pom.environment,
            modules=pom.modules,
            words=pom.words,
        )
        if pom.tells_commit:
            head = self._runner.run(["git", "-C", self._project, "rev-parse", "HEAD"], check=False).stdout
            groups["commit"] = fingerprints.hash_text(head)
        return Prepared(pom, jdk, tuple(argv), env, groups, fingerprints.fingerprint(groups))

    def _check_options(self) -> None:
        params = self._params
        if not NAME.match(params["name"]):
            raise DeployError(
                f"Option name is '{params['name']}': it names a directory of the store.",
                hint="Use letters, digits, dots, dashes and underscores (j4c_artifact).",
            )
        if params["keep"] < 1 or params["timeout"] <= 0:
            raise DeployError(
                f"Option keep is {params['keep']} and timeout {params['timeout']:g}: both must be more than 0.",
                hint="Keep at least one artifact, and give the build some seconds.",
            )
        if not os.path.isdir(self._project):
            raise DeployError(
                f"Option project is '{params['project']}': there is no such directory.",
                hint="Set project (j4c_source) to the clone of the service.",
            )
        for place in (self._project, _existing(params["store"])):
            free = shutil.disk_usage(place).free
            if free < MIN_FREE_BYTES:
                remedy = "Free some space there: see 'df -h' and 'docker system df'."
                raise DeployError(
                    f"Only {free >> 20} MiB are free at '{place}', a build needs {MIN_FREE_BYTES >> 20}.",
                    hint=remedy,
                    failure={"code": "disk", "evidence": [], "remedy": remedy, "retry": False},
                )

    def _find(self, ready: Prepared) -> Found:
        if ready.pom.unpinned:
            changing = ", ".join(ready.pom.unpinned)
            return Found(None, f"versions that may change without the pom changing: {changing}", ())
        kept = self._store.load(ready.fingerprint)
        if kept is not None:
            damage = self._store.damage(kept)
            return (
                Found(None, f"the stored artifact is damaged: {damage}", ())
                if damage
                else Found(kept, "fingerprint", ())
            )
        if os.path.isdir(self._store.path(ready.fingerprint)):
            return Found(None, "the stored artifact is damaged: its manifest cannot be read", ())
        latest = self._store.latest()
        if latest is None:
            return Found(None, "there is no stored artifact", tuple(sorted(ready.groups)))
        before = latest.get("groups", {})
        changed = sorted(key for key in {*before, *ready.groups} if before.get(key) != ready.groups.get(key))
        return Found(None, "changed inputs: " + ", ".join(changed), tuple(changed))

    def _make(self, ready: Prepared) -> tuple[Prepared, Found]:
        """Build, verify and keep; return what was built."""
        self._store.prepare()
        asked = time.monotonic()
        with self._store.lock(self._params["timeout"]) as handle:
            waited = time.monotonic() - asked
            if waited > WAIT_SECONDS:
                self._log.add("lock", "ok", "waited for another build", waited)
            tree = fingerprints.tree_hash(self._runner, self._project, ready.pom.modules)
            # while this one waited, the project may have changed, and another build may have made its artifact
            ready = self._prepare()
            again = self._find(ready)
            if again.manifest is not None:
                self._store.select(ready.fingerprint)
                return ready, again
            self._phase = EXECUTION
            with self._log.step(EXECUTION) as note:
                note["detail"] = self._execute(ready, handle)
            self._phase = VERIFICATION
            with self._log.step(VERIFICATION) as note:
                if fingerprints.tree_hash(self._runner, self._project, ready.pom.modules) != tree:
                    raise _changed_meanwhile(self._project)
                manifest = self._publish(ready)
                note["detail"] = f"{len(manifest['files'])} files, main {manifest['main']}"
            removed = self._store.prune(self._params["keep"], self._params["protect"])
            if removed:
                self._log.add("retention", "ok", f"removed {len(removed)} artifacts")
        return ready, Found(manifest, again.reason, again.changed_inputs)

    def _execute(self, ready: Prepared, handle: int) -> str:
        find_output(self._project, self._main, remove=True)
        meter, kills = TreeMeter(), oom_kills()
        log = self._store.path(LOG)
        started = time.monotonic()
        try:
            rc = self._runner.watch(
                ready.argv,
                log=log,
                cwd=self._project,
                env=ready.env,
                timeout=self._params["timeout"],
                look=meter.sample,
                keep_open=[handle],
            )
        except DeployError as exc:
            exc.hint = "Look at the first line of mvnw: it names the program that runs it."
            exc.fields["failure"] = {"code": "wrapper", "evidence": [], "remedy": exc.hint, "retry": False}
            raise
        self._build = {
            "seconds": round(time.monotonic() - started, 2),
            "peak_memory_bytes": meter.peak_memory_bytes,
            "cpu_seconds": round(meter.cpu_seconds, 2),
            "profile": self._params["profile"],
            "command": ready.command,
            "log": log,
        }
        if rc != 0:
            facts = Facts(
                project=self._project,
                timeout=self._params["timeout"],
                free_bytes=min(shutil.disk_usage(place).free for place in (self._project, self._store.path())),
                oom_kills=oom_kills() - kills,
                peak_memory_bytes=meter.peak_memory_bytes,
            )
            raise self._failed(rc, log, facts)
        return f"{self._build['seconds']:.1f} s, peak memory {meter.peak_memory_bytes >> 20} MiB"

    def _failed(self, rc: int | None, log: str, facts: Facts) -> DeployError:
        with open(log, "rb") as file:
            skipped = max(0, os.path.getsize(log) - LOG_TAIL_BYTES)
            facts = replace(facts, first_line=1 + _count_lines(file, skipped))
            file.seek(skipped)
            text = file.read().decode("utf-8", "replace")
        found = diagnose(rc, text, facts)
        how = (
            f"did not end within {self._params['timeout']:g} s and was stopped"
            if rc is None
            else f"failed ({found.code})"
        )
        told = "".join(f" {error};" for error in found.errors[:TOLD_ERRORS]).rstrip(";")
        more = f" and {len(found.errors) - TOLD_ERRORS} more errors" if len(found.errors) > TOLD_ERRORS else ""
        decision: Decision = "RETRY" if found.retry else "ROLLBACK"
        return DeployError(
            f"Maven {how}{':' if told else ''}{told}{more}. The full log is '{log}'.",
            hint=found.remedy,
            rc=rc,
            failure=found.as_result(),
            evidence={"errors": list(found.errors), "lines": list(found.evidence)},
            **verdict(EXECUTION, decision),
        )

    def _publish(self, ready: Prepared) -> dict[str, t.Any]:
        build = self._build or {}
        main, files = find_output(self._project, self._main)
        facts = {
            "version": ready.pom.version,
            "main": main,
            "groups": dict(ready.groups),
            "profile": self._params["profile"],
            "build": {key: build.get(key) for key in ("seconds", "peak_memory_bytes", "cpu_seconds", "command")},
        }
        name = ready.fingerprint
        if ready.pom.unpinned:
            # the same inputs may give another artifact tomorrow, and the one before must stay what it is
            name = fingerprints.hash_text(name, str(time.time_ns()))[: fingerprints.LENGTH]
        return self._store.publish(name, files, facts, build.get("log", ""))

    def _result(self, ready: Prepared, found: Found, before: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
        manifest, built = found.manifest, self._build is not None
        hit = manifest is not None and not built
        if hit and manifest:
            msg = f"Nothing to build: the verified artifact of {manifest['created']} has the same inputs."
        elif self._build:
            msg = f"Built in {self._build['seconds']:g} s: {found.reason}."
        else:
            msg = f"Would run {ready.command}: {found.reason}."
        old, new = (before or {}).get("groups", {}), ready.groups
        names = [] if hit else sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return {
            "changed": not hit,
            "msg": msg,
            "artifact": self._store.noun(manifest) if manifest else None,
            "build": self._build,
            "reason": found.reason,
            "changed_inputs": list(found.changed_inputs),
            "steps": self._log.results,
            "evidence": {"groups": dict(ready.groups), "jdk": ready.jdk.version},
            "diff": {
                "before": "".join(f"{key}: {old.get(key, 'none')[:12]}\n" for key in names),
                "after": "".join(f"{key}: {new.get(key, 'none')[:12]}\n" for key in names),
            },
            **verdict(VERIFICATION if manifest else PREPARATION, "PROCEED"),
        }


def _text(value: t.Any) -> str:
    """Return a property's value as Maven wants it: YAML's true is ``true``, its null is empty."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _count_lines(file: t.BinaryIO, size: int) -> int:
    """Return how many lines end in the first ``size`` bytes of a file."""
    count = 0
    while size > 0:
        block = file.read(min(size, 1 << 20))
        if not block:
            break
        count += block.count(b"\n")
        size -= len(block)
    return count


def _changed_meanwhile(project: str) -> DeployError:
    remedy = "Build again when nobody works in it; what the build itself writes belongs below target/ or in .gitignore."
    return DeployError(
        f"The project '{project}' changed while it was built, so nobody can tell what the artifact was made of.",
        hint=remedy,
        failure={"code": "changed_meanwhile", "evidence": [], "remedy": remedy, "retry": True},
    )


def _existing(path: str) -> str:
    """Return the path, or the nearest directory above it that exists."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path

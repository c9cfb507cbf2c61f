# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Maven build: prepared, skipped when nothing changed, run, verified and kept.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _fingerprint as fingerprints
from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import ArtifactStore
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import tail
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import NATIVE_REMEDY, Diagnosis, diagnose
from ansible_collections.j4c.deploy.plugins.module_utils._maven_project import (
    Jdk,
    Pom,
    find_jdk,
    read_pom,
    require_wrapper,
)
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._process_tree import TreeMeter
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PREPARATION, EXECUTION, VERIFICATION = "build_preparation", "build_execution", "artifact_verification"
# a build is over before a better compiler or collector would pay: measured to save a third of Maven's time
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
MIN_FREE_BYTES = 512 << 20
LOG_TAIL = 4 << 20


@dataclass(frozen=True)
class Profile:
    """What a profile means: Maven's arguments, and the artifact below ``target/`` with its main file."""

    arguments: tuple[str, ...]
    folder: str
    main: str
    native: bool = False


PROFILES: dict[str, Profile] = {
    "jvm": Profile((), "quarkus-app", "quarkus-run.jar"),
    "native-fast": Profile(("-Pnative-fast", "-Dquarkus.native.container-build=true"), "", "*-runner", True),
    "native": Profile(("-Pnative",), "", "*-runner", True),
}


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before Maven runs."""

    pom: Pom
    wrapper: str
    jdk: Jdk
    argv: tuple[str, ...]
    env: t.Mapping[str, str]
    parts: t.Mapping[str, str]
    fingerprint: str


class MavenBuild:
    """A build of one project.

    :param params: the module's options, see its documentation.
    """

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self._params = params
        self._project = os.path.realpath(params["project"])
        self._profile = PROFILES[params["profile"]]
        self._store = ArtifactStore(params["store"], params["name"])
        self._runner = Runner()
        self._log = StepLog()

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Return the module's result.

        :raises DeployError: something is missing, or the build failed; the artifact that stays usable is named.
        """
        phase = PREPARATION
        try:
            with self._log.step(PREPARATION) as note:
                ready = self._prepare()
                note["detail"] = f"JDK {ready.jdk.version}, fingerprint {ready.fingerprint[:12]}"
            kept, reason, changed_inputs = self._find(ready)
            if kept is not None:
                if not check_mode:
                    self._store.select(ready.fingerprint)
                return self._result(ready, kept, reason, [], None)
            if check_mode:
                return self._result(ready, None, reason, changed_inputs, None)
            self._store.prepare()
            with self._store.lock(self._params["timeout"]):
                phase = EXECUTION
                build = self._execute(ready)
                phase = VERIFICATION
                with self._log.step(VERIFICATION) as note:
                    manifest = self._publish(ready, build)
                    note["detail"] = f"{len(manifest['files'])} files, main {manifest['main']}"
                self._store.prune(self._params["keep"], self._params["protect"])
            return self._result(ready, manifest, reason, changed_inputs, build)
        except DeployError as exc:
            latest = self._store.latest()
            exc.steps = self._log.results
            exc.fields = {
                "artifact": self._store.noun(latest) if latest else None,
                **verdict(phase, "ROLLBACK"),
                **exc.fields,
            }
            if latest:
                exc.msg += f" The artifact of {latest['created']} ({latest['fingerprint'][:12]}) stays usable."
            raise

    def _prepare(self) -> Prepared:
        params = self._params
        if not os.path.isdir(self._project):
            raise DeployError(
                f"Option project is '{params['project']}': there is no such directory.",
                hint="Set project (j4c_source) to the clone.",
            )
        pom = read_pom(self._project)
        wrapper = require_wrapper(self._project)
        if self._profile.native:
            self._require_native()
        jdk = find_jdk(params["java_home"], os.environ.get("JAVA_HOME", ""), pom.java)
        free = shutil.disk_usage(self._project).free
        if free < MIN_FREE_BYTES:
            raise DeployError(
                f"Only {free >> 20} MiB are free at '{self._project}', a build needs {MIN_FREE_BYTES >> 20}.",
                hint="Free some space.",
            )
        argv = [wrapper, "-B", *params["goals"], *self._profile.arguments]
        if not params["tests"]:
            argv.append("-DskipTests")
        argv += [f"-D{key}={value}" for key, value in sorted(params["properties"].items())]
        env = {"JAVA_HOME": jdk.home}
        if (
            "MAVEN_OPTS" not in os.environ
            and not self._profile.native
            and not os.path.exists(os.path.join(self._project, ".mvn", "jvm.config"))
        ):
            env["MAVEN_OPTS"] = SHORT_LIVED
        parts = fingerprints.groups(
            self._runner,
            self._project,
            poms=pom.files,
            jdk=jdk.release,
            options=[params["profile"], params["main"], *argv[1:]],
            settings=os.path.expanduser("~/.m2/settings.xml"),
            environment=os.environ,
        )
        return Prepared(pom, wrapper, jdk, tuple(argv), env, parts, fingerprints.fingerprint(parts))

    def _require_native(self) -> None:
        home = os.environ.get("GRAALVM_HOME", "")
        local = shutil.which("native-image") or (home and os.access(os.path.join(home, "bin", "native-image"), os.X_OK))
        container = (
            self._params["profile"] == "native-fast" and self._runner.run(["docker", "info"], check=False).rc == 0
            if shutil.which("docker")
            else False
        )
        image = container and self._builder_image()
        if not local and not image:
            raise DeployError(
                f"Profile '{self._params['profile']}' needs native-image, and the builder has neither GraalVM nor a builder image.",
                hint="Install GraalVM or Mandrel and set GRAALVM_HOME, pull Quarkus' builder image, or build with profile jvm.",
                failure={"code": "native_missing", "evidence": [], "remedy": "build with profile jvm", "retry": False},
            )
        flagged = self._forkjoinpool_flags()
        if flagged:
            raise DeployError(
                f"The native build would fail: {', '.join(flagged)} sets ForkJoinPool to be initialised at run time.",
                hint=NATIVE_REMEDY,
                failure={"code": "native_forkjoinpool", "evidence": flagged, "remedy": NATIVE_REMEDY, "retry": False},
            )

    def _builder_image(self) -> bool:
        done = self._runner.run(["docker", "image", "ls", "--format", "{{.Repository}}"], check=False)
        return any("ubi-quarkus" in line for line in done.stdout.splitlines())

    def _forkjoinpool_flags(self) -> list[str]:
        found = []
        for path in fingerprints.project_files(self._runner, self._project):
            if not path.endswith((".xml", ".properties", ".yaml", ".yml")):
                continue
            with open(os.path.join(self._project, path), encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    if "initialize-at-run-time" in line and ("ForkJoinPool" in line or "java.util.concurrent" in line):
                        found.append(f"{path}:{number}")
        return found

    def _find(self, ready: Prepared) -> tuple[dict[str, t.Any] | None, str, list[str]]:
        """Return a usable stored artifact or ``None``, why, and which groups of inputs changed."""
        if ready.pom.unpinned:
            return None, "versions that may change without the pom changing: " + ", ".join(ready.pom.unpinned), ["pom"]
        kept = self._store.load(ready.fingerprint)
        if kept is not None:
            damage = self._store.damage(kept)
            if not damage:
                return kept, "fingerprint", []
            return None, f"the stored artifact is damaged: {damage}", []
        latest = self._store.latest()
        if latest is None:
            return None, "there is no stored artifact", sorted(ready.parts)
        before = latest.get("groups", {})
        changed = sorted(key for key in ready.parts if before.get(key) != ready.parts[key])
        return None, "changed inputs: " + ", ".join(changed), changed

    def _execute(self, ready: Prepared) -> dict[str, t.Any]:
        meter = TreeMeter()
        log = self._store.path("build.log")
        started = time.monotonic()
        with self._log.step(EXECUTION) as note:
            rc = self._runner.watch(
                ready.argv,
                log=log,
                cwd=self._project,
                env=ready.env,
                timeout=self._params["timeout"],
                look=meter.sample,
            )
            seconds = time.monotonic() - started
            build = {
                "seconds": round(seconds, 2),
                "peak_memory_bytes": meter.peak_memory_bytes,
                "cpu_seconds": round(meter.cpu_seconds, 2),
                "profile": self._params["profile"],
                "command": " ".join(["./mvnw", *ready.argv[1:]]),
                "log": log,
            }
            if rc != 0:
                raise self._failed(rc, log, build)
            note["detail"] = f"{seconds:.1f} s, peak memory {meter.peak_memory_bytes >> 20} MiB"
        return build

    def _failed(self, rc: int | None, log: str, build: dict[str, t.Any]) -> DeployError:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - LOG_TAIL))
            text = file.read().decode("utf-8", "replace")
        found: Diagnosis = diagnose(rc, text, self._project)
        how = f"did not end within {self._params['timeout']:g} s" if rc is None else f"failed ({found.code})"
        told = "; ".join(found.errors) or tail(text, 3).replace("\n", " ")
        decision: t.Literal["RETRY", "ROLLBACK"] = "RETRY" if found.retry else "ROLLBACK"
        return DeployError(
            f"Maven {how}: {told} The full log is in '{log}'.",
            hint=found.remedy,
            rc=rc,
            build=build,
            failure={
                "code": found.code,
                "evidence": list(found.evidence),
                "remedy": found.remedy,
                "retry": found.retry,
            },
            evidence={"errors": list(found.errors), "lines": list(found.evidence)},
            **verdict(EXECUTION, decision),
        )

    def _publish(self, ready: Prepared, build: dict[str, t.Any]) -> dict[str, t.Any]:
        folder, main = self._artifact_place()
        facts = {
            "version": ready.pom.version,
            "groups": dict(ready.parts),
            "profile": self._params["profile"],
            "build": {key: build[key] for key in ("seconds", "peak_memory_bytes", "cpu_seconds", "command")},
        }
        with tempfile.TemporaryDirectory(prefix=".staged-", dir=self._store.path()) as staged:
            target = os.path.join(staged, "artifact")
            if folder:
                shutil.copytree(os.path.join(self._project, "target", folder), os.path.join(target, folder))
                main = f"{folder}/{main}"
            else:
                os.makedirs(target)
                shutil.copy2(os.path.join(self._project, "target", main), target)
            return self._store.publish(ready.fingerprint, target, {**facts, "main": main})

    def _artifact_place(self) -> tuple[str, str]:
        """Return the folder below ``target/`` that is kept (``""`` for a single file) and the main file in it.

        :raises DeployError: the build left no such file.
        """
        option = self._params["main"]
        folder, main = self._profile.folder, self._profile.main
        if option:
            folder, main = os.path.split(os.path.relpath(option, "target"))
        base = os.path.join(self._project, "target", folder)
        if "*" in main:
            names = [
                name for name in (os.listdir(base) if os.path.isdir(base) else []) if name.endswith(main.strip("*"))
            ]
            main = names[0] if len(names) == 1 else main
        path = os.path.join(base, main)
        if not os.path.isfile(path) or os.path.getsize(path) == 0:
            shown = os.path.relpath(path, self._project)
            raise DeployError(
                f"Maven succeeded, but its artifact '{shown}' is missing or empty.",
                hint="Set main (j4c_build_main) to the file that this project builds.",
            )
        return folder, main

    def _result(
        self,
        ready: Prepared,
        manifest: dict[str, t.Any] | None,
        reason: str,
        changed_inputs: list[str],
        build: dict[str, t.Any] | None,
    ) -> dict[str, t.Any]:
        skipped = manifest is not None and build is None
        latest = self._store.latest()
        before = (latest or {}).get("groups", {})
        if skipped:
            msg = (
                f"Nothing to build: the verified artifact of {manifest['created']} has the same inputs."
                if manifest
                else ""
            )
        elif manifest is None:
            msg = f"Would run {' '.join(['./mvnw', *ready.argv[1:]])}: {reason}."
        else:
            msg = f"Built in {build['seconds'] if build else 0:g} s: {reason}."
        return {
            "changed": not skipped,
            "msg": msg,
            "artifact": self._store.noun(manifest) if manifest else None,
            "build": build,
            "reason": reason,
            "changed_inputs": changed_inputs,
            "steps": self._log.results,
            "evidence": {},
            "diff": {
                "before": "".join(f"{key}: {before.get(key, 'none')[:12]}\n" for key in sorted(ready.parts)),
                "after": "".join(f"{key}: {ready.parts[key][:12]}\n" for key in sorted(ready.parts)),
            }
            if not skipped
            else {"before": "", "after": ""},
            **verdict(VERIFICATION if manifest else PREPARATION, "PROCEED"),
        }

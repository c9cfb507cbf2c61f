# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Maven build: prepared, skipped when nothing changed, run, verified and kept.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _fingerprint as fingerprints
from ansible_collections.j4c.deploy.plugins.module_utils import _maven_native as native
from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import ArtifactStore
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._events import Events, Status
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import (
    ARTIFACT_SIZE,
    BY_CODE,
    CHANGED_MEANWHILE,
)
from ansible_collections.j4c.deploy.plugins.module_utils._maven_output import check_main, clear, find_output
from ansible_collections.j4c.deploy.plugins.module_utils._maven_profiles import MIB, PROFILES, limits_of
from ansible_collections.j4c.deploy.plugins.module_utils._maven_project import (
    Jdk,
    Pom,
    find_jdk,
    named_files,
    read_pom,
    require_wrapper,
    told_arguments,
)
from ansible_collections.j4c.deploy.plugins.module_utils._maven_run import EXECUTION, Command, MavenRun
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PREPARATION, VERIFICATION = "build_preparation", "artifact_verification"
# a build is over before a better compiler or collector would pay
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
MIN_FREE_BYTES = 512 * MIB
# below this nobody else had the lock
WAIT_SECONDS = 0.05
# shorter than the time in which whoever follows the events expects one
RETRY_SECONDS = 4.0
# a passing fault of the network; what else may go well later needs a person first
PASSING = frozenset({"network", "wrapper_download"})
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
NATIVE_FAILURE = "native_"
LARGEST_FILES = 3
NATIVE_PROPERTY = re.compile(r"native$|quarkus\.native\.|quarkus\.package\.type$")
NATIVE_ARGUMENT = re.compile(rf"-Pnative|-D({NATIVE_PROPERTY.pattern.replace('$', '(=|$)')})")


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before Maven runs."""

    pom: Pom
    jdk: Jdk
    command: Command
    groups: t.Mapping[str, str]
    fingerprint: str
    # what it is, when it is nothing else
    commit: str


@dataclass(frozen=True)
class Found:
    """What the store has: a usable manifest or ``None``, the reason, and the groups of inputs that changed."""

    manifest: dict[str, t.Any] | None
    reason: str
    changed_inputs: tuple[str, ...]


def build(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Build a project as its options say, and in JVM mode when that is asked for and the native build cannot be made.

    :param params: the module's options, see its documentation.
    :returns: the module's result.
    :raises DeployError: something is missing, or the build failed; the artifact that stays usable is named.
    """
    first = MavenBuild(params)
    try:
        return first.run(check_mode)
    except DeployError as exc:
        failure = exc.fields.get("failure") or {}
        falls = params["build_fallback"] != "none" and params["profile"] != params["build_fallback"]
        if not falls or not str(failure.get("code", "")).startswith(NATIVE_FAILURE):
            raise
        result = MavenBuild(_fallen(params)).run(check_mode)
        loud = (
            f"FALLBACK: profile '{params['profile']}' could not be built ({failure['code']}), "
            f"this is profile '{params['build_fallback']}' instead."
        )
        return {
            **result,
            "msg": f"{loud} {result['msg']}",
            "fallback": {"from": params["profile"], "to": params["build_fallback"], "failure": failure},
            "steps": [*(exc.steps or []), *result["steps"]],
            "warnings": [f"{loud} {exc.msg}"],
        }


def _fallen(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of the build that takes the place of a native one: without what makes it native again."""
    return {
        **params,
        "profile": params["build_fallback"],
        "main": "",
        "goals": [item for item in params["goals"] if not NATIVE_ARGUMENT.match(item)],
        "properties": {key: item for key, item in params["properties"].items() if not NATIVE_PROPERTY.match(key)},
    }


class MavenBuild:
    """A build of one project.

    :param params: the module's options, see its documentation.
    """

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self._params = params
        self._project = os.path.realpath(params["project"])
        self._profile = PROFILES[params["profile"]]
        self._main = str(params["main"] or self._profile.main)
        self._store = ArtifactStore(params["store"], params["name"])
        self._limits = self._profile.limits
        self._runner = Runner()
        self._events = Events(params["events"], params["task_id"] or f"build-{params['name']}-{os.urandom(4).hex()}")
        self._log = StepLog()
        self._phase = PREPARATION
        self._build: dict[str, t.Any] | None = None

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Return the module's result.

        :raises DeployError: something is missing, or the build failed; the artifact that stays usable is named.
        """
        try:
            with self._log.step(PREPARATION) as note:
                self._check_options()
                ready = self._prepare()
                note["detail"] = f"JDK {ready.jdk.version}, fingerprint {ready.fingerprint[:12]}"
                found = self._find(ready)
            before = self._store.latest()
            if not check_mode:
                self._events.prepare()
            if found.manifest is None and not check_mode:
                self._tell(PREPARATION, "IN_PROGRESS", f"Building: {found.reason}.", 1, 0, "BUILD")
                ready, found = self._make(ready)
            elif found.manifest is not None and not check_mode:
                self._store.select(ready.fingerprint, ready.commit)
            result = self._result(ready, found, before)
        except DeployError as exc:
            self._complete(exc)
            if not check_mode:
                self._tell(self._phase, "FAILED", exc.msg, 3, 0, str(exc.fields["decision"]), [exc.msg])
            raise
        if not check_mode:
            self._tell(VERIFICATION, "SUCCESS", result["msg"], 3, 100, "PROCEED")
        return result

    def _tell(
        self,
        phase: str,
        status: Status,
        message: str,
        step: int,
        percentage: int,
        next_action: str,
        errors: t.Sequence[str] = (),
    ) -> None:
        build = self._build or {}
        self._events.send(
            phase,
            status,
            message,
            step=step,
            steps=3,
            percentage=percentage,
            name=phase,
            metrics={"build_profile": self._params["profile"], "elapsed_time": build.get("seconds", 0)},
            next_action=next_action,
            rollback_available=self._store.latest() is not None,
            critical_errors=errors,
        )

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
        if self._profile.native and str(exc.fields.get("failure", {}).get("code", "")).startswith(NATIVE_FAILURE):
            files = fingerprints.project_files(self._runner, self._project)
            exc.fields["evidence"] = {
                **exc.fields["evidence"],
                "forkjoinpool_flag": self._flag(files),
                "forkjoinpool_users": native.pool_users(self._project, files),
            }
        if latest:
            exc.msg += f" The artifact of {latest['created']} ({latest['fingerprint'][:12]}) stays usable."

    def _flag(self, files: t.Iterable[str]) -> list[str]:
        params = self._params
        return native.find_flag(self._project, files, params["properties"], params["goals"])

    def _prepare(self) -> Prepared:
        params = self._params
        arguments = [*params["goals"], *(f"-D{key}={_text(value)}" for key, value in params["properties"].items())]
        told = told_arguments(self._project, arguments, os.environ)
        pom = read_pom(self._project, told)
        wrapper = require_wrapper(self._project)
        identity = ""
        more: tuple[str, ...] = ()
        if self._profile.native:
            files = set(fingerprints.project_files(self._runner, self._project))
            native.refuse_flag(
                self._flag(files | {os.path.relpath(path, self._project) for path in (*pom.files, *pom.inherited)})
            )
            builder = native.find_builder(
                self._runner, params["profile"], params["properties"], self._profile.arguments
            )
            identity, more = f"{builder.identity} {os.uname().machine}", builder.arguments
        jdk = find_jdk(params["java_home"], os.environ.get("JAVA_HOME", ""), pom.java)
        argv = [wrapper, "-B", *params["goals"], *self._profile.arguments, *more]
        if not params["tests"]:
            argv.append("-DskipTests")
        argv += [f"-D{key}={_text(value)}" for key, value in sorted(params["properties"].items())]
        groups = fingerprints.groups(
            self._runner,
            self._project,
            poms=pom.files,
            jdk=jdk.release + identity,
            options=[params["profile"], self._main, *argv[1:]],
            environment=os.environ,
            named=pom.environment,
            settings=[*fingerprints.USER_SETTINGS, *named_files(self._project, told)],
            modules=pom.modules,
            words=pom.words,
            extra=params["inputs"],
            outputs=pom.outputs,
        )
        head, clean = self._head()
        if pom.tells_commit:
            groups["commit"] = fingerprints.hash_text(head)
        command = Command(tuple(argv), self._environment(jdk), params["profile"])
        return Prepared(pom, jdk, command, groups, fingerprints.fingerprint(groups), head if clean else "")

    def _head(self) -> tuple[str, bool]:
        """Return the commit of the project, ``""`` when it has none, and whether the project is just that commit."""
        argv = ["git", "-C", self._project, "status", "--porcelain=v2", "--branch", "--", "."]
        lines = self._runner.run(argv, check=False).stdout.splitlines()
        told = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "")
        return told if told != "(initial)" else "", all(line.startswith("#") for line in lines)

    def _environment(self, jdk: Jdk) -> dict[str, str]:
        """Return the variables of the build; how its JVM is tuned is no input, and never against the user's word."""
        env = {"JAVA_HOME": jdk.home}
        told = "MAVEN_OPTS" in os.environ or os.path.exists(os.path.join(self._project, ".mvn", "jvm.config"))
        if not told and not self._profile.native:
            env["MAVEN_OPTS"] = SHORT_LIVED
        return env

    def _check_options(self) -> None:
        params = self._params
        self._main = check_main(self._main)
        self._limits = limits_of(self._profile, params["timeout"], params["limits"])
        if not NAME.match(params["name"]):
            raise DeployError(
                f"Option name is '{params['name']}': it names a directory of the store.",
                hint="Use letters, digits, dots, dashes and underscores (j4c_artifact).",
            )
        for option, least in (("keep", 1), ("keep_days", 0), ("lock_timeout", 0), ("retries", 0)):
            if params[option] < least:
                raise DeployError(
                    f"Option {option} is {params[option]:g}: it must be at least {least}.",
                    hint=f"Set {option} to {least} or more.",
                )
        if not os.path.isdir(self._project):
            raise DeployError(
                f"Option project is '{params['project']}': there is no such directory.",
                hint="Set project (j4c_source) to the clone of the service.",
            )
        for place in (self._project, _existing(params["store"])):
            free = shutil.disk_usage(place).free
            if free < MIN_FREE_BYTES:
                raise DeployError(
                    f"Only {free >> 20} MiB are free at '{place}', a build needs {MIN_FREE_BYTES >> 20}.",
                    hint=" ".join(BY_CODE["disk"].remedies),
                    failure=BY_CODE["disk"].result(),
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
        with self._store.lock(self._params["lock_timeout"], self._project, self._waiting) as handles:
            waited = time.monotonic() - asked
            if waited > WAIT_SECONDS:
                self._log.add("lock", "ok", "waited for another build", waited)
            tree = fingerprints.tree_hash(self._runner, self._project, ready.pom.modules, ready.pom.outputs)
            # while this one waited, the project may have changed, and another build may have made its artifact
            ready = self._prepare()
            again = self._find(ready)
            if again.manifest is not None:
                self._store.select(ready.fingerprint, ready.commit)
                return ready, again
            self._phase = EXECUTION
            self._run_maven(ready, handles)
            self._phase = VERIFICATION
            with self._log.step(VERIFICATION) as note:
                if fingerprints.tree_hash(self._runner, self._project, ready.pom.modules, ready.pom.outputs) != tree:
                    raise DeployError(
                        f"The project '{self._project}' changed while it was built, "
                        "so nobody can tell what the artifact was made of.",
                        hint=" ".join(CHANGED_MEANWHILE.remedies),
                        failure=CHANGED_MEANWHILE.result(),
                    )
                manifest = self._publish(ready)
                note["detail"] = f"{len(manifest['files'])} files, main {manifest['main']}"
            removed = self._store.prune(self._params["keep"], self._params["released"], self._params["keep_days"])
            if removed:
                self._log.add("retention", "ok", f"removed {len(removed)} artifacts")
        return ready, Found(manifest, again.reason, again.changed_inputs)

    def _waiting(self, who: str) -> None:
        self._tell(PREPARATION, "IN_PROGRESS", f"Waiting for another build: {who}.", 1, 0, "WAIT")

    def _run_maven(self, ready: Prepared, handles: t.Collection[int]) -> None:
        """Run Maven, and once more after a fault that may have passed."""
        for left in range(self._params["retries"], -1, -1):
            run = MavenRun(self._runner, self._project, self._store, self._limits, self._events)
            try:
                with self._log.step(EXECUTION) as note:
                    clear(self._project, ready.pom.outputs, self._main)
                    try:
                        note["detail"] = run.run(ready.command, handles)
                    finally:
                        self._build = run.build
                return
            except DeployError as exc:
                if not left or exc.fields.get("failure", {}).get("code") not in PASSING:
                    raise
                self._tell(EXECUTION, "IN_PROGRESS", f"{exc.msg} It is tried again.", 2, 0, "RETRY", [exc.msg])
                time.sleep(RETRY_SECONDS)

    def _publish(self, ready: Prepared) -> dict[str, t.Any]:
        build = self._build or {}
        main, files = find_output(self._project, self._main)
        self._check_size(files)
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
        manifest = self._store.publish(name, files, facts, build.get("log", ""))
        self._store.select(name, ready.commit)
        return manifest

    def _check_size(self, files: t.Mapping[str, str]) -> None:
        sizes = {path: os.path.getsize(place) for path, place in files.items()}
        total, limit = sum(sizes.values()), self._limits.artifact_bytes
        if 0 < limit < total:
            largest = sorted(sizes, key=lambda path: -sizes[path])[:LARGEST_FILES]
            raise DeployError(
                f"The artifact has {total / MIB:.1f} MiB, its limit is {limit / MIB:.1f}; the largest of its "
                f"{len(sizes)} files: {', '.join(f'{path} ({sizes[path] / MIB:.1f})' for path in largest)}.",
                hint=" ".join(ARTIFACT_SIZE.remedies),
                failure=ARTIFACT_SIZE.result(subjects=largest),
            )

    def _result(self, ready: Prepared, found: Found, before: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
        manifest, built = found.manifest, self._build is not None
        hit = manifest is not None and not built
        if hit and manifest:
            msg = f"Nothing to build: the verified artifact of {manifest['created']} has the same inputs."
        elif self._build:
            msg = f"Built in {self._build['seconds']:g} s: {found.reason}."
        else:
            msg = f"Would run {ready.command.text}: {found.reason}."
        old, new = (before or {}).get("groups", {}), ready.groups
        names = [] if hit else sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return {
            "changed": not hit,
            "msg": msg,
            "artifact": self._store.noun(manifest) if manifest else None,
            "build": self._build,
            "limits": self._limits.as_result(),
            "fallback": None,
            "reason": found.reason,
            "changed_inputs": list(found.changed_inputs),
            "steps": self._log.results,
            "evidence": {"groups": dict(ready.groups), "jdk": ready.jdk.version, "java_home": ready.jdk.home},
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


def _existing(path: str) -> str:
    """Return the path, or the nearest directory above it that exists."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path

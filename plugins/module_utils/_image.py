# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds an image from a verified artifact on the engine of this machine.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import tempfile
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_hadolint as hadolint
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_policy as policies
from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils import _image_dockerfile as dockerfiles
from ansible_collections.j4c.deploy.plugins.module_utils import _image_recipe as recipes
from ansible_collections.j4c.deploy.plugins.module_utils import _image_report as report
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_finding import Finding
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_syntax import read_instructions
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import tail
from ansible_collections.j4c.deploy.plugins.module_utils._image_recipe import Recipe, Step, Tagged, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"
LOG_LINES = 60
STEP_LINES = 5


def build_command(recipe: Recipe, wanted: Wanted, directory: str, metadata: str) -> list[str]:
    """Return the argv of the build."""
    # on one of the engine's stores, provenance would give the image a new id with every build
    argv = ["docker", "buildx", "build", "--builder", "default", "--load", "--provenance=false", "--progress", "plain"]
    argv += ["--metadata-file", metadata]
    if not wanted.cache:
        argv.append("--no-cache")
    for option, values in (("--build-arg", wanted.args), ("--label", recipe.labels)):
        for key in sorted(values):
            argv += [option, f"{key}={values[key]}"]
    for tag in recipe.tags:
        argv += ["--tag", tag]
    return [*argv, "--", directory]


@contextlib.contextmanager
def _workspace() -> t.Iterator[str]:
    """Yield a directory that is gone afterwards."""
    try:
        made = tempfile.TemporaryDirectory(prefix="j4c-image-")
    except OSError as exc:
        raise DeployError(
            f"No directory for the build context could be made: {exc}.", hint=context.TMPDIR_HINT
        ) from exc
    with made as work:
        yield work


class ImageBuilder:
    """Builds one image on the engine of this machine.

    :param connect: returns a client of the engine's API.
    """

    def __init__(self, connect: t.Callable[[], t.Any], runner: Runner, wanted: Wanted) -> None:
        self._connect = connect
        self._runner = runner
        self._wanted = wanted
        self._log = StepLog()

    def converge(self, check_mode: bool) -> dict[str, t.Any]:
        """Bring the image and its tags to what was asked for.

        :returns: ``changed``, ``image``, ``phase``, ``decision``, ``steps``, ``evidence``, ``diff``.
        :raises DeployError: it cannot be built; with ``phase``, ``decision`` and the steps done so far.
        """
        try:
            return self._converge(check_mode)
        except DeployError as exc:
            exc.fields = {**verdict(PHASE, "ROLLBACK"), **exc.fields}
            if exc.steps is None:
                exc.steps = self._log.results
            raise

    def _converge(self, check_mode: bool) -> dict[str, t.Any]:
        wanted = self._wanted
        if check_mode and not os.path.isdir(str(wanted.artifact.get("path") or "")):
            # in a dry run of the whole pipeline the build before this one was only planned
            self._log.add("build", "planned", "the artifact is not built yet")
            return self._result(True, None, {"reason": "the artifact is not built yet", "changed_inputs": []})
        with self._log.step("observe"):
            policy = policies.make_policy(wanted.policy)
            text = recipes.read_dockerfile(wanted.dockerfile)
            stages = dockerfiles.stages(read_instructions(wanted.dockerfile, text, wanted.args), wanted.args)
            artifact = context.load_artifact(wanted.artifact)
            api = self._connect()
            images = {item.name: engine.inspect_image(api, item.name) or {} for item in dockerfiles.bases(stages)}
            bases = {name: image.get("Id") for name, image in images.items()}
            recipe = recipes.make_recipe(wanted, artifact, text, bases)
            tagged = self._tagged(api, recipe)
        findings = self._inspect(policy, stages, recipe, images)
        steps = recipes.plan(recipe, tagged)
        builds = any(step.action == "build" for step in steps)
        evidence = {
            "reason": "; ".join(step.why for step in steps) or "nothing changed",
            "changed_inputs": recipes.changed_inputs(tagged[0].inputs, recipe.inputs) if tagged and builds else [],
            "fingerprint": recipe.fingerprint,
            "layout": recipe.layout,
            "bases": [{"name": name, "id": bases[name]} for name in sorted(bases)],
            "findings": [policies.as_dict(item, wanted.dockerfile) for item in findings],
        }
        image_id = None if steps else tagged[0].id
        for step in steps:
            if check_mode:
                self._log.add(step.action, "planned", step.why)
                image_id = step.id
            else:
                image_id = self._build(api, recipe) if step.action == "build" else self._tag(api, step)
        image = self._describe(api, recipe, image_id) if image_id else None
        warnings = [
            policies.shown(item, wanted.dockerfile)
            for item in findings
            if item.severity != "info" and not item.excepted
        ]
        result = self._result(bool(steps), image, evidence)
        return {**result, "diff": recipes.diff_of(recipe, tagged), "warnings": warnings}

    def _inspect(
        self,
        policy: policies.Policy,
        stages: t.Sequence[dockerfiles.Stage],
        recipe: Recipe,
        images: t.Mapping[str, t.Mapping[str, t.Any]],
    ) -> list[Finding]:
        """Return what the policy finds in the Dockerfile.

        :raises DeployError: some of it is refused.
        """
        path = self._wanted.dockerfile
        with self._log.step("policy") as note:
            users = {
                name: str((image.get("Config") or {}).get("User") or "") for name, image in images.items() if image
            }
            filled = sorted({item.layer for item in recipe.placements})
            today = datetime.datetime.now(datetime.timezone.utc).date()
            found = policies.inspect(policy, stages, context.LAYERS, filled, users, today)
            linted = hadolint.lint(self._runner, path) if policy.hadolint else []
            findings = policies.apply_policy(policy, [*found, *(linted or [])])
            policies.enforce(policy, findings, path)
            note["detail"] = f"{len(findings)} findings{'' if linted is not None else ', hadolint is not installed'}"
        return findings

    def _result(self, changed: bool, image: dict[str, t.Any] | None, evidence: dict[str, t.Any]) -> dict[str, t.Any]:
        result = {"changed": changed, "image": image, "steps": self._log.results, "evidence": evidence}
        return {**result, **verdict(PHASE, "PROCEED")}

    def _tagged(self, api: t.Any, recipe: Recipe) -> list[Tagged]:
        found = []
        for tag in recipe.tags:
            inspected = engine.inspect_image(api, tag)
            if inspected is not None:
                labels = (inspected.get("Config") or {}).get("Labels") or {}
                try:
                    inputs = dict(json.loads(labels.get(recipes.INPUTS_LABEL, "{}")))
                except (ValueError, TypeError):
                    inputs = {}
                found.append(Tagged(tag, inspected["Id"], labels.get(recipes.FINGERPRINT_LABEL, ""), inputs))
        return found

    def _tag(self, api: t.Any, step: Step) -> str:
        repository, tag = step.tag.rsplit(":", 1)
        with self._log.step("tag") as note, engine.engine_errors(f"Tagging image {step.id} as '{step.tag}'"):
            note["detail"] = f"{step.tag}: {step.why}"
            api.tag(step.id, repository, tag)
        return step.id

    def _build(self, api: t.Any, recipe: Recipe) -> str:
        with _workspace() as work:
            # BuildKit keeps what it was sent by the directory's name, and compares sizes and times only: so a new name
            directory = os.path.join(work, os.path.basename(work))
            with self._log.step("stage") as note:
                copied = context.stage(recipe.artifact, recipe.placements, recipe.dockerfile, directory)
                note["detail"] = f"{len(recipe.placements)} files, {copied} bytes verified"
            with self._log.step("build") as note:
                built = self._run_buildx(recipe, directory, os.path.join(work, "metadata.json"))
                image = engine.inspect_image(api, recipe.tags[0])
                if image is None or image["Id"] not in built:
                    raise DeployError(
                        f"buildx built {', '.join(sorted(built)) or 'an image'}, but the engine names "
                        f"{image['Id'] if image else 'nothing'} '{recipe.tags[0]}'.",
                        hint="Let DOCKER_HOST name the engine to use, and see that nobody else builds this image now.",
                    )
                note["detail"] = image["Id"]
        return str(image["Id"])

    def _run_buildx(self, recipe: Recipe, directory: str, metadata: str) -> set[str]:
        """Build, and return the ids that the result may have: the engine's two image stores name it differently."""
        wanted = self._wanted
        self._runner.find("docker", hint="Install it, or run the role j4c.deploy.engine.")
        # the context "default" is the engine that DOCKER_HOST names, as it is for the API
        env = {"SOURCE_DATE_EPOCH": str(recipe.epoch), "DOCKER_CONTEXT": "default", "BUILDX_BUILDER": None}
        argv = build_command(recipe, wanted, directory, metadata)
        try:
            done = self._runner.run(
                argv, env=env, check=False, timeout=wanted.timeout, what=f"Building image '{recipe.tags[0]}'"
            )
        except DeployError as exc:
            exc.hint = exc.hint or "Look at the step that hung, in stderr, or raise the option timeout."
            exc.stderr = tail(exc.stderr or "", LOG_LINES)
            raise
        if done.rc != 0:
            found = report.diagnose(done.stderr, wanted.dockerfile, context.LAYERS)
            output = report.step_output(done.stderr, STEP_LINES)
            raise DeployError(
                f"Building image '{recipe.tags[0]}' failed: {found.msg}.",
                hint=found.hint,
                command=done.argv,
                rc=done.rc,
                stdout=done.stdout,
                stderr=tail(done.stderr, LOG_LINES),
                evidence={
                    "code": found.code,
                    "dockerfile": {"path": wanted.dockerfile, "line": found.line, "text": found.excerpt},
                    "output": output,
                },
            )
        with open(metadata, encoding="utf-8") as file:
            data = json.load(file)
        return {data[key] for key in ("containerimage.config.digest", "containerimage.digest") if data.get(key)}

    def _describe(self, api: t.Any, recipe: Recipe, image_id: str) -> dict[str, t.Any]:
        with engine.engine_errors(f"Reading the layers of image '{image_id}'"):
            history = api.history(image_id)
        inspected = engine.inspect_image(api, image_id)
        if inspected is None:
            raise DeployError(f"Image {image_id} was removed while this module looked at it.", hint="Run it again.")
        return report.describe(self._wanted.name, inspected, history, recipe.tags)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds an image from a verified artifact on the engine of this machine.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import datetime
import os
import typing as t
from dataclasses import replace

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_hadolint as hadolint
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_policy as policies
from ansible_collections.j4c.deploy.plugins.module_utils import _image_bases as base_images
from ansible_collections.j4c.deploy.plugins.module_utils import _image_build as builds
from ansible_collections.j4c.deploy.plugins.module_utils import _image_checks as checks
from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils import _image_dockerfile as dockerfiles
from ansible_collections.j4c.deploy.plugins.module_utils import _image_documents as documents
from ansible_collections.j4c.deploy.plugins.module_utils import _image_leaks as leaks
from ansible_collections.j4c.deploy.plugins.module_utils import _image_recipe as recipes
from ansible_collections.j4c.deploy.plugins.module_utils import _image_report as report
from ansible_collections.j4c.deploy.plugins.module_utils import _image_sbom as sboms
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_finding import Finding
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_observe import Observed, observe, tagged_images
from ansible_collections.j4c.deploy.plugins.module_utils._image_recipe import BaseImage, Recipe, Step, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"
NOT_BUILT = "the artifact is not built yet"


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class ImageBuilder:
    """Builds one image on the engine of this machine.

    :param connect: returns a client of the engine's API; takes the seconds that a call may take.
    """

    def __init__(self, connect: t.Callable[..., t.Any], runner: Runner, wanted: Wanted) -> None:
        self._connect = connect
        self._runner = runner
        self._wanted = wanted
        self._log = StepLog()
        self._warnings: list[str] = []

    def converge(self, check_mode: bool) -> dict[str, t.Any]:
        """Bring the image, its tags and its documents to what was asked for.

        :returns: ``changed``, ``image``, ``documents``, ``phase``, ``decision``, ``steps``, ``evidence``, ``diff``.
        :raises DeployError: it cannot be built, or must not be; with ``phase``, ``decision`` and the steps done so far.
        """
        try:
            return self._converge(check_mode)
        except DeployError as exc:
            exc.fields = {**verdict(PHASE, "ROLLBACK"), **exc.fields}
            if exc.steps is None:
                exc.steps = self._log.results
            raise

    def _converge(self, check_mode: bool) -> dict[str, t.Any]:
        if check_mode and not os.path.isdir(str(self._wanted.artifact.get("path") or "")):
            # in a dry run of the whole pipeline the build before this one was only planned
            self._log.add("build", "planned", NOT_BUILT)
            return self._result(True, None, None, {"reason": NOT_BUILT, "changed_inputs": []})
        with self._log.step("observe"):
            seen = observe(self._connect, self._wanted)
        findings = self._inspect(seen)
        missing = [base for base in dockerfiles.bases(seen.stages) if not seen.bases[base.name].id]
        if missing:
            seen = self._pull(seen, missing, check_mode)
        steps = recipes.plan(seen.recipe, seen.tagged)
        planned = any(step.action == "build" for step in steps)
        evidence = {
            "reason": "; ".join(step.why for step in steps) or "nothing changed",
            "changed_inputs": recipes.changed_inputs(seen.tagged[0].inputs, seen.recipe.inputs)
            if seen.tagged and planned
            else [],
            "fingerprint": seen.recipe.fingerprint,
            "layout": seen.recipe.layout,
            "bases": [
                {"name": base.name, "id": base.id or None, "digest": base.digest or None}
                for base in sorted(seen.bases.values(), key=_name)
            ],
            "findings": [policies.as_dict(item, self._wanted.dockerfile) for item in findings],
        }
        image_id = None if steps else seen.tagged[0].id
        for step in steps:
            if check_mode:
                self._log.add(step.action, "planned", step.why)
                image_id = step.id
            else:
                image_id = self._build(seen) if step.action == "build" else self._tag(seen.api, step)
        changed = bool(steps or missing)
        image, kept = None, None
        if image_id:
            image, kept, told, written = self._account(seen, image_id, check_mode)
            changed = changed or written
            evidence.update(told)
        result = self._result(changed, image, kept, evidence)
        return {**result, "diff": recipes.diff_of(seen.recipe, seen.tagged), "warnings": self._warnings}

    def _result(
        self,
        changed: bool,
        image: dict[str, t.Any] | None,
        kept: dict[str, t.Any] | None,
        evidence: dict[str, t.Any],
    ) -> dict[str, t.Any]:
        result = {"changed": changed, "image": image, "documents": kept, "evidence": evidence}
        return {**result, "steps": self._log.results, **verdict(PHASE, "PROCEED")}

    def _inspect(self, seen: Observed) -> list[Finding]:
        """Return what the policy finds in the Dockerfile.

        :raises DeployError: some of it is refused.
        """
        path = self._wanted.dockerfile
        with self._log.step("policy") as note:
            users = {base.name: base.user for base in seen.bases.values() if base.id}
            filled = sorted({item.layer for item in seen.recipe.placements})
            today = datetime.datetime.now(datetime.timezone.utc).date()
            found = policies.inspect(seen.policy, seen.stages, context.LAYERS, filled, users, today)
            linted = hadolint.lint(self._runner, path) if seen.policy.hadolint else []
            findings = policies.apply_policy(seen.policy, [*found, *(linted or [])])
            policies.enforce(seen.policy, findings, path)
            note["detail"] = f"{len(findings)} findings{'' if linted is not None else ', hadolint is not installed'}"
        told = (item for item in findings if item.severity != "info" and not item.excepted)
        self._warnings += [policies.shown(item, path) for item in told]
        return findings

    def _pull(self, seen: Observed, missing: t.Sequence[dockerfiles.Base], check_mode: bool) -> Observed:
        """Get the base images that the engine lacks, and return what is known with them."""
        names = ", ".join(base.name for base in missing)
        if check_mode:
            self._log.add("pull", "planned", names)
            return seen
        with self._log.step("pull") as note:
            api = self._connect(self._wanted.timeout)
            for base in missing:
                base_images.pull(api, base, self._wanted.dockerfile)
            note["detail"] = names
            bases = base_images.look(seen.api, seen.bases)
            recipe = recipes.make_recipe(self._wanted, seen.artifact, seen.text, bases)
        return replace(seen, bases=bases, recipe=recipe, tagged=tagged_images(seen.api, recipe))

    def _tag(self, api: t.Any, step: Step) -> str:
        repository, tag = step.tag.rsplit(":", 1)
        with self._log.step("tag") as note, engine.engine_errors(f"Tagging image {step.id} as '{step.tag}'"):
            note["detail"] = f"{step.tag}: {step.why}"
            api.tag(step.id, repository, tag)
        return step.id

    def _documents(self, recipe: Recipe) -> documents.Documents:
        return documents.Documents(self._wanted.documents or recipe.artifact.path)

    def _build(self, seen: Observed) -> str:
        recipe, started = seen.recipe, _now()
        kept = self._documents(recipe)
        with builds.workspace() as work:
            # BuildKit keeps what it was sent by the directory's name, and compares sizes and times only: so a new name
            directory = os.path.join(work, os.path.basename(work))
            with self._log.step("stage") as note:
                kept.check_writable()
                size = sum(item.file.size for item in recipe.placements)
                room = builds.check_room(seen.api, size, self._wanted.min_free_mb)
                context.stage(recipe.artifact, recipe.placements, recipe.dockerfile, directory)
                paths = {item.file.path: os.path.join(directory, item.layer, item.target) for item in recipe.placements}
                sbom = sboms.make_sbom(recipe.artifact, paths)
                note["detail"] = f"{len(recipe.placements)} files, {size} bytes verified; {room}"
            with self._log.step("build") as note:
                labels = {**recipe.labels, recipes.SBOM_LABEL: sboms.digest(sbom)}
                ids = builds.build(self._runner, self._wanted, recipe, labels, seen.secrets, directory)
                inspected = self._built(seen.api, ids)
                image_id = note["detail"] = str(inspected["Id"])
            with self._log.step("examine") as note:
                try:
                    found = self._examine(seen, inspected, work)
                    note["detail"] = f"{sum(found.wasted)} bytes wasted, {len(found.leaks)} secrets"
                except DeployError:
                    checks.discard(seen.api, image_id)
                    raise
        for tag in recipe.tags:
            self._tag(seen.api, Step("tag", "it has passed", tag, image_id))
        with self._log.step("document"):
            kept.write_sbom(sbom)
            measured = {"wasted": found.wasted, "leaks": [leaks.as_dict(item, seen.scan) for item in found.leaks]}
            times = {"startedOn": started, "finishedOn": _now()}
            statement = documents.make_provenance(
                self._wanted, recipe, seen.bases.values(), image_id, sbom, measured, times
            )
            kept.write_provenance(image_id, statement)
        return image_id

    def _built(self, api: t.Any, ids: t.Collection[str]) -> dict[str, t.Any]:
        for image_id in ids:
            inspected = engine.inspect_image(api, image_id)
            if inspected is not None:
                return inspected
        raise DeployError(
            f"buildx built {', '.join(sorted(ids)) or 'an image'}, but the engine has no such image.",
            hint="Let DOCKER_HOST name the engine to use, and see that nobody removes images ('docker image prune') meanwhile.",
        )

    def _examine(self, seen: Observed, inspected: dict[str, t.Any], work: str) -> checks.Found:
        """Return what is in the image that was built.

        :raises DeployError: that must not be.
        """
        start = seen.recipe.start
        known = {*(start.layers if start else ()), *(seen.released_layers() or ())}
        foreign = {item.target for item in seen.recipe.placements if item.layer == context.LIBRARIES}
        if seen.scan.action == "skip":
            found = checks.Found([], [])
        else:
            found = checks.examine(seen.api, inspected, work, seen.values, known, foreign)
        layers = checks.layers_of(seen.api, inspected)
        compared, sums = checks.describe_layers(layers, seen.released_layers(), found.wasted, inspected["Size"])
        self._warnings += checks.judge(seen.budget, sums, compared, seen.scan, found.leaks)
        return found

    def _account(
        self, seen: Observed, image_id: str, check_mode: bool
    ) -> tuple[dict[str, t.Any], dict[str, t.Any], dict[str, t.Any], bool]:
        """Return the image, its documents, what is known of its layers, and whether documents were written again."""
        with engine.engine_errors(f"Reading the layers of image '{image_id}'"):
            history = seen.api.history(image_id)
        inspected = engine.inspect_image(seen.api, image_id)
        if inspected is None:
            raise DeployError(f"Image {image_id} was removed while this module looked at it.", hint="Run it again.")
        image = report.describe(self._wanted.name, inspected, history, seen.recipe.tags)
        kept, measured, written = self._keep_documents(seen, image, check_mode)
        layers, sums = checks.describe_layers(
            image["layers"], seen.released_layers(), measured.get("wasted"), image["size"]
        )
        if not self._log_has("build"):
            self._warnings += checks.judge(seen.budget, sums, layers, seen.scan, [])
        name = self._wanted.released_image
        released = {"name": name, "id": (seen.released or {}).get("Id")} if name else None
        told = {"layers": layers, "sums": sums, "leaks": measured.get("leaks", []), "released": released}
        return image, kept, told, written

    def _log_has(self, name: str) -> bool:
        return any(step["name"] == name for step in self._log.results)

    def _keep_documents(
        self, seen: Observed, image: t.Mapping[str, t.Any], check_mode: bool
    ) -> tuple[dict[str, t.Any], dict[str, t.Any], bool]:
        """Return the documents of an image and what was measured then; write those again that are gone."""
        kept = self._documents(seen.recipe)
        wanted_sha = image["labels"].get(recipes.SBOM_LABEL, "")
        sbom, provenance = kept.sbom(wanted_sha), kept.provenance(image["id"])
        measured = provenance[1] if provenance else {}
        if sbom and provenance:
            return {"sbom": sbom, "provenance": provenance[0]}, measured, False
        if check_mode:
            self._log.add("document", "planned", "a document of the image is gone")
            return {"sbom": sbom, "provenance": provenance[0] if provenance else None}, measured, True
        with self._log.step("document") as note:
            note["detail"] = "written again: a document of the image was gone"
            kept.check_writable()
            artifact = seen.artifact
            text = sboms.make_sbom(
                artifact, {item.path: os.path.join(artifact.path, item.path) for item in artifact.files}
            )
            if sboms.digest(text) != wanted_sha:
                raise DeployError(
                    f"The artifact '{artifact.path}' is not the one that image {image['id']} was built from: "
                    f"its bill of materials has another checksum.",
                    hint=context.BUILD_AGAIN,
                )
            sbom = kept.write_sbom(text)
            if provenance is None:
                # when it was built, nobody knows any more
                statement = documents.make_provenance(
                    self._wanted, seen.recipe, seen.bases.values(), image["id"], text, measured, {}
                )
                provenance = (kept.write_provenance(image["id"], statement), measured)
        return {"sbom": sbom, "provenance": provenance[0]}, measured, True


def _name(base: BaseImage) -> str:
    return base.name

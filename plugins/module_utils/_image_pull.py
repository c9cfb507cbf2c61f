# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls an image by its digest, and verifies that the engine has got that one.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._registry_api import Manifest, RegistryApi
from ansible_collections.j4c.deploy.plugins.module_utils._registry_courier import Courier, Progress
from ansible_collections.j4c.deploy.plugins.module_utils._registry_errors import registry_error
from ansible_collections.j4c.deploy.plugins.module_utils._registry_place import (
    check_digest,
    check_tags,
    repository_from,
)
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"


@dataclass(frozen=True)
class Wanted:
    """What was asked for.

    :param name: the image's name in the registry, without a tag.
    :param digest: its digest there; empty when it is not pushed yet, in check mode.
    :param tags: the tags that it gets on this engine, so that tidying up does not take it for waste.
    :param credentials: path of the file with the login, if any.
    :param retries: how often a thing is tried again that failed for a reason that may pass.
    :param timeout: seconds for everything.
    """

    name: str
    digest: str
    tags: tuple[str, ...] = ()
    credentials: str | None = None
    retries: int = 2
    timeout: float = 600.0

    @property
    def reference(self) -> str:
        """The image's full name with its digest."""
        return f"{self.name}@{self.digest}"


@dataclass(frozen=True)
class Observed:
    """What the engine has: the ``id`` of the image of that digest, empty for none, and the id that each tag names."""

    id: str
    tags: t.Mapping[str, str]


def plan(observed: Observed, tags: t.Sequence[str]) -> list[str]:
    """Return the steps: ``pull``, and ``tag <tag>`` for each that does not name the image. Pure."""
    steps = [] if observed.id else ["pull"]
    return steps + [f"tag {tag}" for tag in tags if not observed.id or observed.tags.get(tag) != observed.id]


class Puller:
    """Pulls one image.

    :param connect: returns a client of the engine's API whose calls may take that many seconds.
    """

    def __init__(self, connect: t.Callable[[float], t.Any], wanted: Wanted) -> None:
        self._connect = connect
        self._wanted = wanted
        self._log = StepLog()

    def converge(self, check_mode: bool) -> dict[str, t.Any]:
        """Bring the engine to what was asked for. The registry is asked only when something is to be pulled.

        :returns: ``changed``, ``image``, ``phase``, ``decision``, ``steps``, ``evidence``, ``diff``.
        :raises DeployError: it cannot be pulled, or is another image; with ``phase``, ``decision`` and the steps so far.
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
        evidence: dict[str, t.Any] = {"registry": repository_from(wanted.name).host}
        if check_mode and not wanted.digest:
            self._log.add("pull", "planned", "the image is not pushed yet")
            return self._result(True, None, {**evidence, "reason": "the image is not pushed yet"})
        check_tags(wanted.tags)
        check_digest(wanted.digest)
        courier = Courier(self._connect, wanted.name, wanted.credentials, wanted.retries, wanted.timeout, log=self._log)
        with self._log.step("observe") as note:
            observed = self._observe(courier.engine)
            note["detail"] = observed.id or f"this engine does not have {wanted.reference}"
        steps = plan(observed, wanted.tags)
        image_id = observed.id
        if check_mode:
            for step in steps:
                self._log.add(step.split(" ", 1)[0], "planned", step)
        elif steps:
            if not observed.id:
                image_id, progress = self._pull(courier)
                evidence |= progress.told()
            self._tag(courier.engine, image_id, [step.split(" ", 1)[1] for step in steps if step != "pull"])
        evidence["reason"] = "; ".join(steps) or "nothing changed"
        image = courier.describe(image_id, wanted.tags, wanted.digest) if image_id else None
        diff = {
            "before": {"image": observed.id or None, "tags": dict(observed.tags)},
            "after": {
                "image": image_id or wanted.reference,
                "tags": dict.fromkeys(wanted.tags, image_id or wanted.digest),
            },
        }
        return {**self._result(bool(steps), image, evidence), "diff": diff}

    def _result(self, changed: bool, image: dict[str, t.Any] | None, evidence: dict[str, t.Any]) -> dict[str, t.Any]:
        result = {"changed": changed, "image": image, "steps": self._log.results, "evidence": evidence}
        return {**result, **verdict(PHASE, "PROCEED")}

    def _observe(self, api: t.Any) -> Observed:
        wanted = self._wanted
        # the engine notes a digest only for what it has verified itself
        image = engine.inspect_image(api, wanted.reference)
        tagged = {tag: engine.inspect_image(api, f"{wanted.name}:{tag}") for tag in wanted.tags}
        return Observed(str(image["Id"]) if image else "", {tag: item["Id"] for tag, item in tagged.items() if item})

    def _pull(self, courier: Courier) -> tuple[str, Progress]:
        wanted = self._wanted

        def start(login: dict[str, str]) -> t.Iterator[t.Mapping[str, t.Any]]:
            pulled = courier.engine.pull(wanted.name, wanted.digest, stream=True, decode=True, auth_config=login)
            return t.cast("t.Iterator[t.Mapping[str, t.Any]]", pulled)

        def pull() -> tuple[Progress, str]:
            progress = courier.move(f"Pulling '{wanted.reference}'", start)
            return progress, f"{len(progress.moved)} layers, {len(progress.present)} were there"

        with courier.registry() as registry:
            manifest = courier.patiently("ask", lambda: self._ask(courier, registry))
        progress = courier.patiently("pull", pull)
        with self._log.step("verify") as note:
            image = engine.inspect_image(courier.engine, wanted.reference)
            if image is None or image["Id"] not in manifest.ids:
                raise DeployError(
                    f"The engine names {image['Id'] if image else 'nothing'} '{wanted.reference}', but the registry says "
                    f"that it is {' or '.join(sorted(manifest.ids))}.",
                    hint="See that nobody else pulls or removes this image now, and run it again.",
                )
            note["detail"] = str(image["Id"])
        return str(image["Id"]), progress

    def _ask(self, courier: Courier, registry: RegistryApi) -> tuple[Manifest, str]:
        wanted = self._wanted
        manifest = registry.manifest(wanted.digest)
        if manifest is None:
            name, host = courier.repository.name, courier.repository.host
            raise registry_error(f"Pulling '{wanted.reference}'", "manifest unknown", host, name, courier.credentials)
        return manifest, f"{len(manifest.blobs)} parts, {manifest.size} bytes"

    def _tag(self, api: t.Any, image_id: str, tags: t.Sequence[str]) -> None:
        for tag in tags:
            full = f"{self._wanted.name}:{tag}"
            with self._log.step("tag") as note, engine.engine_errors(f"Tagging image {image_id} as '{full}'"):
                note["detail"] = full
                api.tag(image_id, self._wanted.name, tag)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pushes an image of this machine's engine to a registry, and verifies there that it arrived.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._registry_api import Manifest, RegistryApi
from ansible_collections.j4c.deploy.plugins.module_utils._registry_courier import Courier
from ansible_collections.j4c.deploy.plugins.module_utils._registry_errors import registry_error
from ansible_collections.j4c.deploy.plugins.module_utils._registry_place import check_tags, repository_from
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"


@dataclass(frozen=True)
class Wanted:
    """What was asked for.

    :param image: id or name of an image of the engine; empty when it is not built yet, in check mode.
    :param name: its name in the registry, without a tag.
    :param tags: the tags that it gets there.
    :param credentials: path of the file with the login, if any.
    :param retries: how often a thing is tried again that failed for a reason that may pass.
    :param timeout: seconds for everything.
    """

    image: str
    name: str
    tags: tuple[str, ...]
    credentials: str | None = None
    retries: int = 2
    timeout: float = 600.0


@dataclass(frozen=True)
class Remote:
    """What a tag names in the registry: its ``digest``, empty for nothing, and whether that is the ``same`` image, whole."""

    digest: str
    same: bool
    why: str


@dataclass(frozen=True)
class Step:
    """One tag to push, and why."""

    tag: str
    why: str


def judge(image_id: str, manifest: Manifest | None, missing: t.Sequence[str]) -> Remote:
    """Return what a tag names, seen from the image that it is to name. Pure.

    :param missing: parts of it that the registry lost.
    """
    if manifest is None:
        return Remote("", False, "the registry does not have it")
    if image_id not in manifest.ids:
        return Remote(manifest.digest, False, f"it names {manifest.digest} now")
    if missing:
        return Remote(manifest.digest, False, f"the registry lost {', '.join(missing)}")
    return Remote(manifest.digest, True, "")


def plan(tags: t.Sequence[str], remotes: t.Mapping[str, Remote]) -> list[Step]:
    """Return the tags to push, in their order. Pure."""
    return [Step(tag, remotes[tag].why) for tag in tags if not remotes[tag].same]


class Pusher:
    """Pushes one image.

    :param connect: returns a client of the engine's API whose calls may take that many seconds.
    """

    def __init__(self, connect: t.Callable[[float], t.Any], wanted: Wanted) -> None:
        self._connect = connect
        self._wanted = wanted
        self._log = StepLog()

    def converge(self, check_mode: bool) -> dict[str, t.Any]:
        """Bring the registry to what was asked for.

        :returns: ``changed``, ``image``, ``phase``, ``decision``, ``steps``, ``evidence``, ``diff``.
        :raises DeployError: it cannot be pushed or did not arrive; with ``phase``, ``decision`` and the steps so far.
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
        if check_mode and not wanted.image:
            # in a dry run of the whole pipeline the image before this one was only planned
            self._log.add("push", "planned", "the image is not built yet")
            return self._result(True, None, {**evidence, "reason": "the image is not built yet"})
        check_tags(wanted.tags)
        if not wanted.tags:
            raise DeployError("The option tags is empty.", hint="Give the image at least one tag, such as its version.")
        courier = Courier(self._connect, wanted.name, wanted.credentials, wanted.retries, wanted.timeout, log=self._log)
        image = engine.inspect_image(courier.engine, wanted.image) if wanted.image else None
        if image is None:
            raise DeployError(
                f"The option image is '{wanted.image}', which the Docker engine of this host does not have.",
                hint="Build it with container_image, and give its image.id.",
            )
        with courier.registry() as registry:
            remotes = courier.patiently("observe", lambda: self._observe(registry, str(image["Id"])))
            steps = plan(wanted.tags, remotes)
            digest = next((item.digest for item in remotes.values() if item.same), "")
            moved: dict[str, int] = {}
            for step in steps:
                if check_mode:
                    self._log.add("push", "planned", f"{step.tag}: {step.why}")
                    continue
                digest, counts = self._push(courier, registry, step, str(image["Id"]))
                moved = {key: moved.get(key, 0) + value for key, value in counts.items()}
        evidence |= {"reason": "; ".join(f"{step.tag}: {step.why}" for step in steps) or "nothing changed", **moved}
        described = courier.describe(str(image["Id"]), wanted.tags, digest or None)
        before = {tag: remotes[tag].digest for tag in wanted.tags}
        after = dict.fromkeys(wanted.tags, digest or "(known when it is pushed)")
        return {**self._result(bool(steps), described, evidence), "diff": {"before": before, "after": after}}

    def _result(self, changed: bool, image: dict[str, t.Any] | None, evidence: dict[str, t.Any]) -> dict[str, t.Any]:
        result = {"changed": changed, "image": image, "steps": self._log.results, "evidence": evidence}
        return {**result, **verdict(PHASE, "PROCEED")}

    def _observe(self, registry: RegistryApi, image_id: str) -> tuple[dict[str, Remote], str]:
        found = {}
        whole: dict[str, list[str]] = {}
        for tag in self._wanted.tags:
            manifest = registry.manifest(tag)
            if manifest is not None and image_id in manifest.ids and manifest.digest not in whole:
                whole[manifest.digest] = registry.missing_blobs(manifest)
            found[tag] = judge(image_id, manifest, whole.get(manifest.digest, []) if manifest else [])
        return found, ", ".join(f"{tag}: {item.digest or 'nothing'}" for tag, item in found.items())

    def _push(self, courier: Courier, registry: RegistryApi, step: Step, image_id: str) -> tuple[str, dict[str, int]]:
        """Push one tag and verify it; return its digest and what was moved."""
        name = self._wanted.name
        doing = f"Pushing '{name}:{step.tag}'"
        with engine.engine_errors(f"Tagging image {image_id} as '{name}:{step.tag}'"):
            courier.engine.tag(image_id, name, step.tag)

        def start(login: dict[str, str]) -> t.Iterator[t.Mapping[str, t.Any]]:
            pushed = courier.engine.push(name, step.tag, stream=True, decode=True, auth_config=login)
            return t.cast("t.Iterator[t.Mapping[str, t.Any]]", pushed)

        def push() -> tuple[t.Any, str]:
            progress = courier.move(doing, start)
            return progress, f"{step.tag}: {progress.digest}, {progress.told()['bytes']} bytes; {step.why}"

        def verify() -> tuple[None, str]:
            manifest = registry.manifest(progress.digest)
            remote = judge(image_id, manifest, registry.missing_blobs(manifest) if manifest else [])
            if manifest is None or not remote.same:
                raise registry_error(
                    f"Verifying '{name}@{progress.digest}'",
                    f"verification failed for digest: {remote.why}",
                    courier.repository.host,
                    name,
                    courier.credentials,
                )
            return None, f"{progress.digest}: {len(manifest.blobs)} parts, {manifest.size} bytes"

        progress = courier.patiently("push", push)
        courier.patiently("verify", verify)
        return progress.digest, progress.told()

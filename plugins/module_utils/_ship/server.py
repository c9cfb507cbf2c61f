# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's side: tells what an engine lacks of an image, and loads what was sent.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file, write_json
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._ship import plan
from ansible_collections.j4c.deploy.plugins.module_utils._ship.archive import open_parts
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"
RECORD = "shipped.json"
CONTAINERD = "io.containerd.snapshotter.v1"


@dataclass(frozen=True)
class Wanted:
    """What the server should have.

    :param image: the image as ``container_image`` describes it: ``id``, ``tags``, ``size``, ``layers``.
    :param archives: the archive to load; without one the server is only asked.
    :param incoming: directory where its parts are, or will be.
    :param state_dir: directory for the record of what was shipped.
    :param reserve_mb: MiB that must stay free.
    :param local: the archive goes over no network.
    """

    image: t.Mapping[str, t.Any]
    archives: t.Sequence[t.Mapping[str, t.Any]] = field(default_factory=tuple)
    incoming: str = "/var/tmp"
    state_dir: str = ""
    reserve_mb: int = 1024
    local: bool = False


@dataclass(frozen=True)
class Observed:
    """What the engine has.

    :param version: its answer to ``/version``.
    :param root: its data directory.
    :param containerd: whether it keeps images in the containerd store.
    :param ids: the images that it has with all their content.
    """

    version: t.Mapping[str, t.Any]
    root: str
    containerd: bool
    ids: frozenset[str]


class Server:
    """The engine of a server.

    :param connect: returns a client of the engine's API.
    """

    def __init__(self, connect: t.Callable[[], t.Any], wanted: Wanted) -> None:
        self._connect = connect
        self._wanted = wanted
        self._log = StepLog()
        self._ship = {"bytes_image": wanted.image.get("size"), "bytes_sent": 0, "layers_sent": 0}

    def converge(self, check_mode: bool) -> dict[str, t.Any]:
        """Load the archive, or without one tell what the server lacks.

        :returns: ``changed``, ``image``, ``request``, ``ship``, ``phase``, ``decision``, ``steps``, ``evidence``;
            ``damaged`` with names of parts that must be sent again.
        :raises DeployError: with ``phase``, ``decision`` and the steps done so far.
        """
        try:
            return self._load(self._wanted.archives[0]) if self._wanted.archives else self._ask(check_mode)
        except DeployError as exc:
            exc.fields = {**verdict(PHASE, "ROLLBACK"), "ship": self._ship, **exc.fields}
            if exc.steps is None:
                exc.steps = self._log.results
            raise

    def _ask(self, check_mode: bool) -> dict[str, t.Any]:
        wanted = self._wanted
        if not wanted.image.get("id"):
            if not check_mode:
                raise DeployError(
                    "The builder built no image in this run.",
                    hint="Does --limit leave the builder out? Use --limit <builder>,<host>.",
                )
            # in a dry run of the whole pipeline the build before this one was only planned
            self._log.add("ask", "planned", "the image is not built yet")
            return self._result(True, None, None, {"reason": "the image is not built yet"})
        with self._log.step("ask") as note:
            api = self._connect()
            observed = observe(api)
            found = self._find(observed)
            layers = [str(item["id"]) for item in wanted.image.get("layers") or []]
            if found:
                note["detail"] = f"the server has {found}"
                self._ship["layers_present"] = len(layers)
                return self._result(False, {**wanted.image, "id": found}, None, {"reason": "the server has the image"})
            if not layers:
                raise DeployError(
                    f"The option image has no layers of '{wanted.image['id']}'.",
                    hint="Give it what container_image returned as image.",
                )
            lacking = plan.lacking(layers, self._there(api, observed))
            reason = f"the server lacks {len(lacking)} of {len(set(layers))} layers"
            note["detail"] = reason
        self._ship.update(layers_present=len(set(layers)) - len(lacking))
        if check_mode:
            sizes = {item["id"]: item.get("size") or 0 for item in wanted.image["layers"]}
            self._ship["layers_sent"] = len(lacking)
            self._log.add("send", "planned", f"{sum(sizes[item] for item in lacking)} bytes before compression")
        request = {
            "layers": lacking,
            "formats": plan.formats_for(observed.version, wanted.local),
            "disks": disks(observed.root, wanted.incoming),
        }
        return self._result(check_mode, None, request, {"reason": reason})

    def _there(self, api: t.Any, observed: Observed) -> t.Iterator[list[str]]:
        """Yield the layers of each image that the server has."""
        if observed.containerd:
            # this store has layers by the digest of their compressed form; those that were shipped are plain
            yield from (item["layers"] for item in self._record().values() if item["id"] in observed.ids)
            return
        for image_id in observed.ids:
            inspected = engine.inspect_image(api, image_id) or {}
            yield (inspected.get("RootFS") or {}).get("Layers") or []

    def _find(self, observed: Observed) -> str:
        """Return the id that the image has on this engine, or nothing when it has not got it."""
        image_id = str(self._wanted.image["id"])
        for known in (image_id, str((self._record().get(image_id) or {}).get("id"))):
            if known in observed.ids:
                return known
        return ""

    def _load(self, archive: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        wanted = self._wanted
        with self._log.step("verify") as note:
            damaged = [part["name"] for part in archive["parts"] if not _whole(wanted.incoming, part)]
            note["detail"] = f"{len(archive['parts'])} parts, {len(damaged)} damaged"
            if damaged:
                return {**self._result(False, None, None, {"reason": "parts are damaged"}), "damaged": damaged}
            api = self._connect()
            before = observe(api)
            room = {"engine": disks(before.root, wanted.incoming)["engine"]}
            plan.check_room(room, archive, wanted.reserve_mb * plan.MIB)
        with self._log.step("load") as note:
            said = load(api, open_parts(wanted.incoming, archive["parts"], archive["format"]), before.root)
            after = observe(api)
            found = next((item for item in archive["ids"] if item in after.ids), None)
            if found is None:
                raise DeployError(
                    f"The engine loaded the archive, but has no image {' or '.join(archive['ids'])}: {said}",
                    hint="Layers may have been removed from the server meanwhile: run it again.",
                    evidence={"code": "load", "output": said},
                )
            note["detail"] = found
        self._write_record(after, found)
        shutil.rmtree(wanted.incoming, ignore_errors=True)
        self._ship.update(layers_sent=len(archive["layers"]), format=archive["format"])
        evidence = {"reason": "loaded", "store": "containerd" if before.containerd else "classic"}
        return self._result(True, {**wanted.image, "id": found}, None, evidence)

    def _record(self) -> dict[str, dict[str, t.Any]]:
        with contextlib.suppress(OSError, ValueError), open(self._record_path, encoding="utf-8") as file:
            return dict(json.load(file))
        return {}

    @property
    def _record_path(self) -> str:
        return os.path.join(self._wanted.state_dir, RECORD)

    def _write_record(self, observed: Observed, found: str) -> None:
        image = self._wanted.image
        record = {name: item for name, item in self._record().items() if item["id"] in observed.ids}
        record[str(image["id"])] = {"id": found, "layers": [str(item["id"]) for item in image["layers"]]}
        try:
            os.makedirs(self._wanted.state_dir, mode=0o755, exist_ok=True)
            write_json(self._record_path, record)
        except OSError as exc:
            raise DeployError(
                f"The image is loaded, but '{self._record_path}' cannot be written: {exc.strerror}.",
                hint="Give state_dir (j4c_state_dir) a place that this user may write to.",
            ) from exc

    def _result(
        self,
        changed: bool,
        image: dict[str, t.Any] | None,
        request: dict[str, t.Any] | None,
        evidence: dict[str, t.Any],
    ) -> dict[str, t.Any]:
        result = {"changed": changed, "image": image, "request": request, "ship": self._ship}
        return {**result, "steps": self._log.results, "evidence": evidence, **verdict(PHASE, "PROCEED")}


def observe(api: t.Any) -> Observed:
    """Return what the engine has.

    :raises DeployError: it does not answer, or is too old.
    """
    with engine.engine_errors("Asking the server's Docker engine what it has"):
        version, info = api.version(), api.info()
        plan.check_engine(version)
        containerd = ["driver-type", CONTAINERD] in [list(item) for item in info.get("DriverStatus") or []]
        # the containerd store lists an image only when all of its content is there
        ids = frozenset(str(item["Id"]) for item in api.images(all=not containerd))
    return Observed(version, str(info.get("DockerRootDir") or "/"), containerd, ids)


def load(api: t.Any, blocks: t.Iterator[bytes], root: str) -> str:
    """Let the engine load an archive, and return what it said.

    :param root: the engine's data directory, for the message.
    :raises DeployError: the engine refused it.
    """
    with engine.engine_errors("Loading the image"):
        answers = list(api.load_image(blocks, quiet=True))
    said = " ".join(str(item.get("stream") or item.get("error") or "").strip() for item in answers).strip()
    if any(item.get("error") for item in answers):
        hint = "Run it again; when it stays, look at the log of the server's engine."
        if "no space left" in said:
            hint = f"The disk of '{root}' on the server is full: free some, for example with 'docker image prune'."
        raise DeployError(f"The engine refused the image: {said}", hint=hint, evidence={"code": "load", "output": said})
    return said


def disks(root: str, incoming: str) -> dict[str, dict[str, t.Any]]:
    """Return the free bytes where an archive is received and where the engine is, those that can be told."""
    found = {}
    for name, path in (("incoming", incoming), ("engine", root)):
        with contextlib.suppress(OSError):
            while not os.path.exists(path) and path != os.path.dirname(path):
                path = os.path.dirname(path)
            free = shutil.disk_usage(path).free
            found[name] = {"path": path, "device": os.stat(path).st_dev, "free": free}
    return found


def _whole(directory: str, part: t.Mapping[str, t.Any]) -> bool:
    path = os.path.join(directory, part["name"])
    try:
        return sha256_file(path) == part["sha256"]
    except FileNotFoundError:
        return False

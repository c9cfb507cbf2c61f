# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's files on the server: state.json, release manifests, run results.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import glob
import os
import shutil
import typing as t
from dataclasses import asdict, fields, replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, State
from ansible_collections.j4c.deploy.plugins.module_utils._release.state_file import (
    SCHEMA,
    DamagedError,
    load_object,
    read_state,
)

KEPT_RUNS = 50


def now() -> str:
    """Return the current UTC time as ``2026-01-31T12:00:00.123Z``."""
    return stamp_of(datetime.datetime.now(datetime.timezone.utc))


def stamp_of(stamp: datetime.datetime) -> str:
    """Return a UTC time as all records have it."""
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp.microsecond // 1000:03d}Z"


class Store:
    """Everything below ``<state_dir>/<service>``.

    :param state_dir: root of the state of all services.
    :param service: name of the service.
    """

    def __init__(self, state_dir: str, service: str) -> None:
        self.root = os.path.join(state_dir, service)
        self.service = service

    def path(self, *parts: str) -> str:
        """Return a path below the service's directory."""
        return os.path.join(self.root, *parts)

    def prepare(self) -> None:
        """Make the directories that the engine writes to.

        :raises DeployError: they cannot be made (read-only, no permission).
        """
        try:
            os.makedirs(self.root, mode=0o755, exist_ok=True)
            for name in ("releases", "runs", "slots"):
                os.makedirs(self.path(name), mode=0o700, exist_ok=True)
        except OSError as exc:
            raise DeployError(
                f"The state directory '{self.root}' cannot be written: {exc.strerror}.",
                hint="Give state_dir a place that the remote user may write to, or use become.",
            ) from exc

    def verdict_path(self, run_id: str) -> str:
        """Return where a run that waits for its seal looks for the word."""
        return self.path("runs", f"{run_id}.verdict")

    def verdict(self, run_id: str) -> tuple[str, str]:
        """Return the word for a run and the reason, ``('', '')`` when there is none yet."""
        try:
            with open(self.verdict_path(run_id), encoding="utf-8") as file:
                word, _newline, reason = file.read().strip().partition("\n")
        except FileNotFoundError:
            return "", ""
        return word, reason

    def sweep(self) -> None:
        """Remove temporary files and words to other runs that a killed run left; only the holder of the lock may."""
        for pattern in (".*.tmp", "*/.*.tmp", "releases/*/.*.tmp", "runs/*.verdict"):
            for path in glob.glob(os.path.join(glob.escape(self.root), pattern)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    def read_state(self) -> tuple[State | None, str]:
        """Read state.json; return the state, or ``None`` and what is the matter with it as the end of a sentence.

        :raises DeployError: it was written by a newer version, or may not be read.
        """
        return read_state(self.path("state.json"))

    def load_state(self) -> State:
        """Read state.json; a missing file is an empty state.

        :raises DeployError: it is damaged or was written by a newer version.
        """
        state, why = self.read_state()
        if state is None and why != "is missing":
            raise DeployError(f"'{self.path('state.json')}' {why}.", hint="Look at it with playbooks/status.yml.")
        return state or State()

    def put_aside(self) -> None:
        """Keep a damaged state.json for people, under another name; one that is good or missing stays as it is."""
        if self.read_state()[1].startswith("is damaged"):
            os.replace(self.path("state.json"), self.path(f"state.json.damaged-{now().replace(':', '')}"))

    def save_state(self, state: State) -> None:
        """Write state.json atomically."""
        write_json(self.path("state.json"), {"schema": SCHEMA, "service": self.service, **asdict(state)})

    def load_releases(self, damaged: list[str] | None = None) -> dict[str, Release]:
        """Return the manifests of all stored releases by id; directories without one that can be read are left out.

        :param damaged: gets the paths of manifests that cannot be read.
        """
        found: dict[str, Release] = {}
        try:
            names = sorted(os.listdir(self.path("releases")))
        except (FileNotFoundError, NotADirectoryError):
            return found
        known = {item.name for item in fields(Release)}
        for name in names:
            path = self.path("releases", name, "manifest.json")
            try:
                data = load_object(path)
                if data is not None:
                    found[name] = Release(**{key: value for key, value in data.items() if key in known})
            except (DamagedError, TypeError):
                # one release that cannot be read must not stand in the way of the others
                if damaged is not None:
                    damaged.append(path)
        return found

    def save_release(
        self,
        release: Release,
        document: dict[str, t.Any] | None = None,
        protocol: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        """Write a release's manifest, and before it what is given of the rest.

        :param document: the resolved compose file; it may hold secrets.
        :param protocol: how it is judged, see ``protocol_of``.
        """
        directory = self.path("releases", release.id)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        for name, content in (("compose.json", document), ("protocol.json", protocol)):
            if content is not None:
                write_json(os.path.join(directory, name), content)
        write_json(os.path.join(directory, "manifest.json"), asdict(release))

    def seal_release(self, release: Release, again: bool = False) -> Release:
        """Mark a release as one that served for good.

        :param again: it was released anew, so that it is the newest again; otherwise the first time counts.
        """
        sealed = release if release.sealed and not again else replace(release, sealed=self._next_seal())
        self.save_release(sealed)
        return sealed

    def _next_seal(self) -> str:
        """Return the time for a seal: later than all others, whatever the clock of the server does."""
        newest = max((item.sealed or "" for item in self.load_releases().values()), default="")
        stamp = now()
        while stamp <= newest:
            then = datetime.datetime.strptime(newest, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
            stamp = stamp_of(then + datetime.timedelta(milliseconds=1))
        return stamp

    def load_document(self, release_id: str) -> dict[str, t.Any]:
        """Return the resolved compose file that a release was stored with.

        :raises DeployError: it is missing or damaged.
        """
        path = self.path("releases", release_id, "compose.json")
        data = load_object(path)
        if data is None:
            raise DeployError(
                f"Release '{release_id}' has no stored compose file at '{path}'.", hint="Choose another release."
            )
        return data

    def load_protocol(self, release_id: str) -> dict[str, t.Any] | None:
        """Return how a release was judged when it was stored; ``None`` when that is not known."""
        try:
            return load_object(self.path("releases", release_id, "protocol.json"))
        except DamagedError:
            return None

    def remove_release(self, release_id: str) -> None:
        """Remove a release's directory; one that is gone already is fine.

        :raises ValueError: no release is named, which would be the directory of all.
        """
        if not release_id or os.path.basename(release_id) != release_id or release_id.startswith("."):
            raise ValueError(f"'{release_id}' names no release")
        shutil.rmtree(self.path("releases", release_id), ignore_errors=True)

    def images_in_use(self) -> set[str]:
        """Return the ids of the images that stored releases need, of this service and of all others on the server."""
        root = os.path.dirname(self.root)
        services = [self.service, *(os.listdir(root) if os.path.isdir(root) else [])]
        return {item.image["id"] for name in set(services) for item in Store(root, name).load_releases().values()}

    def save_run(self, run_id: str, data: dict[str, t.Any]) -> None:
        """Write the result of a run, for whoever follows it and for the history."""
        write_json(self.path("runs", f"{run_id}.json"), data)

    def load_run(self, run_id: str) -> dict[str, t.Any] | None:
        """Return what a run has written last, or ``None`` when there is nothing that can be read."""
        try:
            return load_object(self.path("runs", f"{run_id}.json"))
        except DamagedError:
            return None

    def runs(self) -> list[str]:
        """Return the ids of the recorded runs, oldest first."""
        try:
            return sorted(
                name[:-5] for name in os.listdir(self.path("runs")) if name.endswith(".json") and name[0] != "."
            )
        except FileNotFoundError:
            return []

    def prune_runs(self) -> set[str]:
        """Keep the newest ``KEPT_RUNS`` run results and the logs that belong to them; return the ids of the kept ones."""
        runs = self.runs()
        for run_id in runs[:-KEPT_RUNS]:
            os.unlink(self.path("runs", f"{run_id}.json"))
        kept = set(runs[-KEPT_RUNS:])
        for path in glob.glob(os.path.join(glob.escape(self.path("runs")), "*.log")):
            if os.path.basename(path)[:-4] < min(kept, default=""):
                os.unlink(path)
        return kept

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
import json
import os
import shutil
import typing as t
from dataclasses import asdict, fields, replace

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Release, State

SCHEMA = 1
KEPT_RUNS = 50


def now() -> str:
    """Return the current UTC time as ``2026-01-31T12:00:00.123Z``."""
    stamp = datetime.datetime.now(datetime.timezone.utc)
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

    def sweep(self) -> None:
        """Remove temporary files and words to other runs that a killed run left; only the holder of the lock may."""
        for pattern in (".*.tmp", "*/.*.tmp", "releases/*/.*.tmp", "runs/*.verdict"):
            for path in glob.glob(os.path.join(glob.escape(self.root), pattern)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    def load_state(self) -> State:
        """Read state.json; a missing file is an empty state.

        :raises DeployError: it is damaged or was written by a newer version.
        """
        data = self._load(self.path("state.json"))
        if data is None:
            return State()
        if data.get("schema") != SCHEMA:
            raise DeployError(
                f"'{self.path('state.json')}' has schema {data.get('schema')!r}; this version of j4c.deploy reads {SCHEMA}.",
                hint="Use the version of j4c.deploy that wrote it, or a newer one.",
            )
        return State(data.get("live"), data.get("standby"), data.get("run"), data.get("rejected") or {})

    def save_state(self, state: State) -> None:
        """Write state.json atomically."""
        write_json(self.path("state.json"), {"schema": SCHEMA, "service": self.service, **asdict(state)})

    def load_releases(self) -> dict[str, Release]:
        """Return the manifests of all stored releases by id; directories without a manifest are left out."""
        found: dict[str, Release] = {}
        try:
            names = sorted(os.listdir(self.path("releases")))
        except FileNotFoundError:
            return found
        known = {item.name for item in fields(Release)}
        for name in names:
            data = self._load(self.path("releases", name, "manifest.json"))
            if data is not None:
                try:
                    found[name] = Release(**{key: value for key, value in data.items() if key in known})
                except TypeError as exc:
                    raise _damaged(self.path("releases", name, "manifest.json"), exc) from exc
        return found

    def save_release(self, release: Release, document: dict[str, t.Any] | None = None) -> None:
        """Write a release's manifest, and before it the resolved compose file when one is given (it may hold secrets)."""
        directory = self.path("releases", release.id)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        if document is not None:
            write_json(os.path.join(directory, "compose.json"), document)
        write_json(os.path.join(directory, "manifest.json"), asdict(release))

    def seal_release(self, release: Release) -> Release:
        """Mark a release as one that served for good; the first time counts."""
        sealed = release if release.sealed else replace(release, sealed=now())
        self.save_release(sealed)
        return sealed

    def load_document(self, release_id: str) -> dict[str, t.Any]:
        """Return the resolved compose file that a release was stored with.

        :raises DeployError: it is missing or damaged.
        """
        path = self.path("releases", release_id, "compose.json")
        data = self._load(path)
        if data is None:
            raise DeployError(
                f"Release '{release_id}' has no stored compose file at '{path}'.", hint="Choose another release."
            )
        return data

    def remove_release(self, release_id: str) -> None:
        """Remove a release's directory; one that is gone already is fine."""
        shutil.rmtree(self.path("releases", release_id), ignore_errors=True)

    def save_run(self, run_id: str, data: dict[str, t.Any]) -> None:
        """Write the result of a run, for whoever follows it and for the history."""
        write_json(self.path("runs", f"{run_id}.json"), data)

    def load_run(self, run_id: str) -> dict[str, t.Any] | None:
        """Return what a run has written last, or ``None``."""
        return self._load(self.path("runs", f"{run_id}.json"))

    def runs(self) -> list[str]:
        """Return the ids of the recorded runs, oldest first."""
        try:
            return sorted(
                name[:-5] for name in os.listdir(self.path("runs")) if name.endswith(".json") and name[0] != "."
            )
        except FileNotFoundError:
            return []

    def prune_runs(self) -> None:
        """Keep the newest ``KEPT_RUNS`` run results."""
        for run_id in self.runs()[:-KEPT_RUNS]:
            os.unlink(self.path("runs", f"{run_id}.json"))

    @staticmethod
    def _load(path: str) -> t.Any:
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            raise _damaged(path, exc) from exc
        if not isinstance(data, dict):
            raise _damaged(path, "it is no JSON object")
        return data


def _damaged(path: str, why: object) -> DeployError:
    return DeployError(
        f"'{path}' cannot be read: {why}.",
        hint="Restore it from a backup, or move it away and release again; the gateway's flag keeps the live slot.",
    )

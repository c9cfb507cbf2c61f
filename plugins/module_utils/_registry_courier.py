# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves an image between the engine and a registry: follows what the engine says, tries again what may pass.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils import _image_report as report
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._registry_api import RegistryApi
from ansible_collections.j4c.deploy.plugins.module_utils._registry_credentials import Credentials, read_credentials
from ansible_collections.j4c.deploy.plugins.module_utils._registry_errors import RegistryError, registry_error
from ansible_collections.j4c.deploy.plugins.module_utils._registry_place import (
    Repository,
    endpoint_of,
    repository_from,
    tls_context,
)
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
_MOVED = ("Pushed", "Pull complete")
_PRESENT = ("Layer already exists", "Already exists", "Mounted from")

Result = t.TypeVar("Result")


@dataclass
class Progress:
    """What an engine told while it moved an image: ``digest``, layers by what became of them, ``bytes`` moved."""

    digest: str = ""
    moved: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)

    def note(self, event: t.Mapping[str, t.Any]) -> None:
        """Take in one event of the engine's stream."""
        self.digest = str((event.get("aux") or {}).get("Digest") or self.digest)
        layer, status = str(event.get("id") or ""), str(event.get("status") or "")
        if status in _MOVED:
            self.moved.add(layer)
        elif status.startswith(_PRESENT):
            self.present.add(layer)
        elif status.startswith("Retrying"):
            self.retried.add(layer)
        elif status in ("Pushing", "Downloading"):
            self.sizes[layer] = int((event.get("progressDetail") or {}).get("current") or 0)

    def told(self) -> dict[str, int]:
        """Return the counts for a result."""
        return {
            "layers_moved": len(self.moved),
            "layers_present": len(self.present),
            "layers_retried": len(self.retried),
            "bytes": sum(self.sizes.values()),
        }


class Courier:
    """Moves images of one name, within one time limit for all of it.

    :param connect: returns a client of the engine's API whose calls may take that many seconds.
    :param name: the image's name in the registry, without a tag.
    :param credentials: path of the file with the login, if any.
    :param retries: how often a thing is tried again that failed for a reason that may pass.
    :param timeout: seconds for everything.
    :raises DeployError: name or credentials cannot be used, or the engine does not answer.
    """

    def __init__(
        self,
        connect: t.Callable[[float], t.Any],
        name: str,
        credentials: str | None,
        retries: int,
        timeout: float,
        log: StepLog,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.repository: Repository = repository_from(name)
        self.credentials: Credentials | None = read_credentials(credentials)
        self.engine = connect(timeout)
        self._retries = retries
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._log = log
        self._sleep = sleep

    @contextlib.contextmanager
    def registry(self) -> t.Iterator[RegistryApi]:
        """Yield the registry's own API.

        :raises DeployError: the engine does not answer, or a certificate cannot be used.
        """
        with engine.engine_errors("Reading the settings of the Docker engine"):
            info = self.engine.info()
        endpoint = endpoint_of(info, self.repository)
        with HttpClient(tls=tls_context(endpoint, self.repository.host)) as client:
            yield RegistryApi(self.repository, endpoint, client, self.credentials)

    def patiently(self, name: str, action: t.Callable[[], tuple[Result, str]]) -> Result:
        """Do a step, again when it fails for a reason that may pass; each try is a step of the log.

        :param action: does it; returns the result and what to say of it.
        :raises RegistryError: it failed for good.
        """
        pause = FIRST_PAUSE
        for left in range(self._retries, -1, -1):
            try:
                with self._log.step(name) as note:
                    result, note["detail"] = action()
                    return result
            except RegistryError as exc:
                if not exc.transient or not left or time.monotonic() + pause > self._deadline:
                    exc.fields["evidence"]["tries"] = self._retries - left + 1
                    raise
            self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        raise AssertionError("the last try returns or raises")

    def move(self, doing: str, start: t.Callable[[dict[str, str]], t.Iterator[t.Mapping[str, t.Any]]]) -> Progress:
        """Follow the engine while it pushes or pulls.

        :param doing: what it is ("Pushing 'registry.example.com/shop/orders:1.0'").
        :param start: starts it with a login, which is empty for none, and returns the engine's events.
        :raises RegistryError: the engine or the registry refused it, or the time was over.
        """
        progress = Progress()
        # an empty login, or the library would look for one in the user's own files
        login = self.credentials.engine if self.credentials else {}
        try:
            for event in start(login):
                if event.get("error"):
                    raise self._error(doing, str(event["error"]), progress)
                progress.note(event)
                if time.monotonic() > self._deadline:
                    raise self._late(doing, progress)
        except engine.docker.errors.APIError as exc:
            raise self._error(doing, str(exc.explanation or exc), progress) from exc
        except engine.requests.exceptions.Timeout:
            raise self._late(doing, progress) from None
        except engine.requests.exceptions.RequestException as exc:
            raise DeployError(f"{doing} failed: the Docker engine went away: {exc}", hint=engine.ENGINE_HINT) from exc
        return progress

    def describe(self, image_id: str, tags: t.Sequence[str], digest: str | None) -> dict[str, t.Any]:
        """Return an image of the engine as results show it, under its name in the registry.

        :raises DeployError: it is gone, or the engine does not answer.
        """
        inspected = engine.inspect_image(self.engine, image_id)
        if inspected is None:
            raise DeployError(f"Image {image_id} was removed while this module looked at it.", hint="Run it again.")
        with engine.engine_errors(f"Reading the layers of image '{image_id}'"):
            history = self.engine.history(image_id)
        name = self.repository.name
        return {**report.describe(name, inspected, history, [f"{name}:{tag}" for tag in tags]), "digest": digest}

    def _late(self, doing: str, progress: Progress) -> RegistryError:
        """Return why it takes so long: what the registry itself says now, or nothing more than that it did."""
        try:
            with self.registry() as registry:
                registry.manifest("latest")
        except RegistryError as exc:
            said = str(exc.fields["evidence"]["detail"])
        else:
            said = "it answers, but is too slow"
        error = self._error(doing, f"did not end within {self._timeout:g} s: {said}", progress)
        error.msg = f"{doing} did not end within {self._timeout:g} s: the registry '{self.repository.host}': {said}."
        error.hint = f"{error.hint} If the registry is only slow, raise the option timeout (j4c_registry_timeout)."
        return error

    def _error(self, doing: str, text: str, progress: Progress) -> RegistryError:
        name, host = self.repository.name, self.repository.host
        return registry_error(doing, text, host, name, self.credentials, **progress.told())

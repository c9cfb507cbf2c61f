# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's API, with its errors turned into ours.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

try:
    import docker
    import docker.errors
    import requests

    DOCKER_IMPORT_ERROR = None
except ImportError:
    DOCKER_IMPORT_ERROR = traceback.format_exc()

ENGINE_HINT = "Start the engine, or run the role j4c.deploy.engine, and look at its log when it does not stay up."


@contextlib.contextmanager
def engine_errors(doing: str) -> t.Iterator[None]:
    """Turn errors of the engine's API into a ``DeployError`` that says what was being done ("Pausing container x")."""
    try:
        yield
    except docker.errors.APIError as exc:
        raise DeployError(f"{doing} failed: {exc.explanation or exc}") from exc
    except (docker.errors.DockerException, requests.exceptions.RequestException) as exc:
        raise DeployError(f"{doing} failed: the Docker engine did not answer: {exc}", hint=ENGINE_HINT) from exc


def connect(timeout: float = 30.0) -> docker.APIClient:
    """Return a client for the engine that DOCKER_HOST (or the default socket) names.

    :param timeout: seconds that one call may take.
    :raises DeployError: no engine answers.
    """
    with engine_errors("Connecting to the Docker engine"):
        return docker.from_env(version="auto", timeout=timeout).api


def inspect_container(api: docker.APIClient, name: str) -> dict[str, t.Any] | None:
    """Return what the engine knows of a container, or ``None`` when there is none of that name or id."""
    with engine_errors(f"Inspecting container '{name}'"):
        try:
            return api.inspect_container(name)
        except docker.errors.NotFound:
            return None


def inspect_image(api: docker.APIClient, name: str) -> dict[str, t.Any] | None:
    """Return what the engine knows of an image, or ``None`` when it has none of that name or id."""
    with engine_errors(f"Inspecting image '{name}'"):
        try:
            return api.inspect_image(name)
        except docker.errors.ImageNotFound:
            return None

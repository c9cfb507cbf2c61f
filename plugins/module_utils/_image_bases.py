# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that a build starts from: what the engine knows of them, and how it gets those that it lacks.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_bases import split_name
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import Base
from ansible_collections.j4c.deploy.plugins.module_utils._image_recipe import BaseImage

# code, what a registry or the engine says, what that means, what to do; the first that matches counts
_CAUSES: tuple[tuple[str, str, str, str], ...] = (
    (
        "disk_full",
        r"no space left on device|disk quota exceeded",
        "the disk of the engine is full",
        "See what takes the space with 'docker system df', and free some.",
    ),
    (
        "base_missing",
        r"manifest unknown|manifest for .* not found|: not found$|no matching manifest",
        "its registry has no such tag, or not for this platform",
        "Check its name and tag, or load it with 'docker load'.",
    ),
    (
        "base_denied",
        r"pull access denied|unauthorized|authentication required|no basic auth|denied|forbidden",
        "its registry has none or does not let this user pull it",
        "Check its name, log in with 'docker login', or load it with 'docker load'.",
    ),
    (
        "base_limited",
        r"toomanyrequests|rate limit",
        "its registry lets nobody pull as often as this",
        "Wait, log in with 'docker login', or load it with 'docker load'.",
    ),
    (
        "base_unreachable",
        r"",
        "its registry cannot be reached",
        "Bring it from elsewhere with 'docker save' and 'docker load', or name an image that this engine has.",
    ),
)


def look(api: t.Any, names: t.Iterable[str]) -> dict[str, BaseImage]:
    """Return what the engine knows of each image, by its name."""
    return {name: _facts(name, engine.inspect_image(api, name) or {}) for name in names}


def _facts(name: str, inspected: t.Mapping[str, t.Any]) -> BaseImage:
    wanted = split_name(name)
    known = (item.split("@", 1) for item in inspected.get("RepoDigests") or [] if "@" in item)
    digests = [digest for repository, digest in known if split_name(repository).repository == wanted.repository]
    return BaseImage(
        name=name,
        id=str(inspected.get("Id") or ""),
        digest=wanted.digest or (digests[0] if digests else ""),
        user=str((inspected.get("Config") or {}).get("User") or ""),
        layers=tuple((inspected.get("RootFS") or {}).get("Layers") or ()),
    )


def diagnose(text: str) -> tuple[str, str, str]:
    """Return code, meaning and remedy of what was said when an image could not be pulled. Pure."""
    for code, pattern, meaning, remedy in _CAUSES:
        if re.search(pattern, text.strip(), re.IGNORECASE):
            return code, meaning, remedy
    raise AssertionError("the last cause fits everything")


def pull(api: t.Any, base: Base, dockerfile: str) -> None:
    """Let the engine pull a base image, so that it is there by its name: only then a newer one is noticed.

    :param dockerfile: path of the Dockerfile, for the message.
    :raises DeployError: it cannot be had; ``evidence`` has the code, the name and the line.
    """
    said = ""
    try:
        with engine.engine_errors("pulling"):
            for event in api.pull(_full_name(base.name), stream=True, decode=True):
                said = str(event.get("error") or "") or said
    except DeployError as exc:
        said = exc.msg
    if not said:
        return
    code, meaning, remedy = diagnose(said.replace("pulling failed: ", ""))
    raise DeployError(
        f"The image '{base.name}' ({dockerfile}:{base.line}) is not on this engine, and {meaning}.",
        hint=remedy,
        evidence={
            "code": code,
            "dockerfile": {"path": dockerfile, "line": base.line, "text": ""},
            "output": [said],
        },
    )


def _full_name(name: str) -> str:
    """Return a name with a tag: without one, the engine would pull every tag."""
    parts = split_name(name)
    return name if parts.tag or parts.digest else f"{name}:latest"

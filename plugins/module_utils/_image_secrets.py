# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build secrets: given as files or variables, mounted for the commands that need them, never part of the image.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import Stage, reached, secret_mounts

# BuildKit takes no more
MAX_BYTES = 500 * 1024
FORBIDDEN = frozenset('",\r\n')


@dataclass(frozen=True)
class Secret:
    """One secret: the ``id`` that the Dockerfile mounts, and the ``file`` or the variable ``env`` that holds it."""

    id: str
    file: str = ""
    env: str = ""


def make_secrets(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Secret, ...]:
    """Return the secrets of the option.

    :raises DeployError: one comes from nowhere or from two places, or two have the same id.
    """
    found: dict[str, Secret] = {}
    for item in items:
        secret = Secret(str(item.get("id") or ""), str(item.get("file") or ""), str(item.get("env") or ""))
        if not secret.id or bool(secret.file) == bool(secret.env):
            raise DeployError(
                f"The option secrets has '{secret.id}', which has not exactly one of file and env.",
                hint="Write each as {id, file} or {id, env}.",
            )
        if secret.id in found:
            raise DeployError(f"The option secrets has '{secret.id}' twice.", hint="Take one of them out.")
        if FORBIDDEN & {*secret.id, *secret.file, *secret.env}:
            raise DeployError(
                f"The option secrets has a comma, a quote or a line break in what it says of '{secret.id}'.",
                hint="docker buildx would read it as something else: use another id, path or name.",
            )
        found[secret.id] = secret
    return tuple(found.values())


def match_mounts(secrets: t.Sequence[Secret], stages: t.Sequence[Stage], path: str) -> None:
    """Prove that each secret that the build needs is given, and that each given one is mounted somewhere. Pure.

    :param path: path of the Dockerfile, for the message.
    :raises DeployError: with the code ``secret_missing`` or ``secret_unknown`` in ``evidence``.
    """
    given = {secret.id for secret in secrets}
    needed = {
        mount.id: mount.line
        for mount in reversed(secret_mounts(stages, reached(stages)))
        if not mount.optional and mount.id not in given
    }
    if needed:
        told = ", ".join(f"'{name}' (line {needed[name]})" for name in sorted(needed))
        raise DeployError(
            f"The Dockerfile '{path}' mounts the build secret {told}, which was not given.",
            hint="Give it in the option secrets (j4c_image_secrets) with its id and a file or env, or write required=false where it is mounted.",
            evidence={"code": "secret_missing", "secrets": sorted(needed)},
        )
    mounted = {mount.id for mount in secret_mounts(stages, range(len(stages)))}
    unknown = sorted(given - mounted)
    if unknown:
        raise DeployError(
            f"The option secrets has {', '.join(map(repr, unknown))}, which the Dockerfile '{path}' mounts nowhere.",
            hint="Correct the id, take it out, or mount it with RUN --mount=type=secret,id=...",
            evidence={"code": "secret_unknown", "secrets": unknown},
        )


def read_values(secrets: t.Sequence[Secret], environment: t.Mapping[str, str]) -> list[bytes]:
    """Return the values of the secrets, to look for them in what was built.

    :param environment: variables of this process.
    :raises DeployError: one cannot be read, is empty or too large; no message has a value.
    """
    return [_value(secret, environment) for secret in secrets]


def _value(secret: Secret, environment: t.Mapping[str, str]) -> bytes:
    where = f"variable '{secret.env}'" if secret.env else f"file '{secret.file}'"
    subject = f"The build secret '{secret.id}' cannot be had from the {where}"
    code = {"code": "secret_missing", "secrets": [secret.id]}
    if secret.env:
        value = environment.get(secret.env, "").encode()
        hint = "Set it where the module runs, with the keyword environment of the task or play."
    else:
        hint = "Check path, owner and mode on the builder."
        try:
            with open(secret.file, "rb") as file:
                value = file.read(MAX_BYTES + 1)
        except OSError as exc:
            raise DeployError(f"{subject}: {exc.strerror}.", hint=hint, evidence=code) from exc
    if not value.strip():
        raise DeployError(f"{subject}: it is empty.", hint=hint, evidence=code)
    if len(value) > MAX_BYTES:
        raise DeployError(
            f"{subject}: it has more than {MAX_BYTES} bytes, which BuildKit refuses.", hint=hint, evidence=code
        )
    return value


def arguments(secrets: t.Sequence[Secret]) -> list[str]:
    """Return the arguments for buildx: where a secret is, never what it is."""
    argv: list[str] = []
    for secret in secrets:
        argv += [
            "--secret",
            f"id={secret.id},env={secret.env}" if secret.env else f"id={secret.id},src={os.path.abspath(secret.file)}",
        ]
    return argv

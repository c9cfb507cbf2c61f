# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a registry did not do what it was asked for: one table for what the engine says and what the registry answers.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._registry_credentials import Credentials

DETAIL_LENGTH = 300


class RegistryError(DeployError):
    """A registry did not do it. ``evidence`` has ``code`` and ``detail``.

    :param transient: whether it may well work when it is tried again.
    """

    transient: bool = False

    @property
    def code(self) -> str:
        """The class of the failure, such as ``unauthorized``."""
        return str(self.fields["evidence"]["code"])


@dataclass(frozen=True)
class Cause:
    """A class of failures: its ``code``, the ``pattern`` that tells it, what happened, what to do."""

    code: str
    pattern: str
    msg: str
    hint: str
    transient: bool = False


_LOGIN = "Give a login that the registry accepts in the file of the option credentials (j4c_registry_credentials)."

# The first that matches counts. {host} and {name} are the registry and the image's name.
CAUSES: tuple[Cause, ...] = (
    Cause(
        "engine_disk",
        r"(?:write|mkdir|open|create) /\S*: no space left on device",
        "the disk of this host's engine is full",
        "See what takes the space with 'docker system df' on this host, and free some.",
    ),
    Cause(
        "mismatch",
        r"verification failed for digest",
        "the registry '{host}' sent something else than what the digest names",
        "Nothing was taken over. Push the image again, and have the storage of the registry checked.",
    ),
    Cause(
        "quota",
        r"quota|PROJECTPOLICYVIOLATION|exceed\w* the configured|insufficient storage|no space left on device",
        "the registry '{host}' has no room for '{name}'",
        "Remove old images there, or have the quota raised.",
    ),
    Cause(
        "too_large",
        r"(?:entity|content) too large|SIZE_INVALID",
        "a layer of '{name}' is larger than the registry '{host}', or a proxy in front of it, accepts",
        "Raise its limit for request bodies (NGINX: client_max_body_size 0), or make the layer smaller.",
    ),
    Cause(
        "no_login",
        r"no basic auth credentials",
        "the registry '{host}' wants a login, and none was given",
        _LOGIN,
    ),
    Cause(
        "unauthorized",
        r"unauthorized|authentication required|incorrect username or password",
        "the registry '{host}' does not accept the login",
        _LOGIN,
    ),
    Cause(
        "rate_limited",
        r"too ?many ?requests",
        "the registry '{host}' takes no more requests for now",
        "Try again later, or give a login with a higher limit.",
        transient=True,
    ),
    Cause(
        "denied",
        r"denied|forbidden|insufficient_scope",
        "the registry '{host}' does not let this login have '{name}'",
        "Give the login the right to push and pull there, make the project, or correct the name (j4c_registry).",
    ),
    Cause(
        "insecure",
        r"server gave HTTP response to HTTPS client|wrong.version.number|record layer failure",
        "the registry '{host}' speaks plain HTTP, which the engine refuses",
        "Give the registry a certificate, or name it under 'insecure-registries' in /etc/docker/daemon.json of this host.",
    ),
    Cause(
        "unknown_ca",
        r"unknown authority|self.signed certificate|unable to get (?:local )?issuer certificate",
        "nobody whom this host trusts has signed the certificate of the registry '{host}'",
        "Put the certificate of its authority into /etc/docker/certs.d/{host}/ca.crt on this host.",
    ),
    Cause(
        "certificate",
        r"x509:|certificate is not valid|certificate has expired|tls: (?:bad|failed|unknown|handshake)",
        "the certificate of the registry '{host}' is not valid for it",
        "Renew it for that name, or address the registry by a name that is in it.",
    ),
    Cause(
        "name_invalid",
        r"invalid reference format|NAME_INVALID|invalid repository name|repository name must",
        "the registry '{host}' does not accept the name '{name}'",
        "Change j4c_registry or j4c_image to a name that follows its rules.",
    ),
    Cause(
        "missing",
        r"manifest unknown|MANIFEST_UNKNOWN|NAME_UNKNOWN|name unknown|repository does not exist",
        "the registry '{host}' does not have it",
        "Push it with image_push, and pull it by the digest that this returned.",
    ),
    Cause(
        "unknown_host",
        r"no such host|host name is not known|server misbehaving|name resolution",
        "no address was found for the registry '{host}'",
        "Correct the name (j4c_registry), or the name service of this host.",
        transient=True,
    ),
    Cause(
        "unreachable",
        r"connection refused|connection reset|connection closed|connection was closed|broken pipe|\bEOF\b|i/o timeout"
        r"|no route to host|network is unreachable|no complete answer|did not end within|handshake timeout|deadline exceeded"
        r"|request canceled|dial tcp",
        "the registry '{host}' cannot be reached from this host",
        "Start it, and see that this host reaches its port.",
        transient=True,
    ),
    Cause(
        "upload_lost",
        r"BLOB_UPLOAD|blob upload (?:unknown|invalid)|DIGEST_INVALID|digest did not match",
        "the registry '{host}' lost an upload",
        "Try again; look at its log when that does not help.",
        transient=True,
    ),
    Cause(
        "server_error",
        r"unexpected (?:HTTP )?status(?: code)?:? 5\d\d|internal server error",
        "the registry '{host}' failed",
        "Look at its log and at its disk.",
        transient=True,
    ),
)
_UNKNOWN = Cause(
    "unknown", "", "the registry '{host}' or the engine refused it", "What was said is in evidence.detail."
)


def cause_of(text: str) -> Cause:
    """Return the class of a failure from what was said. Pure."""
    for cause in CAUSES:
        if re.search(cause.pattern, text, re.IGNORECASE):
            return cause
    return _UNKNOWN


def plain(text: str) -> str:
    """Return what was said as one line without markup, cut to what is worth reading."""
    line = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    return line if len(line) <= DETAIL_LENGTH else f"{line[:DETAIL_LENGTH]}..."


def registry_error(
    doing: str, text: str, host: str, name: str, credentials: Credentials | None, **evidence: t.Any
) -> RegistryError:
    """Return the error for what the engine or the registry said.

    :param doing: what was being done ("Pushing 'registry.example.com/shop/orders:1.0'").
    :param evidence: further facts for the result.
    """
    if credentials is not None:
        text = credentials.scrub(text)
    cause = cause_of(text)
    if cause.code == "unauthorized" and credentials is None:
        cause = next(item for item in CAUSES if item.code == "no_login")
    told = {"host": host, "name": name}
    error = RegistryError(
        f"{doing} failed: {cause.msg.format(**told)}.",
        hint=cause.hint.format(**told),
        evidence={"code": cause.code, "detail": plain(text), "registry": host, **evidence},
    )
    error.transient = cause.transient
    return error

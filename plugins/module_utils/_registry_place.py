# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a registry is and how far it is trusted: as the engine of this machine sees it.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import glob
import ipaddress
import os
import socket
import ssl
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_name import DIGEST, NAME, TAG

# where the engine looks for certificate authorities and client certificates, by registry
CERTIFICATES = "/etc/docker/certs.d"


@dataclass(frozen=True)
class Repository:
    """The images of one name: the ``host`` of their registry with its port, their ``path`` there."""

    host: str
    path: str

    @property
    def name(self) -> str:
        """The name without a tag."""
        return f"{self.host}/{self.path}"


@dataclass(frozen=True)
class Endpoint:
    """The API of a registry: ``urls`` to try in this order, ``path`` of the repository there.

    :param secure: whether its certificate must be valid.
    """

    urls: tuple[str, ...]
    path: str
    secure: bool


def repository_from(name: str) -> Repository:
    """Return the repository that an image's name says.

    :raises DeployError: it is no name, or one without a registry.
    """
    host, slash, path = name.partition("/")
    if not NAME.match(name):
        raise DeployError(
            f"The option name is '{name}', which cannot name an image in a registry.",
            hint="Write it as 'registry.example.com:5000/shop/orders': small letters, digits and . _ - / without a tag.",
        )
    # the engine's own rule for what is a registry and what a folder
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        raise DeployError(
            f"The option name is '{name}', which does not say in which registry the image is.",
            hint="Put its host in front, such as 'registry.example.com/shop/orders'.",
        )
    return Repository(host, path)


def check_tags(tags: t.Sequence[str]) -> None:
    """Refuse what cannot be a tag.

    :raises DeployError: one of them has characters that a tag may not have, or is too long.
    """
    for tag in tags:
        if not TAG.match(tag):
            raise DeployError(
                f"The option tags has '{tag}', which has characters that a tag may not have, or more than 128 of them.",
                hint="Use letters, digits and . _ - in it.",
            )


def check_digest(digest: str) -> None:
    """Refuse what is no digest.

    :raises DeployError: it is not ``sha256:`` and 64 hexadecimal digits.
    """
    if not DIGEST.match(digest):
        raise DeployError(
            f"The option digest is '{digest}', which is no digest.",
            hint="Give what image_push returned as image.digest: 'sha256:' and 64 hexadecimal digits.",
        )


def endpoint_of(info: t.Mapping[str, t.Any], repository: Repository) -> Endpoint:
    """Return where the API of a repository's registry is.

    :param info: what the engine says of itself; its settings decide which registries need no valid certificate.
    """
    settings = info.get("RegistryConfig") or {}
    index = (settings.get("IndexConfigs") or {}).get(repository.host) or {}
    if index.get("Official"):
        path = repository.path if "/" in repository.path else f"library/{repository.path}"
        host = urlsplit(info.get("IndexServerAddress") or "").netloc or repository.host
        return Endpoint((f"https://{host}",), path, True)
    secure = bool(index["Secure"]) if "Secure" in index else not _in_networks(repository.host, settings)
    urls = [f"https://{repository.host}"]
    if not secure:
        urls.append(f"http://{repository.host}")
    return Endpoint(tuple(urls), repository.path, secure)


def _in_networks(host: str, settings: t.Mapping[str, t.Any]) -> bool:
    networks = [ipaddress.ip_network(item, strict=False) for item in settings.get("InsecureRegistryCIDRs") or []]
    name = host.rsplit(":", 1)[0] if ":" in host else host
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        # a name that is not known is told when it is asked
        return False
    return any(ipaddress.ip_address(item) in network for item in found for network in networks)


def tls_context(endpoint: Endpoint, host: str, certificates: str = CERTIFICATES) -> ssl.SSLContext:
    """Return how the certificate of a registry is checked: as the engine does it.

    :param certificates: directory with a folder for each registry.
    :raises DeployError: a certificate in it cannot be used.
    """
    context = ssl.create_default_context()
    folder = os.path.join(certificates, host)
    try:
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*.crt"))):
            context.load_verify_locations(path)
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*.cert"))):
            context.load_cert_chain(path, f"{path[: -len('.cert')]}.key")
    except OSError as exc:
        raise DeployError(
            f"A certificate in '{folder}' cannot be used: {exc.strerror or exc}.",
            hint="Mend or remove it; the engine reads the same files.",
        ) from exc
    if not endpoint.secure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry has, asked through its own HTTP API (OCI distribution).

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import hashlib
import http
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient, HttpError, HttpResponse
from ansible_collections.j4c.deploy.plugins.module_utils._registry_credentials import Credentials
from ansible_collections.j4c.deploy.plugins.module_utils._registry_errors import RegistryError, registry_error
from ansible_collections.j4c.deploy.plugins.module_utils._registry_place import Endpoint, Repository

TIMEOUT = 30.0
_INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFEST = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
# a registry may say where the content is instead of sending it
_THERE = (200, 204, 302, 303, 307)


@dataclass(frozen=True)
class Manifest:
    """What a registry keeps for an image.

    :param digest: of the manifest itself; computed from what was sent.
    :param ids: what an engine may call this image: the digest, or that of the configuration, by its image store.
    :param blobs: digests of the configuration and the layers.
    :param size: of these in bytes.
    """

    digest: str
    ids: frozenset[str]
    blobs: tuple[str, ...]
    size: int


class RegistryApi:
    """Asks a registry about the images of one name.

    :param endpoint: where its API is.
    :param client: sends the requests.
    :param credentials: sent only after the registry has asked for them.
    """

    def __init__(
        self, repository: Repository, endpoint: Endpoint, client: HttpClient, credentials: Credentials | None
    ) -> None:
        self._repository = repository
        self._endpoint = endpoint
        self._client = client
        self._credentials = credentials
        self._base = ""
        self._authorization = ""

    def manifest(self, reference: str) -> Manifest | None:
        """Return what a tag or digest names, ``None`` when the registry has no such thing.

        :raises RegistryError: no good answer, or something else than what the digest names.
        """
        doing = f"Asking for '{self._repository.name}' {reference}"
        answer = self._request("GET", f"manifests/{reference}", doing, {"Accept": ", ".join(_MANIFEST + _INDEX)})
        if answer is None:
            return None
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        if ":" in reference and digest != reference:
            raise self._error(doing, f"manifest verification failed for digest: it is {digest}")
        try:
            data = answer.json()
            if data.get("mediaType") in _INDEX or "manifests" in data:
                return self._index(digest, data)
            parts = [data["config"], *data["layers"]]
            blobs = tuple(str(part["digest"]) for part in parts)
            return Manifest(digest, frozenset((digest, blobs[0])), blobs, sum(int(part["size"]) for part in parts))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise self._error(doing, f"what it sent is no manifest: {exc!r}") from exc

    def _index(self, digest: str, data: t.Mapping[str, t.Any]) -> Manifest:
        ids, size = {digest}, 0
        blobs: list[str] = []
        for entry in data["manifests"]:
            # an attestation is no image
            if (entry.get("platform") or {}).get("os") != "unknown":
                found = self.manifest(str(entry["digest"]))
                if found is not None:
                    ids |= found.ids
                    blobs += found.blobs
                    size += found.size
        return Manifest(digest, frozenset(ids), tuple(blobs), size)

    def missing_blobs(self, manifest: Manifest) -> list[str]:
        """Return those parts of an image that the registry does not have.

        :raises RegistryError: no good answer.
        """
        doing = f"Looking for the layers of '{self._repository.name}' {manifest.digest}"
        return [blob for blob in manifest.blobs if self._request("HEAD", f"blobs/{blob}", doing) is None]

    def _request(
        self, method: str, path: str, doing: str, headers: t.Mapping[str, str] | None = None
    ) -> HttpResponse | None:
        """Send a request, with the login when it is asked for; ``None`` when there is no such thing."""
        url = f"{self._find_base(doing)}/v2/{self._endpoint.path}/{path}"
        answer = self._send(method, url, doing, headers)
        if answer.status == 401:
            self._authorization = self._authorize(answer, doing)
            answer = self._send(method, url, doing, headers)
        if answer.status == 404:
            return None
        if answer.status not in _THERE:
            raise self._error(doing, _told(answer))
        return answer

    def _send(self, method: str, url: str, doing: str, headers: t.Mapping[str, str] | None = None) -> HttpResponse:
        fields = dict(headers or {})
        if self._authorization:
            fields["Authorization"] = self._authorization
        try:
            return self._client.request(method, url, TIMEOUT, fields)
        except HttpError as exc:
            raise self._error(doing, str(exc)) from exc

    def _find_base(self, doing: str) -> str:
        """Return the URL that the registry answers on; plain HTTP only where the engine would accept it."""
        problem: RegistryError | None = None
        for url in self._endpoint.urls if not self._base else ():
            try:
                self._send("GET", f"{url}/v2/", doing)
            except RegistryError as exc:
                problem = exc
                continue
            self._base = url
            break
        if not self._base and problem is not None:
            raise problem
        return self._base

    def _authorize(self, answer: HttpResponse, doing: str) -> str:
        """Return the value of the header that the registry's challenge asks for."""
        kind, _space, rest = (answer.headers.get("WWW-Authenticate") or "").partition(" ")
        if kind.lower() == "basic" and self._credentials is not None and not self._authorization:
            return self._credentials.basic
        asked = dict(_CHALLENGE.findall(rest))
        if kind.lower() == "bearer" and asked.get("realm"):
            return self._fetch_token(asked, doing)
        raise self._error(doing, _told(answer))

    def _fetch_token(self, asked: t.Mapping[str, str], doing: str) -> str:
        realm = asked["realm"]
        if not realm.startswith("https://") and self._endpoint.secure:
            raise self._error(doing, f"its login is at '{realm}', which would send the password in the clear: refused")
        query = {"scope": f"repository:{self._endpoint.path}:pull"}
        if asked.get("service"):
            query["service"] = asked["service"]
        headers = {"Authorization": self._credentials.basic} if self._credentials else {}
        try:
            answer = self._client.get(f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}", TIMEOUT, headers)
            if answer.status == 200:
                data = answer.json()
                return f"Bearer {data.get('token') or data['access_token']}"
        except HttpError as exc:
            raise self._error(doing, str(exc)) from exc
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise self._error(doing, "its login service sent no token") from exc
        raise self._error(doing, _told(answer))

    def _error(self, doing: str, text: str) -> RegistryError:
        return registry_error(doing, text, self._repository.host, self._repository.name, self._credentials)


def _told(answer: HttpResponse) -> str:
    """Return what a registry says went wrong, with the status in words."""
    try:
        items = answer.json()["errors"]
        reasons = "; ".join(f"{item.get('code', '')}: {item.get('message', '')}" for item in items)
    except (ValueError, KeyError, TypeError, AttributeError):
        reasons = answer.text()
    try:
        phrase = http.HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    return f"unexpected HTTP status: {answer.status} {phrase} {reasons}".strip()

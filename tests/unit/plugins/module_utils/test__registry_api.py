# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
import json
import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _registry_api as registries
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient
from ansible_collections.j4c.deploy.plugins.module_utils._registry_credentials import Credentials
from ansible_collections.j4c.deploy.plugins.module_utils._registry_errors import RegistryError
from ansible_collections.j4c.deploy.plugins.module_utils._registry_place import Endpoint, Repository

from tests.unit.web import Web, web

LOGIN = Credentials("robot", "a long word")
CONFIG, LAYER = f"sha256:{'c' * 64}", f"sha256:{'1' * 64}"
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"digest": CONFIG, "size": 900},
    "layers": [{"digest": LAYER, "size": 200000}],
}


def digest_of(data: t.Any) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(data).encode()).hexdigest()


INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {"digest": digest_of(MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": f"sha256:{'a' * 64}", "platform": {"os": "unknown", "architecture": "unknown"}},
    ],
}


class Fake:
    """A registry of a few answers.

    :param web: the server.
    """

    def __init__(self, web: Web) -> None:
        self.web = web
        self.url = web.url
        self.challenge = ""
        self.wanted = ""
        self.put("/v2/", 200, {})
        self.put("/v2/shop/orders/manifests/1.0", 404, {})

    def put(self, path: str, status: int, body: t.Any) -> None:
        """Set the answer to a path, which those below ``/v2/`` give only to who is let in."""

        def answer() -> tuple[int, bytes, dict[str, str]]:
            given = self.web.requests[-1].headers.get("Authorization", "")
            if self.wanted and given != self.wanted and path.startswith("/v2/"):
                return 401, b"{}", {"WWW-Authenticate": self.challenge}
            return status, json.dumps(body).encode(), {}

        self.web.answers[path] = answer

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The paths that were asked for, each with the login that came with it."""
        return [(item.path, item.headers.get("Authorization", "")) for item in self.web.requests]


@pytest.fixture
def fake() -> t.Iterator[Fake]:
    with web() as made:
        yield Fake(made)


@pytest.fixture
def client() -> t.Iterator[HttpClient]:
    with HttpClient() as made:
        yield made


def api(
    fake: Fake, client: HttpClient, login: Credentials | None = None, secure: bool = False
) -> registries.RegistryApi:
    endpoint = Endpoint((fake.url,), "shop/orders", secure)
    return registries.RegistryApi(Repository("registry.example.com", "shop/orders"), endpoint, client, login)


def test_a_manifest_is_known_by_its_content(fake: Fake, client: HttpClient) -> None:
    fake.put("/v2/shop/orders/manifests/1.0", 200, MANIFEST)
    found = api(fake, client).manifest("1.0")
    assert found is not None
    assert found.digest == digest_of(MANIFEST)
    assert found.ids == {digest_of(MANIFEST), CONFIG}
    assert (found.blobs, found.size) == ((CONFIG, LAYER), 200900)
    assert api(fake, client).manifest("2.0") is None


def test_an_index_has_the_ids_of_its_images(fake: Fake, client: HttpClient) -> None:
    fake.put("/v2/shop/orders/manifests/1.0", 200, INDEX)
    fake.put(f"/v2/shop/orders/manifests/{digest_of(MANIFEST)}", 200, MANIFEST)
    found = api(fake, client).manifest("1.0")
    assert found is not None
    assert found.digest == digest_of(INDEX)
    assert found.ids == {digest_of(INDEX), digest_of(MANIFEST), CONFIG}
    assert found.blobs == (CONFIG, LAYER)


def test_another_content_than_the_digest_names_is_refused(fake: Fake, client: HttpClient) -> None:
    wanted = f"sha256:{'0' * 64}"
    fake.put(f"/v2/shop/orders/manifests/{wanted}", 200, MANIFEST)
    with pytest.raises(RegistryError) as caught:
        api(fake, client).manifest(wanted)
    assert caught.value.code == "mismatch"


@pytest.mark.parametrize("body", [[], {}, {"config": {}, "layers": []}, {"config": {"digest": CONFIG}, "layers": 5}])
def test_what_is_no_manifest_is_refused(fake: Fake, client: HttpClient, body: t.Any) -> None:
    fake.put("/v2/shop/orders/manifests/1.0", 200, body)
    with pytest.raises(RegistryError, match="the registry 'registry.example.com' or the engine"):
        api(fake, client).manifest("1.0")


@pytest.mark.parametrize("status", [200, 307])
def test_lost_layers_are_named(fake: Fake, client: HttpClient, status: int) -> None:
    fake.put(f"/v2/shop/orders/blobs/{CONFIG}", status, {})
    whole = registries.Manifest("", frozenset(), (CONFIG, LAYER), 0)
    assert api(fake, client).missing_blobs(whole) == [LAYER]


def test_a_password_is_sent_only_when_it_is_asked_for(fake: Fake, client: HttpClient) -> None:
    fake.put("/v2/shop/orders/manifests/1.0", 200, MANIFEST)
    api(fake, client, LOGIN).manifest("1.0")
    assert {given for _path, given in fake.asked} == {""}
    fake.challenge, fake.wanted = 'Basic realm="test"', LOGIN.basic
    guarded = api(fake, client, LOGIN)
    assert guarded.manifest("1.0") is not None
    del fake.web.requests[:]
    guarded.manifest("1.0")
    assert [given for _path, given in fake.asked] == [LOGIN.basic]


@pytest.mark.parametrize(("login", "code"), [(None, "no_login"), (Credentials("robot", "wrong"), "unauthorized")])
def test_a_login_that_is_missing_or_wrong(fake: Fake, client: HttpClient, login: Credentials | None, code: str) -> None:
    fake.challenge, fake.wanted = 'Basic realm="test"', LOGIN.basic
    with pytest.raises(RegistryError) as caught:
        api(fake, client, login).manifest("1.0")
    assert caught.value.code == code


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_a_token_is_fetched_where_the_registry_says(fake: Fake, client: HttpClient, key: str) -> None:
    token = "/token?scope=repository%3Ashop%2Forders%3Apull&service=registry"
    fake.challenge, fake.wanted = f'Bearer realm="{fake.url}/token",service="registry",scope="x"', "Bearer abc"
    fake.put(token, 200, {key: "abc"})
    fake.put("/v2/shop/orders/manifests/1.0", 200, MANIFEST)
    assert api(fake, client, LOGIN).manifest("1.0") is not None
    basic = "Basic " + base64.b64encode(b"robot:a long word").decode()
    assert (token, basic) in fake.asked
    assert [given for path, given in fake.asked if path.startswith("/v2/")] == ["", "", "Bearer abc"]


@pytest.mark.parametrize(
    ("status", "body", "code"), [(401, {}, "unauthorized"), (200, {}, "unknown"), (503, {}, "server_error")]
)
def test_a_token_that_is_not_given(fake: Fake, client: HttpClient, status: int, body: t.Any, code: str) -> None:
    fake.challenge, fake.wanted = f'Bearer realm="{fake.url}/token"', "Bearer abc"
    fake.put("/token?scope=repository%3Ashop%2Forders%3Apull", status, body)
    with pytest.raises(RegistryError) as caught:
        api(fake, client, LOGIN).manifest("1.0")
    assert caught.value.code == code


def test_a_password_is_not_sent_in_the_clear(fake: Fake, client: HttpClient) -> None:
    fake.challenge, fake.wanted = f'Bearer realm="{fake.url}/token"', "Bearer abc"
    with pytest.raises(RegistryError) as caught:
        api(fake, client, LOGIN, secure=True).manifest("1.0")
    assert "in the clear" in caught.value.fields["evidence"]["detail"]
    assert not [path for path, _given in fake.asked if path.startswith("/token")]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, {"errors": [{"code": "DENIED", "message": "no"}]}, "denied"),
        (429, {"errors": [{"code": "TOOMANYREQUESTS", "message": "slow"}]}, "rate_limited"),
        (500, {"errors": [{"code": "UNKNOWN", "message": "x"}]}, "server_error"),
        (599, "busy", "server_error"),
    ],
)
def test_an_answer_that_is_no_good(fake: Fake, client: HttpClient, status: int, body: t.Any, code: str) -> None:
    fake.put("/v2/shop/orders/manifests/1.0", status, body)
    with pytest.raises(RegistryError) as caught:
        api(fake, client).manifest("1.0")
    assert caught.value.code == code


def test_plain_http_is_tried_only_where_it_is_allowed(fake: Fake, client: HttpClient) -> None:
    fake.put("/v2/shop/orders/manifests/1.0", 200, MANIFEST)
    secure, plain = fake.url.replace("http:", "https:"), fake.url
    repository = Repository("registry.example.com", "shop/orders")
    allowed = registries.RegistryApi(repository, Endpoint((secure, plain), "shop/orders", False), client, None)
    assert allowed.manifest("1.0") is not None
    strict = registries.RegistryApi(repository, Endpoint((secure,), "shop/orders", True), client, None)
    with pytest.raises(RegistryError) as caught:
        strict.manifest("1.0")
    assert caught.value.code == "insecure"

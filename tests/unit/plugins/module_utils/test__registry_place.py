# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ssl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _registry_place as place
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

INFO: dict[str, t.Any] = {
    "IndexServerAddress": "https://index.example.org/v1/",
    "RegistryConfig": {
        "InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"],
        "IndexConfigs": {
            "hub.example.org": {"Name": "hub.example.org", "Secure": True, "Official": True},
            "plain.example.org:5000": {"Name": "plain.example.org:5000", "Secure": False, "Official": False},
        },
    },
}


@pytest.mark.parametrize(
    ("name", "host", "path"),
    [
        ("registry.example.com/orders", "registry.example.com", "orders"),
        ("registry.example.com:5000/shop/orders", "registry.example.com:5000", "shop/orders"),
        ("registry:5000/orders", "registry:5000", "orders"),
        ("localhost/shop/orders", "localhost", "shop/orders"),
        ("127.0.0.1:5000/a-b/c__d", "127.0.0.1:5000", "a-b/c__d"),
    ],
)
def test_a_name_has_its_registry(name: str, host: str, path: str) -> None:
    found = place.repository_from(name)
    assert (found.host, found.path, found.name) == (host, path, name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "cannot name"),
        ("orders", "in which registry"),
        ("shop/orders", "in which registry"),
        ("/orders", "cannot name"),
        ("registry.example.com", "in which registry"),
        ("registry.example.com/", "cannot name"),
        ("registry.example.com/Shop/orders", "cannot name"),
        ("registry.example.com/orders:1.0", "cannot name"),
        ("https://registry.example.com/orders", "cannot name"),
        ("registry.example.com/or ders", "cannot name"),
    ],
)
def test_what_is_no_name_in_a_registry(name: str, said: str) -> None:
    with pytest.raises(DeployError, match=said):
        place.repository_from(name)


def test_tags_and_digests_are_checked() -> None:
    place.check_tags(["1.0", "1.0-4f1c2ab", "_x"])
    place.check_digest("sha256:" + "0" * 64)
    for tag in ("", "-x", "a b", "a/b", "x" * 129):
        with pytest.raises(DeployError, match="option tags"):
            place.check_tags(["1.0", tag])
    for digest in ("", "latest", "sha256:12", "0" * 64):
        with pytest.raises(DeployError, match="option digest"):
            place.check_digest(digest)


@pytest.mark.parametrize(
    ("name", "urls", "path", "secure"),
    [
        ("192.0.2.1:5000/a", ("https://192.0.2.1:5000",), "a", True),
        ("127.0.0.1:5000/a", ("https://127.0.0.1:5000", "http://127.0.0.1:5000"), "a", False),
        ("127.8.9.1/a/b", ("https://127.8.9.1", "http://127.8.9.1"), "a/b", False),
        ("localhost:5000/a", ("https://localhost:5000", "http://localhost:5000"), "a", False),
        ("plain.example.org:5000/a", ("https://plain.example.org:5000", "http://plain.example.org:5000"), "a", False),
        ("hub.example.org/a", ("https://index.example.org",), "library/a", True),
        ("hub.example.org/a/b", ("https://index.example.org",), "a/b", True),
        ("registry.invalid/a", ("https://registry.invalid",), "a", True),
    ],
)
def test_the_engine_says_what_is_trusted(name: str, urls: tuple[str, ...], path: str, secure: bool) -> None:
    assert place.endpoint_of(INFO, place.repository_from(name)) == place.Endpoint(urls, path, secure)


def test_an_engine_that_says_nothing_trusts_nobody() -> None:
    assert place.endpoint_of({}, place.Repository("127.0.0.1:5000", "a")).secure


def test_only_a_trusted_registry_needs_no_certificate() -> None:
    secure = place.Endpoint(("https://x",), "a", True)
    plain = place.Endpoint(("https://x", "http://x"), "a", False)
    assert place.tls_context(secure, "x").verify_mode == ssl.CERT_REQUIRED
    assert place.tls_context(secure, "x").check_hostname
    assert place.tls_context(plain, "x").verify_mode == ssl.CERT_NONE


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "x:5000").mkdir()
    (tmp_path / "x:5000" / "ca.crt").write_text("nothing", encoding="ascii")
    with pytest.raises(DeployError, match="x:5000"):
        place.tls_context(place.Endpoint(("https://x:5000",), "a", True), "x:5000", str(tmp_path))
    place.tls_context(place.Endpoint(("https://y",), "a", True), "y", str(tmp_path))

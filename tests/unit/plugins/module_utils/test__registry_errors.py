# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _registry_errors as errors
from ansible_collections.j4c.deploy.plugins.module_utils._registry_credentials import Credentials

HOST = "registry.example.com:5000"
NAME = f"{HOST}/shop/orders"
LOGIN = Credentials("robot", "a long word")
NGINX = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n<hr><center>nginx/1.26.3</center>\r\n</body>\r\n</html>\r\n"

# What Docker 26.1 said of docker-registry 2.8, of NGINX 1.26 in front of it, and of nobody there; then what this
# collection's own client says; then what larger registries document.
SAID = [
    ('Get "https://172.17.0.3:5000/v2/": http: server gave HTTP response to HTTPS client', "insecure"),
    ('Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', "unreachable"),
    (
        'Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid on 192.0.2.53:53: no such host',
        "unknown_host",
    ),
    (
        'Get "https://172.17.0.4:5000/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
        "unknown_ca",
    ),
    (
        'Get "https://172.17.0.4:5000/v2/": tls: failed to verify certificate: x509: certificate is valid for 127.0.0.1, not 172.17.0.4',
        "certificate",
    ),
    ("no basic auth credentials", "no_login"),
    ("unauthorized: authentication required", "unauthorized"),
    ("denied: " + NGINX.format("403 Forbidden"), "denied"),
    (
        "pull access denied for 127.0.0.1:32787/c/d, repository does not exist or may require 'docker login': denied: "
        + NGINX.format("403 Forbidden"),
        "denied",
    ),
    ("toomanyrequests: " + NGINX.format("429 Too Many Requests"), "rate_limited"),
    ("unknown: " + NGINX.format("413 Request Entity Too Large"), "too_large"),
    ("received unexpected HTTP status: 500 Internal Server Error", "server_error"),
    ("received unexpected HTTP status: 502 Bad Gateway", "server_error"),
    ("received unexpected HTTP status: 503 Service Temporarily Unavailable", "server_error"),
    (
        f"manifest for 127.0.0.1:32783/a/b@sha256:{'0' * 64} not found: manifest unknown: manifest unknown",
        "missing",
    ),
    (f"manifest verification failed for digest sha256:{'0' * 64}", "mismatch"),
    (f"filesystem layer verification failed for digest sha256:{'0' * 64}", "mismatch"),
    ("write /var/lib/docker/tmp/GetImageBlob1234: no space left on device", "engine_disk"),
    ("connection refused", "unreachable"),
    ("no complete answer within 30 s", "unreachable"),
    ("the host name is not known", "unknown_host"),
    ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:992)", "insecure"),
    ("the certificate is not valid: self-signed certificate", "unknown_ca"),
    ("the certificate is not valid: unable to get local issuer certificate", "unknown_ca"),
    ("the certificate is not valid: certificate has expired", "certificate"),
    ("unexpected HTTP status: 401 Unauthorized UNAUTHORIZED: authentication required", "unauthorized"),
    ("unexpected HTTP status: 403 Forbidden DENIED: requested access to the resource is denied", "denied"),
    ("unexpected HTTP status: 429 Too Many Requests", "rate_limited"),
    ("unexpected HTTP status: 507 Insufficient Storage", "quota"),
    (
        "denied: adding 25.4 MiB of storage resource, which when updated to current usage of 1013 MiB will exceed the "
        "configured upper limit of 1.0 GiB.",
        "quota",
    ),
    ("blob upload unknown to registry", "upload_lost"),
    ("name invalid: repository name must be lowercase", "name_invalid"),
    ("something that nobody has seen before", "unknown"),
]


@pytest.mark.parametrize(("said", "code"), SAID)
def test_what_was_said_has_a_class(said: str, code: str) -> None:
    error = errors.registry_error(f"Pushing '{NAME}:1.0'", said, HOST, NAME, LOGIN)
    assert error.code == code
    assert error.msg.startswith(f"Pushing '{NAME}:1.0' failed: ")
    assert error.hint
    assert "{" not in error.msg + error.hint
    assert "<" not in error.fields["evidence"]["detail"]


def test_only_what_may_pass_is_tried_again() -> None:
    passing = {"unreachable", "unknown_host", "rate_limited", "server_error", "upload_lost"}
    assert {cause.code for cause in errors.CAUSES if cause.transient} == passing
    assert not errors.registry_error("x", "something new", HOST, NAME, None).transient


def test_every_class_is_proven() -> None:
    assert {cause.code for cause in errors.CAUSES} == {code for _said, code in SAID} - {"unknown"}


def test_without_a_login_one_is_asked_for() -> None:
    assert errors.registry_error("x", "unauthorized: authentication required", HOST, NAME, None).code == "no_login"


def test_a_login_is_never_repeated() -> None:
    said = f"robot:a long word is wrong, {LOGIN.basic} too"
    error = errors.registry_error("x", said, HOST, NAME, LOGIN, bytes=5)
    text = json.dumps(error.result())
    assert "a long word" not in text
    assert LOGIN.basic.split()[1] not in text
    assert error.fields["evidence"]["bytes"] == 5


def test_a_long_text_is_cut() -> None:
    assert len(errors.plain("<b>x</b> " * 1000)) == errors.DETAIL_LENGTH + 3

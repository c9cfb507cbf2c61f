# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _secret_patterns as secrets

# in parts, so that no scanner takes them for real ones
KEY = "-----BEGIN " + "RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA0m59l2u9iDnMbrXHfqkO\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PASSWORD", True),
        ("DB_PASSWORD", True),
        ("db.password", True),
        ("GITHUB_TOKEN", True),
        ("API_KEY", True),
        ("APIKEY", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("SECRET_VALUE", True),
        ("DB_PASSWORD_FILE", False),
        ("TOKEN_URL", False),
        ("PASSWORDS", False),
        ("TOKENIZER", False),
        ("JAVA_HOME", False),
    ],
)
def test_names(name: str, expected: bool) -> None:
    assert secrets.is_secret_name(name) is expected


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".env", "environment file"),
        ("app/.env.production", "environment file"),
        ("app/.env.example", ""),
        ("root/.ssh/config", "SSH folder"),
        ("app/.git/HEAD", "Git repository"),
        ("app/.gitignore", ""),
        ("root/.docker/config.json", "registry credentials"),
        ("config.json", ""),
        ("app/id_rsa", "private key"),
        ("app/id_rsa.pub", ""),
        ("etc/tls/server.key", "private key"),
        ("app/store.p12", "key store"),
        ("etc/ssl/certs/ca.pem", ""),
        ("root/.m2/settings-security.xml", "credentials file"),
        ("", ""),
    ],
)
def test_files(path: str, kind: str) -> None:
    assert secrets.kind_of_file(path) == kind


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("nothing", []),
        (KEY, ["private key"]),
        ("-----BEGIN " + "PRIVATE KEY-----", []),
        ("key " + "AKIA" + "Q3EGRIDOFQXVZJ7T", ["AWS access key"]),
        ("gh" + "p_" + "a1B2" * 9, ["GitHub token"]),
        ("glpat" + "-" + "x1y2z" * 4, ["GitLab token"]),
        ("url=https://me:" + "secretword@example.com", ["password in a URL"]),
        ("jdbc:postgresql://db:5432/app", []),
        ("https://me:${PASSWORD}@example.com", []),
        ("https://user:pass" + "word@example.com", []),
        ("http://example.com:80/a@b", []),
        ("db.password=hunter2hunter2", []),
    ],
)
def test_text(text: str, kinds: list[str]) -> None:
    assert secrets.kinds_of_text(text.encode()) == kinds


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("quarkus.datasource.password=" + "hunter2hunter2", True),
        ("a: 1\n  api-key: " + "'q9w8e7r6t5'", True),
        ('{"token": ' + '"q9w8e7r6t5"}', True),
        ("quarkus.datasource.password=${DB_PASSWORD}", False),
        ("password: changeme", False),
        ("password=xxxxxx", False),
        ("password=short", False),
        ("password.file=/run/secrets/db", False),
        ("token=/run/secrets/token", False),
        ("# the password comes from the vault", False),
    ],
)
def test_settings(text: str, found: bool) -> None:
    assert secrets.kinds_of_text(text.encode(), settings=True) == (["password or token in settings"] if found else [])


def test_files_of_settings() -> None:
    assert secrets.is_settings_file("app/application.properties")
    assert secrets.is_settings_file(".env.production")
    assert not secrets.is_settings_file("app/Main.class")

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a secret looks like: names of variables, names of files, text. What was found is named by kind, never shown.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import fnmatch
import re

_NAME = re.compile(
    r"(?:^|[_.-])(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|API[_-]?KEY|ACCESS[_-]?KEY|PRIVATE[_-]?KEY)(?:[_.-](\w+))?$",
    re.IGNORECASE,
)
# such a name is about a secret and holds none
_HARMLESS_ENDS = frozenset(["DIR", "ENABLED", "EXPIRY", "FILE", "HOST", "LENGTH", "NAME", "PATH", "TTL", "URI", "URL"])

# text that is a secret wherever it stands
KNOWN: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    # the words alone are in many libraries, so the key itself must follow
    (
        "private key",
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----[\r\n]+(?:[\w-]+: [^\r\n]+[\r\n]+)*[A-Za-z0-9+/=]{32}"
        ),
    ),
    ("AWS access key", re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("GitHub token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{36})")),
    ("GitLab token", re.compile(rb"\bglpat-[\w-]{20}")),
    ("Slack token", re.compile(rb"\bxox[abeoprs]-[A-Za-z0-9-]{20}")),
    ("Google API key", re.compile(rb"\bAIza[\w-]{35}\b")),
    ("Stripe key", re.compile(rb"\b[rs]k_live_[A-Za-z0-9]{24}")),
    ("npm token", re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b")),
    ("PyPI token", re.compile(rb"\bpypi-AgEIcHlwaS5vcmc[\w-]{50}")),
    (
        "password in a URL",
        re.compile(
            rb"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>${}]{1,64}:(?!\*+@|x+@|pass(?:word)?@)[^\s/@\"'<>${}]{3,128}@[\w.-]"
        ),
    ),
)
# in a file of settings, a name that is a secret's with a value that is no reference and no placeholder
_SETTING = re.compile(
    rb"(?:^|[{,])[ \t]*[\"']?([\w.-]*(?:password|passwd|passphrase|secret|token|credentials?|api[-_]?key|access[-_]?key|private[-_]?key))[\"']?"
    rb"[ \t]*[=:][ \t]*[\"']?([^\s\"'#,]{6,})",
    re.IGNORECASE | re.MULTILINE,
)
_NO_SECRET = re.compile(
    rb"^(?:[$%@{<].*|/.*|file:.*|(.)\1*|true|false|none|null|change[-_]?me.*|example.*|placeholder.*|\*+|x+)$",
    re.IGNORECASE,
)

_FILES: tuple[tuple[str, str], ...] = (
    ("environment file", ".env"),
    ("environment file", ".env.*"),
    ("private key", "id_rsa"),
    ("private key", "id_dsa"),
    ("private key", "id_ecdsa"),
    ("private key", "id_ed25519"),
    ("private key", "*.key"),
    ("key store", "*.p12"),
    ("key store", "*.pfx"),
    ("key store", "*.jks"),
    ("key store", "*.keystore"),
    ("credentials file", ".netrc"),
    ("credentials file", ".npmrc"),
    ("credentials file", ".pypirc"),
    ("credentials file", ".pgpass"),
    ("credentials file", ".git-credentials"),
    ("credentials file", ".htpasswd"),
    ("credentials file", "settings-security.xml"),
)
_EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist")
_FOLDERS = {
    ".git": "Git repository",
    ".ssh": "SSH folder",
    ".aws": "AWS folder",
    ".kube": "Kubernetes folder",
    ".gnupg": "GnuPG folder",
}
_SETTINGS_ENDS = (".conf", ".env", ".ini", ".json", ".properties", ".sh", ".toml", ".xml", ".yaml", ".yml")


def is_secret_name(name: str) -> bool:
    """Return whether a variable of this name holds a secret."""
    match = _NAME.search(name)
    return match is not None and (match.group(1) or "").upper() not in _HARMLESS_ENDS


def kind_of_file(path: str) -> str:
    """Return which kind of secret a file is by its path, ``""`` for none."""
    parts = [part for part in path.split("/") if part]
    for part in parts:
        if part in _FOLDERS:
            return _FOLDERS[part]
    if parts[-2:] == [".docker", "config.json"]:
        return "registry credentials"
    if not parts or parts[-1] in _EXAMPLES:
        return ""
    return next((kind for kind, pattern in _FILES if fnmatch.fnmatchcase(parts[-1], pattern)), "")


def is_settings_file(path: str) -> bool:
    """Return whether a file holds settings, so that names in it mean something."""
    return path.rsplit("/", 1)[-1].startswith(".env") or path.endswith(_SETTINGS_ENDS)


def kinds_of_text(data: bytes, settings: bool = False) -> list[str]:
    """Return which kinds of secrets a text has, each once.

    :param settings: also look for names with values, as in ``db.password=...``.
    """
    found = [kind for kind, pattern in KNOWN if pattern.search(data)]
    if settings and any(not _NO_SECRET.match(value) for _name, value in _SETTING.findall(data)):
        found.append("password or token in settings")
    return found

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import typing as t
import zipfile

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_leaks as leaks
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_layers import Entry

WORD = b"q9w8e7r6" + b"t5z4u3i2"
SETTING = b"db.password=" + WORD
KEY = b"-----BEGIN " + b"PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n"


class Files:
    """A layer from a dictionary."""

    def __init__(self, files: t.Mapping[str, bytes]) -> None:
        self._files = files

    def entries(self) -> t.Iterator[Entry]:
        yield Entry("removed/.env", 0, "gone")
        for path, data in self._files.items():
            yield Entry(path, len(data), "file")

    def read(self, path: str, limit: int) -> bytes:
        return self._files[path][:limit]


def jar(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app/a.txt": b"nothing"}, []),
        ({"app/a.bin": b"\0" + WORD}, [("build secret", "app/a.bin")]),
        ({"app/.env": b""}, [("environment file", "app/.env")]),
        ({"app/server.pem": KEY}, [("private key", "app/server.pem")]),
        ({"app/a.properties": SETTING.replace(b"5z", b"zz")}, [("password or token in settings", "app/a.properties")]),
        ({"app/a.txt": SETTING.replace(b"5z", b"zz")}, []),
        ({"app/a.jar": jar(a__key=KEY)}, [("private key", "app/a.jar!/a.key")] * 1),
        (
            {"app/a.jar": jar(a__yml=b"token: " + b"zzz8e7r6t5")},
            [("password or token in settings", "app/a.jar!/a.yml")],
        ),
        ({"app/a.jar": jar(a__class=KEY)}, []),
        # of others, only what is a secret without a doubt
        ({"app/lib/b.jar": jar(a__yml=b"token: " + b"zzz8e7r6t5", a__p12=b"x")}, []),
        ({"app/lib/b.jar": jar(a__pem=KEY)}, [("private key", "app/lib/b.jar!/a.pem")]),
        ({"app/a.jar": b"no archive"}, []),
        ({"app/a.jar": jar(a__txt=b"x")[:-9]}, []),
    ],
)
def test_layers(files: dict[str, bytes], expected: list[tuple[str, str]]) -> None:
    found = leaks.scan_layer(Files(files), "sha256:1", [WORD], {"app/lib/b.jar"})
    assert [(item.kind, item.path) for item in found] == expected
    assert {item.layer for item in found} <= {"sha256:1"}


def test_the_history_and_the_environment() -> None:
    found = leaks.scan_history(
        ["RUN /bin/sh -c echo x # buildkit", f"RUN |1 A={WORD.decode()} /bin/sh -c x", "COPY a b"],
        ["PATH=/bin", "URL=https://me:" + "secretword@host/"],
        [WORD],
    )
    assert found == [
        leaks.Leak("build secret", "history: RUN", ""),
        leaks.Leak("password in a URL", "environment: URL", ""),
    ]


def test_short_values_are_not_looked_for() -> None:
    assert leaks.scan_text(b"a short word", [b"short"]) == []
    assert leaks.scan_text(b"a long enough", [b"long enough\n"]) == ["build secret"]


def test_exceptions_have_a_reason() -> None:
    scan = leaks.make_scan({"exceptions": [{"path": "/app/*.env", "reason": "of the demo"}]})
    shown = leaks.as_dict(leaks.Leak("environment file", "app/x/.env", "sha256:1"), scan)
    assert shown == {"kind": "environment file", "path": "app/x/.env", "layer": "sha256:1", "excepted": "of the demo"}
    assert leaks.excepted(leaks.Leak("x", "etc/.env", ""), scan) == ""
    with pytest.raises(DeployError, match="for app in the option leak_scan has no reason"):
        leaks.make_scan({"exceptions": [{"path": "app", "reason": ""}]})

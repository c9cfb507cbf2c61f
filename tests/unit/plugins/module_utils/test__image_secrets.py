# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_secrets as secrets
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import parse, stages

TEXT = """\
FROM a AS unused
RUN --mount=type=secret,id=other x
FROM a
RUN --mount=type=secret,id=npm x
RUN --mount=type=secret,id=extra,required=false x
"""


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{"id": "a"}], "'a', which has not exactly one"),
        ([{"id": "a", "file": "/a", "env": "A"}], "'a', which has not exactly one"),
        ([{"id": "", "file": "/a"}], "'', which has not exactly one"),
        ([{"id": "a", "file": "/a"}, {"id": "a", "env": "A"}], "has 'a' twice"),
        ([{"id": "a", "file": "/a,src=/b"}], "a comma, a quote or a line break in what it says of 'a'"),
    ],
)
def test_secrets_that_cannot_be(items: list[dict[str, t.Any]], message: str) -> None:
    with pytest.raises(DeployError, match=message) as caught:
        secrets.make_secrets(items)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        (["npm"], None, []),
        (["npm", "extra", "other"], None, []),
        ([], "secret_missing", ["npm"]),
        (["extra"], "secret_missing", ["npm"]),
        (["npm", "typo"], "secret_unknown", ["typo"]),
    ],
)
def test_what_is_mounted_is_given(given: list[str], code: str | None, named: list[str]) -> None:
    made = secrets.make_secrets({"id": name, "env": "X"} for name in given)
    if code is None:
        secrets.match_mounts(made, stages(parse(TEXT), {}), "Dockerfile")
        return
    with pytest.raises(DeployError) as caught:
        secrets.match_mounts(made, stages(parse(TEXT), {}), "Dockerfile")
    assert caught.value.fields["evidence"] == {"code": code, "secrets": named}


def test_values(tmp_path: Path) -> None:
    (tmp_path / "npm").write_bytes(b"one\n")
    made = secrets.make_secrets([{"id": "npm", "file": str(tmp_path / "npm")}, {"id": "b", "env": "B"}])
    assert secrets.read_values(made, {"B": "two"}) == [b"one\n", b"two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file or directory"), (b" \n", "it is empty"), (b"x" * 600_000, "more than 512000 bytes")],
)
def test_a_value_that_cannot_be_had(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "npm").write_bytes(content)
    with pytest.raises(DeployError, match=message) as caught:
        secrets.read_values(secrets.make_secrets([{"id": "npm", "file": str(tmp_path / "npm")}]), {})
    assert caught.value.fields["evidence"] == {"code": "secret_missing", "secrets": ["npm"]}

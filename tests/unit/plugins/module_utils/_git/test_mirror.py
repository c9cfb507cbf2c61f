# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.mirror import Found, find, mirror_path

KNOWN = {"refs/heads/main": "1" * 40, "refs/heads/both": "2" * 40, "refs/tags/both": "3" * 40, "refs/tags/v1": "4" * 40}


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("main", Found("branch", "refs/heads/main", "1" * 40)),
        ("refs/heads/both", Found("branch", "refs/heads/both", "2" * 40)),
        ("refs/tags/both", Found("tag", "refs/tags/both", "3" * 40)),
        ("v1", Found("tag", "refs/tags/v1", "4" * 40)),
        ("a" * 40, Found("commit", "", "a" * 40)),
        ("abcdef1", Found("commit", "", "")),
    ],
)
def test_what_a_ref_names(ref: str, found: Found) -> None:
    assert find(ref, KNOWN, "url") == found


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("both", "has a branch and a tag of that name"),
        ("none", "has no such branch, tag or commit"),
        ("abcdef", "has no such branch, tag or commit"),
        ("refs/heads/v1", "has no such branch"),
        ("-x", "that is no name"),
        ("a b", "that is no name"),
        ("a..b", "that is no name"),
        ("a:b", "that is no name"),
        ("main~1", "that is no name"),
        ("", "that is no name"),
    ],
)
def test_what_names_nothing(ref: str, told: str) -> None:
    with pytest.raises(DeployError, match=told):
        find(ref, KNOWN, "url")


def test_a_repository_without_a_commit() -> None:
    with pytest.raises(DeployError, match="'url' has no commit yet"):
        find("main", {}, "url")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/orders.git", "orders-"),
        ("git@host:orders.git", "orders-"),
        ("git@host:a/orders/", "orders-"),
        ("/srv/git/x y", "x-y-"),
        ("file:///", "repository-"),
    ],
)
def test_people_recognise_a_mirror(url: str, name: str) -> None:
    path = mirror_path("/cache", url)
    assert path.startswith(f"/cache/{name}")
    assert path.endswith(".git")
    assert len({mirror_path("/cache", item) for item in (url, url + "x")}) == 2

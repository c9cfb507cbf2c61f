# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _image_pull as pull
from ansible_collections.j4c.deploy.plugins.module_utils import _image_push as push
from ansible_collections.j4c.deploy.plugins.module_utils._registry_api import Manifest

ID, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
DIGEST, LAYER = f"sha256:{'d' * 64}", f"sha256:{'a' * 64}"


def manifest(*ids: str) -> Manifest:
    return Manifest(DIGEST, frozenset((DIGEST, *ids)), (LAYER,), 5)


@pytest.mark.parametrize(
    ("found", "missing", "expected"),
    [
        (None, [], push.Remote("", False, "the registry does not have it")),
        (manifest(OTHER), [], push.Remote(DIGEST, False, f"it names {DIGEST} now")),
        (manifest(ID), [LAYER], push.Remote(DIGEST, False, f"the registry lost {LAYER}")),
        (manifest(ID), [], push.Remote(DIGEST, True, "")),
    ],
)
def test_what_a_tag_names(found: Manifest | None, missing: list[str], expected: push.Remote) -> None:
    assert push.judge(ID, found, missing) == expected


def test_an_image_is_known_by_its_digest_where_that_is_its_id() -> None:
    assert push.judge(DIGEST, manifest(), []).same


def test_only_what_is_not_the_same_is_pushed() -> None:
    remotes = {
        "1-a": push.Remote("", False, "the registry does not have it"),
        "1": push.Remote(DIGEST, True, ""),
        "live": push.Remote(DIGEST, False, "it names another"),
    }
    assert push.plan(["live", "1", "1-a"], remotes) == [
        push.Step("live", "it names another"),
        push.Step("1-a", "the registry does not have it"),
    ]
    assert push.plan(["1"], remotes) == []


@pytest.mark.parametrize(
    ("observed", "tags", "expected"),
    [
        (pull.Observed("", {}), [], ["pull"]),
        (pull.Observed("", {"1": OTHER}), ["1"], ["pull", "tag 1"]),
        (pull.Observed(ID, {}), ["1", "live"], ["tag 1", "tag live"]),
        (pull.Observed(ID, {"1": ID, "live": OTHER}), ["1", "live"], ["tag live"]),
        (pull.Observed(ID, {"1": ID}), ["1"], []),
    ],
)
def test_what_is_pulled_and_tagged(observed: pull.Observed, tags: list[str], expected: list[str]) -> None:
    assert pull.plan(observed, tags) == expected

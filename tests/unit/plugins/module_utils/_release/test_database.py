# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.database import Sessions
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Database

from tests.unit.plugins.module_utils._release.fake_docker import (
    FakeDocker,
    conflict,
    in_slot,
)

DATABASE = Database("shop-core-db-1", "root", "shop")
NETWORKS = {"edge": {"IPAddress": "172.30.0.11"}, "data": {"IPAddress": "172.31.0.5"}, "none": {"IPAddress": ""}}


def engine(output: bytes = b"2\n") -> FakeDocker:
    api = FakeDocker(in_slot("b", "blue", networks=NETWORKS))
    api.output = output
    return api


def test_sessions_of_all_addresses_of_the_slot_are_counted_and_ended() -> None:
    api = engine()
    sessions = Sessions(api, DATABASE, "b")
    assert (sessions.busy(), sessions.end()) == (2, 2)
    busy, end = api.calls
    assert busy.startswith("exec shop-core-db-1 psql -XAtqw -U root -d shop -c SELECT count(*) FROM pg_stat_activity")
    assert "ANY('{172.30.0.11,172.31.0.5}'::inet[]) AND state <> 'idle'" in busy
    assert "count(pg_terminate_backend(pid))" in end
    assert "ANY('{172.30.0.11,172.31.0.5}'::inet[])" in end


@pytest.mark.parametrize(
    ("database", "container"), [(None, "b"), (DATABASE, "gone"), (DATABASE, "bare")], ids=["none", "gone", "no-address"]
)
def test_without_database_or_address_nothing_is_asked(database: Database | None, container: str) -> None:
    api = FakeDocker(in_slot("b", "blue", networks=NETWORKS), in_slot("bare", "blue"))
    sessions = Sessions(api, database, container)
    assert (sessions.busy(), sessions.end(), api.calls) == (0, 0, [])


@pytest.mark.parametrize(("rc", "output"), [(1, b"FATAL: no"), (0, b""), (0, b"NULL"), (2, b"3")])
def test_an_answer_that_is_no_count_is_a_failure(rc: int, output: bytes) -> None:
    api = engine(output)
    api.rc = rc
    with pytest.raises(DeployError, match=f"psql in 'shop-core-db-1' failed with exit status {rc}"):
        Sessions(api, DATABASE, "b").busy()


def test_a_database_that_is_not_there_is_named() -> None:
    api = engine()
    api.broken["exec"] = conflict("No such container", 404)
    with pytest.raises(DeployError, match="Asking 'shop-core-db-1' for its sessions failed"):
        Sessions(api, DATABASE, "b").end()

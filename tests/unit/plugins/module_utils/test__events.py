# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _events as events
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

MESSAGE: dict[str, t.Any] = {
    "step": 3,
    "steps": 5,
    "percentage": 60,
    "name": "compiler:compile @ app",
    "metrics": {"elapsed_time": 4.2, "memory_usage": "612.00MB", "cpu_threads": 16},
    "next_action": "MONITOR_COMPILATION",
    "rollback_available": True,
}


def test_a_message_has_the_form_that_agents_agree_on(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    told = events.Events(str(path), "deploy-1")
    told.prepare()
    assert path.read_text("utf-8") == ""
    told.send("build_execution", "IN_PROGRESS", "é is one line\nonly", **MESSAGE)
    told.send("git_verification", "FAILED", "No.", **{**MESSAGE, "critical_errors": ["dirty"]})
    one, two = map(json.loads, path.read_text("utf-8").splitlines())
    assert sorted(one) == [
        "agent_id",
        "agent_type",
        "critical_errors",
        "message",
        "metrics",
        "next_action",
        "phase",
        "progress",
        "rollback_available",
        "status",
        "task_id",
        "timestamp",
    ]
    assert (one["agent_type"], one["task_id"], one["status"]) == ("BuildOrchestrationAgent", "deploy-1", "IN_PROGRESS")
    assert one["progress"] == {
        "current_step": 3,
        "total_steps": 5,
        "percentage": 60,
        "step_name": "compiler:compile @ app",
    }
    assert (two["agent_type"], two["critical_errors"]) == ("GitCoordinatorAgent", ["dirty"])


def test_a_file_that_cannot_be_written_is_told_before_work_begins(tmp_path: Path) -> None:
    told = events.Events(str(tmp_path / "absent/events.jsonl"), "x")
    with pytest.raises(DeployError, match=r"Option events is '.*': it cannot be written: No such file"):
        told.prepare()
    # later on nothing must end the work
    told.send("build_execution", "IN_PROGRESS", "x", **MESSAGE)


def test_without_a_file_nothing_is_told() -> None:
    told = events.Events("", "x")
    told.prepare()
    told.send("build_execution", "SUCCESS", "x", **MESSAGE)


@pytest.mark.parametrize(("size", "text"), [(0, "0.00MB"), (612 << 20, "612.00MB"), (28443500000, "26.49GB")])
def test_an_amount(size: int, text: str) -> None:
    assert events.amount(size) == text

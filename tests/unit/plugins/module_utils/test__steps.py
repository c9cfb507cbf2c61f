# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog


def clocked(*seconds: float) -> StepLog:
    left = list(seconds)
    return StepLog(lambda: left.pop(0))


def test_steps_are_timed_and_told_in_order() -> None:
    log = clocked(10.0, 10.2504, 20.0, 20.0)
    log.add("look", "skipped", "not asked for")
    with log.step("start") as note:
        note["detail"] = "container abc"
    with log.step("stop"):
        pass
    assert log.results == [
        {"name": "look", "seconds": 0.0, "result": "skipped", "detail": "not asked for"},
        {"name": "start", "seconds": 0.25, "result": "ok", "detail": "container abc"},
        {"name": "stop", "seconds": 0.0, "result": "ok", "detail": ""},
    ]


def test_a_failure_carries_the_steps_so_far() -> None:
    log = clocked(0.0, 1.0, 1.0, 3.0)
    with log.step("start"):
        pass
    with pytest.raises(DeployError) as caught, log.step("check"):
        raise DeployError("The port is taken.", hint="Free it.")
    assert caught.value.steps is log.results
    assert log.results[1] == {"name": "check", "seconds": 2.0, "result": "failed", "detail": "The port is taken."}
    assert caught.value.result()["steps"][0]["name"] == "start"


@pytest.mark.parametrize("error", [KeyError("slot"), KeyboardInterrupt()])
def test_a_defect_or_interrupt_is_a_failed_step_too(error: BaseException) -> None:
    log = clocked(0.0, 1.0)
    with pytest.raises(type(error)), log.step("check"):
        raise error
    assert log.results == [{"name": "check", "seconds": 1.0, "result": "failed", "detail": repr(error)}]

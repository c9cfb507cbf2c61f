# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._module import require, run_module


def ended(capsys: pytest.CaptureFixture[str], work: t.Callable[[], dict[str, t.Any]], diff: bool = False) -> t.Any:
    """Run a module to its end and return its exit status and what it printed."""
    with patch_module_args({"_ansible_diff": diff}), pytest.raises(SystemExit) as caught:
        run_module(basic.AnsibleModule({}), work)
    return caught.value.code, json.loads(capsys.readouterr().out)


def failing() -> dict[str, t.Any]:
    raise DeployError("It broke.", hint="Mend it.", rc=3, command=["a", "b"], phase="p")


def test_a_result_ends_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = ended(capsys, lambda: {"changed": True, "slot": "blue", "diff": {"before": "a"}})
    assert (status, result["changed"], result["slot"]) == (0, True, "blue")
    assert "diff" not in result


def test_the_diff_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    _status, result = ended(capsys, lambda: {"diff": {"before": "a", "after": "b"}}, diff=True)
    assert (result["diff"], result["changed"]) == ({"before": "a", "after": "b"}, False)


def test_an_error_is_a_failure_with_all_it_carries(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = ended(capsys, failing)
    assert status == 1
    assert {key: result[key] for key in ("failed", "changed", "msg", "hint", "rc", "cmd", "phase")} == {
        "failed": True,
        "changed": False,
        "msg": "It broke. Mend it.",
        "hint": "Mend it.",
        "rc": 3,
        "cmd": "a b",
        "phase": "p",
    }


def test_an_error_may_tell_that_something_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> dict[str, t.Any]:
        raise DeployError("x", changed=True)

    assert ended(capsys, work)[1]["changed"] is True


def test_a_result_may_be_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = ended(capsys, lambda: {"failed": True, "changed": True, "msg": "ROLLED_BACK", "warnings": ["old"]})
    assert (status, result["failed"], result["changed"], result["msg"]) == (1, True, True, "ROLLED_BACK")
    assert "old" in json.dumps(result["warnings"])


def test_warnings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = ended(capsys, lambda: {"warnings": ["one replica"]})
    assert status == 0
    assert "one replica" in json.dumps(result["warnings"])


@pytest.mark.parametrize(("error", "missing"), [(None, False), ("Traceback: no module", True)])
def test_a_missing_library_is_told_as_ansible_does(
    capsys: pytest.CaptureFixture[str], error: str | None, missing: bool
) -> None:
    with patch_module_args({}), contextlib.suppress(SystemExit):
        require(basic.AnsibleModule({}), "docker", error)
    printed = capsys.readouterr().out
    assert ("Failed to import the required Python library (docker)" in printed) is missing

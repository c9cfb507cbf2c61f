# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (DeployError("It broke."), {"msg": "It broke."}),
        (DeployError("It broke.", hint="Mend it."), {"msg": "It broke. Mend it.", "hint": "Mend it."}),
        (
            DeployError("x", command=("docker", "run", "a b"), rc=0, stdout="", stderr="e"),
            {"msg": "x", "cmd": "docker run 'a b'", "rc": 0, "stdout": "", "stderr": "e"},
        ),
        (DeployError("x", steps=[]), {"msg": "x", "steps": []}),
        (DeployError("x", phase="p", evidence={"logs": []}), {"msg": "x", "phase": "p", "evidence": {"logs": []}}),
    ],
)
def test_only_what_is_known_is_in_the_result(error: DeployError, result: dict[str, object]) -> None:
    assert error.result() == result
    assert str(error) == error.msg


def test_the_result_is_a_copy() -> None:
    error = DeployError("x", phase="p")
    error.result()["phase"] = "other"
    assert error.fields == {"phase": "p"}

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import PIPELINE, Decision, Phase, verdict

ALL: tuple[Decision, ...] = t.get_args(Decision)


def test_the_table_of_the_guide() -> None:
    assert [(phase.name, phase.role, " ".join(phase.decisions)) for phase in PIPELINE] == [
        ("git_verification", "source", "PROCEED ABORT"),
        ("build_preparation", "build", "PROCEED ROLLBACK"),
        ("build_execution", "build", "PROCEED ROLLBACK RETRY"),
        ("artifact_verification", "build", "PROCEED ROLLBACK"),
        ("container_build", "image", "PROCEED ROLLBACK"),
        ("service_deployment", "release", "SUCCESS ROLLBACK RETRY"),
        ("post_deployment_validation", "validate", "SUCCESS REVIEW ROLLBACK"),
    ]


@pytest.mark.parametrize("phase", PIPELINE, ids=lambda phase: phase.name)
def test_a_phase_decides_only_what_it_may(phase: Phase) -> None:
    for decision in ALL:
        if decision in phase.decisions:
            assert verdict(phase.name, decision) == {"phase": phase.name, "decision": decision}
        else:
            with pytest.raises(ValueError, match=f"may not decide '{decision}'"):
                verdict(phase.name, decision)


def test_a_phase_that_is_not_in_the_table_is_a_defect() -> None:
    with pytest.raises(ValueError, match="unknown phase 'deployment'"):
        verdict("deployment", "SUCCESS")

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline as one table: phases, who does them, and what each may decide.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Decision = t.Literal["PROCEED", "ABORT", "RETRY", "ROLLBACK", "SUCCESS", "REVIEW"]


@dataclass(frozen=True)
class Phase:
    """One phase: its ``name``, the ``agent`` type of its messages, the ``role`` that runs it, its possible ``decisions``."""

    name: str
    agent: str
    role: str
    decisions: tuple[Decision, ...]


PIPELINE: tuple[Phase, ...] = (
    Phase("git_verification", "GitCoordinatorAgent", "source", ("PROCEED", "ABORT")),
    Phase("build_preparation", "BuildOrchestrationAgent", "build", ("PROCEED", "ROLLBACK")),
    Phase("build_execution", "BuildOrchestrationAgent", "build", ("PROCEED", "ROLLBACK", "RETRY")),
    Phase("artifact_verification", "BuildOrchestrationAgent", "build", ("PROCEED", "ROLLBACK")),
    Phase("container_build", "ContainerOperationsAgent", "image", ("PROCEED", "ROLLBACK")),
    Phase("service_deployment", "DeploymentExecutorAgent", "release", ("SUCCESS", "ROLLBACK", "RETRY")),
    Phase("post_deployment_validation", "DeploymentExecutorAgent", "validate", ("SUCCESS", "REVIEW", "ROLLBACK")),
)

_BY_NAME = {phase.name: phase for phase in PIPELINE}


def verdict(phase: str, decision: Decision) -> dict[str, t.Any]:
    """Return ``{phase, decision}`` for a module result.

    :raises ValueError: when the table has no such phase, or the phase may not decide that (a defect of the caller).
    """
    if phase not in _BY_NAME:
        raise ValueError(f"unknown phase {phase!r}")
    if decision not in _BY_NAME[phase].decisions:
        raise ValueError(f"phase {phase!r} may not decide {decision!r}")
    return {"phase": phase, "decision": decision}

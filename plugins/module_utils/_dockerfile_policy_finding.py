# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule found in a Dockerfile, and how severe that is.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Severity = t.Literal["error", "warning", "info"]
# the most severe first
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One finding: the ``rule``, its ``severity``, the ``line`` of the Dockerfile, what is there, and the ``remedy``.

    ``excepted`` is the reason why it is let pass, ``""`` when it is not.
    """

    rule: str
    severity: Severity
    line: int
    message: str
    remedy: str
    excepted: str = ""

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open-loop load on a service on this machine, and the exact account of what failed.

Requests start on a schedule that does not wait for answers, nothing is ever sent twice, and the time of a request
counts from the moment it was due. ``Load`` runs it in a process of its own; ``python -m tests.load`` does so by hand.
"""

from __future__ import annotations

from tests.load.process import Load
from tests.load.report import Failure, Latency, Report, Second
from tests.load.traffic import Profile
from tests.load.verify import missing_keys

__all__ = ["Failure", "Latency", "Load", "Profile", "Report", "Second", "missing_keys"]

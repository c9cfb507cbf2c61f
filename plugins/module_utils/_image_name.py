# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image may be named.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re

_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
NAME = re.compile(rf"^(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d+)?/)?{_PART}(?:/{_PART})*$")
TAG = re.compile(r"^\w[\w.-]{0,127}$", re.ASCII)
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")

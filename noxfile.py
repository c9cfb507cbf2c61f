# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of antsibull-nox; see antsibull-nox.toml."""

from __future__ import annotations

import antsibull_nox

antsibull_nox.load_antsibull_nox_toml()

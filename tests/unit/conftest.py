# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes ``ansible_collections.j4c.deploy`` importable from a plain checkout."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if importlib.util.find_spec("ansible_collections") is None:
    for name in ("ansible_collections", "ansible_collections.j4c", "ansible_collections.j4c.deploy"):
        package = types.ModuleType(name)
        package.__path__ = [str(ROOT)] if name.endswith("deploy") else []
        sys.modules[name] = package

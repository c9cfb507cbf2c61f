# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for get-pip.py that needs no download: ansible-test runs it in its fresh virtual environments."""

from __future__ import annotations

import subprocess
import sys

# As a process of its own: ensurepip changes the environment that it runs in, and pip would lose its configuration.
subprocess.run([sys.executable, "-m", "ensurepip", "--upgrade", "--default-pip"], stdout=subprocess.DEVNULL, check=True)
wanted = [argument for argument in sys.argv[1:] if "==" in argument]
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=False).returncode)

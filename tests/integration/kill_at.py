# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module whose release engine is killed when it has written a certain record of its journal.

Usage: ``kill_at.py NUMBER MODULE OPTIONS``; the first record is number 1.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._release.journal import Journal


def main() -> None:
    """Patch the journal, then be the module."""
    left = int(sys.argv.pop(1))
    module = sys.argv.pop(1)
    write = Journal.write

    def deadly(self: Journal, event: str, step: str, **fields: t.Any) -> None:
        nonlocal left
        write(self, event, step, **fields)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.write = deadly  # type: ignore[method-assign]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()

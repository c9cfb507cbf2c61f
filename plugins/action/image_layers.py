# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs image_layers on the builder and brings the archives to the machine where Ansible runs."""

from __future__ import annotations

import os
import typing as t

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):
    """The part of image_layers that runs where Ansible does."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result, the archives of which are on this machine."""
        super().run(tmp, task_vars)
        remote = self._connection.transport != "local"
        arguments = dict(self._task.args)
        if remote and self._connection.become:
            # the archives belong to root then, and the connection reads them as its own user
            arguments["owner"] = int(self._low_level_execute_command("id -u", sudoable=False)["stdout"].strip() or 0)
        result: dict[str, t.Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        if remote:
            for archive in result.get("archives") or []:
                archive["path"] = self._fetch(archive)
        return result

    def _fetch(self, archive: t.Mapping[str, t.Any]) -> str:
        """Fetch an archive into the directory that Ansible removes when it ends, unless this run has it already."""
        local = os.path.join(t.cast("t.Any", constants).DEFAULT_LOCAL_TMP, f"j4c-ship-{archive['key']}")
        os.makedirs(local, mode=0o700, exist_ok=True)
        for part in archive["parts"]:
            path = os.path.join(local, part["name"])
            if not os.path.exists(path) or os.path.getsize(path) != part["bytes"]:
                self._connection.fetch_file(os.path.join(archive["path"], part["name"]), path)
                display.vv(f"image_layers: fetched {part['name']} of {len(archive['parts'])}, {part['bytes']} bytes")
        return local

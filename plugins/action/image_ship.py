# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends an archive of an image over Ansible's own connection, and lets image_ship load it on the server."""

from __future__ import annotations

import os
import re
import shlex
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._ship import plan
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "container_build"
INCOMING = "/var/tmp"
RESERVE_MB = 1024
# leftovers of other images go after a day, so that no ship under way loses its own
STALE_MINUTES = 1440
# makes the directory $1/$2 of this user, removes what is left of the same service's other images, lists what is there
PREPARE = """
umask 077
mkdir -p {base}/{name} || exit 1
if [ ! -O {base} ] || [ -L {base} ]; then echo "{base} is not this user's" >&2; exit 1; fi
find {base} -mindepth 1 -maxdepth 1 ! -name {name} \\( -name {service}'-*' -o -mmin +{minutes} \\) -exec rm -rf {{}} +
cd {base}/{name} || exit 1
for part in part-*; do if [ -f "$part" ]; then echo "$part $(wc -c < "$part")"; fi; done
"""
display = Display()


class ActionModule(ActionBase):
    """The part of image_ship that runs where Ansible does."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result, with what was sent."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        archives = arguments.pop("archives", None)
        arguments["local"] = self._connection.transport == "local"
        if not archives:
            return dict(self._execute_module(module_args=arguments, task_vars=task_vars))
        sending = Sending(self, arguments, task_vars)
        return sending.run(archives)


class Sending:
    """Sends one archive to one server."""

    def __init__(self, action: t.Any, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> None:
        self._action = action
        self._arguments = arguments
        self._task_vars = task_vars or {}
        self._log = StepLog()
        self._host = str(self._task_vars.get("inventory_hostname", ""))
        self._ship: dict[str, t.Any] = {"bytes_sent": 0, "bytes_resumed": 0}

    def run(self, archives: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
        """Send the archive that fits and have it loaded; failures are results with all that is known."""
        started = time.monotonic()
        result: dict[str, t.Any] = verdict(PHASE, "ROLLBACK")
        try:
            result = self._deliver(archives)
        except AnsibleConnectionFailure as exc:
            result.update(
                unreachable=True,
                msg=f"The connection was lost after {self._ship['bytes_sent']} bytes of the image: {exc} Run it again: "
                "what has arrived will not be sent again.",
                evidence={"code": "connection"},
            )
        except DeployError as exc:
            result.update(failed=True, **{**exc.result(), "steps": []})
        except AnsibleError as exc:
            result.update(
                failed=True,
                msg=f"Sending the image failed: {exc} Look at the directory '{self._arguments.get('incoming', INCOMING)}' "
                "on the server (j4c_ship_incoming): its disk may be full, or closed to this user.",
                evidence={"code": "send"},
            )
        ship = {**(result.get("ship") or {}), **self._ship, "seconds": round(time.monotonic() - started, 3)}
        return {"changed": False, **result, "ship": ship, "steps": self._log.results + (result.get("steps") or [])}

    def _deliver(self, archives: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
        request = self._arguments.get("request") or {}
        with self._log.step("prepare") as note:
            archive = plan.pick(archives, request)
            present = {layer["id"] for layer in self._arguments["image"]["layers"]} - set(archive["layers"])
            self._ship.update(bytes_image=archive["bytes_image"], layers_present=len(present))
            reserve = int(self._arguments.get("reserve_mb", RESERVE_MB)) * plan.MIB
            plan.check_room(request.get("disks") or {}, archive, reserve)
            directory, there = self._prepare(archive)
            wanted = [part for part in archive["parts"] if there.get(part["name"]) != part["bytes"]]
            self._ship["bytes_resumed"] = archive["bytes"] - sum(part["bytes"] for part in wanted)
            note["detail"] = f"{self._ship['bytes_resumed']} bytes are there"
        arguments = {**self._arguments, "archives": [archive], "incoming": directory}
        self._send(archive, wanted, directory)
        result: dict[str, t.Any] = self._action._execute_module(module_args=arguments, task_vars=self._task_vars)
        if result.get("damaged"):
            self._send(archive, [part for part in archive["parts"] if part["name"] in result["damaged"]], directory)
            result = self._action._execute_module(module_args=arguments, task_vars=self._task_vars)
        if result.get("damaged"):
            raise DeployError(
                f"The parts {', '.join(result['damaged'])} of the archive arrive damaged, also the second time.",
                hint=f"Look at the disks of this machine ('{archive['path']}') and of the server ('{directory}').",
                evidence={"code": "damaged", "parts": result["damaged"]},
            )
        if not result.get("failed") and self._action._is_become_unprivileged():
            # the module could not remove what belongs to another user
            self._shell(f"rm -rf {shlex.quote(directory)}")
        return result

    def _prepare(self, archive: t.Mapping[str, t.Any]) -> tuple[str, dict[str, int]]:
        """Make the directory for the parts, and return it with the bytes of each part that is there."""
        user = re.sub(r"\W", "_", str(self._action._get_remote_user() or "self"))
        base = os.path.join(str(self._arguments.get("incoming", INCOMING)), f"j4c-ship-{user}")
        image = self._arguments["image"]
        service = plan.key_of(image.get("name") or image["id"])
        name = f"{service}-{archive['key']}"
        done = self._shell(
            PREPARE.format(base=shlex.quote(base), name=name, service=service, minutes=STALE_MINUTES).strip()
        )
        if done["rc"] != 0:
            raise DeployError(
                f"The directory '{base}' for the archive cannot be made on the server: {done['stderr'].strip()}.",
                hint="Name another directory in the option incoming (j4c_ship_incoming).",
                evidence={"code": "incoming"},
            )
        there = {}
        for line in done["stdout"].splitlines():
            part, _space, size = line.strip().partition(" ")
            if size.strip().isdigit():
                there[part] = int(size)
        return os.path.join(base, name), there

    def _send(self, archive: t.Mapping[str, t.Any], parts: t.Sequence[t.Mapping[str, t.Any]], directory: str) -> None:
        total = sum(part["bytes"] for part in parts)
        sent = 0
        with self._log.step("send") as note:
            for part in parts:
                source = os.path.join(archive["path"], part["name"])
                if not os.path.exists(source):
                    raise DeployError(
                        f"The archive part '{source}' is gone from this machine.",
                        hint="Another run may have packed anew meanwhile: run it again.",
                        evidence={"code": "archive_missing"},
                    )
                self._action._connection.put_file(source, os.path.join(directory, part["name"]))
                sent += part["bytes"]
                self._ship["bytes_sent"] += part["bytes"]
                display.vv(f"image_ship: {sent} of {total} bytes sent", host=self._host)
            note["detail"] = f"{sent} bytes in {len(parts)} parts"
        if parts and self._action._is_become_unprivileged():
            paths = [directory, *(os.path.join(directory, part["name"]) for part in parts)]
            self._action._fixup_perms2([os.path.dirname(directory), *paths])

    def _shell(self, command: str) -> dict[str, t.Any]:
        """Run a command as the user of the connection, whoever become makes the module."""
        return dict(self._action._low_level_execute_command(command, sudoable=False))

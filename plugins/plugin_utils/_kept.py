# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module from code that is kept, compiled, on the target. Whatever is in the way of that, the module runs as ever.

This plugin util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible import constants as C
from ansible.executor.interpreter_discovery import InterpreterDiscoveryRequiredError, discover_interpreter
from ansible.executor.module_common import _get_shebang
from ansible.module_utils.ansible_release import __version__ as core_version
from ansible.plugins.action.normal import ActionModule as OrdinaryAction
from ansible.plugins.loader import module_utils_loader
from ansible.utils.display import Display
from ansible_collections.j4c.deploy.plugins.plugin_utils._kept_code import CORE, PLUGINS, Code, collect, program

try:
    from ansible.executor.module_common import _BuiltModule
    from ansible.module_utils.common.json import Direction, get_module_encoder

    PROFILE = "legacy"
except ImportError:  # ansible-core 2.17 and 2.18
    from ansible.module_utils.common.json import AnsibleJSONEncoder

    PROFILE = ""

# those whose way to start a module is known
KNOWN_CORES = ("2.17.", "2.18.", "2.19.")
DEBUGGERS = ("_ANSIBALLZ_", "_ANSIBLE_ANSIBALLZ_", "_ANSIBLE_COVERAGE")
MODULE_INTERPRETER = "/usr/bin/python"


class KeptAction(OrdinaryAction):
    """The action of a module of this collection.

    It differs from the ordinary action in what is sent: a few lines with the parameters, and the code only when the
    target has none that is whole. The module is started at most once.
    """

    _code: Code | None = None
    _with_code = False

    def _execute_module(self, *args: t.Any, **how: t.Any) -> dict[str, t.Any]:
        name = str(how.get("module_name") or (args and args[0]) or self._task.action).rpartition(".")[2]
        why_not = unfit(self, name, bool(how.get("wrap_async")))
        if not why_not:
            self._code = collect()
            for self._with_code in (False, True):
                result = super()._execute_module(*args, **how)
                if result.get("j4c_kept") is None:
                    told(f"{name}: its code was {'sent and kept' if self._with_code else 'there already'}", how)
                    return dict(result)
                why_not = str(result.get("reason"))
                if result["j4c_kept"] != "missing":
                    break
            self._code = None
        told(f"{name}: its code is sent as ever: {why_not}", how)
        return dict(super()._execute_module(*args, **how))

    def _configure_module(self, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> t.Any:
        if self._code is None:
            return super()._configure_module(module_name, module_args, task_vars)
        name = module_name.rpartition(".")[2]
        shebang = self._shebang(task_vars)
        data = program(shebang, name, self._code, encoded(module_args), PROFILE, self._with_code)
        path = str(PLUGINS / "modules" / f"{name}.py")
        if PROFILE:
            built = _BuiltModule(b_module_data=data, module_style="new", shebang=shebang, serialization_profile=PROFILE)
            return built, path
        return "new", shebang, data, path

    def _shebang(self, task_vars: dict[str, t.Any]) -> str:
        """Return the line that names the target's Python, which is looked for as for any module."""
        delegate = self._task.delegate_to
        use_vars = task_vars["ansible_delegated_vars"][delegate] if delegate else task_vars
        local = bool(getattr(self._connection, "_remote_is_local", False))
        try:
            return str(_get_shebang(MODULE_INTERPRETER, use_vars, self._templar, remote_is_local=local)[0])
        except InterpreterDiscoveryRequiredError as wanted:
            found = discover_interpreter(
                action=self,
                interpreter_name=wanted.interpreter_name,
                discovery_mode=wanted.discovery_mode,
                task_vars=use_vars,
            )
            key = f"discovered_interpreter_{wanted.interpreter_name}"
            self._discovered_interpreter = found
            use_vars["ansible_facts"][key] = found
            if not delegate or self._task.delegate_facts:
                task_vars["ansible_facts"][key] = found
                self._discovered_interpreter_key = key
            else:
                task_vars["ansible_delegated_vars"][delegate]["ansible_facts"][key] = found
            return str(_get_shebang(MODULE_INTERPRETER, use_vars, self._templar, remote_is_local=local)[0])


def told(text: str, how: dict[str, t.Any]) -> None:
    """Tell those who asked with -vv what became of the code."""
    Display().vv(text, host=(how.get("task_vars") or {}).get("inventory_hostname"))


def encoded(module_args: dict[str, t.Any]) -> str:
    """Return parameters as ansible-core gives them to a module."""
    given = {"ANSIBLE_MODULE_ARGS": module_args}
    if PROFILE:
        return json.dumps(given, cls=get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE))
    old_encoder: t.Any = AnsibleJSONEncoder
    return json.dumps(given, cls=old_encoder, vault_to_text=True)


def unfit(action: KeptAction, name: str, wrap_async: bool) -> str:
    """Return why a module cannot be run from a kept copy, empty when it can."""
    overridden = sorted(overrides(module_utils_loader._get_paths(subdirs=False)))
    reasons = {
        f"{name} is no module of this collection": not (PLUGINS / "modules" / f"{name}.py").is_file(),
        f"ansible-core {core_version} is not known": not core_version.startswith(KNOWN_CORES),
        "it runs in the background": wrap_async or bool(action._task.async_val),
        "remote files are to be kept": bool(C.config.get_config_value("DEFAULT_KEEP_REMOTE_FILES")),
        "the target has no POSIX shell": tuple(action._connection.module_implementation_preferences) != ("",),
        "its number of open files is limited": bool(C.config.get_config_value("PYTHON_MODULE_RLIMIT_NOFILE")),
        "modules are being debugged": any(key.startswith(DEBUGGERS) for key in os.environ),
        f"module utils are overridden: {', '.join(overridden)}": bool(overridden),
    }
    return next((reason for reason, met in reasons.items() if met), "")


def overrides(folders: t.Iterable[str]) -> set[str]:
    """Return what is in folders of module utils under a name that ansible-core uses itself."""
    own = {entry.name for entry in CORE.iterdir()} - {"__init__.py", "__pycache__"}
    return {
        os.path.join(folder, name)
        for folder in folders
        if os.path.isdir(folder) and os.path.realpath(folder) != str(CORE.resolve())
        for name in os.listdir(folder)
        if name in own
    }

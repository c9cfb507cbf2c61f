# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The border between Ansible and the domain: the only file that calls exit_json and fail_json.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError


def require(module: AnsibleModule, library: str, import_error: str | None) -> None:
    """Fail with Ansible's standard text when a Python library is missing.

    :param import_error: traceback of the failed import, ``None`` when it worked.
    """
    if import_error is not None:
        module.fail_json(msg=missing_required_lib(library), exception=import_error)


def run_module(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """Run the domain and end the module.

    :param work: returns the result; ``changed`` defaults to false, ``diff`` is dropped unless asked for. A result with
        ``failed`` set ends the module as failed, its ``warnings`` are shown. A ``DeployError`` becomes ``fail_json`` with all it carries.
    """
    try:
        result = work()
    except DeployError as exc:
        module.fail_json(**{"changed": False, **exc.result()})
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if not module._diff:
        result.pop("diff", None)
    result.setdefault("changed", False)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)

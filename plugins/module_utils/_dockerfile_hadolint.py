# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hadolint finds in a Dockerfile, where it is installed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import shutil

from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_finding import Finding, Severity
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

SECONDS = 30.0
_SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "info": "info", "style": "info"}


def parse_report(text: str) -> list[Finding]:
    """Return the findings of hadolint's report in JSON. Pure.

    :raises ValueError: it is no such report.
    """
    try:
        return [
            Finding(
                rule=str(item["code"]),
                severity=_SEVERITIES.get(str(item["level"]), "warning"),
                line=int(item["line"]),
                message=str(item["message"]),
                remedy=f"See https://github.com/hadolint/hadolint/wiki/{item['code']}.",
            )
            for item in json.loads(text)
        ]
    except (KeyError, TypeError) as exc:
        raise ValueError(f"no report of hadolint: {exc!r}") from exc


def lint(runner: Runner, path: str) -> list[Finding] | None:
    """Return what hadolint finds, ``None`` where it is not installed.

    :raises DeployError: it is there and does not work.
    """
    program = shutil.which("hadolint", path=runner.environment().get("PATH"))
    if program is None:
        return None
    done = runner.run(
        [program, "--no-fail", "--format", "json", "--", path],
        check=False,
        timeout=SECONDS,
        what=f"Running hadolint on '{path}'",
    )
    try:
        return parse_report(done.stdout)
    except ValueError as exc:
        raise DeployError(
            f"hadolint could not be used on '{path}': {exc}.",
            hint="Mend it or its configuration, or switch it off (policy.hadolint, j4c_image_policy.hadolint).",
            command=done.argv,
            rc=done.rc,
            stdout=done.stdout[-2000:],
            stderr=done.stderr[-2000:],
        ) from exc

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module as Ansible does: a process of its own, JSON in, JSON out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start_module(
    name: str,
    scratch: Path,
    options: t.Mapping[str, t.Any],
    *,
    check: bool = False,
    env: t.Mapping[str, str] | None = None,
    through: t.Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Start a module and return its process.

    :param scratch: an empty directory, or one that was given to this function before.
    :param options: the module's options.
    :param env: variables to add to its environment.
    :param through: a Python file and its arguments to run in the module's place; it gets the module's name and options after them.
    """
    names = scratch / "names/ansible_collections/j4c"
    names.mkdir(parents=True, exist_ok=True)
    if not (names / "deploy").is_symlink():
        (names / "deploy").symlink_to(ROOT)
    args = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    given = scratch / f"args-{len(list(scratch.iterdir()))}.json"
    given.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": args}), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, *(through or ("-m",)), f"ansible_collections.j4c.deploy.plugins.modules.{name}", str(given)],
        env={**os.environ, "PYTHONPATH": str(scratch / "names"), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(process: subprocess.Popen[str], timeout: float = 900) -> dict[str, t.Any]:
    """Wait for a module and return its result; ``failed`` agrees with its exit status."""
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert stdout, stderr
    result: dict[str, t.Any] = json.loads(stdout)
    assert bool(result.get("failed")) == bool(process.returncode), stderr
    return result


def run_module(name: str, scratch: Path, options: t.Mapping[str, t.Any], **how: t.Any) -> dict[str, t.Any]:
    """Run a module to its end and return its result."""
    return result_of(start_module(name, scratch, options, **how))

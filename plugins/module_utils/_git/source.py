# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the source of a service to the builder: exactly one commit of a repository, through a mirror.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git import checkout
from ansible_collections.j4c.deploy.plugins.module_utils._git.access import Address, access_to, read_address
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Access, Clone
from ansible_collections.j4c.deploy.plugins.module_utils._git.lock import hold
from ansible_collections.j4c.deploy.plugins.module_utils._git.mirror import FULL_ID, Found, Mirror, find, unknown
from ansible_collections.j4c.deploy.plugins.module_utils._pipeline import verdict
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner
from ansible_collections.j4c.deploy.plugins.module_utils._steps import StepLog

PHASE = "git_verification"


def bring(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Return the result of the module ``git_source``; see its documentation.

    :raises DeployError: the repository does not answer or does not have the ref, or the checkout has somebody's work.
    """
    log = StepLog()
    try:
        Runner().find("git", "Install git on the builder.")
        address = read_address("url", params["url"])
        with access_to(address, params) as access:
            return (_look if check_mode else _bring)(params, address, access, log)
    except DeployError as exc:
        exc.steps = log.results
        exc.fields = {**verdict(PHASE, "ABORT"), **exc.fields}
        raise
    except OSError as exc:
        raise DeployError(
            f"'{exc.filename or params['path']}' cannot be written: {exc.strerror}.",
            hint="Make room or give this user the right to write there, and run this again.",
            steps=log.results,
            **verdict(PHASE, "ABORT"),
        ) from exc


def _look(params: t.Mapping[str, t.Any], address: Address, access: Access, log: StepLog) -> dict[str, t.Any]:
    """Say what would be done; nothing is written."""
    path, ref = os.path.abspath(params["path"]), params["ref"]
    mirror = Mirror(params["cache"], address, params["timeout"], access)
    with log.step("remote") as note:
        known = mirror.ask()
        found = find(ref, known, address.url)
        if not found.commit:
            found = found._replace(commit=mirror.commit(ref), name=ref)
        note["detail"] = f"{found.kind} {found.commit[:7] or ref}"
    seen = checkout.look(path, params["timeout"])
    steps = checkout.plan(path, address.url, found, seen, params["own_work"] == "set_aside")
    for name, detail in steps:
        log.add(name, "planned", detail)
    return _result(params, address, found, seen, bool(steps), log)


def _bring(params: t.Mapping[str, t.Any], address: Address, access: Access, log: StepLog) -> dict[str, t.Any]:
    path, timeout = os.path.abspath(params["path"]), params["timeout"]
    _folder("cache", params["cache"], 0o700)
    _folder("path", os.path.dirname(path), 0o755)
    mirror = Mirror(params["cache"], address, timeout, access)
    with (
        hold(f"{mirror.path}.lock", params["lock_timeout"], f"The mirror of '{address.url}'") as one,
        hold(checkout.beside(path, "lock"), params["lock_timeout"], f"The checkout '{path}'") as two,
    ):
        mirror = Mirror(params["cache"], address, timeout, access, (one, two))
        with log.step("mirror") as note:
            found, state = _resolve(mirror, params["ref"], address.url)
            note["detail"] = f"{state}, {found.kind} {found.commit[:7]}"
        with log.step("checkout") as note:
            repaired = checkout.repair(path, timeout)
            seen = checkout.look(path, timeout)
            steps = checkout.plan(path, address.url, found, seen, params["own_work"] == "set_aside")
            note["detail"] = repaired or (seen.head[:7] if seen.head else seen.state)
        if not steps:
            return {
                **_result(params, address, found, seen, False, log),
                "mirror": {"path": mirror.path, "state": state},
            }
        new, aside = checkout.beside(path, "new"), ""
        with log.step("make") as note:
            try:
                checkout.build(new, address.url, found, mirror, params["submodules"])
            except DeployError:
                if state in ("new", "remade"):
                    raise
                # what was there all along may be damaged, what was just brought is not
                mirror.remake()
                state = "remade"
                checkout.build(new, address.url, found, mirror, params["submodules"])
            note["detail"] = "the mirror was damaged and made anew" if state == "remade" else ""
        with log.step("put") as note:
            if checkout.look(path, timeout) != seen:
                raise DeployError(f"'{path}' was changed while this was running.", hint="Run it again.")
            if steps[0][0] == "set_aside":
                # it changes places with what is there, which has this name from then on
                aside = checkout.free_name(path)
                os.rename(new, aside)
                new = aside
            checkout.put(new, path)
            if not aside:
                shutil.rmtree(new, ignore_errors=True)
            note["detail"] = f"what was there is in '{aside}'" if aside else ""
        result = _result(params, address, found, seen, True, log)
    if aside:
        result["warnings"] = [f"'{path}' had work that is in no repository: it is kept in '{aside}'."]
    return {**result, "mirror": {"path": mirror.path, "state": state}, "set_aside": aside}


def _folder(option: str, path: str, mode: int) -> None:
    try:
        os.makedirs(path, mode, exist_ok=True)
    except OSError as exc:
        raise DeployError(
            f"Option {option} needs the directory '{path}': it cannot be made: {exc.strerror}.",
            hint="Give this user the right to write there, or name another place.",
        ) from exc


def _resolve(mirror: Mirror, ref: str, url: str) -> tuple[Found, str]:
    """Return what the ref names, and what was done with the mirror to know it."""
    if len(ref) == FULL_ID and mirror.commit(ref):
        # a commit never changes: nobody needs to be asked
        return Found("commit", "", ref), "unchanged"
    state = mirror.update()
    known = mirror.refs()
    found = find(ref, known, url)
    if found.kind == "commit" and not found.name:
        commit = mirror.commit(ref)
        if not commit and found.commit and mirror.bring(ref):
            commit = mirror.commit(ref)
        if not commit:
            raise unknown(ref, known, url)
        found = found._replace(commit=commit)
    return found, state


def _result(
    params: t.Mapping[str, t.Any], address: Address, found: Found, seen: checkout.Seen, changed: bool, log: StepLog
) -> dict[str, t.Any]:
    """Return what is the same in every result."""
    path = os.path.abspath(params["path"])
    done = changed and all(step["result"] == "ok" for step in log.results)
    commit: dict[str, str] = {"id": found.commit, "short": found.commit[:7]}
    if done or not changed:
        commit = Clone(path, params["timeout"]).commit()
    before = {"url": seen.url, "commit": seen.head, "branch": seen.branch}
    after = {
        "url": address.url,
        "commit": found.commit,
        "branch": found.name[len("refs/heads/") :] if found.kind == "branch" else "",
    }
    told = f"{found.commit[:7] or params['ref']} of {address.url}"
    return {
        **verdict(PHASE, "PROCEED"),
        "changed": changed,
        "commit": commit,
        "ref": {"name": params["ref"], "kind": found.kind},
        "path": path,
        "steps": log.results,
        "evidence": {"before": before, "after": after, "ignored": list(seen.ignored) if changed else []},
        "diff": {"before": before, "after": after},
        "msg": f"PROCEED: '{path}' {'is' if done or not changed else 'would be'} {told}",
    }

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time without deploys on a server: until when, why, and who asked for it. Rollbacks are always allowed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import write_json
from ansible_collections.j4c.deploy.plugins.module_utils._release.state_file import DamagedError, load_object
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store, now, stamp_of

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LIFT = "ansible-playbook playbooks/freeze.yml -e j4c_frozen=false"


@dataclass(frozen=True)
class Freeze:
    """No deploy is accepted before ``end``; times are UTC as ``store.now`` writes them."""

    reason: str
    owner: str
    since: str
    end: str

    def told(self) -> str:
        """Return it as a part of a sentence."""
        return f"frozen until {self.end} by {self.owner} ({self.reason})"


def _path(root: str) -> str:
    return os.path.join(root, "freeze.json")


def read_freeze(root: str) -> Freeze | None:
    """Return the freeze of a service that has not ended, ``None`` when there is none. One that cannot be read counts.

    :param root: the service's state directory.
    :raises DeployError: the file may not be read.
    """
    try:
        data = load_object(_path(root))
        freeze = Freeze(**data) if data is not None else None
    except (DamagedError, TypeError):
        return Freeze(f"'{_path(root)}' is damaged", "nobody knows", "", "it is lifted")
    return freeze if freeze is not None and freeze.end > now() else None


def refuse_frozen(root: str) -> None:
    """Refuse a deploy while the service is frozen.

    :raises DeployError: it is; names reason, owner and end.
    """
    freeze = read_freeze(root)
    if freeze is not None:
        raise DeployError(
            f"Nothing was changed: deploys are {freeze.told()}.",
            hint=f"Wait until then, or lift it with '{LIFT}'. A rollback is always allowed.",
            freeze=asdict(freeze),
        )


def end_from(text: str, clock: datetime.datetime) -> str:
    """Return the end of a freeze as it is recorded.

    :param text: a time with its zone, or a duration from now such as ``4h``.
    :param clock: the current time.
    :raises DeployError: it is neither, or over already.
    """
    length = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text)
    end = None
    if length:
        end = clock + datetime.timedelta(**{UNITS[length[2]]: int(length[1])})
    else:
        with contextlib.suppress(ValueError):
            end = datetime.datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    if end is None or end.tzinfo is None:
        raise DeployError(
            f"Option end is '{text}': that is no time with its zone and no duration.",
            hint="Give it as '2026-12-24T18:00:00Z' or '4h' (m, h, d), with -e j4c_freeze_end=...",
        )
    if end <= clock:
        raise DeployError(f"Option end is '{text}': that is over already.", hint="Give a later time.")
    return stamp_of(end.astimezone(datetime.timezone.utc))


def set_freeze(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Return the result of the module ``release_freeze``; see its documentation.

    :raises DeployError: an option makes no sense, or the state directory cannot be written.
    """
    root = Store(params["state_dir"], params["service"]).root
    before = read_freeze(root)
    after = _wanted(params, before) if params["state"] == "present" else None
    changed = after != before
    if changed and not check_mode:
        _apply(root, after)
    told = f"Deploys of '{params['service']}' are {after.told() if after else 'allowed'}."
    return {
        "changed": changed,
        "freeze": asdict(after) if after else None,
        "msg": told,
        "diff": {"before": _side(before), "after": _side(after)},
    }


def _wanted(params: t.Mapping[str, t.Any], before: Freeze | None) -> Freeze:
    for option in ("reason", "owner"):
        if not params[option].strip():
            raise DeployError(
                f"Option {option} is empty: whoever is refused must know it.",
                hint=f"Give it with -e j4c_freeze_{option}='...'.",
            )
    end = end_from(params["end"], datetime.datetime.now(datetime.timezone.utc))
    same = before is not None and (before.reason, before.owner, before.end) == (params["reason"], params["owner"], end)
    return Freeze(params["reason"], params["owner"], before.since if before and same else now(), end)


def _apply(root: str, freeze: Freeze | None) -> None:
    try:
        if freeze is None:
            os.unlink(_path(root))
        else:
            os.makedirs(root, mode=0o755, exist_ok=True)
            write_json(_path(root), asdict(freeze), 0o644)
    except OSError as exc:
        raise DeployError(
            f"'{_path(root)}' cannot be changed: {exc.strerror}.",
            hint="Give state_dir a place that the remote user may write to, or use become.",
        ) from exc


def _side(freeze: Freeze | None) -> str:
    return f"{freeze.told()}\n" if freeze else "not frozen\n"

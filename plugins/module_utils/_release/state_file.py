# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the engine's files so that a damaged one is told from a missing one, and never taken for an empty server.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import SLOTS, State

SCHEMA = 1


class DamagedError(DeployError):
    """A file of the engine cannot be understood; ``why`` says what is the matter with it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"'{path}' cannot be read: {why}.", hint="Bring it back from a backup.")
        self.why = why


def load_object(path: str) -> dict[str, t.Any] | None:
    """Return the JSON object in a file, ``None`` when there is no such file.

    :raises DamagedError: it holds something else.
    :raises DeployError: it may not be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise DamagedError(path, str(exc)) from exc
    except OSError as exc:
        raise DeployError(
            f"'{path}' cannot be read: {exc.strerror}.", hint="Let the remote user read it, or use become."
        ) from exc
    if not isinstance(data, dict):
        raise DamagedError(path, "it is no JSON object")
    return data


def read_state(path: str) -> tuple[State | None, str]:
    """Read state.json; return the state, or ``None`` and what is the matter with it as the end of a sentence.

    :raises DeployError: it was written by a newer version, or may not be read.
    """
    try:
        data = load_object(path)
    except DamagedError as exc:
        return None, f"is damaged ({exc.why})"
    if data is None:
        return None, "is missing"
    schema = data.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise DeployError(
            f"'{path}' has schema {schema}; this version of j4c.deploy reads {SCHEMA}.",
            hint="Use the version of j4c.deploy that wrote it, or a newer one.",
        )
    if schema != SCHEMA or not _well_formed(data):
        return None, "is damaged (it is not what j4c.deploy writes)"
    return State(data["live"], data["standby"], data["run"], data["rejected"]), ""


def _well_formed(data: t.Mapping[str, t.Any]) -> bool:
    """Tell whether the parts of state.json have the shapes that the engine relies on."""

    def names(part: t.Any, *keys: str) -> bool:
        return isinstance(part, dict) and all(isinstance(part.get(key), str) for key in keys)

    entries = [data.get("live", 0), data.get("standby", 0)]
    return (
        all(part is None or (names(part, "slot", "release", "since") and part["slot"] in SLOTS) for part in entries)
        and (data.get("run", 0) is None or names(data["run"], "id", "kind", "release", "target"))
        and isinstance(data.get("rejected"), dict)
        and all(isinstance(why, dict) for why in data["rejected"].values())
    )

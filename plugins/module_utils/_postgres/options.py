# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules for backups, checked.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.backups import Backups
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.dump import Backup
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.helper import find_server
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.plan import Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.restore import Restore
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.restore_run import Wanted as RestoreWanted
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.retention import Retention
from ansible_collections.j4c.deploy.plugins.module_utils._postgres.undo import Prune, Undo
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import Store
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

ENGINE_TIMEOUT = 60.0
MIB = 1 << 20
SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
COMPRESSION = re.compile(r"auto|none|(gzip|lz4|zstd)(:\d{1,2})?")
PLACE_SPEC: dict[str, t.Any] = {
    "directory": {"type": "path", "required": True},
    "service": {"type": "str", "required": True},
}
SERVER_SPEC: dict[str, t.Any] = {
    "container": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "lock_timeout": {"type": "float", "default": 0.0},
    "min_free_mb": {"type": "int", "default": 1024},
    "password_file": {"type": "path", "no_log": False},
    "port": {"type": "int", "default": 5432},
    "timeout": {"type": "float", "default": 3600.0},
    "user": {"type": "str", "required": True},
}
BACKUP_SPEC: dict[str, t.Any] = {
    **PLACE_SPEC,
    **SERVER_SPEC,
    "compression": {"type": "str", "default": "auto"},
    "digest": {"type": "str", "default": "content", "choices": ["content", "counts", "none"]},
    "jobs": {"type": "int", "default": 2},
    "max_age": {"type": "float", "default": 0.0},
    "release": {"type": "str"},
    "retention": {
        "type": "dict",
        "options": {
            "daily": {"type": "int", "default": 7},
            "last": {"type": "int", "default": 3},
            "monthly": {"type": "int", "default": 6},
            "weekly": {"type": "int", "default": 4},
        },
        "apply_defaults": True,
    },
    "state_dir": {"type": "path"},
    "verify": {"type": "str", "default": "checksum", "choices": ["checksum", "drill"]},
}
RESTORE_SPEC: dict[str, t.Any] = {
    **PLACE_SPEC,
    **SERVER_SPEC,
    "accept_loss": {"type": "bool", "default": False},
    "jobs": {"type": "int", "default": 2},
    "keep_hours": {"type": "float", "default": 168.0},
    "restore": {"type": "str", "default": ""},
    "source": {"type": "str", "default": "latest"},
    "state": {"type": "str", "default": "restored", "choices": ["restored", "undone", "pruned"]},
    "swap_timeout": {"type": "float", "default": 5.0},
}


def check(findings: t.Iterable[tuple[str, object, bool, str]]) -> None:
    """Raise for the first option that is not good: ``(option, value, good, why)``.

    :raises DeployError: names option, value and why.
    """
    for option, value, good, why in findings:
        if not good:
            raise DeployError(f"Option {option} is '{value}': {why}.", hint="Mend it.")


def backups_from(params: t.Mapping[str, t.Any]) -> Backups:
    """Return the directory of backups that the options name.

    :raises DeployError: the service's name cannot be a directory.
    """
    service = params["service"]
    check([("service", service, bool(SERVICE.fullmatch(service)), "that is no name of a service")])
    return Backups(params["directory"], service)


def server_findings(params: t.Mapping[str, t.Any]) -> list[tuple[str, object, bool, str]]:
    """Return what has to hold for the options that all modules with a server have."""
    return [
        ("database", params["database"], bool(params["database"]), "it is empty"),
        ("user", params["user"], bool(params["user"]), "it is empty"),
        ("port", params["port"], 0 < params["port"] < 65536, "that is no TCP port"),
        ("timeout", params["timeout"], params["timeout"] > 0, "it is not above 0"),
        ("lock_timeout", params["lock_timeout"], params["lock_timeout"] >= 0, "it is negative"),
        ("min_free_mb", params["min_free_mb"], params["min_free_mb"] >= 0, "it is negative"),
    ]


def _releases(params: t.Mapping[str, t.Any]) -> tuple[str, tuple[str, ...] | None, list[str]]:
    """Return the live release, the kept ones (``None`` when they cannot be read), and warnings."""
    if not params["state_dir"]:
        return "", (), []
    store = Store(params["state_dir"], params["service"])
    try:
        live = store.load_state().live or {}
        return str(live.get("release", "")), tuple(store.load_releases()), []
    except DeployError as exc:
        # a damaged record must not stand in the way of a backup
        return "", None, [exc.msg]


def run_backup(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Do what the module ``postgres_backup`` documents.

    :raises DeployError: an option makes no sense, or no backup could be made.
    """
    backups = backups_from(params)
    check(
        [
            *server_findings(params),
            ("jobs", params["jobs"], params["jobs"] > 0, "it is not above 0"),
            ("max_age", params["max_age"], params["max_age"] >= 0, "it is negative"),
            (
                "compression",
                params["compression"],
                bool(COMPRESSION.fullmatch(params["compression"])),
                "that is neither auto nor a method of pg_dump, such as zstd:3 or gzip:6",
            ),
            *(
                (f"retention.{name}", count, count >= 0, "it is negative")
                for name, count in params["retention"].items()
            ),
        ]
    )
    live, releases, warnings = _releases(params)
    wanted = Wanted(
        database=params["database"],
        release=live if params["release"] is None else params["release"],
        releases=releases,
        min_free_bytes=params["min_free_mb"] * MIB,
        retention=Retention(**params["retention"]),
        **{
            key: params[key]
            for key in ("jobs", "compression", "digest", "verify", "max_age", "lock_timeout", "timeout")
        },
    )
    api = engine.connect(ENGINE_TIMEOUT)
    server = find_server(api, params["container"], params["user"], params["port"], params["password_file"])
    result = Backup(api, Runner(timeout=ENGINE_TIMEOUT), backups, server, wanted).run(check_mode)
    result["warnings"] = [*warnings, *result["warnings"]]
    return result


def run_restore(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Do what the module ``postgres_restore`` documents.

    :raises DeployError: an option makes no sense, or it was not done.
    """
    backups = backups_from(params)
    check(
        [
            *server_findings(params),
            ("jobs", params["jobs"], params["jobs"] > 0, "it is not above 0"),
            ("keep_hours", params["keep_hours"], params["keep_hours"] >= 0, "it is negative"),
            ("source", params["source"], bool(params["source"]), "it is empty"),
            ("swap_timeout", params["swap_timeout"], params["swap_timeout"] > 0, "it is not above 0"),
        ]
    )
    wanted = RestoreWanted(
        keep_seconds=params["keep_hours"] * 3600,
        min_free_bytes=params["min_free_mb"] * MIB,
        **{
            key: params[key]
            for key in (
                "database",
                "source",
                "restore",
                "jobs",
                "accept_loss",
                "swap_timeout",
                "lock_timeout",
                "timeout",
            )
        },
    )
    api = engine.connect(ENGINE_TIMEOUT)
    server = find_server(api, params["container"], params["user"], params["port"], params["password_file"])
    kind = {"restored": Restore, "undone": Undo, "pruned": Prune}[params["state"]]
    return kind(api, Runner(timeout=ENGINE_TIMEOUT), backups, server, wanted).run(check_mode)

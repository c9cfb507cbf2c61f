# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options, and how they become settings.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._health import HEALTH_CHECK_OPTIONS, checks_from_options
from ansible_collections.j4c.deploy.plugins.module_utils._json_pointer import is_pointer
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import (
    SLOTS,
    STANDBY_MODES,
    STRATEGIES,
    Database,
    Identity,
    Settings,
    WarmUp,
)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

SETTINGS_SPEC: dict[str, t.Any] = {
    "addresses": {"type": "dict", "required": True},
    "aot": {"type": "bool", "default": False},
    "checks": {"type": "list", "elements": "dict", "required": True, "options": HEALTH_CHECK_OPTIONS},
    "database": {
        "type": "dict",
        "options": {
            "container": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
        },
    },
    "drain_timeout": {"type": "float", "default": 120.0},
    "force_reason": {"type": "str", "default": ""},
    "gateway_url": {"type": "str", "required": True},
    "identity": {
        "type": "dict",
        "options": {"path": {"type": "str", "required": True}, "pointer": {"type": "str", "required": True}},
    },
    "keep": {"type": "int", "default": 5},
    "lock_timeout": {"type": "float", "default": 0.0},
    "min_free_mb": {"type": "int", "default": 1024},
    "port": {"type": "int", "required": True},
    "project_dir": {"type": "path", "required": True},
    "seal_timeout": {"type": "float", "default": 0.0},
    "service": {"type": "str", "required": True},
    "slot_ports": {"type": "dict", "required": True},
    "standby": {"type": "str", "default": "paused", "choices": list(STANDBY_MODES)},
    "startup_timeout": {"type": "float", "default": 90.0},
    "state_dir": {"type": "path", "required": True},
    "strategy": {"type": "str", "default": "blue_green", "choices": list(STRATEGIES)},
    "warm_up": {
        "type": "dict",
        "options": {
            "paths": {"type": "list", "elements": "str", "required": True},
            "requests": {"type": "int", "default": 50},
        },
    },
    "watch_seconds": {"type": "float", "default": 3.0},
}


def _bad(option: str, value: object, why: str, todo: str) -> DeployError:
    return DeployError(f"Option {option} is '{value}': {why}.", hint=todo)


def settings_from(params: t.Mapping[str, t.Any]) -> Settings:
    """Turn the module's options into settings.

    :raises DeployError: one of them makes no sense; names option, value, why and what to do.
    """
    service = params["service"]
    if not NAME.fullmatch(service):
        raise _bad(
            "service", service, "a compose project cannot be named so", "Use lower-case letters, digits, '-' and '_'."
        )
    for option in ("drain_timeout", "lock_timeout", "seal_timeout", "startup_timeout", "watch_seconds", "min_free_mb"):
        if params[option] < 0:
            raise _bad(option, params[option], "it is negative", "Give 0 or more.")
    if params["keep"] < 1:
        raise _bad("keep", params["keep"], "the release before the live one must be kept", "Give 1 or more.")
    identity, warm_up, database = params.get("identity"), params.get("warm_up"), params.get("database")
    if identity and not is_pointer(identity["pointer"]):
        raise _bad("identity.pointer", identity["pointer"], "that is no JSON pointer", "Write it as '/commit'.")
    return Settings(
        service=service,
        state_dir=params["state_dir"],
        project_dir=_directory(params["project_dir"]),
        port=_port("port", params["port"]),
        slot_ports={slot: _port(f"slot_ports.{slot}", _member(params, "slot_ports", slot)) for slot in SLOTS},
        addresses={slot: _address(f"addresses.{slot}", _member(params, "addresses", slot)) for slot in SLOTS},
        edge_network=f"{service}-edge",
        networks=(f"{service}-data",),
        gateway_container=f"{service}-core-gateway-1",
        gateway_url=params["gateway_url"].rstrip("/"),
        checks=checks_from_options(params["checks"]),
        identity=Identity(_path("identity.path", identity["path"]), identity["pointer"]) if identity else None,
        warm_up=WarmUp(tuple(_path("warm_up.paths", item) for item in warm_up["paths"]), warm_up["requests"])
        if warm_up
        else WarmUp(),
        database=Database(**database) if database else None,
        strategy=params["strategy"],
        standby=params["standby"],
        aot=params["aot"],
        keep=params["keep"],
        lock_timeout=params["lock_timeout"],
        startup_timeout=params["startup_timeout"],
        watch_seconds=params["watch_seconds"],
        drain_timeout=params["drain_timeout"],
        hold_seconds=params["seal_timeout"],
        min_free_bytes=params["min_free_mb"] << 20,
        force_reason=params["force_reason"],
    )


def _member(params: t.Mapping[str, t.Any], option: str, slot: str) -> t.Any:
    try:
        return params[option][slot]
    except KeyError:
        raise _bad(
            option, params[option], f"it lacks '{slot}'", "Give a value for both slots, blue and green."
        ) from None


def _path(option: str, value: str) -> str:
    if not value.startswith("/"):
        raise _bad(option, value, "it does not start with '/'", "Give the path of a URL, such as '/q/info'.")
    return value


def _port(option: str, value: t.Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number < 65536:
        raise _bad(option, value, "that is no TCP port", "Give a number from 1 to 65535.")
    return number


def _address(option: str, value: t.Any) -> str:
    try:
        return str(ipaddress.IPv4Address(str(value)))
    except ValueError:
        raise _bad(
            option, value, "that is no IPv4 address", "Give an address inside the edge network's subnet."
        ) from None


def _directory(path: str) -> str:
    if not os.path.isdir(path):
        raise _bad(
            "project_dir",
            path,
            "there is no such directory on this server",
            "Run playbooks/stack.yml for this host, which makes it.",
        )
    return path


def release_id_from(value: str | None, option: str) -> str:
    """Return a release id from an option, ``''`` when it is not given.

    :raises DeployError: it cannot be the name of a directory.
    """
    if value and not RELEASE_ID.fullmatch(value):
        raise _bad(
            option,
            value,
            "a release id has letters, digits, '.', '_' and '-' only",
            "See the ids with playbooks/status.yml.",
        )
    return value or ""

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._health import Check
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Database, Identity, WarmUp
from ansible_collections.j4c.deploy.plugins.module_utils._release.options import release_id_from, settings_from

GIVEN: dict[str, t.Any] = {
    "addresses": {"blue": "172.30.0.11", "green": "172.30.0.12"},
    "checks": [{"name": "up", "kind": "tcp"}],
    "database": None,
    "drain_timeout": 120.0,
    "force_reason": "",
    "gateway_url": "http://127.0.0.1:18080/",
    "identity": None,
    "keep": 5,
    "lock_timeout": 0.0,
    "min_free_mb": 1024,
    "port": 9003,
    "project_dir": "/",
    "seal_timeout": 0.0,
    "service": "shop",
    "slot_ports": {"blue": 18081, "green": "18082"},
    "aot": False,
    "standby": "paused",
    "startup_timeout": 90.0,
    "state_dir": "/var/lib/j4c",
    "strategy": "blue_green",
    "warm_up": None,
    "watch_seconds": 3.0,
}


def test_options_become_settings() -> None:
    found = settings_from(GIVEN)
    assert found.slot_ports == {"blue": 18081, "green": 18082}
    assert found.addresses == {"blue": "172.30.0.11", "green": "172.30.0.12"}
    assert (found.edge_network, found.networks) == ("shop-edge", ("shop-data",))
    assert (found.gateway_container, found.gateway_url) == ("shop-core-gateway-1", "http://127.0.0.1:18080")
    assert found.checks == (Check("up", "tcp"),)
    assert (found.identity, found.warm_up, found.database) == (None, WarmUp(), None)
    assert (found.min_free_bytes, found.hold_seconds) == (1 << 30, 0.0)


def test_options_with_parts_become_settings() -> None:
    found = settings_from(
        {
            **GIVEN,
            "identity": {"path": "/info", "pointer": "/commit"},
            "warm_up": {"paths": ["/", "/a"], "requests": 9},
            "database": {"container": "db", "user": "root", "name": "shop"},
            "seal_timeout": 30.0,
        }
    )
    assert found.identity == Identity("/info", "/commit")
    assert found.warm_up == WarmUp(("/", "/a"), 9)
    assert found.database == Database("db", "root", "shop")
    assert found.hold_seconds == 30.0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("service", "Shop", "Option service is 'Shop': a compose project cannot be named so."),
        ("service", "", "Option service is '': "),
        ("service", "shop\n", "Option service is 'shop\n': "),
        ("drain_timeout", -1.0, "Option drain_timeout is '-1.0': it is negative."),
        ("lock_timeout", -0.5, "Option lock_timeout is '-0.5': it is negative."),
        ("seal_timeout", -1.0, "Option seal_timeout is '-1.0': "),
        ("startup_timeout", -1.0, "Option startup_timeout is '-1.0': "),
        ("watch_seconds", -1.0, "Option watch_seconds is '-1.0': "),
        ("min_free_mb", -1, "Option min_free_mb is '-1': "),
        ("keep", 0, "Option keep is '0': the release before the live one must be kept."),
        ("project_dir", "/no/such", "Option project_dir is '/no/such': there is no such directory on this server."),
        ("port", 0, "Option port is '0': that is no TCP port."),
        ("port", 65536, "Option port is '65536': that is no TCP port."),
        ("slot_ports", {"blue": 1}, "Option slot_ports is '{'blue': 1}': it lacks 'green'."),
        ("slot_ports", {"blue": "x", "green": 2}, "Option slot_ports.blue is 'x': that is no TCP port."),
        ("slot_ports", {"blue": 1, "green": None}, "Option slot_ports.green is 'None': that is no TCP port."),
        ("addresses", {"green": "10.0.0.1"}, "Option addresses is '{'green': '10.0.0.1'}': it lacks 'blue'."),
        (
            "addresses",
            {"blue": "10.0.0.256", "green": "10.0.0.1"},
            "Option addresses.blue is '10.0.0.256': that is no IPv4 address.",
        ),
        (
            "addresses",
            {"blue": "10.0.0.2", "green": "::1"},
            "Option addresses.green is '::1': that is no IPv4 address.",
        ),
        ("identity", {"path": "info", "pointer": "/c"}, "Option identity.path is 'info': it does not start with '/'."),
        ("identity", {"path": "/info", "pointer": "c"}, "Option identity.pointer is 'c': that is no JSON pointer."),
        ("warm_up", {"paths": ["/", "a"], "requests": 1}, "Option warm_up.paths is 'a': it does not start with '/'."),
        ("checks", [], "Option checks is empty: "),
        ("checks", [{"name": "up", "kind": "tcp", "timeout": 0}], "Option checks[0].timeout is '0': "),
    ],
)
def test_an_option_that_makes_no_sense_is_named_with_its_value(option: str, value: t.Any, message: str) -> None:
    with pytest.raises(DeployError) as caught:
        settings_from({**GIVEN, option: value})
    assert message in caught.value.msg
    assert caught.value.msg.startswith(f"Option {option}")
    assert caught.value.hint


@pytest.mark.parametrize("value", ["1.2.3-abc1234", "v1", "1.0.0-rc.1_x.2", "", None])
def test_a_release_id_is_a_name(value: str | None) -> None:
    assert release_id_from(value, "release") == (value or "")


@pytest.mark.parametrize("value", ["../x", ".hidden", "a/b", "a b", "-x", "x\n"])
def test_a_release_id_is_never_a_path(value: str) -> None:
    with pytest.raises(DeployError, match="^Option release is "):
        release_id_from(value, "release")

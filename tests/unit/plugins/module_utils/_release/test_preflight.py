# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.document import slot_document
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Settings, SlotView
from ansible_collections.j4c.deploy.plugins.module_utils._release.preflight import preflight

from tests.unit.plugins.module_utils._release.fake_docker import FakeDocker, container
from tests.unit.plugins.module_utils._release.samples import release, server, settings, slot
from tests.unit.web import nobody

PLENTY = "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n"
SCARCE = "MemTotal: 8000000 kB\nMemAvailable: 200000 kB\n"


class Machine:
    """A server where all is well, until a test says otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.api = FakeDocker(container("shop-core-gateway-1"))
        self.api.root = str(root)
        self.api.known_networks = {"shop-edge": {"Containers": {}}, "shop-data": {"Containers": None}}
        self.owner: dict[str, t.Any] = {"services": {"shop": {"image": "x"}}}
        self.meminfo = root / "meminfo"
        self.meminfo.write_text(PLENTY, "ascii")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.settings: Settings = settings(
                state_dir=str(root), min_free_bytes=1, slot_ports={"blue": 1, "green": probe.getsockname()[1]}
            )

    def findings(self, observed: Observed | None = None) -> list[str]:
        document = slot_document(self.owner, self.settings, "green", release("v2"))
        try:
            preflight(self.api, self.settings, observed or server(), "green", document, str(self.meminfo))
        except DeployError as exc:
            return list(exc.fields["findings"])
        return []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_server_in_order_has_no_findings(machine: Machine) -> None:
    assert machine.findings() == []


def test_all_findings_are_told_at_once(machine: Machine) -> None:
    machine.api.views.clear()
    machine.api.known_networks.clear()
    machine.meminfo.write_text(SCARCE, "ascii")
    found = machine.findings()
    assert [item[:24] for item in found] == [
        "There is no gateway cont",
        "There is no network 'sho",
        "There is no network 'sho",
        "195 MiB of memory are av",
    ]
    document = slot_document(machine.owner, machine.settings, "green", release("v2"))
    with pytest.raises(DeployError) as caught:
        preflight(machine.api, machine.settings, server(), "green", document, str(machine.meminfo))
    assert caught.value.msg == "Nothing was changed: 4 problems before the start in slot 'green'. " + " ".join(found)


def test_a_gateway_that_does_not_run_is_found(machine: Machine) -> None:
    machine.api.stop("shop-core-gateway-1", timeout=1)
    (found,) = machine.findings()
    assert found.startswith("The gateway container 'shop-core-gateway-1' is exited. ")
    assert "playbooks/stack.yml" in found


@pytest.mark.parametrize(
    ("name", "address", "taken"),
    [
        ("intruder", "172.30.0.12/24", True),
        ("shop-green-shop-1", "172.30.0.12/24", False),
        ("shop-blue-shop-1", "172.30.0.11/24", False),
        ("shop-blue-shop-1", "172.30.0.12/24", True),
        ("shop-green-imitation", "172.30.0.12/24", True),
        ("intruder", "172.30.0.120/24", False),
        ("intruder", "", False),
    ],
)
def test_an_address_that_is_taken_is_found(machine: Machine, name: str, address: str, taken: bool) -> None:
    machine.api.known_networks["shop-edge"]["Containers"] = {f"{name}-id": {"Name": name, "IPv4Address": address}}
    found = machine.findings(server(green=SlotView("green", "running", "shop-green-shop-1-id", "v1")))
    assert bool(found) is taken
    if taken:
        assert found[0].startswith(f"Address 172.30.0.12 of slot 'green' is taken by container '{name}'. Remove")


def test_a_port_that_is_taken_is_found_unless_by_the_slot_itself(machine: Machine) -> None:
    with nobody() as port:
        machine.settings = settings(
            state_dir=str(machine.root), min_free_bytes=1, slot_ports={"blue": 1, "green": port}
        )
        (found,) = machine.findings()
        assert found.startswith(f"Port {port} on 127.0.0.1, which slot 'green' needs, is in use")
        assert f"ss -ltnp sport = :{port}" in found
        assert machine.findings(server(green=slot("green", "paused", "v1"))) == []
        # one that has stopped does not hold it
        machine.api.views["x"] = {**container("intruder"), "published": [port]}
        (found,) = machine.findings(server(green=slot("green", "exited", "v1")))
        assert "is in use by container 'intruder'" in found


def test_a_name_that_is_taken_is_found(machine: Machine) -> None:
    machine.api.views["x"] = {**container("x", image="sha256:other"), "Name": "/shop-green-shop-1"}
    machine.api.views["shop-green-shop-1"] = machine.api.views["x"]
    (found,) = machine.findings()
    assert found.startswith("The name 'shop-green-shop-1', which slot 'green' needs, belongs to container x of image")
    assert machine.findings(server(green=SlotView("green", "running", "x", "v1"))) == []


def test_strangers_in_a_slot_are_found(machine: Machine) -> None:
    (found,) = machine.findings(server(green=SlotView("green", strangers=("shop-green-debug-1",))))
    assert found.startswith("Container 'shop-green-debug-1' is in the compose project 'shop-green' of slot 'green'")


def test_a_secret_file_that_is_missing_is_found(machine: Machine) -> None:
    path = machine.root / "password"
    machine.owner["services"]["shop"]["secrets"] = [{"source": "password"}]
    machine.owner["secrets"] = {"password": {"name": "p", "file": str(path)}}
    (found,) = machine.findings()
    assert found.startswith(f"The secret file '{path}' of the compose file is missing.")
    path.touch()
    assert machine.findings() == []


def test_a_full_disk_is_found(machine: Machine) -> None:
    machine.settings = settings(state_dir=str(machine.root), min_free_bytes=1 << 60)
    machine.api.root = "/"
    state, engine = machine.findings()
    assert state.startswith("Only ")
    assert f"MiB are free under '{machine.root}' (state_dir), {1 << 40} MiB are needed" in state
    assert "MiB are free under '/' (the engine's data)" in engine
    machine.api.root = "/not/on/this/machine"
    assert len(machine.findings()) == 1


LIVE = slot("blue", of="v1")


@pytest.mark.parametrize(
    ("meminfo", "limit", "observed", "strategy", "found"),
    [
        pytest.param(SCARCE, 0, server(blue=LIVE), "blue_green", 281, id="a-guess"),
        pytest.param(SCARCE, 100 << 20, server(blue=LIVE), "blue_green", 0, id="enough"),
        pytest.param(PLENTY, 8 << 30, server(blue=LIVE), "blue_green", 9011, id="a-limit"),
        pytest.param(SCARCE, 0, server(blue=LIVE), "recreate", 0, id="recreate"),
        pytest.param(SCARCE, 0, server(blue=LIVE, green=slot("green", "paused")), "blue_green", 0, id="standby-goes"),
        pytest.param(SCARCE, 0, server(blue=LIVE, green=slot("green", "exited")), "blue_green", 281, id="standby-stopped"),
        pytest.param("", 0, server(blue=LIVE), "blue_green", 0, id="empty"),
        pytest.param("MemAvailable: many\n", 0, server(blue=LIVE), "blue_green", 0, id="no-number"),
    ],
)  # fmt: skip
def test_memory_for_a_second_container(
    machine: Machine, meminfo: str, limit: int, observed: Observed, strategy: str, found: int
) -> None:
    machine.meminfo.write_text(meminfo, "ascii")
    machine.owner["services"]["shop"]["mem_limit"] = str(limit)
    machine.settings = settings(
        state_dir=str(machine.root), min_free_bytes=1, slot_ports=machine.settings.slot_ports, strategy=strategy
    )
    told = machine.findings(observed)
    assert [f"{found} MiB are needed" in item for item in told] == ([True] if found else [])


def test_a_machine_that_does_not_tell_its_memory_is_trusted(machine: Machine) -> None:
    machine.meminfo.unlink()
    assert machine.findings() == []


def test_who_goes_back_is_only_warned_of_little_disk_and_memory(machine: Machine) -> None:
    machine.meminfo.write_text(SCARCE, "ascii")
    machine.settings = settings(
        state_dir=str(machine.root), min_free_bytes=1 << 60, slot_ports=machine.settings.slot_ports
    )
    document = slot_document(machine.owner, machine.settings, "green", release("v2"))
    given = (machine.api, machine.settings, server(), "green", document, str(machine.meminfo))
    told = preflight(*given, urgent=True)
    assert ["MiB are free under" in item or "MiB of memory" in item for item in told] == [True] * 3
    machine.api.views.clear()
    with pytest.raises(DeployError, match=r"Nothing was changed: 1 problem "):
        preflight(*given, urgent=True)

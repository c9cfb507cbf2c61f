# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.gateway import Gateway, count_established

from tests.unit.plugins.module_utils._release.fake_docker import FakeDocker, container


def made(directory: Path, *names: str) -> Gateway:
    for name in names:
        (directory / name).touch()
    return Gateway(str(directory), "gateway")


def names_in(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("present", "green.off"), "blue"),
        (("present", "green"), "green"),
        (("present", "green", "green.off"), "green"),
        (("present", "green", "README"), "green"),
    ],
)
def test_the_flag_tells_the_slot(tmp_path: Path, names: tuple[str, ...], expected: str) -> None:
    gateway = made(tmp_path, *names)
    assert gateway.flag() == expected
    assert gateway.exists()


@pytest.mark.parametrize("names", [(), ("present",), ("green.off",), ("green",)])
def test_without_all_switch_files_nothing_is_guessed(tmp_path: Path, names: tuple[str, ...]) -> None:
    gateway = made(tmp_path, *names)
    assert not gateway.exists()
    with pytest.raises(DeployError, match="has no switch files") as caught:
        gateway.flag()
    assert "playbooks/stack.yml" in (caught.value.hint or "")
    with pytest.raises(DeployError):
        gateway.switch("green")
    assert names_in(tmp_path) == sorted(names)


def test_a_directory_that_cannot_be_read_is_no_slot(tmp_path: Path) -> None:
    file = tmp_path / "gateway"
    for text in ("No such file or directory", "Not a directory"):
        gateway = Gateway(str(file), "gateway")
        assert not gateway.exists()
        with pytest.raises(DeployError, match=f"cannot be read: {text}"):
            gateway.flag()
        file.touch()


@pytest.mark.parametrize(
    ("names", "after", "flag"),
    [
        ((), ["green.off", "present"], "blue"),
        (("green",), ["green", "present"], "green"),
        (("green.off",), ["green.off", "present"], "blue"),
        (("present",), ["green.off", "present"], "blue"),
        (("green", "present"), ["green", "present"], "green"),
    ],
)
def test_create_adds_what_is_missing_and_keeps_the_live_slot(
    tmp_path: Path, names: tuple[str, ...], after: list[str], flag: str
) -> None:
    directory = tmp_path / "deep" / "gateway"
    if names:
        directory.mkdir(parents=True)
    gateway = Gateway(str(directory), "gateway")
    for name in names:
        (directory / name).touch()
    gateway.create()
    assert names_in(directory) == after
    assert gateway.flag() == flag
    gateway.create()
    assert names_in(directory) == after


def test_files_of_the_switch_can_be_read_by_the_gateways_user(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        Gateway(str(tmp_path / "gateway"), "gateway").create()
    finally:
        os.umask(mask)
    assert {item.stat().st_mode & 0o777 for item in (tmp_path / "gateway").iterdir()} == {0o644}


def test_a_switch_is_one_rename_and_repeats_safely(tmp_path: Path) -> None:
    gateway = made(tmp_path, "present", "green.off")
    inode = (tmp_path / "green.off").stat().st_ino
    for slot, file in (("green", "green"), ("green", "green"), ("blue", "green.off"), ("blue", "green.off")):
        gateway.switch(slot)
        assert gateway.flag() == slot
        assert names_in(tmp_path) == sorted(["present", file])
        assert (tmp_path / file).stat().st_ino == inode


def test_a_refused_rename_leaves_the_gateway_where_it_was(tmp_path: Path) -> None:
    gateway = made(tmp_path, "present", "green")
    # a directory of that name cannot be replaced by a file, not even by root
    (tmp_path / "green.off").mkdir()
    with pytest.raises(DeployError, match=r"Switching the gateway to 'blue' failed: Is a directory\."):
        gateway.switch("blue")
    assert gateway.flag() == "green"


# as a gateway's container shows it on a little-endian machine: 172.30.0.11 is 0B001EAC, 9003 is 232B
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41041 1 0000000000000000 100 0 0 10 0
   1: 0A001EAC:B1A2 0B001EAC:232B 01 00000000:00000000 00:00000000 00000000   101        0 43150 1 0000000000000000 20 4 30 10 -1
   2: 0A001EAC:B1A4 0B001EAC:232B 01 00000000:00000000 02:000004A1 00000000   101        0 43151 2 0000000000000000 20 4 30 10 -1
   3: 0A001EAC:B1A6 0B001EAC:232B 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000
   4: 0A001EAC:B1A8 0C001EAC:232B 01 00000000:00000000 00:00000000 00000000   101        0 43153 1 0000000000000000 20 4 30 10 -1
   5: 0A001EAC:B1AA 0B001EAC:1F90 01 00000000:00000000 00:00000000 00000000   101        0 43154 1 0000000000000000 20 4 30 10 -1
   6: 0B001EAC:232B 0A001EAC:B1A2 01 00000000:00000000 00:00000000 00000000   101        0 43155 1 0000000000000000 20 4 30 10 -1
   7: 0A001EAC:B1AC 0B00
"""


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("172.30.0.11", 9003, 2),
        ("172.30.0.12", 9003, 1),
        ("172.30.0.11", 8080, 1),
        ("172.30.0.12", 8080, 0),
        ("11.0.30.172", 9003, 0),
    ],
)
def test_connections_are_counted_by_address_port_and_state(address: str, port: int, expected: int) -> None:
    assert count_established(TABLE, address, port) == expected


@pytest.mark.parametrize(
    ("status", "here", "expected"),
    [("running", False, 2), ("exited", False, 0), (None, False, 0), ("running", True, 0)],
)
def test_connections_are_read_from_the_gateways_namespace(status: str | None, here: bool, expected: int) -> None:
    api = FakeDocker(*([container("gateway", status)] if status else []))
    if status:
        api.views["gateway"]["State"]["Pid"] = os.getpid() if here else 0
    api.output = TABLE.encode()
    # without a process whose table can be read here, one is started in the container
    assert Gateway("/none", "gateway").open_connections(api, "172.30.0.11", 9003) == expected
    assert api.calls == (["exec gateway cat /proc/net/tcp"] if expected else [])


def test_real_connections_of_this_machine_are_counted() -> None:
    def count() -> int:
        return count_established(Path("/proc/net/tcp").read_text("ascii"), "127.0.0.1", port)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert count() == 0
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            assert count() == 2


@pytest.mark.parametrize("table", ["", "\n", TABLE.splitlines()[0], "<html>no\nproc</html>"])
def test_a_table_without_connections_counts_none(table: str) -> None:
    assert count_established(table, "172.30.0.11", 9003) == 0

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_ship and the role ship against two servers with engines of their own, one of each image store, over SSH."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t
from pathlib import Path

import pytest

from tests.integration import claims
from tests.integration.fleet import STORES, Fleet
from tests.integration.run_module import run_module

pytestmark = pytest.mark.xdist_group("ship")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    """Two servers without an image."""
    made = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        yield made.start()
    finally:
        made.stop()


class Cut:
    """A way to a port of this machine that breaks after some bytes.

    :param target: the port.
    :param limit: bytes towards it until every connection is cut; ``None`` for never.
    """

    def __init__(self, target: int, limit: int) -> None:
        self.port = claims.port()
        self._target = target
        self._left = limit
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                for source, sink, counts in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._copy, args=(source, sink, counts), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while self._left > 0:
                data = source.recv(16384)
                if not data:
                    break
                if counts:
                    self._left -= len(data)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()


def test_servers_get_the_image_once_and_then_only_what_changed(fleet: Fleet) -> None:
    first, second = fleet.images.build("one"), fleet.images.build("two")

    planned, _output = fleet.ship(first, STORES, "--check")
    for store in STORES:
        asked = planned[store]["asked"]
        assert asked["changed"]
        assert (asked["ship"]["layers_present"], asked["ship"]["layers_sent"]) == (0, len(first["layers"]))
        assert asked["steps"][-1]["result"] == "planned"
        assert not fleet.servers[store].engine.images.list(all=True)

    found, output = fleet.ship(first, STORES, "-vv")
    assert set(found) == set(STORES), output
    assert "bytes sent" in output
    for store in STORES:
        # the image is read and packed once, whatever the number of servers
        assert len(found[store]["packed"]["archives"]) == 1
        shipped = found[store]["ship"]
        assert shipped["ship"]["layers_present"] == 0
        assert shipped["ship"]["bytes_sent"] == found[store]["packed"]["archives"][0]["bytes"]
        assert shipped["evidence"]["store"] == store
        assert (shipped["phase"], shipped["decision"]) == ("container_build", "PROCEED")
        assert fleet.content(store, shipped["image"]["id"], "/app/app/shop-1.0.jar") == b"code one"
        assert fleet.servers[store].engine.images.get(first["tags"][0]).id == shipped["image"]["id"]
        assert not fleet.left(store)
    assert found["classic"]["ship"]["image"]["id"] == first["id"]

    again, _output = fleet.ship(first)
    for store in STORES:
        assert again[store]["asked"]["request"] is None
        assert again[store]["asked"]["image"]["id"] == found[store]["ship"]["image"]["id"]
        assert again[store]["ship"]["skipped"]
        assert again[store]["packed"]["skipped"]

    changed, _output = fleet.ship(second)
    for store in STORES:
        shipped = changed[store]["ship"]
        assert shipped["ship"]["layers_present"] == len(first["layers"]) - 2
        assert shipped["ship"]["bytes_sent"] * 1000 < shipped["ship"]["bytes_image"]
        assert fleet.content(store, shipped["image"]["id"], "/app/app/shop-1.0.jar") == b"code two"
        # all of it is there, not only what a container needs
        assert shipped["image"]["id"] in {image.id for image in fleet.servers[store].engine.images.list()}


def test_a_cut_connection_is_told_and_the_next_run_goes_on(fleet: Fleet) -> None:
    fleet.forget("classic")
    image = fleet.images.build("three")
    proxy = Cut(fleet.servers["classic"].port, 3 << 20)
    try:
        # one MiB a part: the cut leaves some whole ones
        small_parts: dict[str, t.Any] = {"j4c_ship_part_mb": 1}
        through = {"ansible_port": proxy.port}
        found, output = fleet.ship(image, ["classic"], host_vars=through, **small_parts)
    finally:
        proxy.close()
    assert not found
    assert "unreachable=1" in output
    assert "The connection was lost after" in output
    left = fleet.left("classic")
    assert left

    # what arrived whole but was damaged since is sent again
    fleet.servers["classic"].run("sh", "-c", f"printf X | dd of={sorted(left)[0]} conv=notrunc status=none")
    found, output = fleet.ship(image, ["classic"], **small_parts)
    ship = found["classic"]["ship"]["ship"]
    total = found["classic"]["packed"]["archives"][0]["bytes"]
    assert ship["bytes_resumed"] >= 1 << 20
    assert ship["bytes_sent"] == total - ship["bytes_resumed"] + (1 << 20)
    assert fleet.content("classic", image["id"], "/app/app/shop-1.0.jar") == b"code three"
    assert not fleet.left("classic")


def test_a_disk_that_would_run_out_is_told_with_numbers_and_nothing_is_sent(fleet: Fleet) -> None:
    image = fleet.images.build("four")
    fleet.forget("classic")
    found, output = fleet.ship(image, ["classic"], j4c_ship_incoming="/small", j4c_min_free_mb=0)
    assert not found
    assert "The image does not fit: '/small' on the server has 0.2 MiB free" in output
    assert not fleet.servers["classic"].run("ls", "/small")


def test_a_builder_elsewhere_reads_for_a_server_through_this_machine(fleet: Fleet) -> None:
    image = fleet.images.build("five")
    fleet.ship(image, ["classic"])
    fleet.forget("containerd")
    found, output = fleet.ship(image, ["containerd"], builder="classic", j4c_ship_cache="/var/lib/j4c/ship/shop")
    assert found, output
    packed = found["containerd"]["packed"]
    assert packed["evidence"]["read"]["files"]
    assert not packed["archives"][0]["path"].startswith("/var/lib/j4c")
    assert (
        fleet.content("containerd", found["containerd"]["ship"]["image"]["id"], "/app/app/shop-1.0.jar") == b"code five"
    )
    # the builder has what it built, so it is not even asked
    found, output = fleet.ship(image, ["classic"], builder="classic")
    assert found["classic"]["asked"]["skipped"], output


@pytest.mark.parametrize("store", STORES)
def test_an_engine_whose_files_are_out_of_reach_is_asked_for_the_whole_image(
    fleet: Fleet, store: str, tmp_path: Path
) -> None:
    # built by that engine, so the containerd store has its layers compressed
    elsewhere = {"DOCKER_HOST": fleet.servers[store].docker_host}
    image = fleet.images.build("seven", elsewhere)
    wanted = [layer["id"] for layer in image["layers"]]
    options = {
        "image": image["id"],
        "directory": str(tmp_path / "cache"),
        "tags": image["tags"],
        "requests": [{"layers": wanted, "formats": ["none"]}],
    }
    packed = run_module("image_layers", fleet.images.scratch, options, env=elsewhere)
    assert packed["evidence"]["read"] == {"cached": 0, "files": 0, "saved": len(wanted)}
    fleet.forget(store)
    (archive,) = packed["archives"]
    shipped = {
        "image": image,
        "archives": [archive],
        "incoming": archive["path"],
        "state_dir": str(tmp_path / "state"),
        "reserve_mb": 1,
    }
    loaded = run_module("image_ship", fleet.images.scratch, shipped, env=elsewhere)
    assert not loaded.get("failed"), loaded
    assert fleet.content(store, loaded["image"]["id"], "/app/app/shop-1.0.jar") == b"code seven"


@pytest.mark.parametrize("store", STORES)
def test_an_archive_without_a_layer_that_the_server_lost_is_refused(fleet: Fleet, store: str) -> None:
    image = fleet.images.build("six")
    request = {"layers": [image["layers"][-1]["id"]], "formats": ["gzip"], "disks": {}}
    options = {"image": image["id"], "directory": str(fleet.folder / "cache-six"), "requests": [request]}
    packed = run_module("image_layers", fleet.images.scratch, options)
    (archive,) = packed["archives"]
    fleet.forget(store)
    result = run_module(
        "image_ship",
        fleet.images.scratch,
        {
            "image": image,
            "archives": [archive],
            "incoming": archive["path"],
            "state_dir": str(fleet.folder / "state"),
            "reserve_mb": 1,
        },
        env={"DOCKER_HOST": fleet.servers[store].docker_host},
    )
    assert result["failed"]
    assert (result["phase"], result["decision"]) == ("container_build", "ROLLBACK")
    assert [step["result"] for step in result["steps"]] == ["ok", "failed"]
    assert not fleet.servers[store].engine.images.list(filters={"reference": fleet.images.name})


def test_an_engine_that_does_not_run_is_told(tmp_path: Path) -> None:
    result = run_module(
        "image_ship",
        tmp_path,
        {"image": {"id": "sha256:" + "a" * 64, "layers": [{"id": "sha256:" + "b" * 64}]}, "state_dir": str(tmp_path)},
        env={"DOCKER_HOST": "unix:///nonexistent/docker.sock"},
    )
    assert result["failed"]
    assert "the Docker engine did not answer" in result["msg"]
    assert (result["phase"], result["decision"]) == ("container_build", "ROLLBACK")
    assert result["steps"][0]["result"] == "failed"

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot

DOCUMENT: dict[str, t.Any] = {"services": {"shop": {"image": "x", "environment": {"A": "b"}}}}
SLOT_FILE: dict[str, t.Any] = {
    "name": "shop-blue",
    "services": {
        "shop": {
            "image": "sha256:1",
            "restart": "no",
            "environment": {"A": "b", "J4C_SLOT": "blue", "JDK_JAVA_OPTIONS": "@/j4c-aot/options"},
            "labels": {"io.j4c.slot": "blue", "io.j4c.release": "1", "com.example.team": "shop"},
            "networks": {"edge": {"ipv4_address": "10.0.0.11"}, "data": None, "own": {"aliases": ["a"]}},
            "ports": [{"target": 8080, "published": "18080", "host_ip": "127.0.0.1", "protocol": "tcp"}],
            "volumes": [
                {"type": "volume", "source": "v", "target": "/data"},
                {"type": "bind", "source": "/state/aot/1", "target": "/j4c-aot", "read_only": True},
            ],
        }
    },
    "networks": {"edge": {"name": "shop-edge", "external": True}},
}


def test_a_document_gets_a_mount_and_a_file_of_options() -> None:
    before = copy.deepcopy(DOCUMENT)
    made = aot.mounted(DOCUMENT, "shop", "/state/aot/1")
    assert before == DOCUMENT
    assert made["services"]["shop"]["environment"] == {"A": "b", "JDK_JAVA_OPTIONS": "@/j4c-aot/options"}
    assert made["services"]["shop"]["volumes"] == [
        {"type": "bind", "source": "/state/aot/1", "target": "/j4c-aot", "read_only": True}
    ]
    assert aot.mount_of(made, "shop") == "/state/aot/1"
    assert aot.mount_of(DOCUMENT, "shop") is None
    assert aot.mount_of({}, "shop") is None


def test_options_of_the_owner_stay_in_front() -> None:
    document = {"services": {"shop": {"environment": {"JDK_JAVA_OPTIONS": "-Xmx1g"}, "volumes": [{"target": "/a"}]}}}
    made = aot.mounted(document, "shop", "/x")["services"]["shop"]
    assert made["environment"]["JDK_JAVA_OPTIONS"] == "-Xmx1g @/j4c-aot/options"
    assert [entry["target"] for entry in made["volumes"]] == ["/a", "/j4c-aot"]


def test_each_image_has_a_directory() -> None:
    one, two = (aot.directory_of("/state/shop", f"sha256:{digit * 64}") for digit in "12")
    assert one != two
    assert one.startswith("/state/shop/aot/")
    assert aot.directory_of("/state/shop", "") == "/state/shop/aot/image"


def test_a_container_finds_an_empty_file_before_there_is_a_cache(tmp_path: Path) -> None:
    directory = tmp_path / "shop" / "aot" / "1"
    document = aot.mounted(DOCUMENT, "shop", str(directory))
    (tmp_path / "shop").mkdir()
    aot.prepare(document, "shop")
    assert aot.read_options(str(directory)) == ""
    assert (directory / "options").stat().st_mode & 0o777 == 0o644
    assert directory.parent.stat().st_mode & 0o777 == 0o700
    aot.write_options(str(directory), "-Xmx1g\n")
    aot.prepare(document, "shop")
    assert aot.read_options(str(directory)) == "-Xmx1g\n"


def test_without_a_cache_nothing_is_made(tmp_path: Path) -> None:
    aot.prepare(DOCUMENT, "shop")
    assert aot.read_options(str(tmp_path)) == ""


def test_the_training_has_the_settings_of_the_slot_and_no_traffic() -> None:
    before = copy.deepcopy(SLOT_FILE)
    made = aot.training_document(SLOT_FILE, "shop", "/state/aot/1.new", {"JOBS": "off"}, writable=True)
    assert before == SLOT_FILE
    section = made["services"]["shop"]
    assert made["name"] == "shop-aot"
    assert (section["image"], section["restart"]) == ("sha256:1", "no")
    assert section["environment"] == {
        "A": "b", "J4C_SLOT": "aot", "JDK_JAVA_OPTIONS": "@/j4c-aot/options", "JOBS": "off",
    }  # fmt: skip
    assert section["labels"] == {"com.example.team": "shop", "io.j4c.aot": "shop"}
    assert section["networks"] == {"edge": None, "data": None, "own": None}
    assert section["ports"] == [{"target": 8080, "published": "", "host_ip": "127.0.0.1", "protocol": "tcp"}]
    assert section["volumes"] == [
        {"type": "volume", "source": "v", "target": "/data"},
        {"type": "bind", "source": "/state/aot/1.new", "target": "/j4c-aot", "read_only": False},
    ]
    verifying = aot.training_document(SLOT_FILE, "shop", "/state/aot/1.new", {}, writable=False)
    assert verifying["services"]["shop"]["volumes"][1]["read_only"] is True


def test_the_options_of_each_mode() -> None:
    assert aot.options_text("cache") == "-XX:AOTCache=/j4c-aot/app.aot\n"
    assert aot.options_text("fast") == "-XX:AOTCache=/j4c-aot/app.aot\n-XX:TieredStopAtLevel=1\n"
    # a JVM that may not go on without its cache is only for the proof
    assert "AOTMode" not in aot.options_text("cache") + aot.options_text("fast")
    assert "AOTMode=on" in aot.VERIFYING


@pytest.mark.parametrize(
    ("said", "major"),
    [
        (
            'NOTE: Picked up JDK_JAVA_OPTIONS: \nopenjdk version "25.0.5" 2026-10-20\n'
            "OpenJDK Runtime Environment (build 25.0.5+8-1-deb13u1-Debian)\n",
            25,
        ),
        ('openjdk version "21.0.4" 2024-07-16 LTS\n', 21),
        ('java version "1.8.0_412"\n', 8),
        ('openjdk version "26-ea" 2026-03-17\n', 26),
        (
            "OCI runtime exec failed: exec failed: unable to start container process: "
            'exec: "java": executable file not found in $PATH: unknown\n',
            None,
        ),
        ("", None),
    ],
)
def test_the_number_of_a_jdk(said: str, major: int | None) -> None:
    assert aot.java_major(said) == major

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils import _grpc_hpack as hpack


def literal(name: str, packed: str) -> bytes:
    """Return a literal field whose value is Huffman-coded."""
    raw = bytes.fromhex(packed)
    return bytes([0, len(name)]) + name.encode() + bytes([0x80 | len(raw)]) + raw


# RFC 7541, appendices C.4 and C.6
@pytest.mark.parametrize(
    ("packed", "text"),
    [
        ("6402", "302"),
        ("aec3771a4b", "private"),
        ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
        ("25a849e95bb8e8b4bf", "custom-value"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
        (
            "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
            "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ),
    ],
)
def test_the_huffman_examples_of_the_standard(packed: str, text: str) -> None:
    assert hpack.decode(literal("x", packed)) == {"x": text}


def test_the_code_has_every_byte_once() -> None:
    assert sorted(hpack._CODES.values()) == list(range(256))
    # the longest codes that the standard lists
    assert [hpack._CODES[30, code] for code in (0x3FFFFFFC, 0x3FFFFFFD, 0x3FFFFFFE)] == [10, 13, 22]


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        ("88", {":status": "200"}),
        ("8c", {":status": "400"}),
        ("20 88", {":status": "200"}),
        ("3f e1 1f 88", {":status": "200"}),
        ("48 03 35 30 33", {":status": "503"}),
        ("08 82 64 02", {":status": "302"}),
        ("82 88", {":status": "200"}),
        ("0f 10 01 78 88", {":status": "200"}),
        ("40 01 61 01 62", {"a": "b"}),
        ("10 01 61 00", {"a": ""}),
        ("", {}),
    ],
)
def test_every_form_of_a_field_is_read(block: str, fields: dict[str, str]) -> None:
    assert hpack.decode(bytes.fromhex(block)) == fields


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("80", "no header field 0"),
        ("be", "no header field 62"),
        ("7f 00 00", "no header field 63"),
        ("00", "ends too early"),
        ("00 05 61", "ends too early"),
        ("00 01 61 7f", "ends too early"),
        ("3f ff ff ff ff ff", "too long"),
        ("00 01 61 81 00", "Huffman code is not complete"),
        ("00 01 61 84 ff ff ff ff", "Huffman code is not complete"),
    ],
)
def test_a_block_that_is_not_valid_is_refused(block: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        hpack.decode(bytes.fromhex(block))


def test_noise_never_does_more_than_be_refused() -> None:
    noise = random.Random(7541)
    for _number in range(3000):
        block = noise.randbytes(noise.randrange(1, 40))
        try:
            hpack.decode(block)
        except ValueError:
            continue


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 254, 255, 300, 20000])
def test_what_is_encoded_is_decoded(length: int) -> None:
    fields = {"a": "x" * length, "b": "y"}
    assert hpack.decode(hpack.encode(fields)) == fields

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HPACK, RFC 7541, without the dynamic table: a client that sets its size to 0 never meets it.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

# RFC 7541, appendix A: the one field of the static table that an answer to a health check is read for
_STATUS = {8: "200", 9: "204", 10: "206", 11: "304", 12: "400", 13: "404", 14: "500"}
_STATIC_LENGTH = 61
# RFC 7541, appendix B: the code is canonical, so the symbols of each length are enough
_SYMBOLS = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
    23: b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef",
    24: b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9",
    30: b"\n\r\x16",
}


def _codes() -> dict[tuple[int, int], int]:
    codes, code, before = {}, 0, 0
    for length, symbols in _SYMBOLS.items():
        code <<= length - before
        before = length
        for symbol in symbols:
            codes[length, code] = symbol
            code += 1
    return codes


_CODES = _codes()


def _huffman(data: bytes) -> bytes:
    text, code, length = bytearray(), 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            symbol = _CODES.get((length, code))
            if symbol is not None:
                text.append(symbol)
                code, length = 0, 0
    if length > 7 or code != (1 << length) - 1:
        raise ValueError("a Huffman code is not complete")
    return bytes(text)


class _Block:
    """A header block that is read from its front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        if self.at + length > len(self.data):
            raise ValueError("the header block ends too early")
        self.at += length
        return self.data[self.at - length : self.at]

    def integer(self, bits: int) -> int:
        value = self.take(1)[0] & (1 << bits) - 1
        if value < (1 << bits) - 1:
            return value
        for shift in range(0, 28, 7):
            byte = self.take(1)[0]
            value += (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("an integer is too long")

    def string(self) -> str:
        packed = self.at < len(self.data) and self.data[self.at] & 128
        raw = self.take(self.integer(7))
        return (_huffman(raw) if packed else raw).decode("latin-1")


def decode(data: bytes) -> dict[str, str]:
    """Return the fields of a header block; those of the static table are left out, but for ``:status``.

    :raises ValueError: it is not valid, or needs the dynamic table.
    """
    block, fields = _Block(data), {}
    while block.at < len(data):
        first = data[block.at]
        if first & 0xE0 == 0x20:
            block.integer(5)
            continue
        index = block.integer(7 if first & 0x80 else 6 if first & 0x40 else 4)
        if index > _STATIC_LENGTH or (first & 0x80 and not index):
            raise ValueError(f"there is no header field {index}")
        if first & 0x80:
            name, value = "", ""
        else:
            name = "" if index else block.string()
            value = block.string()
        if index in _STATUS:
            name, value = ":status", value or _STATUS[index]
        if name:
            fields[name] = value
    return fields


def _integer(value: int, bits: int) -> bytes:
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    encoded, value = bytearray([limit]), value - limit
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def encode(fields: t.Mapping[str, str]) -> bytes:
    """Return a header block, every field as a literal that is not indexed."""
    encoded = bytearray()
    for field in fields.items():
        encoded.append(0)
        for text in field:
            raw = text.encode("latin-1")
            encoded += _integer(len(raw), 7) + raw
    return bytes(encoded)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Prometheus text format, as far as telling metrics from anything else needs it.

Source: Prometheus, "Exposition formats", text-based format.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*"'
_NUMBER = r"(?:[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[Ii]nf|[Nn]a[Nn])"
_SAMPLE = re.compile(
    rf"{_NAME}(?:\{{(?:{_LABEL}(?:,{_LABEL})*,?)?\}})?[ \t]+{_NUMBER}(?:[ \t]+-?[0-9.]+)?(?:[ \t]+# \{{.*)?"
)
_COMMENT = re.compile(rf"#(?: (?:HELP|TYPE|UNIT) {_NAME}(?: .*)?| EOF|(?! ?(?:HELP|TYPE|UNIT)\b).*)")


def count_samples(text: str) -> int:
    """Return how many samples a text has.

    :raises ValueError: a line is neither sample nor comment; names the line.
    """
    samples = 0
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line:
            continue
        if line.startswith("#"):
            if not _COMMENT.fullmatch(line):
                raise ValueError(f"line {number} is no valid comment: {line[:80]}")
        elif _SAMPLE.fullmatch(line):
            samples += 1
        else:
            raise ValueError(f"line {number} is no metric: {line[:80]}")
    return samples

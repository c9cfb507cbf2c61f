# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text formats of metrics, Prometheus 0.0.4 and OpenMetrics 1.0, line by line.

Strict enough that nothing that Prometheus would refuse passes for metrics; relations between lines are not checked.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*[ \t]*=[ \t]*"(?:[^"\\]|\\.)*"[ \t]*'
_LABELS = rf"\{{[ \t]*(?:{_LABEL}(?:,[ \t]*{_LABEL})*(?:,[ \t]*)?)?\}}"
_NUMBER = r"(?:[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[iI][nN][fF](?:inity)?|[nN][aA][nN])"
_TIME = r"-?[0-9]+(?:\.[0-9]+)?"
_EXEMPLAR = rf"[ \t]+#[ \t]+{_LABELS}[ \t]+{_NUMBER}(?:[ \t]+{_TIME})?"
_SAMPLE = re.compile(rf"{_NAME}(?:[ \t]*{_LABELS}[ \t]*|[ \t]+){_NUMBER}(?:[ \t]+{_TIME})?(?:{_EXEMPLAR})?[ \t]*")
_TYPES = "counter|gauge|histogram|summary|untyped|unknown|info|stateset|gaugehistogram"
_DESCRIPTION = re.compile(
    rf"#[ \t]+(?:HELP[ \t]+{_NAME}(?:[ \t].*)?|TYPE[ \t]+{_NAME}[ \t]+(?:{_TYPES})[ \t]*|UNIT[ \t]+{_NAME}(?:[ \t].*)?)"
)
_COMMENT = re.compile(r"#(?![ \t]+(?:HELP|TYPE|UNIT)\b).*")
_END = "# EOF"


def count_samples(text: str) -> int:
    """Return how many samples a text has.

    :raises ValueError: a line is neither sample nor comment, lines follow the end, or there is no sample; names the line.
    """
    samples, ended = 0, False
    # not splitlines: labels may hold characters that it takes for the end of a line
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        if ended:
            raise ValueError(f"line {number} comes after '{_END}': {line[:80]}")
        if line.startswith("#"):
            ended = line == _END
            if not (_DESCRIPTION.fullmatch(line) or _COMMENT.fullmatch(line)):
                raise ValueError(f"line {number} is no valid comment: {line[:80]}")
        elif _SAMPLE.fullmatch(line):
            samples += 1
        else:
            raise ValueError(f"line {number} is no metric: {line[:80]}")
    if not samples:
        raise ValueError("there is no sample in them")
    return samples

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Dockerfile asks for: its instructions, the images it starts from, the build arguments it knows.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# what BuildKit defines by itself, so that a Dockerfile need not
PREDEFINED_ARGS = frozenset(
    [
        *(
            name
            for proxy in ("HTTP", "HTTPS", "FTP", "NO", "ALL")
            for name in (f"{proxy}_PROXY", f"{proxy.lower()}_proxy")
        ),
        *("SOURCE_DATE_EPOCH", "BUILDKIT_INLINE_CACHE", "BUILDKIT_MULTI_PLATFORM", "BUILDKIT_SYNTAX"),
    ]
)
_DIRECTIVE = re.compile(r"^#\s*([a-z]+)\s*=\s*(\S+)\s*$", re.IGNORECASE)
_HEREDOC = re.compile(r"(?:^|\s)\d*<<-?([\"']?)([A-Za-z_]\w*)\1(?=\s|$)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")
_MOUNT_FROM = re.compile(r"--mount=\S*?\bfrom=([^,\s]+)")
_COPY_FROM = re.compile(r"--from=(\S+)")


@dataclass(frozen=True)
class Instruction:
    """One instruction: the ``line`` it starts on (from 1), its ``keyword`` in capitals, its arguments as one line."""

    line: int
    keyword: str
    value: str


@dataclass(frozen=True)
class Base:
    """An image that a build needs: its ``name``, and the ``line`` that asks for it."""

    name: str
    line: int


def parse(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile. What does not parse is left to BuildKit, which says it better."""
    lines = text.splitlines()
    escape = _directives(lines).get("escape", "\\")
    found = []
    index = 0
    while index < len(lines):
        start, joined = index + 1, ""
        while index < len(lines):
            line = lines[index].strip()
            index += 1
            # comments and empty lines may stand inside a continued instruction
            if line.startswith("#") or not line:
                if joined:
                    continue
                break
            if not line.endswith(escape):
                joined += line
                break
            joined += line[: -len(escape)] + " "
        if not joined.strip():
            continue
        keyword, _space, value = joined.strip().partition(" ")
        if keyword.upper() in ("RUN", "COPY", "ADD"):
            for _quote, end in _HEREDOC.findall(value):
                index = next((at + 1 for at in range(index, len(lines)) if lines[at].strip() == end), index)
        found.append(Instruction(start, keyword.upper(), value.strip()))
    return found


def _directives(lines: t.Sequence[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        match = _DIRECTIVE.match(line.strip())
        if match is None:
            break
        found[match.group(1).lower()] = match.group(2)
    return found


def _expand(value: str, args: t.Mapping[str, str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        known = args.get(match.group(1) or match.group(4), "")
        if match.group(2) == "-":
            return known or match.group(3)
        if match.group(2) == "+":
            return match.group(3) if known else ""
        return known

    return _VARIABLE.sub(replaced, value)


def _declared(value: str) -> list[tuple[str, str]]:
    """Return the names and defaults of one ARG instruction."""
    return [(name, default.strip("\"'")) for name, _equals, default in (word.partition("=") for word in value.split())]


def bases(instructions: t.Sequence[Instruction], args: t.Mapping[str, str]) -> list[Base]:
    """Return the images from outside that the last stage needs, each once, in the order of the Dockerfile.

    Stages that lead nowhere are left out, as BuildKit does not build them.

    :param args: build arguments; they win over the defaults of ARG.
    """
    known: dict[str, str] = {}
    # each stage: its name, and what it needs with the line
    stages: list[tuple[str, list[Base]]] = []
    for item in instructions:
        if item.keyword == "ARG" and not stages:
            for name, default in _declared(item.value):
                known[name] = args.get(name, _expand(default, known))
        elif item.keyword == "FROM":
            words = [word for word in item.value.split() if not word.startswith("--")]
            name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else ""
            stages.append((name, [Base(_expand(words[0], known), item.line)] if words else []))
        elif item.keyword in ("COPY", "RUN") and stages:
            pattern = _COPY_FROM if item.keyword == "COPY" else _MOUNT_FROM
            stages[-1][1].extend(Base(name, item.line) for name in pattern.findall(item.value))
    found: dict[str, Base] = {}
    waiting, seen = [len(stages) - 1] if stages else [], set()
    while waiting:
        index = waiting.pop()
        seen.add(index)
        for need in stages[index][1]:
            earlier = [
                at for at in range(index) if need.name in (str(at), stages[at][0]) or need.name.lower() == stages[at][0]
            ]
            if earlier:
                waiting += [at for at in earlier[-1:] if at not in seen]
            elif need.name and need.name != "scratch":
                found.setdefault(need.name, need)
    return sorted(found.values(), key=lambda base: base.line)


def unknown_args(instructions: t.Sequence[Instruction], args: t.Iterable[str]) -> list[str]:
    """Return the build arguments that no ARG of the Dockerfile declares: BuildKit would ignore them."""
    declared = {name for item in instructions if item.keyword == "ARG" for name, _default in _declared(item.value)}
    return sorted(set(args) - declared - PREDEFINED_ARGS)

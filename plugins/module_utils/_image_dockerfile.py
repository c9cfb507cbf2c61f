# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Dockerfile asks for: its instructions and stages, the images it starts from, its build arguments and secrets.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import platform
import posixpath
import re
import typing as t
from dataclasses import dataclass, field

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
_MOUNT = re.compile(r"--mount=(\S+)")
_FROM_OPTION = re.compile(r"--from=(\S+)")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


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


@dataclass(frozen=True)
class Stage:
    """One stage: its ``name`` in small letters or ``""``, what it starts from, its instructions after FROM.

    ``needs`` are all images and stages that it takes something from, the one that it starts from first.
    """

    name: str
    base: Base
    instructions: list[Instruction] = field(default_factory=list)
    needs: list[Base] = field(default_factory=list)


@dataclass(frozen=True)
class SecretMount:
    """A build secret that a RUN mounts: its ``id``, the ``line``, and whether the build may go without it."""

    id: str
    line: int
    optional: bool


class Unterminated(Exception):
    """A heredoc without its last line: the ``line`` it starts on and the ``word`` that should end it."""

    def __init__(self, line: int, word: str) -> None:
        super().__init__(f"heredoc '{word}' has no end")
        self.line = line
        self.word = word


def parse(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile, also those that nobody knows.

    :raises Unterminated: a heredoc has no end.
    """
    lines = text.lstrip("\ufeff").splitlines()
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
            if not line.endswith(escape) or line.endswith(escape * 2):
                joined += line
                break
            joined += line[: -len(escape)] + " "
        words = joined.split(None, 1)
        if not words:
            continue
        keyword, value = words[0].upper(), words[1].strip() if len(words) > 1 else ""
        if keyword in ("RUN", "COPY", "ADD"):
            for _quote, end in _HEREDOC.findall(value):
                ends = next((at for at in range(index, len(lines)) if lines[at].strip() == end), None)
                if ends is None:
                    raise Unterminated(start, end)
                index = ends + 1
        found.append(Instruction(start, keyword, value))
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


def _platform_args() -> dict[str, str]:
    """Return what BuildKit lets a FROM use without an ARG."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    each = {"PLATFORM": f"linux/{machine}", "OS": "linux", "ARCH": machine, "VARIANT": ""}
    return {f"{side}{key}": value for side in ("TARGET", "BUILD") for key, value in each.items()}


def mounts(item: Instruction) -> list[dict[str, str]]:
    """Return the keys and values of each ``--mount`` of a RUN; a key without a value is ``"true"``."""
    found = []
    for text in _MOUNT.findall(item.value) if item.keyword == "RUN" else ():
        parts = (part.partition("=") for part in text.strip("\"'").split(","))
        found.append({key.lower(): value.strip("\"'") if equals else "true" for key, equals, value in parts})
    return found


def stages(instructions: t.Sequence[Instruction], args: t.Mapping[str, str]) -> list[Stage]:
    """Return the stages in the order of the Dockerfile.

    :param args: build arguments; they win over the defaults of ARG.
    """
    known = _platform_args()
    found: list[Stage] = []
    for item in instructions:
        if item.keyword == "ARG" and not found:
            for name, default in _declared(item.value):
                known[name] = args.get(name, _expand(default, known))
        elif item.keyword == "FROM":
            words = [word for word in item.value.split() if not word.startswith("--")]
            name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else ""
            base = Base(_expand(words[0], known).strip("\"'") if words else "", item.line)
            found.append(Stage(name, base, needs=[base]))
        elif found:
            found[-1].instructions.append(item)
            names = [mount["from"] for mount in mounts(item) if mount.get("from")]
            if item.keyword == "COPY":
                names += _FROM_OPTION.findall(item.value)
            found[-1].needs.extend(Base(name, item.line) for name in names)
    return found


def _earlier(found: t.Sequence[Stage], index: int, need: str) -> int | None:
    """Return the stage before ``index`` that a name means, ``None`` for an image from outside."""
    fitting = [at for at in range(index) if need == str(at) or need.lower() == found[at].name != ""]
    return fitting[-1] if fitting else None


def reached(found: t.Sequence[Stage]) -> list[int]:
    """Return the indices of the stages that the last one needs, itself included: BuildKit builds no others."""
    waiting, seen = [len(found) - 1] if found else [], set()
    while waiting:
        index = waiting.pop()
        seen.add(index)
        earlier = (_earlier(found, index, need.name) for need in found[index].needs)
        waiting += [at for at in earlier if at is not None and at not in seen]
    return sorted(seen)


def bases(found: t.Sequence[Stage]) -> list[Base]:
    """Return the images from outside that the last stage needs, each once, in the order of the Dockerfile."""
    outside: dict[str, Base] = {}
    for index in reached(found):
        for need in found[index].needs:
            if _earlier(found, index, need.name) is None and need.name not in ("", "scratch"):
                outside.setdefault(need.name, need)
    return sorted(outside.values(), key=lambda base: base.line)


def lineage(found: t.Sequence[Stage]) -> list[int]:
    """Return the indices of the stages whose layers are in the image, the lowest first: the last, what it starts from, ..."""
    line: list[int] = []
    index = len(found) - 1 if found else None
    while index is not None:
        line.append(index)
        index = _earlier(found, index, found[index].base.name)
    return line[::-1]


def secret_mounts(found: t.Sequence[Stage], indices: t.Iterable[int]) -> list[SecretMount]:
    """Return the build secrets that the stages mount.

    BuildKit lets a build go on without a secret unless the mount says ``required``; here only ``required=false`` does.
    """
    listed = []
    for index in indices:
        for item in found[index].instructions:
            for mount in mounts(item):
                if mount.get("type") == "secret":
                    target = mount.get("target") or mount.get("dst") or mount.get("destination") or ""
                    name = mount.get("id") or mount.get("source") or mount.get("src") or posixpath.basename(target)
                    listed.append(SecretMount(name, item.line, mount.get("required", "").lower() == "false"))
    return listed


def unknown_args(instructions: t.Sequence[Instruction], args: t.Iterable[str]) -> list[str]:
    """Return the build arguments that no ARG of the Dockerfile declares: BuildKit would ignore them."""
    declared = {name for item in instructions if item.keyword == "ARG" for name, _default in _declared(item.value)}
    return sorted(set(args) - declared - PREDEFINED_ARGS)

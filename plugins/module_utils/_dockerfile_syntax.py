# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Dockerfile parses, found out before anything is built.

BuildKit would say most of it too, but later; and one of its versions takes the engine down with a file without FROM.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import (
    Instruction,
    Unterminated,
    parse,
    stages,
)

# how many words an instruction has, options left out; None is any number
_WORDS: dict[str, tuple[int, int | None]] = {
    "ADD": (2, None),
    "ARG": (1, None),
    "CMD": (0, None),
    "COPY": (2, None),
    "ENTRYPOINT": (0, None),
    "ENV": (1, None),
    "EXPOSE": (1, None),
    "FROM": (1, 3),
    "HEALTHCHECK": (1, None),
    "LABEL": (1, None),
    "MAINTAINER": (1, None),
    "ONBUILD": (1, None),
    "RUN": (0, None),
    "SHELL": (1, None),
    "STOPSIGNAL": (1, 1),
    "USER": (1, 1),
    "VOLUME": (1, None),
    "WORKDIR": (1, None),
}


def _wrong(item: Instruction) -> str:
    """Return what is wrong with one instruction, ``""`` when nothing is."""
    if item.keyword not in _WORDS:
        return f"unknown instruction: {item.keyword}"
    words = item.value.split()
    while words and words[0].startswith("--"):
        words.pop(0)
    least, most = _WORDS[item.keyword]
    # a list in JSON may stand without spaces
    if len(words) < least and not (words and words[0].startswith("[")):
        return f"{item.keyword} needs {least} argument{'s' if least > 1 else ''} or more, it has {len(words)}"
    if most is not None and len(words) > most:
        return f"{item.keyword} takes {most} argument{'s' if most > 1 else ''} at most, it has {len(words)}"
    if item.keyword == "FROM" and not (len(words) == 1 or (len(words) == 3 and words[1].upper() == "AS")):
        return "FROM takes the name of an image, and after it 'AS name' or nothing"
    return ""


def _first_error(text: str, args: t.Mapping[str, str]) -> tuple[int | None, str] | None:
    """Return the line and what is wrong with it, ``None`` when all is well. Pure."""
    try:
        instructions = parse(text)
    except Unterminated as exc:
        return exc.line, f"the heredoc that begins here has no end, a line '{exc.word}'"
    if not instructions:
        return None, "there is no instruction in it"
    for item in instructions:
        wrong = _wrong(item)
        if wrong:
            return item.line, wrong
    first = next((item for item in instructions if item.keyword != "ARG"), None)
    if first is None:
        return None, "there is no FROM in it"
    if first.keyword != "FROM":
        return first.line, f"{first.keyword} stands before the first FROM, where only ARG may"
    for stage in stages(instructions, args):
        if not stage.base.name:
            written = next(item.value for item in instructions if item.line == stage.base.line)
            return stage.base.line, f"the image's name is empty: FROM {written}"
    return None


def read_instructions(path: str, text: str, args: t.Mapping[str, str]) -> list[Instruction]:
    """Return the instructions of a Dockerfile that parses.

    :param path: where it is, for the message.
    :param args: build arguments.
    :raises DeployError: it does not parse; ``evidence`` has the code ``dockerfile_syntax``, line and text.
    """
    error = _first_error(text, args)
    if error is None:
        return parse(text)
    line, wrong = error
    lines = text.splitlines()
    raise DeployError(
        f"The Dockerfile {path}{f':{line}' if line else ''} does not parse: {wrong}.",
        hint="Mend that line." if line else "Write a Dockerfile that begins with FROM.",
        evidence={
            "code": "dockerfile_syntax",
            "dockerfile": {"path": path, "line": line, "text": lines[line - 1] if line else ""},
        },
    )

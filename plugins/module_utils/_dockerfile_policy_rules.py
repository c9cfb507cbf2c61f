# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for what the instructions of a Dockerfile do. Each is a pure function from instructions to findings.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _secret_patterns as secrets
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_finding import Finding
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import Instruction, Stage, lineage

_URL = re.compile(r"^(?:https?://|git@|git://|ssh://)|\.git(?:#|$)")
_PACKAGES = re.compile(r"\b(?:apt-get|apt|apk|yum|dnf|microdnf|zypper)\s+(?:-\S+\s+)*(?:install|add|update|upgrade)\b")
MOUNT_HINT = "Mount it for the one command that needs it: RUN --mount=type=secret,id=..., with the option secrets."


def words_of(item: Instruction) -> tuple[list[str], list[str]]:
    """Return options (``--chown=...``) and words of an instruction, those of a JSON list too."""
    options, rest = [], item.value
    while rest.startswith("--"):
        option, _space, rest = rest.partition(" ")
        options.append(option)
        rest = rest.strip()
    if rest.startswith("["):
        try:
            return options, [str(word) for word in json.loads(rest)]
        except ValueError:
            pass
    return options, rest.split()


def pairs_of(item: Instruction) -> list[tuple[str, str]]:
    """Return names and values of an ENV or ARG; the value of an ARG without one is ``""``."""
    first = item.value.split(None, 1)
    if item.keyword == "ENV" and first and "=" not in first[0]:
        return [(first[0], first[1] if len(first) > 1 else "")]
    try:
        words = shlex.split(item.value)
    except ValueError:
        words = item.value.split()
    return [(name, value) for name, _equals, value in (word.partition("=") for word in words)]


def sources_of(item: Instruction) -> list[str]:
    """Return the paths that a COPY or ADD takes from the build context; none when it takes from an image."""
    options, words = words_of(item)
    if item.keyword not in ("COPY", "ADD") or any(option.startswith("--from=") for option in options):
        return []
    return [
        word for word in words[:-1] if not word.startswith("<<") and not (item.keyword == "ADD" and _URL.search(word))
    ]


def user_findings(stages: t.Sequence[Stage], base_user: str | None) -> t.Iterator[Finding]:
    """Yield whether the image runs as root.

    :param base_user: user of the image that it starts from, ``None`` when that is not known.
    """
    user, line = base_user or "", stages[-1].base.line
    for index in lineage(stages):
        for item in stages[index].instructions:
            if item.keyword == "USER":
                user, line = item.value.strip("\"'"), item.line
    name = user.split(":", 1)[0]
    if name in ("", "0", "root") and not (base_user is None and not user):
        yield Finding(
            "user_root",
            "warning",
            line,
            "the service runs as root in its container",
            "End with a USER of its own, as in USER 10001:10001.",
        )
    elif base_user is None and not user:
        yield Finding(
            "user_root",
            "warning",
            line,
            "no USER is set, so the service runs as whoever its base image says, mostly root",
            "End with a USER of its own, as in USER 10001:10001.",
        )


def add_findings(items: t.Iterable[Instruction]) -> t.Iterator[Finding]:
    """Yield each ADD that loads something without saying what it expects."""
    for item in items:
        options, words = words_of(item)
        if item.keyword == "ADD" and not any(option.startswith("--checksum=") for option in options):
            for url in (word for word in words[:-1] if _URL.search(word)):
                shown = re.sub(r"//[^/@]*@", "//", url)
                yield Finding(
                    "add_url",
                    "warning",
                    item.line,
                    f"ADD loads '{shown}', and takes whatever is there on the day of the build",
                    "Give it --checksum=sha256:..., or copy a file that the build has.",
                )


def secret_findings(items: t.Iterable[Instruction]) -> t.Iterator[Finding]:
    """Yield each secret that would stay in the image or its history. Values are never shown."""
    for item in items:
        if item.keyword in ("ARG", "ENV"):
            for name, value in pairs_of(item):
                # a reference to another variable is found where that one is set
                if secrets.is_secret_name(name) and (item.keyword == "ARG" or (value and not value.startswith("$"))):
                    yield Finding(
                        f"secret_{item.keyword.lower()}",
                        "error",
                        item.line,
                        f"{item.keyword} {name} keeps a secret in the image's history",
                        MOUNT_HINT,
                    )
        for source in sources_of(item):
            kind = secrets.kind_of_file(source)
            if kind:
                yield Finding(
                    "secret_copy",
                    "error",
                    item.line,
                    f"{item.keyword} puts '{source}' into a layer: by its name, {kind}",
                    MOUNT_HINT,
                )
        for kind in secrets.kinds_of_text(item.value.encode()):
            yield Finding("secret_text", "error", item.line, f"{item.keyword} has in its text: {kind}", MOUNT_HINT)


def order_findings(stages: t.Sequence[Stage], layers: t.Sequence[str]) -> t.Iterator[Finding]:
    """Yield what makes more layers change than must.

    :param layers: the directories of the build context, the one that changes least first.
    """
    highest = -1
    for item in (item for index in lineage(stages) for item in stages[index].instructions):
        if item.keyword in ("COPY", "ADD"):
            copied = [layers.index(name) for name in _context_names(item) if name in layers]
            if len(copied) > 1:
                yield Finding(
                    "layers_merged",
                    "warning",
                    item.line,
                    f"{', '.join(layers[at] for at in copied)} become one layer, all of it new with every change",
                    "Copy each with a COPY of its own.",
                )
            for at in copied:
                if at < highest:
                    yield Finding(
                        "layer_order",
                        "warning",
                        item.line,
                        f"{layers[at]} is copied after {layers[highest]}, which changes more often",
                        f"Copy {layers[at]} first: a layer is new whenever one below it is.",
                    )
            highest = max([highest, *copied])
        elif item.keyword == "RUN" and highest >= 0 and _PACKAGES.search(item.value):
            yield Finding(
                "layer_order",
                "warning",
                item.line,
                f"packages are installed after {layers[highest]} was copied, so anew with every change of it",
                "Install packages before the first COPY.",
            )


def _context_names(item: Instruction) -> list[str]:
    """Return the first parts of what a COPY takes, from the context or from a stage that hands it on."""
    _options, words = words_of(item)
    return [word.strip("/").removeprefix("./").split("/", 1)[0] for word in words[:-1]]


def context_findings(
    items: t.Sequence[Instruction], layers: t.Sequence[str], filled: t.Sequence[str]
) -> t.Iterator[Finding]:
    """Yield what is copied and not in the build context, and what is in it and not copied.

    :param items: instructions of all stages that are built.
    :param filled: directories that have files.
    """
    sources = [(source.strip("/").removeprefix("./"), item.line) for item in items for source in sources_of(item)]
    # a whole context, a pattern or a variable may be anything
    open_ends = any(source in ("", ".") or set(source) & set("*?[$") for source, _line in sources)
    first = {source.split("/", 1)[0]: line for source, line in sources if not set(source) & set("*?[$")}
    for name, line in first.items():
        if name not in ("", ".", "Dockerfile", *layers):
            yield Finding(
                "copy_missing",
                "error",
                line,
                f"'{name}' is copied, which the build context does not have",
                f"The context has only {', '.join(layers)}: copy from those.",
            )
    if open_ends or any(item.keyword == "RUN" and "type=bind" in item.value for item in items):
        return
    for name in filled:
        if name not in first:
            yield Finding(
                "artifact_incomplete",
                "error",
                items[-1].line if items else 1,
                f"nothing copies {name}, so these files of the artifact would be missing",
                f"Add COPY {name}/ /.",
            )

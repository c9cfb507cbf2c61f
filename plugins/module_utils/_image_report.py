# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said about an image, and about a build that failed.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# instructions that change the configuration only and leave no layer
_METADATA = frozenset(
    ["ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER"]
    + ["ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME"]
)
# diff id of a layer without a file, which instructions like WORKDIR leave
_EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
_UNKNOWN: tuple[int | None, str | None] = (None, None)
_CLASSIC = re.compile(r"^/bin/sh -c #\(nop\)\s+")


def layers(diff_ids: t.Sequence[str], history: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return an image's layers from the lowest up, each ``{id, size, command}``.

    The engine's history does not say which entry is which layer. They are matched from the top, over what kind of
    instruction leaves a layer and which layers are empty.

    :param diff_ids: ids of the layers, lowest first.
    :param history: the engine's history, newest first.
    :returns: ``size`` in bytes and ``command`` are ``None`` for layers that the history does not name.
    """
    entries = []
    for entry in history:
        command = _CLASSIC.sub("", entry.get("CreatedBy") or "")
        if entry.get("Size") or command.split(" ", 1)[0] not in _METADATA:
            entries.append((int(entry.get("Size") or 0), command.replace(" # buildkit", "").strip()))
    found: list[dict[str, t.Any]] = []
    size: int | None
    layer_command: str | None
    for diff_id in reversed(diff_ids):
        # an entry without size in front of a layer with files left no layer, unless there is one for each
        while (
            len(entries) > 1
            and entries[0][0] == 0
            and diff_id != _EMPTY_LAYER
            and len(entries) > len(diff_ids) - len(found)
        ):
            entries.pop(0)
        size, layer_command = entries.pop(0) if entries else _UNKNOWN
        found.append({"id": diff_id, "size": size, "command": layer_command})
    return found[::-1]


def describe(
    name: str, inspected: t.Mapping[str, t.Any], history: t.Sequence[t.Mapping[str, t.Any]], tags: t.Sequence[str]
) -> dict[str, t.Any]:
    """Return an image as results show it.

    :param name: its repository.
    :param inspected: what the engine says of it.
    :param tags: the full names that were asked for.
    """
    digests = [item.split("@", 1)[1] for item in inspected.get("RepoDigests") or [] if item.split("@", 1)[0] == name]
    return {
        "id": inspected["Id"],
        "name": name,
        "tags": list(tags),
        "digest": digests[0] if digests else None,
        "size": inspected.get("Size"),
        "created": inspected.get("Created"),
        "labels": dict((inspected.get("Config") or {}).get("Labels") or {}),
        "layers": layers((inspected.get("RootFS") or {}).get("Layers") or [], history),
    }


@dataclass(frozen=True)
class Diagnosis:
    """Why a build failed: a stable ``code``, what happened (``msg``), what to do (``hint``), where."""

    code: str
    msg: str
    hint: str
    line: int | None
    excerpt: str


_SOLVE = r"failed to solve: "
# an image is named as the Dockerfile does, or as BuildKit does for the image behind "# syntax="
_IMAGE = _SOLVE + r"(?:failed to resolve source metadata for )?(\S+): (?:[^\n]*: )?"
# code, pattern, what happened, what to do; the first that matches counts. {0} is its first group, {where} file and line
_CAUSES: tuple[tuple[str, str, str, str], ...] = (
    (
        "buildx_missing",
        r"'?buildx'? is not a docker command|unknown flag: --(?:load|builder|provenance|metadata-file)",
        "this docker command has no buildx",
        "Install the buildx plugin (Debian and Ubuntu: docker-buildx), or run the role j4c.deploy.engine.",
    ),
    (
        "engine_down",
        r"Cannot connect to the Docker daemon|error during connect",
        "the Docker engine does not answer",
        "Start the engine, or run the role j4c.deploy.engine.",
    ),
    (
        "engine_forbidden",
        r"permission denied while trying to connect to the (?:Docker daemon|docker API)",
        "this user may not use the Docker engine",
        "Add the user to the group docker and log in again, or use become.",
    ),
    (
        "disk_full",
        r"no space left on device|disk quota exceeded",
        "a disk is full, most likely that of the engine",
        "See what takes the space with 'docker system df', and free some, for example with 'docker builder prune'.",
    ),
    (
        "dockerfile_syntax",
        r"dockerfile parse error on line \d+: ([^\n]+)",
        "{where} does not parse: {0}",
        "Mend that line.",
    ),
    (
        "dockerfile_syntax",
        _SOLVE
        + r"(file with no instructions|the Dockerfile [^\n]*cannot be empty|base name [^\n]+|no build stage[^\n]*"
        r"|invalid (?:reference format|stage index)[^\n]*|failed to parse[^\n]*|[^\n]*unknown instruction[^\n]*)",
        "{where} cannot be built: {0}",
        "Mend the Dockerfile, or give the build argument that it needs.",
    ),
    (
        "secret_missing",
        _SOLVE + r"secret (\S+): not found",
        "{where} needs the build secret '{0}', which was not given",
        "Take it out of the Dockerfile, or make it optional there.",
    ),
    (
        "base_denied",
        _IMAGE + r"(?:pull access denied|[^\n]*(?:authorization failed|401 Unauthorized|403 Forbidden))",
        "the image '{0}' ({where}) is not on this engine, and its registry has none or does not let this user pull it",
        "Check its name, log in with 'docker login', or load it with 'docker load'.",
    ),
    (
        "base_missing",
        _IMAGE + r"(?:not found|manifest unknown)",
        "the image '{0}' ({where}) is not on this engine, and its registry has no such tag",
        "Check its name and tag, or load it with 'docker load'.",
    ),
    (
        "base_unreachable",
        _IMAGE + r"failed to (?:resolve source metadata|do request|authorize)",
        "the image '{0}' ({where}) is not on this engine, and its registry cannot be reached",
        "Bring it from elsewhere with 'docker save' and 'docker load', or name an image that this engine has.",
    ),
    # the image behind "# syntax=" comes without a name in front
    (
        "base_unreachable",
        _SOLVE + r"failed to resolve source metadata for (\S+): ",
        "the image '{0}' ({where}) is not on this engine, and its registry cannot be reached",
        "Bring it from elsewhere with 'docker save' and 'docker load', or do without it.",
    ),
    (
        "context_missing",
        r"failed to calculate checksum of ref [^\n]*?(?:\"|buildkit-mount\d+)(/[^\s:\"]*)\"?: "
        r"(?:not found|no such file or directory|lstat)",
        "{where} copies '{0}', which the build context does not have",
        "The context has only the directories {layers}: copy from those.",
    ),
    (
        "killed",
        r"process \"(.+)\" did not complete successfully: exit code: 137",
        "the command of {where} was killed, as the kernel does when memory runs out: {0}",
        "Give the builder more memory, or make the command need less.",
    ),
    (
        "command_failed",
        r"process \"(.+)\" did not complete successfully: (exit code: \d+)",
        "the command of {where} failed with {1}: {0}",
        "Its last lines are in evidence.output; mend the command.",
    ),
)


def diagnose(stderr: str, dockerfile: str, layer_names: t.Sequence[str]) -> Diagnosis:
    """Return why buildx failed, from what it wrote.

    :param dockerfile: path of the Dockerfile as the user knows it.
    :param layer_names: directories that the build context has.
    """
    lines = [int(number) for number in re.findall(r"^Dockerfile:(\d+)$", stderr, re.MULTILINE)]
    # for an error of parsing the number is in the message only
    lines += [int(number) for number in re.findall(r"parse error on line (\d+)", stderr)]
    line = lines[0] if lines else None
    where = f"{dockerfile}:{line}" if line else dockerfile
    excerpt = "\n".join(re.findall(r"^ *\d+ \| >>> (.*)$", stderr, re.MULTILINE))
    for code, pattern, msg, hint in _CAUSES:
        match = re.search(pattern, stderr, re.IGNORECASE)
        if match:
            texts = {"where": where, "layers": ", ".join(layer_names)}
            return Diagnosis(code, msg.format(*match.groups(), **texts), hint.format(**texts), line, excerpt)
    last = [text for text in stderr.splitlines() if text.strip()][-1:] or ["no output"]
    return Diagnosis(
        "unknown", f"{where}: {last[0].replace('ERROR: ', '')}", "Read what buildx wrote, below.", line, excerpt
    )


def step_output(stderr: str, limit: int) -> list[str]:
    """Return the last ``limit`` lines that the failed step wrote, without BuildKit's clock in front."""
    block = re.search(r"^-{6}\n > [^\n]*\n(.*?)^-{6}$", stderr, re.MULTILINE | re.DOTALL)
    if block is None:
        return []
    return [re.sub(r"^\d+\.\d+ ", "", text) for text in block.group(1).splitlines()][-limit:]

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides an image, and what has to be done so that the engine has it. Nothing here touches the engine.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import re
import time
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils import _image_dockerfile as dockerfiles
from ansible_collections.j4c.deploy.plugins.module_utils import _secret_patterns as secrets
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_name import NAME, TAG

# raised when the same inputs would give another image
RECIPE = 2
LABEL_PREFIX = "io.j4c."
FINGERPRINT_LABEL = "io.j4c.fingerprint"
INPUTS_LABEL = "io.j4c.inputs"
ARTIFACT_LABEL = "io.j4c.artifact.sha256"
BASE_LABEL = "io.j4c.base.id"
SBOM_LABEL = "io.j4c.sbom.sha256"
OCI = "org.opencontainers.image."
# of the labels made here, those that do not follow from the commit
_STEADY = frozenset(f"{OCI}{name}" for name in ("source", "title", "version"))

Action = t.Literal["build", "tag"]


@dataclass(frozen=True)
class Wanted:
    """The image as it was asked for.

    :param name: its repository, without a tag.
    :param version: first part of its tags.
    :param artifact: what ``maven_build`` returned.
    :param dockerfile: path of the Dockerfile.
    :param commit: ``id``, ``short`` and ``time`` of the commit, or nothing.
    :param args: build arguments.
    :param labels: further labels; they win over the OCI labels made here.
    :param layout: ``auto``, ``quarkus`` or ``files``.
    :param source: address of the source code.
    :param own_libraries: patterns of the names of the owner's libraries.
    :param policy: the policy for the Dockerfile, as the option has it.
    :param secrets: build secrets, as the option has them.
    :param cache: let BuildKit use what it built before.
    :param cache_from: images with cache metadata that BuildKit may use too.
    :param released_image: name or id of the image to compare with.
    :param budget: limits of its size, as the option has them.
    :param leak_scan: how to look for secrets in it, as the option has it.
    :param documents: directory for bill of materials and provenance; that of the artifact when empty.
    :param min_free_mb: MB that must stay free where it is built.
    :param timeout: seconds that the build, and each pull, may take.
    """

    name: str
    version: str
    artifact: t.Mapping[str, t.Any]
    dockerfile: str
    commit: t.Mapping[str, t.Any] = field(default_factory=dict)
    args: t.Mapping[str, str] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    layout: str = "auto"
    source: str = ""
    own_libraries: t.Sequence[str] = ()
    policy: t.Mapping[str, t.Any] = field(default_factory=dict)
    secrets: t.Sequence[t.Mapping[str, t.Any]] = ()
    cache: bool = True
    cache_from: t.Sequence[str] = ()
    released_image: str = ""
    budget: t.Mapping[str, t.Any] = field(default_factory=dict)
    leak_scan: t.Mapping[str, t.Any] = field(default_factory=dict)
    documents: str = ""
    min_free_mb: float = 256.0
    timeout: float = 600.0


@dataclass(frozen=True)
class BaseImage:
    """What the engine knows of a base image, each ``""`` or empty where it does not.

    :param id: its id on the engine.
    :param digest: its digest in the registry that its name means.
    :param user: the user that it runs as.
    :param layers: ids of its layers, lowest first.
    """

    name: str
    id: str = ""
    digest: str = ""
    user: str = ""
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """All that decides an image, read and checked: nothing has been built yet."""

    tags: tuple[str, ...]
    artifact: context.Artifact
    placements: tuple[context.Placement, ...]
    layout: str
    dockerfile: str
    start: BaseImage | None
    labels: t.Mapping[str, str]
    inputs: t.Mapping[str, str]
    fingerprint: str
    epoch: int


@dataclass(frozen=True)
class Tagged:
    """The image that a tag names now, with what its labels tell of its making."""

    tag: str
    id: str
    fingerprint: str
    inputs: t.Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """One thing to do: ``build``, or ``tag`` the image ``id`` as ``tag``; and why."""

    action: Action
    why: str
    tag: str = ""
    id: str = ""


def short_hash(value: t.Any) -> str:
    """Return 16 hex digits that change when a JSON value changes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def epoch_of(text: str) -> int | None:
    """Return the seconds since 1970 of ``2026-11-21T14:35:00Z`` (or with ``+01:00``), or ``None`` for anything else."""
    match = re.match(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|([+-])(\d\d):?(\d\d))?$", text.strip())
    if match is None:
        return int(text) if text.strip().isdigit() else None
    try:
        seconds = calendar.timegm(time.strptime(f"{match.group(1)} {match.group(2)}", "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return None
    if match.group(4):
        offset = int(match.group(5)) * 3600 + int(match.group(6)) * 60
        seconds += offset if match.group(4) == "-" else -offset
    return seconds


def tags_of(name: str, version: str, commit: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Return the full names of the image, the one with the commit first.

    :raises DeployError: name, version or commit cannot be part of an image's name.
    """
    if not NAME.match(name):
        raise DeployError(
            f"The option name is '{name}', which cannot name an image.",
            hint="Use small letters, digits and . _ - / without a tag.",
        )
    short = str(commit.get("short") or str(commit.get("id") or "")[:7])
    tags = [f"{version}-{short}"] if short else []
    tags.append(version)
    for tag in tags:
        if not TAG.match(tag):
            raise DeployError(
                f"The tag '{tag}' of image '{name}' has characters that a tag may not have, or more than 128 of them.",
                hint="Use letters, digits and . _ - in version and commit.",
            )
    return tuple(f"{name}:{tag}" for tag in tags)


def read_dockerfile(path: str) -> str:
    """Return the text of a Dockerfile.

    :raises DeployError: it cannot be read, or is no text.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        raise DeployError(
            f"The Dockerfile '{path}' does not exist.", hint="Name the one to build with in the option dockerfile."
        ) from None
    except UnicodeDecodeError as exc:
        raise DeployError(f"The Dockerfile '{path}' is not a text in UTF-8: {exc.reason} at byte {exc.start}.") from exc
    except OSError as exc:
        raise DeployError(
            f"The Dockerfile '{path}' cannot be read: {exc.strerror}.", hint="Check its path, owner and mode."
        ) from exc


def without_credentials(url: str) -> str:
    """Return an address without what may be a secret in it: password, and what follows ``?`` or ``#``."""
    if "://" not in url:
        return url
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    # the user of SSH is part of the address, the one of HTTP may be a token
    user = parts.username if parts.scheme.endswith("ssh") and parts.username else ""
    return urllib.parse.urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, "", ""))


def _check_labels(labels: t.Mapping[str, str]) -> None:
    reserved = sorted(key for key in labels if key.startswith(LABEL_PREFIX))
    if reserved:
        raise DeployError(
            f"The labels {', '.join(reserved)} are not yours to set.",
            hint=f"Labels that begin with {LABEL_PREFIX} are this module's.",
        )
    leaking = {
        key: kinds for key, kinds in ((key, secrets.kinds_of_text(labels[key].encode())) for key in labels) if kinds
    }
    if leaking:
        told = ", ".join(f"'{key}' ({', '.join(leaking[key])})" for key in sorted(leaking))
        raise DeployError(
            f"The option labels has a secret in {told}.", hint="Take it out: whoever has the image can read its labels."
        )


def make_recipe(wanted: Wanted, artifact: context.Artifact, text: str, bases: t.Mapping[str, BaseImage]) -> Recipe:
    """Return what decides the image. Pure.

    :param text: the Dockerfile.
    :param bases: each image that it needs, by its name.
    :raises DeployError: the parts do not fit together.
    """
    instructions = dockerfiles.parse(text)
    unknown = dockerfiles.unknown_args(instructions, wanted.args)
    if unknown:
        raise DeployError(
            f"The Dockerfile '{wanted.dockerfile}' declares no build argument {', '.join(unknown)}.",
            hint="Correct the option args, or add an ARG line.",
        )
    _check_labels(wanted.labels)
    version = wanted.version or artifact.version
    if not version:
        raise DeployError("There is no version for the image.", hint="Set the option version; the artifact has none.")
    layout = wanted.layout if wanted.layout != "auto" else context.detect_layout(artifact)
    if layout == "quarkus" and context.detect_layout(artifact) != "quarkus":
        raise DeployError(
            f"The layout is 'quarkus', but the artifact '{artifact.path}' is no Quarkus fast-jar: "
            f"its main file is '{artifact.main}'.",
            hint="Use the layout auto or files, or build a fast-jar.",
        )
    own = wanted.own_libraries if context.OWN in text else None
    placements = tuple(context.place(artifact, t.cast(context.Layout, layout), own))
    time_text = str(wanted.commit.get("time") or artifact.created)
    epoch = epoch_of(time_text) if time_text else context.CONTEXT_TIME
    if epoch is None:
        raise DeployError(
            f"The time '{time_text}' of the commit or artifact is not ISO 8601.",
            hint="Write it like 2026-11-21T14:35:00Z.",
        )
    stages = dockerfiles.stages(instructions, wanted.args)
    lineage = dockerfiles.lineage(stages)
    start = bases.get(stages[lineage[0]].base.name) if lineage else None
    oci = {
        f"{OCI}base.digest": start.digest if start else "",
        f"{OCI}base.name": start.name if start else "",
        f"{OCI}created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
        f"{OCI}revision": str(wanted.commit.get("id") or ""),
        f"{OCI}source": without_credentials(wanted.source),
        f"{OCI}title": artifact.name or wanted.name.rsplit("/", 1)[-1],
        f"{OCI}version": version,
    }
    labels = {**{key: value for key, value in oci.items() if value}, **wanted.labels}
    tags = tags_of(wanted.name, version, wanted.commit)
    inputs = {
        "args": short_hash(dict(wanted.args)),
        "artifact": short_hash([(item.layer, item.target, item.file.sha256) for item in placements]),
        "base": short_hash({name: base.id or None for name, base in bases.items()}),
        "commit": short_hash([wanted.commit.get("id"), epoch]),
        "dockerfile": short_hash(text),
        "labels": short_hash({key: value for key, value in labels.items() if value != oci.get(key) or key in _STEADY}),
        "recipe": short_hash(RECIPE),
    }
    fingerprint = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    labels.update(
        {
            **({ARTIFACT_LABEL: artifact.sha256} if artifact.sha256 else {}),
            **({BASE_LABEL: start.id} if start and start.id else {}),
            FINGERPRINT_LABEL: fingerprint,
            INPUTS_LABEL: json.dumps(inputs, sort_keys=True, separators=(",", ":")),
        }
    )
    return Recipe(
        tags=tags,
        artifact=artifact,
        placements=placements,
        layout=layout,
        dockerfile=text,
        start=start,
        labels=labels,
        inputs=inputs,
        fingerprint=fingerprint,
        epoch=epoch,
    )


def changed_inputs(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> list[str]:
    """Return the names of the inputs that differ."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def plan(recipe: Recipe, tagged: t.Sequence[Tagged]) -> list[Step]:
    """Return what has to be done. Pure.

    An image that has the fingerprint in its label is the one wanted. When the tags name two such images, one was made
    from the other (labels are inherited), so it is built again.

    :param tagged: the images that the wanted tags name now, the most exact tag first.
    """
    fitting = {item.id for item in tagged if item.fingerprint == recipe.fingerprint}
    if len(fitting) == 1:
        image_id = fitting.pop()
        right = {item.tag for item in tagged if item.id == image_id}
        return [
            Step("tag", f"'{tag}' does not name this image", tag, image_id) for tag in recipe.tags if tag not in right
        ]
    if fitting:
        why = "the tags name different images with the same labels"
    elif not tagged:
        why = f"there is no image '{recipe.tags[0]}'"
    elif not tagged[0].inputs:
        why = f"'{tagged[0].tag}' was not built by this module"
    else:
        why = f"changed: {', '.join(changed_inputs(tagged[0].inputs, recipe.inputs))}"
    return [Step("build", why)]


def diff_of(recipe: Recipe, tagged: t.Sequence[Tagged]) -> dict[str, str]:
    """Return the diff: per tag its image, and the inputs of the image that is there and of the one wanted."""
    before = dict(tagged[0].inputs) if tagged else {}
    fits = {item.tag for item in tagged if item.fingerprint == recipe.fingerprint}
    known = {item.tag: item.id for item in tagged}

    def text(images: t.Mapping[str, str], inputs: t.Mapping[str, str]) -> str:
        lines = [f"{tag}: {images.get(tag, 'absent')}" for tag in recipe.tags] + [
            f"{key}: {inputs[key]}" for key in sorted(inputs)
        ]
        return "\n".join(lines) + "\n"

    built = next((known[tag] for tag in recipe.tags if tag in fits), "to be built")
    return {"before": text(known, before), "after": text(dict.fromkeys(recipe.tags, built), recipe.inputs)}

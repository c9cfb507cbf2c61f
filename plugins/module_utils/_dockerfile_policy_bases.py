# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for the images that a Dockerfile starts from.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import datetime
import fnmatch
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_data import (
    DEPRECATED,
    END_OF_LIFE,
    EndOfLife,
)
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_finding import Finding
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import Base

# what the engine puts in front of a short name
_DEFAULT_PREFIXES = ("index.docker.io/library/", "docker.io/library/", "index.docker.io/", "docker.io/", "library/")
SOON = datetime.timedelta(days=90)


class Name(t.NamedTuple):
    """An image's name in its parts; ``tag`` and ``digest`` are ``""`` where it has none."""

    repository: str
    tag: str
    digest: str


def split_name(name: str) -> Name:
    """Return the parts of an image's name, its repository as short as it can be written."""
    rest, _at, digest = name.partition("@")
    prefix = next((item for item in _DEFAULT_PREFIXES if rest.startswith(item)), "")
    rest = rest[len(prefix) :]
    # a colon before the last slash belongs to a port
    head, slash, last = rest.rpartition("/")
    last, _colon, tag = last.partition(":")
    return Name(f"{head}{slash}{last}", tag, digest)


def _matches(name: Name, patterns: t.Iterable[str]) -> bool:
    """Return whether one of the patterns fits: ``*`` is anything, a pattern without a tag fits every tag."""
    full = f"{name.repository}:{name.tag or 'latest'}"
    for pattern in patterns:
        wanted = split_name(pattern)
        if fnmatch.fnmatchcase(full, f"{wanted.repository}:{wanted.tag or '*'}"):
            return True
    return False


def _ends(name: Name) -> EndOfLife | None:
    """Return what ends first of what the image has by its name."""
    found = []
    for item in END_OF_LIFE:
        if item.repositories:
            here = name.repository in item.repositories and any(
                name.tag == word or name.tag.startswith((f"{word}-", f"{word}.")) for word in item.words
            )
        else:
            here = any(f"-{word}-" in f"-{name.tag}-" for word in item.words)
        if here:
            found.append(item)
    return min(found, key=_last_day, default=None)


def _last_day(item: EndOfLife) -> datetime.date:
    return item.extended or item.ends


def _life(base: Base, name: Name, today: datetime.date) -> t.Iterator[Finding]:
    item = _ends(name)
    if item is None:
        return
    remedy = f"Start from {item.instead} ({item.source})."
    last = _last_day(item)
    if today > last:
        message = f"'{base.name}' has {item.name}, which gets no security updates since {last}"
        yield Finding("base_end_of_life", "error", base.line, message, remedy)
    elif today > item.ends:
        message = (
            f"'{base.name}' has {item.name}, whose makers stopped on {item.ends}; long-term support ends on {last}"
        )
        yield Finding("base_end_of_life", "warning", base.line, message, remedy)
    elif today > last - SOON:
        message = f"'{base.name}' has {item.name}, which gets security updates until {last} only"
        yield Finding("base_end_of_life", "warning", base.line, message, remedy)


def base_findings(
    base: Base, allow: t.Sequence[str], deny: t.Sequence[str], today: datetime.date
) -> t.Iterator[Finding]:
    """Yield what the rules find about one base image. Pure.

    :param allow: patterns of images that may be used; all when there are none.
    :param deny: patterns of images that may not.
    :param today: the day that ends of life are compared with.
    """
    name = split_name(base.name)
    if _matches(name, deny):
        yield Finding(
            "base_denied", "error", base.line, f"'{base.name}' is on the list of denied images", "Use another."
        )
    elif allow and not _matches(name, allow):
        yield Finding(
            "base_not_allowed",
            "error",
            base.line,
            f"'{base.name}' is not on the list of allowed images",
            f"Use one of: {', '.join(allow)}.",
        )
    given_up = next((item for item in DEPRECATED if fnmatch.fnmatchcase(name.repository, item.repository)), None)
    if given_up:
        yield Finding(
            "base_deprecated",
            "error",
            base.line,
            f"'{base.name}' is deprecated: its makers gave '{name.repository}' up",
            f"Start from {given_up.instead} ({given_up.source}).",
        )
    yield from _life(base, name, today)
    if name.digest:
        return
    if name.tag in ("", "latest"):
        how = "has no tag, which means latest" if not name.tag else "has the tag latest"
        yield Finding(
            "base_latest",
            "error",
            base.line,
            f"'{base.name}' {how}: another image every now and then",
            "Name a version, as in eclipse-temurin:25-jre.",
        )
    else:
        yield Finding(
            "base_not_pinned",
            "info",
            base.line,
            f"'{base.name}' may be another image tomorrow",
            "Pin it by its digest, as in name:tag@sha256:...",
        )

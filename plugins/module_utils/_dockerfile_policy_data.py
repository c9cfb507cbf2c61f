# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of base images: which are no longer made, and until when their content gets security updates.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

# when the dates below were looked up
AS_OF = datetime.date(2026, 11, 28)

_NOTICE = "https://github.com/docker-library/docs/tree/master/"
_DEBIAN = "https://wiki.debian.org/DebianReleases"
_UBUNTU = "https://wiki.ubuntu.com/Releases"
_ALPINE = "https://alpinelinux.org/releases/"
_TEMURIN = "https://adoptium.net/support/"
_CENTOS = "https://www.centos.org/centos-linux-eol/"
_JRE = "eclipse-temurin:25-jre"


@dataclass(frozen=True)
class Deprecated:
    """An image that its makers gave up: its ``repository``, what to use instead, and who says so."""

    repository: str
    instead: str
    source: str


@dataclass(frozen=True)
class EndOfLife:
    """When a content ends.

    :param repositories: names of images that have it; none means any image with the word in its tag, as in ``17-jre-focal``.
    :param words: what the tag begins with (``22.04``), or without repositories a word anywhere in it (``jammy``).
    :param ends: last day of the security updates of its makers.
    :param extended: last day of those that somebody else goes on to make for everybody.
    """

    name: str
    repositories: tuple[str, ...]
    words: tuple[str, ...]
    ends: datetime.date
    instead: str
    source: str
    extended: datetime.date | None = None


DEPRECATED: tuple[Deprecated, ...] = (
    Deprecated("openjdk", _JRE, f"{_NOTICE}openjdk"),
    Deprecated("java", _JRE, f"{_NOTICE}java"),
    Deprecated("adoptopenjdk", _JRE, f"{_NOTICE}adoptopenjdk"),
    Deprecated("adoptopenjdk/*", _JRE, f"{_NOTICE}adoptopenjdk"),
    Deprecated("centos", "almalinux:10 or rockylinux/rockylinux:10", f"{_NOTICE}centos"),
    Deprecated("jboss/base-jdk", _JRE, "https://github.com/jboss-dockerfiles/base-jdk"),
)


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def _debian(number: str, code: str, ends: str, extended: str) -> tuple[EndOfLife, ...]:
    # a number alone is Debian's only where the image is; a code name is Debian's everywhere
    facts = (f"Debian {number} ({code})", ("debian",), (number,), _day(ends), "debian:trixie", _DEBIAN, _day(extended))
    named = (facts[0], (), (code,), *facts[3:])
    return EndOfLife(*facts), EndOfLife(*named)


def _ubuntu(number: str, code: str, ends: str) -> tuple[EndOfLife, ...]:
    facts = (f"Ubuntu {number} ({code})", ("ubuntu",), (number,), _day(ends), "ubuntu:24.04", _UBUNTU)
    named = (facts[0], (), (code,), *facts[3:])
    return EndOfLife(*facts), EndOfLife(*named)


def _alpine(number: str, ends: str) -> tuple[EndOfLife, ...]:
    facts = (f"Alpine {number}", ("alpine",), (number,), _day(ends), "a newer alpine", _ALPINE)
    named = (facts[0], (), (f"alpine{number}", f"alpine-{number}"), *facts[3:])
    return EndOfLife(*facts), EndOfLife(*named)


def _temurin(number: str, ends: str) -> EndOfLife:
    return EndOfLife(f"Java {number}", ("eclipse-temurin",), (number,), _day(ends), _JRE, _TEMURIN)


END_OF_LIFE: tuple[EndOfLife, ...] = (
    *_debian("9", "stretch", "2020-07-18", "2022-07-01"),
    *_debian("10", "buster", "2022-09-10", "2024-06-30"),
    *_debian("11", "bullseye", "2024-08-14", "2026-08-31"),
    *_debian("12", "bookworm", "2026-06-10", "2028-06-30"),
    *_ubuntu("16.04", "xenial", "2021-04-30"),
    *_ubuntu("18.04", "bionic", "2023-05-31"),
    *_ubuntu("20.04", "focal", "2025-05-31"),
    *_ubuntu("22.04", "jammy", "2027-04-01"),
    *_ubuntu("23.10", "mantic", "2024-07-12"),
    *_ubuntu("24.04", "noble", "2029-05-31"),
    *_ubuntu("24.10", "oracular", "2025-07-10"),
    *_ubuntu("25.04", "plucky", "2026-01-17"),
    *_ubuntu("25.10", "questing", "2026-07-01"),
    *_alpine("3.17", "2024-11-22"),
    *_alpine("3.18", "2025-05-09"),
    *_alpine("3.19", "2025-11-01"),
    *_alpine("3.20", "2026-04-01"),
    *_alpine("3.21", "2026-11-01"),
    *_alpine("3.22", "2027-05-01"),
    EndOfLife("CentOS Stream 8", (), ("stream8",), _day("2024-05-31"), "stream10", _CENTOS),
    EndOfLife("CentOS Stream 9", (), ("stream9",), _day("2027-05-31"), "stream10", _CENTOS),
    _temurin("16", "2021-09-30"),
    _temurin("18", "2022-09-30"),
    _temurin("19", "2023-03-31"),
    _temurin("20", "2023-09-19"),
    _temurin("22", "2024-09-17"),
    _temurin("23", "2025-03-18"),
    _temurin("24", "2025-09-16"),
    _temurin("11", "2027-10-31"),
    _temurin("17", "2027-10-31"),
    _temurin("21", "2029-12-31"),
)

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start-up caches of a service on disk: one directory an image.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _aot as aot
from ansible_collections.j4c.deploy.plugins.module_utils._files import sha256_file, write_json

MANIFEST = "manifest.json"
Status = t.Literal["absent", "good", "damaged", "failed"]


@dataclass(frozen=True)
class Cache:
    """A cache as it is on disk, with its ``manifest``: ``{image, java, size, sha256, created, seconds}``.

    :param status: ``failed`` when training did not work for this image; the manifest has the ``reason``.
    """

    status: Status = "absent"
    manifest: t.Mapping[str, t.Any] = field(default_factory=dict)


def read_cache(directory: str, image: str) -> Cache:
    """Return the cache in a directory; one that is not what its manifest says is damaged.

    :param image: id of the image that it must have been trained with.
    """
    try:
        with open(os.path.join(directory, MANIFEST), encoding="utf-8") as file:
            manifest = json.load(file)
    except FileNotFoundError:
        return Cache("damaged" if os.path.exists(os.path.join(directory, aot.CACHE)) else "absent")
    except (OSError, ValueError):
        return Cache("damaged")
    if not isinstance(manifest, dict) or manifest.get("image") != image:
        return Cache("damaged")
    if manifest.get("reason"):
        return Cache("failed", manifest)
    path = os.path.join(directory, aot.CACHE)
    try:
        whole = os.stat(path).st_size == manifest.get("size") and sha256_file(path) == manifest.get("sha256")
    except OSError:
        whole = False
    return Cache("good" if whole else "damaged", manifest)


def start_training(directory: str) -> str:
    """Make an empty directory beside a cache's that any user of a container can write to, and return its path.

    The one that it is in keeps everybody else of this machine out.

    :raises OSError: it cannot be made.
    """
    new = f"{directory}.new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    os.chmod(new, 0o777)
    return new


def publish(new: str, directory: str, manifest: t.Mapping[str, t.Any], options: str) -> None:
    """Take a trained cache into use: the next JVM that starts reads it.

    :param options: what that JVM is told.
    :raises OSError: it cannot be copied.
    """
    # a copy is ours; what the container has made is its user's
    temporary = os.path.join(directory, f".{aot.CACHE}.tmp")
    shutil.copyfile(os.path.join(new, aot.CACHE), temporary)
    os.chmod(temporary, 0o644)
    os.replace(temporary, os.path.join(directory, aot.CACHE))
    write_json(os.path.join(directory, MANIFEST), manifest, 0o644)
    aot.write_options(directory, options)


def discard(directory: str) -> None:
    """Take a cache out of use and remove it; containers that have the directory mounted go on."""
    aot.write_options(directory, "")
    for name in (MANIFEST, aot.CACHE):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))


def note_failure(directory: str, image: str, reason: str, created: str) -> None:
    """Write down that no cache can be trained for an image, so that the next release does not try in vain."""
    write_json(os.path.join(directory, MANIFEST), {"image": image, "reason": reason, "created": created}, 0o644)

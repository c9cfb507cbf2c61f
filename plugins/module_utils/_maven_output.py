# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Maven build leaves in the project: the main file, and all that it needs beside it.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import posixpath
import shutil
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._artifact_store import class_path
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._maven_failures import BY_CODE


def clear(project: str, outputs: t.Iterable[str], main: str) -> None:
    """Empty the directories that a build writes to, and take the main file away.

    Maven leaves there what has no source any more, and would package it; and an old main file must never be taken for
    the result of a build that did not make one.

    :param outputs: the directories; those that do not exist are fine.
    :raises DeployError: something cannot be removed.
    """
    old = [item.path for output in outputs if os.path.isdir(output) for item in os.scandir(output)]
    for path in (*old, *glob.glob(os.path.join(glob.escape(project), main))):
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.unlink(path)
        except OSError as exc:
            raise DeployError(
                f"'{exc.filename or path}' of an earlier build cannot be removed: {exc.strerror}.",
                hint=" ".join(BY_CODE["permission"].remedies),
                failure=BY_CODE["permission"].result(),
            ) from exc


def check_main(main: str) -> str:
    """Return option main as a normal path.

    :raises DeployError: it leads out of the project.
    """
    place = posixpath.normpath(main)
    if posixpath.isabs(place) or place.startswith("..") or place == ".":
        raise DeployError(
            f"Option main is '{main}': it must be a file below the project.",
            hint="Set main (j4c_build_main) to a path such as target/app.jar.",
        )
    return place


def find_output(project: str, main: str) -> tuple[str, t.Mapping[str, str]]:
    """Return the main file's path in the artifact, and where each file of the artifact is now.

    A main file directly in ``target`` comes with what its manifest's ``Class-Path`` names. One in a directory of its
    own, such as ``quarkus-app``, comes with all of that directory.

    :param main: path in the project; its last part may have a ``*``.
    :raises DeployError: it leads out of the project, or the build left no such file, an empty one or several.
    """
    place = check_main(main)
    home, pattern = posixpath.split(place)
    base = os.path.join(project, home)
    names = sorted(os.listdir(base)) if os.path.isdir(base) else []
    found = [name for name in names if fnmatch.fnmatchcase(name, pattern) and os.path.isfile(os.path.join(base, name))]
    if len(found) > 1:
        raise DeployError(
            f"Maven made several files '{place}': {', '.join(found)}.",
            hint="Set main (j4c_build_main) to the one that is run.",
        )
    if not found or os.path.getsize(os.path.join(base, found[0])) == 0:
        raise DeployError(
            f"Maven succeeded, but its artifact '{place}' is {'empty' if found else 'missing'}.",
            hint="Set main (j4c_build_main) to the file that this project builds.",
        )
    folder = posixpath.basename(home)
    if folder in ("", "target"):
        return found[0], _with_class_path(base, found[0])
    files = {}
    for below, _folders, listed in os.walk(base):
        for name in listed:
            full = os.path.join(below, name)
            files[posixpath.join(folder, os.path.relpath(full, base))] = full
    return posixpath.join(folder, found[0]), files


def _with_class_path(base: str, name: str) -> dict[str, str]:
    files = {name: os.path.join(base, name)}
    if name.endswith(".jar"):
        for entry in class_path(files[name]):
            path = posixpath.normpath(entry)
            full = os.path.join(base, path)
            # the store refuses a jar that lacks one of these
            if not path.startswith("..") and os.path.isfile(full):
                files[path] = full
    return files

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a module from code that is kept on the target. This file is sent there as text: it needs nothing but Python.

Nothing is run from a kept copy that another user could have written: the directory and every directory above it belong
to this user or to root, and the copy has the checksum that it begins with. A copy is written whole, or not at all.

This plugin util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import typing as t

FOLDER = "j4c.deploy"
KEPT_COPIES = 4
# what is younger may be the code of a release that is under way
MIN_AGE_SECONDS = 2 * 3600
DIGEST_SIZE = 32


class Refused(Exception):
    """The code cannot be kept here safely; the text says why."""


class Missing(Exception):
    """The code is not kept here."""


def start(module: str, code: str, params: str, profile: str, archive: bytes | None = None) -> None:
    """Run a module from the kept copy; when there is none, say so, or make it from ``archive``.

    Either the module runs, prints its result and ends the process, or one line of JSON says why it was not started.

    :param module: full name of the module.
    :param code: hash of the code.
    :param params: the module's parameters as JSON.
    :param profile: how ansible-core serializes them; empty before ansible-core 2.19.
    :param archive: the code as the bytes of a ZIP file.
    """
    try:
        os.getcwd()
    except OSError:
        # become may have led to a user who may not read it
        os.chdir("/")
    try:
        path = copy_of(code, archive)
    except Missing as exc:
        answer("missing", str(exc))
    except (OSError, Refused) as exc:
        answer("refused", str(exc))
    else:
        run(path, module, params.encode(), profile)


def copy_of(code: str, archive: bytes | None) -> str:
    """Return the path of a whole copy.

    :raises Missing: there is none, and no archive to make it from.
    :raises Refused: it would not be safe here.
    :raises OSError: it cannot be written.
    """
    folder = kept_folder()
    path = os.path.join(folder, f"{code}-{sys.implementation.cache_tag}.zip")
    if is_whole(path):
        return path
    if archive is None:
        raise Missing(f"there is no whole copy in {folder}")
    keep(path, archive)
    prune(folder, path)
    return path


def answer(state: str, reason: str) -> None:
    """Tell the controller that the module was not started."""
    sys.stdout.write(json.dumps({"j4c_kept": state, "reason": reason}) + "\n")


def kept_folder() -> str:
    """Return the directory of the kept copies of this user; it is made when it is not there.

    :raises Refused: another user could write to it.
    :raises OSError: it cannot be made.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(cache):
        raise Refused(f"this user has no home directory: {cache}")
    require_own_path(os.path.dirname(os.path.realpath(cache)))
    os.makedirs(cache, mode=0o700, exist_ok=True)
    cache = os.path.realpath(cache)
    require_own_path(cache)
    folder = os.path.join(cache, FOLDER)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise Refused(f"{folder} is not a directory of user {os.geteuid()} with mode 0700")
    return folder


def require_own_path(path: str) -> None:
    """Require that nobody but this user and root can put something else in the place of a directory.

    :raises Refused: somebody can.
    """
    while True:
        if os.path.lexists(path):
            found = os.lstat(path)
            shared = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
            if found.st_uid not in (0, os.geteuid()) or shared:
                raise Refused(f"{path} can be changed by other users than {os.geteuid()}")
        above = os.path.dirname(path)
        if above == path:
            return
        path = above


def is_whole(path: str) -> bool:
    """Return whether a copy is there, belongs to this user alone, and is what was once written."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return False
        data = memoryview(file.read())
    if hashlib.sha256(data[DIGEST_SIZE:]).digest() != data[:DIGEST_SIZE]:
        return False
    # its time is that of its last use, see prune
    os.utime(path)
    return True


def keep(path: str, archive: bytes) -> None:
    """Write a copy with compiled code: a checksum, and the ZIP file that Python imports from."""
    import tempfile

    data = compiled(path, archive)
    handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def compiled(path: str, archive: bytes) -> bytes:
    """Return a ZIP file with the files of ``archive`` and beside each what Python makes of it.

    :param path: where it will be: the place that tracebacks name.
    """
    import importlib.util
    import io
    import marshal
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as files, zipfile.ZipFile(made, "w") as target:
        for name in files.namelist():
            source = files.read(name)
            # flag 1: nobody compares it with the source, the checksum of the whole says that it fits
            head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
            code = compile(source, os.path.join(path, name), "exec", dont_inherit=True)
            target.writestr(zipfile.ZipInfo(name), source)
            target.writestr(zipfile.ZipInfo(name + "c"), head + marshal.dumps(code))
    return made.getvalue()


def prune(folder: str, path: str) -> None:
    """Remove what was not used for a day, but for the copies that were used last."""
    import time

    entries = [os.path.join(folder, name) for name in os.listdir(folder)]
    used = {entry: os.lstat(entry).st_mtime for entry in entries if entry.endswith((".zip", ".tmp"))}
    copies = sorted((entry for entry in used if entry.endswith(".zip")), key=used.__getitem__, reverse=True)
    for entry in set(used) - set(copies[:KEPT_COPIES]) - {path}:
        if time.time() - used[entry] > MIN_AGE_SECONDS:
            os.unlink(entry)


def run(path: str, module: str, params: bytes, profile: str) -> t.NoReturn:
    """Run a module as ansible-core does, from a copy instead of from what it sends."""
    import __main__

    # the module must not import what lies where the program was put
    here = os.path.dirname(os.path.realpath(getattr(__main__, "__file__", "") or "-"))
    sys.path[:] = [path, *(item for item in sys.path if item not in ("", ".", here))]
    import importlib

    if profile:
        importlib.import_module("ansible.module_utils._internal._ansiballz._loader").run_module(
            json_params=params, profile=profile, module_fqn=module, modlib_path=path, extensions={}
        )
    import runpy

    basic: t.Any = importlib.import_module("ansible.module_utils.basic")
    basic._ANSIBLE_ARGS = params
    runpy.run_module(module, {"_module_fqn": module, "_modlib_path": path}, "__main__", alter_sys=True)
    raise RuntimeError(f"The module {module} did not end itself.")

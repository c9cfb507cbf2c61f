# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock that two runs wait for, and that dies with its holder and the git processes that it started.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

POLL_SECONDS = 0.05


@contextlib.contextmanager
def hold(path: str, timeout: float, what: str) -> t.Iterator[int]:
    """Hold a lock on a file; yields its descriptor, for the processes that must keep it when this one is killed.

    :param timeout: seconds to wait for whoever holds it.
    :param what: what is locked, as the subject of the error.
    :raises DeployError: it is still held, or the file cannot be made.
    """
    deadline = time.monotonic() + timeout
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise DeployError(
            f"{what} cannot be locked: '{path}' cannot be written: {exc.strerror}.",
            hint="Give this user the right to write there, or name another place.",
        ) from exc
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
                    raise DeployError(
                        f"{what} is in use by process {holder}, {timeout:g} s were waited for it.",
                        hint="Wait until it has ended, or give lock_timeout more seconds.",
                    ) from None
                time.sleep(POLL_SECONDS)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield handle
    finally:
        # whatever inherited the descriptor and outlived the work must not keep the lock
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)

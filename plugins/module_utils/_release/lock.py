# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a lock that dies with its holder.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.store import now

POLL_SECONDS = 0.02
CHANGING_HANDS_SECONDS = 0.5
# how long others wait for a run that is as good as over, whatever they were told
TIDY_PATIENCE = 5.0
UNDO_PATIENCE = 60.0
HOLDER_BYTES = 1024


class Lock:
    """flock on ``<root>/lock``; the text in it only tells people who holds it.

    A run that waits leaves ``lock.request``; a holder that is only tidying up sees it with ``wanted()`` and ends early.

    :param root: the service's state directory.
    :param holder: what to tell others: ``run``, ``kind``, ``release``.
    """

    def __init__(self, root: str, holder: t.Mapping[str, str]) -> None:
        self._path = os.path.join(root, "lock")
        self._request = os.path.join(root, "lock.request")
        self._holder = {**holder, "since": now()}
        self._handle: int | None = None
        self._phase = ""

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self, timeout: float) -> None:
        """Take the lock.

        :param timeout: seconds to wait for a holder that is still at work. One that waits for its seal, takes itself back or
            tidies up is waited for as long as it asks for.
        :raises DeployError: somebody else holds it; names run, kind, release and since when.
        """
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise DeployError(
                f"The lock '{self._path}' cannot be opened: {exc.strerror}.",
                hint="Make the state directory writable for the remote user, or use become.",
            ) from exc
        started = time.monotonic()
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    holder = read_holder(os.path.dirname(self._path))
                    # a holder that tells nothing is just taking or giving back the lock
                    patience = float(holder.get("patience", CHANGING_HANDS_SECONDS))
                    if time.monotonic() - started >= max(timeout, patience):
                        raise _busy(holder, timeout) from None
                    with contextlib.suppress(OSError), open(self._request, "a", encoding="utf-8"):
                        pass
                    time.sleep(POLL_SECONDS)
        except BaseException:
            os.close(handle)
            self._withdraw()
            raise
        self._handle = handle
        self._withdraw()
        self.phase("work")

    def _withdraw(self) -> None:
        # whoever else waits asks again at its next look
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._request)

    def phase(self, phase: str, patience: float = 0.0) -> None:
        """Tell what the holder is doing: ``work``, ``prepared`` (waits to be sealed), ``undo`` or ``tidy`` (done but for parking).

        :param patience: seconds that others should wait for it even when they were not told to wait.
        """
        if self._handle is None:
            return
        self._phase = phase
        text = json.dumps({**self._holder, "pid": os.getpid(), "phase": phase, "patience": patience}).encode()
        # one write of one length: whoever reads at this moment sees the old text or the new one; a full disk only keeps it untold
        with contextlib.suppress(OSError):
            os.pwrite(self._handle, text.ljust(HOLDER_BYTES), 0)

    def wanted(self) -> bool:
        """Whether another run waits for this one, which only tidies up, to end."""
        return self._phase == "tidy" and os.path.exists(self._request)

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None


def read_holder(root: str) -> dict[str, t.Any]:
    """Return who holds the lock of a service: ``{run, kind, release, since, pid, phase}``, or ``{}``.

    What a dead holder left is not returned: the lock itself is asked first.
    """
    path = os.path.join(root, "lock")
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return {}
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return {}
        except BlockingIOError:
            pass
        data = json.loads(os.pread(handle, 4096, 0) or b"{}")
        return data if isinstance(data, dict) else {}
    except ValueError:
        return {}
    finally:
        os.close(handle)


def _busy(holder: t.Mapping[str, t.Any], timeout: float) -> DeployError:
    who = (
        f"a {holder.get('kind', 'run')} of release '{holder.get('release') or 'unknown'}' (run {holder.get('run')}, "
        f"process {holder.get('pid')}, since {holder.get('since')})"
        if holder
        else "another run"
    )
    waited = f" after waiting {timeout:g} s" if timeout else ""
    return DeployError(
        f"The service is locked by {who}{waited}.",
        hint="Wait until it has ended, or give lock_timeout (j4c_lock_timeout) more seconds.",
        holder=dict(holder),
    )

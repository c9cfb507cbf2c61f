# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that starts processes: argv lists, never a shell, always a time limit.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

TERM_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Completed:
    """A process that has ended: ``argv``, ``rc``, ``stdout`` and ``stderr`` as text."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


def end_group(process: subprocess.Popen[t.Any], grace: float = TERM_GRACE_SECONDS) -> None:
    """End a process and everything in its process group: TERM, then KILL after ``grace`` seconds.

    The process must have been started with ``start_new_session=True``.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=grace)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def end_processes(pids: t.Iterable[int]) -> None:
    """Kill processes, wherever they are; those that are gone are fine."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


class Runner:
    """Starts processes with the environment of this process plus ``env``.

    :param env: variables to add to (or, with the value ``None``, to take out of) the environment of every process.
    :param timeout: default limit of a process in seconds.
    """

    def __init__(self, env: t.Mapping[str, str | None] | None = None, timeout: float = 60.0) -> None:
        self._env = dict(env or {})
        self._timeout = timeout

    def environment(self, env: t.Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return the full environment for a process, with messages in plain English."""
        merged: dict[str, str | None] = {**os.environ, "LC_ALL": "C.UTF-8", **self._env, **(env or {})}
        return {key: value for key, value in merged.items() if value is not None}

    def find(self, name: str, hint: str) -> str:
        """Return the path of a program.

        :raises DeployError: when it is not on the PATH; ``hint`` says how to get it.
        """
        path = shutil.which(name, path=self.environment().get("PATH"))
        if path is None:
            raise DeployError(f"The program '{name}' was not found on the PATH.", hint=hint)
        return path

    def watch(
        self,
        argv: t.Sequence[str],
        *,
        log: str,
        cwd: str,
        env: t.Mapping[str, str | None] | None = None,
        timeout: float,
        look: t.Callable[[int], None] = lambda pid: None,
        interval: float = 0.25,
        keep_open: t.Collection[int] = (),
    ) -> int | None:
        """Run a long process, its output going to a file, and look at it while it runs.

        :param log: file for both outputs; it is overwritten.
        :param timeout: seconds until its whole process group is ended.
        :param look: called with its process id every ``interval`` seconds.
        :param keep_open: file descriptors to hand on, for example of a lock that is to last as long as the process
            does, even when this one is killed.
        :returns: its exit status, negative for a signal; ``None`` when it was ended because the time was over.
        :raises DeployError: it could not be started.
        """
        deadline = time.monotonic() + timeout
        with open(log, "wb") as output:
            try:
                process = subprocess.Popen(
                    list(argv),
                    cwd=cwd,
                    env=self.environment(env),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=tuple(keep_open),
                )
            except OSError as exc:
                raise DeployError(f"{argv[0]} could not be started: {exc.strerror}.", command=argv) from exc
            try:
                while True:
                    try:
                        return process.wait(timeout=interval)
                    except subprocess.TimeoutExpired:
                        look(process.pid)
                    if time.monotonic() >= deadline:
                        return None
            finally:
                # what it started must not outlive it
                end_group(process)

    def run(
        self,
        argv: t.Sequence[str],
        *,
        cwd: str | None = None,
        env: t.Mapping[str, str | None] | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
        check: bool = True,
        what: str | None = None,
        keep_open: t.Collection[int] = (),
    ) -> Completed:
        """Run a process to its end and return what it said.

        :param stdin: text for its standard input (the place for secrets); nothing when omitted.
        :param timeout: seconds until its whole process group is ended; the runner's default when omitted.
        :param check: raise when it exits with anything but 0.
        :param what: what it was for, as the subject of the error message ("Reading the compose file").
        :param keep_open: file descriptors to hand on, for example of a lock (see ``watch``).
        :raises DeployError: not found, not executable, timed out, or failed while ``check`` is set.
        """
        limit = self._timeout if timeout is None else timeout
        subject = what or f"Running '{shlex.join(argv)}'"
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=self.environment(env),
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=tuple(keep_open),
                encoding="utf-8",
                errors="replace",
            )
        except OSError as exc:
            raise DeployError(
                f"{subject} failed: {argv[0]} could not be started: {exc.strerror}.", command=argv
            ) from exc
        with process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=limit)
            except subprocess.TimeoutExpired:
                end_group(process)
                stdout, stderr = process.communicate()
                raise DeployError(
                    f"{subject} did not end within {limit:g} s and was stopped.",
                    command=argv,
                    rc=process.returncode,
                    stdout=stdout,
                    stderr=stderr,
                ) from None
            except BaseException:
                end_group(process)
                raise
        done = Completed(tuple(argv), process.returncode, stdout, stderr)
        if check and done.rc != 0:
            last = (stderr.strip() or stdout.strip()).splitlines()[-1:] or ["no output"]
            raise DeployError(
                f"{subject} failed with exit status {done.rc}: {last[0]}",
                command=argv,
                rc=done.rc,
                stdout=stdout,
                stderr=stderr,
            )
        return done

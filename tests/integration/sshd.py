# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real SSH daemon of the test's own: keys, port and configuration in a directory, nothing in ~/.ssh or /etc."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

from tests.integration import claims

DAEMON = "/usr/sbin/sshd"
# where Debian's daemon goes without privileges
EMPTY = Path("/run/sshd")
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""


class Daemon:
    """``start`` it, reach this machine through it as this user with ``variables``, ``stop`` it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sshd-"))
        self.port = claims.port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Daemon:
        """Make keys, start the daemon and wait until it answers."""
        for name in ("host", "user"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        configuration = self.folder / "sshd_config"
        configuration.write_text(CONFIGURATION.format(port=self.port, folder=self.folder), encoding="utf-8")
        host = (self.folder / "host.pub").read_text(encoding="utf-8")
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host}", encoding="utf-8")
        if os.geteuid() == 0:
            EMPTY.mkdir(mode=0o755, exist_ok=True)
        with open(self.folder / "log", "wb") as log:
            argv = [DAEMON, "-D", "-e", "-f", str(configuration)]
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def log(self) -> str:
        """What the daemon says."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End the daemon and remove its files."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        shutil.rmtree(self.folder)

    @property
    def variables(self) -> dict[str, t.Any]:
        """The variables of a host that is this machine, reached through the daemon; no connection is shared or kept."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_ssh_timeout": 60,
            "ansible_user": pwd.getpwuid(os.geteuid()).pw_name,
            "ansible_ssh_private_key_file": str(self.folder / "user"),
            "ansible_ssh_args": "-F /dev/null -o ControlMaster=no -o ControlPath=none -o IdentitiesOnly=yes "
            f"-o UserKnownHostsFile={self.folder}/known_hosts",
        }

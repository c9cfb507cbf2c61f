# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real repositories: a bare origin, a clone of it, another developer's clone, and a web server that asks for a password."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import subprocess
import threading
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.run_module import run_module

# a configuration of the machine must not decide these tests
PLAIN = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "A. Developer",
    "GIT_AUTHOR_EMAIL": "dev@example.org",
    "GIT_COMMITTER_NAME": "C. Integrator",
    "GIT_COMMITTER_EMAIL": "int@example.org",
    "GIT_COMMITTER_DATE": "2026-01-31T12:00:00+00:00",
}


class Work:
    """A bare origin, a clone of it that is looked at, and another developer's clone."""

    def __init__(self, root: Path) -> None:
        self.root, self.clone, self.origin, self.other = root, root / "clone", root / "origin.git", root / "other"
        self.scratch = root / "scratch"
        self.scratch.mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.origin), at=root)
        self.git("clone", "--quiet", str(self.origin), str(self.clone), at=root)
        self.git("switch", "--quiet", "--orphan", "main")
        self.commit("pom.xml", "<project/>", "feat: begin")
        self.git("push", "--quiet", "origin", "main")

    def git(self, *args: str, at: Path | None = None) -> str:
        """Run git in the clone, or elsewhere, and return what it says."""
        done = subprocess.run(
            ["git", *args],
            cwd=at or self.clone,
            env={**os.environ, **PLAIN},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def head(self, at: Path | None = None) -> str:
        """Return the commit that is checked out."""
        return self.git("rev-parse", "HEAD", at=at)

    def commit(self, path: str, text: str, subject: str, at: Path | None = None) -> str:
        """Commit a file and return the commit."""
        where = at or self.clone
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        (where / path).write_text(text, encoding="utf-8")
        self.git("add", path, at=where)
        self.git("commit", "--quiet", "-m", subject, at=where)
        return self.head(where)

    def pushed(self, path: str, text: str, subject: str) -> str:
        """Commit a file, push it to main and return the commit."""
        made = self.commit(path, text, subject)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return made

    def push_from_elsewhere(self, path: str = "theirs", text: str = "x") -> str:
        """Let the other developer push a commit to main."""
        if not self.other.exists():
            self.git("clone", "--quiet", str(self.origin), str(self.other), at=self.root)
        self.git("pull", "--quiet", "--ff-only", "origin", "main", at=self.other)
        made = self.commit(path, text, "feat: theirs", at=self.other)
        self.git("push", "--quiet", "origin", "HEAD:main", at=self.other)
        return made

    def run(
        self, module: str, options: t.Mapping[str, t.Any], check: bool = False, env: t.Mapping[str, str] | None = None
    ) -> dict[str, t.Any]:
        """Run a module without the configuration of this machine."""
        return run_module(module, self.scratch, options, check=check, env={**PLAIN, **(env or {})})


@dataclass
class GitWeb:
    """A web server for repositories.

    :param asked: the user and password of each request.
    :param redirect: where each request is sent on to, ``""`` to answer it.
    :param gate: answers wait until it is set.
    :param reached: set when a request with the right password waits for the gate.
    """

    url: str
    asked: list[str] = field(default_factory=list)
    redirect: str = ""
    gate: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def git_web(root: Path, user: str, password: str, port: int) -> t.Iterator[GitWeb]:
    """Serve the bare repositories below a directory with git's own program, to one user."""
    web = GitWeb(f"http://127.0.0.1:{port}")
    web.gate.set()
    backend = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            if web.redirect:
                self.send_response(302)
                self.send_header("Location", web.redirect + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            kind, _space, given = self.headers.get("Authorization", "").partition(" ")
            told = base64.b64decode(given).decode() if kind == "Basic" else ""
            web.asked.append(told)
            if told != f"{user}:{password}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            web.reached.set()
            web.gate.wait(120)
            path, _mark, query = self.path.partition("?")
            body = self._body()
            done = subprocess.run(
                [str(backend / "git-http-backend")],
                env={
                    **os.environ,
                    **PLAIN,
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "REQUEST_METHOD": self.command,
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "REMOTE_USER": user,
                    "REMOTE_ADDR": "127.0.0.1",
                },
                input=body,
                stdout=subprocess.PIPE,
                check=True,
            )
            head, _empty, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            # whoever asked may have been killed
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_POST = handle_any

        def log_message(self, *_args: t.Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        web.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()

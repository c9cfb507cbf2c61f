# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a release, a second version under traffic, and the way back. Run it with ``make demo``.

It uses the playbooks that a user types, on this machine, and ends with an error when one request failed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import requests
import yaml

from tests.load.process import Load
from tests.load.verify import missing_keys

PROJECT = Path(__file__).resolve().parents[2]
CLONE = PROJECT / ".work/demo/aurigraph-v11"
PORT = 9003
VERSION = re.compile(r"(<artifactId>aurigraph-v11-standalone</artifactId>\s*<version>\d+\.\d+\.)(\d+)(</version>)")


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}", flush=True)


def playbook(name: str, *args: str) -> float:
    """Run a playbook as a user would, and return the seconds that it took."""
    started = time.monotonic()
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{name}.yml", *args]
    print(f"$ ansible-playbook playbooks/{name}.yml", flush=True)
    subprocess.run(argv, cwd=PROJECT, check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - started


def git(*args: str) -> None:
    """Run git in the clone."""
    subprocess.run(["git", "-C", str(CLONE), *args], check=True, stdout=subprocess.DEVNULL)


def bump() -> str:
    """Commit and push the next version of the service; return what it is called."""
    pom = CLONE / "pom.xml"
    text, count = VERSION.subn(
        lambda found: f"{found[1]}{int(found[2]) + 1}{found[3]}", pom.read_text(encoding="utf-8")
    )
    assert count == 1, "the pom of the example has another form"
    pom.write_text(text, encoding="utf-8")
    found = VERSION.search(text)
    assert found is not None
    version = found[1].rpartition(">")[2] + found[2]
    git("commit", "--quiet", "--all", "--message", f"feat: make version {version}")
    git("push", "--quiet")
    return version


def serving() -> str:
    """Return what the service says of itself."""
    return requests.get(f"http://127.0.0.1:{PORT}/api/v11/health", timeout=10).text


def main() -> int:
    """Run the demo; return 1 when a request failed."""
    os.environ.setdefault("ANSIBLE_NOCOWS", "1")
    say("The stack: gateway, PostgreSQL, Redis, Prometheus")
    playbook("stack")
    say("The service, from its commit")
    # an earlier demo may have ended with this version rolled back
    first = playbook("deploy", "-e", '{"j4c_force_reason": "the demo begins"}')
    print(serving())
    say("Traffic: 100 requests a second, inserts, slow requests and streams, without retries")
    with_load = Load(PORT).start()
    version = bump()
    say(f"Version {version} under traffic")
    second = playbook("deploy")
    print(serving())
    say("Back to the version before, under traffic")
    back = playbook("rollback")
    print(serving())
    report = with_load.stop()
    lost = missing_keys(PORT, report.posted)
    say("What the traffic saw")
    print(report.summary())
    print(f"{len(report.posted)} inserts confirmed, {len(lost)} of them missing in the database")
    # as one would: the next deploy starts from the good version again
    git("revert", "--no-edit", "HEAD")
    git("push", "--quiet")
    say("Seconds")
    print(
        yaml.safe_dump(
            {"first deploy": round(first, 1), "second deploy": round(second, 1), "rollback": round(back, 2)},
            sort_keys=False,
        )
    )
    say("Try: ansible-playbook playbooks/status.yml, deploy.yml, rollback.yml")
    return 1 if report.failed or lost else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare the workspace of the demo: the example service as a git clone with an origin, ready to be built.

What is there already is left alone, and a run with nothing to do prints nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
SERVICE = "aurigraph-v11"
BRANCH = "main"
IDENTITY = {"user.name": "The demo", "user.email": "demo@example.org", "commit.gpgsign": "false"}
OLDEST_JDK = 21
JDK_PACKAGES = ("openjdk-25-jdk-headless", "openjdk-21-jdk-headless")
WRAPPER_GOAL = "org.apache.maven.plugins:maven-wrapper-plugin:3.3.4:wrapper"
WRAPPER_OPTIONS = ("-Dmaven=3.9.16", "-Dtype=only-script")
WRAPPER_FILES = ("mvnw", "mvnw.cmd", ".mvn/wrapper/maven-wrapper.properties")


class WorkspaceError(Exception):
    """The workspace cannot be prepared; the text says why and what to do."""


def run(argv: t.Sequence[str], cwd: Path, **env: str) -> str:
    """Run a program to its end and return its standard output.

    :raises WorkspaceError: it cannot be started, fails or takes longer than ten minutes.
    """
    # A git hook that runs this script must not make git here work on the hook's repository.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            list(argv), cwd=cwd, env={**clean, **env}, capture_output=True, text=True, timeout=600, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise WorkspaceError(f"{argv[0]}: {exc}") from exc
    if done.returncode != 0:
        raise WorkspaceError(f"'{' '.join(argv)}' failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def may_install() -> bool:
    """Return whether packages of the distribution can be installed from here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> None:
    """Install packages of the distribution.

    :raises WorkspaceError: apt-get failed.
    """
    print(f"Installing {' '.join(packages)}", flush=True)
    run(["apt-get", "-qq", "update"], PROJECT)
    argv = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages]
    run(argv, PROJECT, DEBIAN_FRONTEND="noninteractive")


def jdk_version(home: Path) -> int:
    """Return the feature version of the JDK in a folder, 0 when there is no JDK with a compiler."""
    try:
        release = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(found.group(1)) if found and os.access(home / "bin" / "javac", os.X_OK) else 0


def find_jdk() -> Path | None:
    """Return the home of a JDK that is new enough: JAVA_HOME, or the newest in /usr/lib/jvm."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    candidates += sorted(Path("/usr/lib/jvm").glob("*"), key=jdk_version, reverse=True)
    return next((home for home in candidates if jdk_version(home) >= OLDEST_JDK), None)


def need_jdk() -> Path:
    """Return the home of a JDK that is new enough, installing one where the distribution has it.

    :raises WorkspaceError: there is none.
    """
    home = find_jdk()
    for package in JDK_PACKAGES if home is None and may_install() else ():
        try:
            install(package)
        except WorkspaceError:
            continue
        home = find_jdk()
        if home is not None:
            break
    if home is None:
        raise WorkspaceError(
            f"No JDK {OLDEST_JDK} or newer was found in JAVA_HOME or /usr/lib/jvm. Install one (the package "
            f"{JDK_PACKAGES[1]} where the distribution has it, or Eclipse Temurin), set JAVA_HOME to it, and run "
            "'make setup' again."
        )
    return home


def make_clone(example: Path, origin: Path, clone: Path) -> None:
    """Make a bare origin and a clone of it, with the files of the example as the first commit."""
    if not (example / "pom.xml").is_file():
        raise WorkspaceError(f"The example is not there: {example} has no pom.xml.")
    # The clone appears last and by one rename, so an origin without a clone is what an interrupted run left.
    shutil.rmtree(origin, ignore_errors=True)
    origin.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=origin.parent, prefix=".clone-") as folder:
        work = Path(folder) / "work"
        shutil.copytree(example, work, ignore=shutil.ignore_patterns("target"))
        run(["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(origin)], work)
        run(["git", "init", "--quiet", f"--initial-branch={BRANCH}"], work)
        for key, value in IDENTITY.items():
            run(["git", "config", key, value], work)
        run(["git", "remote", "add", "origin", str(origin)], work)
        run(["git", "add", "--all"], work)
        run(["git", "commit", "--quiet", "--message", "feat: add the service"], work)
        run(["git", "push", "--quiet", "--set-upstream", "origin", BRANCH], work)
        work.rename(clone)
    print(f"{clone}: the example service, cloned from {origin}", flush=True)


def make_wrapper(clone: Path, java_home: Path) -> None:
    """Put the Maven wrapper into the clone and let it get its Maven."""
    if shutil.which("mvn") is None:
        if not may_install():
            raise WorkspaceError("mvn was not found on the PATH: run 'apt-get install maven' as root, or install it.")
        install("maven")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        # Outside of the clone, so that the service's own pom is no part of this.
        run(["mvn", "--batch-mode", "--quiet", WRAPPER_GOAL, *WRAPPER_OPTIONS], work, JAVA_HOME=str(java_home))
        # mvnw comes first in the list and is what a later run looks for, so it is put in place last.
        for name in reversed(WRAPPER_FILES):
            if (work / name).is_file():
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(work / name, clone / name)
    version = run(["./mvnw", "--version"], clone, JAVA_HOME=str(java_home)).splitlines()[0]
    print(f"{clone}/mvnw: {version}", flush=True)


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--example", type=Path, default=PROJECT / "examples" / SERVICE, help="source of the service")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".work" / "demo", help="where origin and clone go")
    args = parser.parse_args()
    folder = args.folder.resolve()
    clone = folder / SERVICE
    try:
        java_home = need_jdk()
        if not clone.exists():
            make_clone(args.example.resolve(), folder / "origin.git", clone)
        if not (clone / "mvnw").exists():
            make_wrapper(clone, java_home)
    except WorkspaceError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

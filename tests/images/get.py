# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get the images of the stack: pulled where a registry answers, built from Debian packages otherwise.

A stand-in gets the name of the official image, so that nothing else has to know which of the two is there.
An image of which there is no stand-in is recorded in .work/absent/<last part of its name>.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
ABSENT = PROJECT / ".work" / "absent"
DEFAULTS = PROJECT / "roles" / "j4c" / "defaults" / "main.yml"
BASE = "j4c-base:trixie"
JAVA_RUNTIME = "eclipse-temurin:25-jre"
REGISTRY = "registry:2"
# An engine and sshd in one container: a server of its own for the tests. No registry has it.
SERVER = "j4c-server:trixie"
PULL_SECONDS = 600
# What the engine says when no registry can be reached, as opposed to a registry that refuses this one image.
UNREACHABLE = re.compile(
    r"no such host|dial tcp|i/o timeout|TLS handshake|connection refused|network is unreachable"
    r"|Client\.Timeout|context deadline exceeded|proxyconnect|server misbehaving|unexpected EOF",
    re.IGNORECASE,
)
# Documentation and translations are a quarter of a minimal Debian.
LEAN = [
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/man/*.gz",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
]


class GetError(Exception):
    """An image cannot be had; the text says why and what to do."""


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def wanted() -> list[str]:
    """Return the names of all images that the collection and its tests use by default, and what the example is built on."""
    defaults = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    return [JAVA_RUNTIME, *defaults["j4c_images"].values(), REGISTRY, SERVER]


def short_name(image: str) -> str:
    """Return the last part of an image's name without its tag: the name of its folder here."""
    return image.rsplit("/", 1)[-1].partition(":")[0]


def full_name(image: str) -> str:
    """Return an image's name as the engine lists it, with a tag."""
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"


def missing(docker: str, images: list[str]) -> list[str]:
    """Return those of the images that the engine does not have.

    :raises GetError: no engine answers.
    """
    argv = [docker, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise GetError(f"The Docker engine does not answer: {done.stderr.strip()}\nRun 'make setup', or start it.")
    present = set(done.stdout.split())
    return [image for image in images if full_name(image) not in present]


def pull(docker: str, image: str) -> str | None:
    """Pull an image; the engine itself gives up on a registry that does not answer, after some 15 seconds.

    :returns: ``None`` when the engine has it now, otherwise what went wrong.
    """
    try:
        done = subprocess.run(
            [docker, "pull", "--quiet", image], capture_output=True, text=True, timeout=PULL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"i/o timeout: the pull did not end within {PULL_SECONDS} s"
    return None if done.returncode == 0 else done.stderr.strip()


def mirror() -> list[str]:
    """Return the machine's own Debian mirror as arguments for mmdebstrap, nothing when it has none."""
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    for condition in ("Origin: Debian", "Release: trixie", "Release: bookworm"):
        done = subprocess.run([*argv, condition], capture_output=True, text=True, timeout=60, check=False)
        found = [line.rstrip("/") for line in done.stdout.split() if line.rstrip("/").endswith("/debian")]
        if found:
            return [found[0]]
    return []


def need_mmdebstrap() -> str:
    """Return the path of mmdebstrap, installing it when this is root.

    :raises GetError: it is not there and cannot be installed.
    """
    if shutil.which("mmdebstrap") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise GetError("mmdebstrap is needed to build images: run 'apt-get install mmdebstrap' as root.")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for argv in (["update"], ["install", "-y", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"]):
            subprocess.run(
                ["apt-get", "-qq", *argv], env=environment, stdout=subprocess.DEVNULL, timeout=600, check=True
            )
    return shutil.which("mmdebstrap") or "mmdebstrap"


def make_base(docker: str) -> None:
    """Make the Debian trixie image that all stand-ins are built on."""
    say(f"{BASE}: making it with mmdebstrap")
    options = [f"--dpkgopt={option}" for option in LEAN]
    argv = [need_mmdebstrap(), "--quiet", "--variant=minbase", "--include=ca-certificates", *options, "trixie", "-"]
    # mmdebstrap runs programs from its temporary folder, and /tmp is often mounted without the right to.
    environment = {"TMPDIR": "/var/tmp", **os.environ}
    maker = subprocess.Popen([*argv, *mirror()], env=environment, stdout=subprocess.PIPE)
    taker = subprocess.run(
        [docker, "import", "-", BASE], stdin=maker.stdout, stdout=subprocess.DEVNULL, timeout=900, check=False
    )
    if maker.wait(timeout=60) != 0 or taker.returncode != 0:
        subprocess.run([docker, "image", "rm", BASE], capture_output=True, timeout=60, check=False)
        raise GetError(f"{BASE} could not be made; what mmdebstrap and the engine said is above.")


def build(docker: str, image: str) -> None:
    """Build the stand-in of an image.

    :raises GetError: the build failed.
    """
    # The engine's own network may have no way out; the machine's has, or nothing could be installed at all.
    argv = [docker, "build", "--progress", "plain", "--network", "host", "--tag", image, str(HERE / short_name(image))]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800, check=False)
    if done.returncode != 0:
        raise GetError(f"{done.stdout}\n{image}: its stand-in could not be built; the reason is above.")


def get(docker: str, images: list[str]) -> list[str]:
    """Get the images that are missing and return those that are not to be had.

    :raises GetError: a stand-in could not be built.
    """
    absent, offline = [], ""
    for image in images:
        start = time.monotonic()
        problem = "no registry has it" if image == SERVER else offline or pull(docker, image)
        if problem is None:
            say(f"{image}: pulled in {time.monotonic() - start:.0f} s")
            continue
        if not offline and UNREACHABLE.search(problem):
            offline = problem
            say(f"No registry can be reached, so images are built from Debian packages: {problem.splitlines()[-1]}")
        if not (HERE / short_name(image) / "Dockerfile").is_file():
            absent.append(image)
            continue
        if missing(docker, [BASE]):
            make_base(docker)
        build(docker, image)
        say(f"{image}: built from Debian packages in {time.monotonic() - start:.0f} s")
    return absent


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--retry", action="store_true", help="also try again to get what was not to be had before")
    parser.add_argument("image", nargs="*", help="names of images; all of them when none is given")
    args = parser.parse_args()
    docker = shutil.which("docker")
    if docker is None:
        print("docker was not found on the PATH: run 'make setup'.", file=sys.stderr)
        return 1
    images = args.image or wanted()
    marker = {image: ABSENT / short_name(image) for image in images}
    try:
        lacking = missing(docker, images)
        known = [image for image in lacking if marker[image].exists() and not args.retry and not args.image]
        absent = known + get(docker, [image for image in lacking if image not in known])
    except (GetError, subprocess.SubprocessError) as exc:
        print(exc, file=sys.stderr)
        return 1
    for image in images:
        if image in absent:
            ABSENT.mkdir(parents=True, exist_ok=True)
            marker[image].touch()
            say(f"{image}: not to be had (no registry answers, Debian has no package); the stack goes without it")
        else:
            marker[image].unlink(missing_ok=True)
    return 1 if args.image and absent else 0


if __name__ == "__main__":
    sys.exit(main())

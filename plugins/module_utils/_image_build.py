# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs BuildKit on a staged context, without giving the image a name: it has to pass its checks first.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils import _image_report as report
from ansible_collections.j4c.deploy.plugins.module_utils import _image_secrets as secrets
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._files import tail
from ansible_collections.j4c.deploy.plugins.module_utils._image_recipe import Recipe, Wanted
from ansible_collections.j4c.deploy.plugins.module_utils._run import Runner

LOG_LINES = 60
STEP_LINES = 5
MB = 1_000_000


def build_command(
    wanted: Wanted, labels: t.Mapping[str, str], directory: str, metadata: str, given: t.Sequence[secrets.Secret] = ()
) -> list[str]:
    """Return the argv of the build.

    :param directory: the build context.
    :param metadata: file that buildx writes the image's id to.
    :param given: build secrets.
    """
    # on one of the engine's stores, provenance would give the image a new id with every build
    argv = ["docker", "buildx", "build", "--builder", "default", "--load", "--provenance=false", "--progress", "plain"]
    argv += ["--metadata-file", metadata]
    if not wanted.cache:
        argv.append("--no-cache")
    for name in wanted.cache_from:
        argv += ["--cache-from", name]
    argv += secrets.arguments(given)
    for option, values in (("--build-arg", wanted.args), ("--label", labels)):
        for key in sorted(values):
            argv += [option, f"{key}={values[key]}"]
    return [*argv, "--", directory]


@contextlib.contextmanager
def workspace() -> t.Iterator[str]:
    """Yield a directory that is gone afterwards."""
    try:
        made = tempfile.TemporaryDirectory(prefix="j4c-image-")
    except OSError as exc:
        raise DeployError(
            f"No directory for the build context could be made: {exc}.", hint=context.TMPDIR_HINT
        ) from exc
    with made as work:
        yield work


def check_room(api: t.Any, needed: int, min_free_mb: float) -> str:
    """Prove that the context and the new layers fit on their disks.

    :param needed: bytes of the artifact.
    :returns: what is free, in words.
    :raises DeployError: a disk is nearly full; ``evidence`` has the code ``disk_low``.
    """
    with engine.engine_errors("Asking the engine where it keeps its images"):
        root = str(api.info().get("DockerRootDir") or "")
    told = []
    for what, path, hint in (
        ("for the build context", tempfile.gettempdir(), context.TMPDIR_HINT),
        ("of the engine", root, "Free some space, for example with 'docker builder prune' or 'docker image prune'."),
    ):
        # that of an engine elsewhere is not to be seen from here
        if not os.path.isdir(path):
            continue
        free = shutil.disk_usage(path).free
        if free < needed + min_free_mb * MB:
            raise DeployError(
                f"The disk {what} ('{path}') has {free / MB:.0f} MB free; the build needs {needed / MB:.0f} MB and "
                f"min_free_mb (j4c_image_min_free_mb) is {min_free_mb:g}.",
                hint=hint,
                evidence={
                    "code": "disk_low",
                    "path": path,
                    "free_mb": round(free / MB),
                    "needed_mb": round(needed / MB),
                },
            )
        told.append(f"{free / MB:.0f} MB free {what}")
    return ", ".join(told)


def build(
    runner: Runner,
    wanted: Wanted,
    recipe: Recipe,
    labels: t.Mapping[str, str],
    given: t.Sequence[secrets.Secret],
    directory: str,
) -> set[str]:
    """Build, and return the ids that the image may have: the engine's two image stores name it differently.

    :param labels: labels of the image.
    :param given: build secrets.
    :param directory: the build context; ``metadata.json`` is written beside it.
    :raises DeployError: it failed; ``evidence`` has the class of the failure, the line, and what was said.
    """
    runner.find("docker", hint="Install it, or run the role j4c.deploy.engine.")
    metadata = os.path.join(os.path.dirname(directory), "metadata.json")
    # the context "default" is the engine that DOCKER_HOST names, as it is for the API
    env = {"SOURCE_DATE_EPOCH": str(recipe.epoch), "DOCKER_CONTEXT": "default", "BUILDX_BUILDER": None}
    what = f"Building image '{recipe.tags[0]}'"
    argv = build_command(wanted, labels, directory, metadata, given)
    try:
        done = runner.run(argv, env=env, check=False, timeout=wanted.timeout, what=what)
    except DeployError as exc:
        exc.hint = exc.hint or "Look at the step that hung, in stderr, or raise the option timeout."
        exc.stderr = tail(exc.stderr or "", LOG_LINES)
        raise
    if done.rc != 0:
        found = report.diagnose(done.stderr, wanted.dockerfile, context.LAYERS)
        raise DeployError(
            f"{what} failed: {found.msg}.",
            hint=found.hint,
            command=done.argv,
            rc=done.rc,
            stdout=done.stdout,
            stderr=tail(done.stderr, LOG_LINES),
            evidence={
                "code": found.code,
                "dockerfile": {"path": wanted.dockerfile, "line": found.line, "text": found.excerpt},
                "output": report.step_output(done.stderr, STEP_LINES),
            },
        )
    with open(metadata, encoding="utf-8") as file:
        data = json.load(file)
    return {data[key] for key in ("containerimage.config.digest", "containerimage.digest") if data.get(key)}

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and checks all that a build depends on, before anything is done.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.j4c.deploy.plugins.module_utils import _docker as engine
from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_policy as policies
from ansible_collections.j4c.deploy.plugins.module_utils import _image_bases as base_images
from ansible_collections.j4c.deploy.plugins.module_utils import _image_context as context
from ansible_collections.j4c.deploy.plugins.module_utils import _image_dockerfile as dockerfiles
from ansible_collections.j4c.deploy.plugins.module_utils import _image_leaks as leaks
from ansible_collections.j4c.deploy.plugins.module_utils import _image_recipe as recipes
from ansible_collections.j4c.deploy.plugins.module_utils import _image_secrets as secrets
from ansible_collections.j4c.deploy.plugins.module_utils import _image_space as space
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_syntax import read_instructions
from ansible_collections.j4c.deploy.plugins.module_utils._image_recipe import BaseImage, Recipe, Tagged, Wanted


@dataclass(frozen=True)
class Observed:
    """What was read and checked.

    :param values: the build secrets, to look for them in what was built.
    :param text: the Dockerfile.
    :param bases: the images that it needs, by their name.
    :param released: what the engine says of the image that is released, ``None`` when it has none or none was named.
    """

    api: t.Any
    policy: policies.Policy
    budget: space.Budget
    scan: leaks.LeakScan
    stages: list[dockerfiles.Stage]
    secrets: tuple[secrets.Secret, ...]
    values: list[bytes]
    text: str
    artifact: context.Artifact
    bases: dict[str, BaseImage]
    recipe: Recipe
    tagged: list[Tagged]
    released: dict[str, t.Any] | None

    def released_layers(self) -> frozenset[str] | None:
        """Return the ids of the layers of the released image, ``None`` when there is none to compare with."""
        if self.released is None:
            return None
        return frozenset((self.released.get("RootFS") or {}).get("Layers") or ())


def observe(connect: t.Callable[[], t.Any], wanted: Wanted) -> Observed:
    """Return what a build depends on.

    :param connect: returns a client of the engine's API.
    :raises DeployError: an option, the Dockerfile, a build secret or the artifact cannot be used.
    """
    policy, budget = policies.make_policy(wanted.policy), space.make_budget(wanted.budget)
    scan, given = leaks.make_scan(wanted.leak_scan), secrets.make_secrets(wanted.secrets)
    text = recipes.read_dockerfile(wanted.dockerfile)
    stages = dockerfiles.stages(read_instructions(wanted.dockerfile, text, wanted.args), wanted.args)
    secrets.match_mounts(given, stages, wanted.dockerfile)
    values = secrets.read_values(given, os.environ)
    artifact = context.load_artifact(wanted.artifact)
    api = connect()
    bases = base_images.look(api, [base.name for base in dockerfiles.bases(stages)])
    recipe = recipes.make_recipe(wanted, artifact, text, bases)
    return Observed(
        api=api,
        policy=policy,
        budget=budget,
        scan=scan,
        stages=stages,
        secrets=given,
        values=values,
        text=text,
        artifact=artifact,
        bases=bases,
        recipe=recipe,
        tagged=tagged_images(api, recipe),
        released=engine.inspect_image(api, wanted.released_image) if wanted.released_image else None,
    )


def tagged_images(api: t.Any, recipe: Recipe) -> list[Tagged]:
    """Return the images that the tags name now, the most exact tag first; a tag that names none is left out."""
    found = []
    for tag in recipe.tags:
        inspected = engine.inspect_image(api, tag)
        if inspected is not None:
            labels = (inspected.get("Config") or {}).get("Labels") or {}
            try:
                inputs = dict(json.loads(labels.get(recipes.INPUTS_LABEL, "{}")))
            except (ValueError, TypeError):
                inputs = {}
            found.append(Tagged(tag, inspected["Id"], labels.get(recipes.FINGERPRINT_LABEL, ""), inputs))
    return found

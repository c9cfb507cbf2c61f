# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove everything that carries a service's name: containers, networks, volumes, its images, its directory."""

from __future__ import annotations

import shutil
import sys

import docker


def main() -> None:
    """Remove what the scenario ``argv[1]`` left in Docker, and the directory ``argv[2]``."""
    service, directory = sys.argv[1:3]
    api = docker.from_env().api
    for container in api.containers(all=True):
        if any(name.startswith(f"/{service}-") for name in container["Names"]):
            api.remove_container(container["Id"], force=True, v=True)
            print(container["Names"][0])
    for network in api.networks():
        if network["Name"].startswith(f"{service}-"):
            api.remove_network(network["Id"])
    for volume in api.volumes()["Volumes"] or []:
        if volume["Name"].startswith(f"{service}-"):
            api.remove_volume(volume["Name"], force=True)
    for image in {item["Id"] for item in api.images(service)}:
        api.remove_image(image, force=True)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of which release answers, and the first requests to a candidate.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._http import HttpClient, HttpError
from ansible_collections.j4c.deploy.plugins.module_utils._json_pointer import resolve_pointer
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Identity, Release, Settings, WarmUp

SLOT_HEADER = "X-J4C-Slot"
CONSECUTIVE_ANSWERS = 3
PROOF_SECONDS = 5.0
# A server that is busy with the start of a JVM answers late; late is for the validation to judge.
ANSWER_SECONDS = 10.0
WARM_UP_SECONDS = 15.0
WARM_UP_THREADS = 4


def answer_of(client: HttpClient, base: str, identity: Identity) -> t.Any:
    """Return what the service behind ``base`` calls itself.

    :raises DeployError: it does not answer, or not with the document that ``identity`` describes.
    """
    url = base + identity.path
    try:
        response = client.get(url, timeout=ANSWER_SECONDS)
        return resolve_pointer(response.json(), identity.pointer)
    except (HttpError, ValueError, LookupError) as exc:
        raise DeployError(f"{url} does not tell which release it is at '{identity.pointer}': {exc}.") from exc


def prove_slot(client: HttpClient, settings: Settings, slot: str, release: Release, image: str) -> str:
    """Prove that what runs in a slot is the release: by image id, and by its own word when it has one.

    :param image: image id of the slot's container.
    :returns: one line on what was proven.
    :raises DeployError: it is something else.
    """
    if image != release.image["id"]:
        raise DeployError(f"Slot '{slot}' runs image {image}, not {release.image['id']} of release '{release.id}'.")
    if settings.identity is None or not release.commit:
        return f"image {image[7:19]}"
    found = answer_of(client, f"http://127.0.0.1:{settings.slot_ports[slot]}", settings.identity)
    if found != release.commit:
        raise DeployError(
            f"Slot '{slot}' says it is commit '{found}', release '{release.id}' is commit '{release.commit}'.",
            hint="Is the image built from another commit? The service reads its commit from the variable J4C_COMMIT.",
        )
    return f"image {image[7:19]}, commit {release.commit[:12]}"


def prove_gateway(client: HttpClient, settings: Settings, slot: str, release: Release) -> str:
    """Prove that requests through the gateway reach the release: several answers in a row.

    :returns: one line on what was proven, with the milliseconds until the first right answer.
    :raises DeployError: a wrong answer, or none in time, comes when five seconds have gone.
    """
    path = settings.identity.path if settings.identity else "/"
    started = time.monotonic()
    first, row, last = 0.0, 0, "no answer"
    while row < CONSECUTIVE_ANSWERS:
        right, last = _gateway_answer(client, settings, settings.gateway_url + path, slot, release)
        if not right:
            row = 0
            if time.monotonic() - started > PROOF_SECONDS:
                raise DeployError(
                    f"The gateway at {settings.gateway_url} does not answer with release '{release.id}' from slot '{slot}': {last}."
                )
            time.sleep(0.01)
            continue
        if row == 0:
            first = time.monotonic()
        row += 1
    return f"{CONSECUTIVE_ANSWERS} answers in a row, the first after {(first - started) * 1000:.0f} ms"


def _gateway_answer(client: HttpClient, settings: Settings, url: str, slot: str, release: Release) -> tuple[bool, str]:
    try:
        response = client.get(url, timeout=ANSWER_SECONDS)
    except HttpError as exc:
        return False, str(exc)
    served = response.headers.get(SLOT_HEADER, "")
    if served != slot or response.status >= 500:
        return False, f"status {response.status} from slot '{served}'"
    if settings.identity is None or not release.commit:
        return True, ""
    try:
        found = resolve_pointer(response.json(), settings.identity.pointer)
    except (ValueError, LookupError) as exc:
        return False, str(exc)
    return found == release.commit, f"commit '{found}'"


def warm_up(client: HttpClient, base: str, plan: WarmUp) -> str:
    """Send a candidate its first requests, so that users do not pay for a cold JVM.

    :param base: URL of the slot.
    :returns: one line with counts and the time of the first and last answers.
    :raises DeployError: a path answers nothing but errors.
    """
    if not plan.paths or plan.requests < 1:
        return "no warm-up requests"
    deadline = time.monotonic() + WARM_UP_SECONDS
    urls = [base + plan.paths[number % len(plan.paths)] for number in range(plan.requests)]

    def send(url: str) -> tuple[str, int | None, float]:
        started = time.monotonic()
        if started > deadline:
            return url, None, 0.0
        try:
            status = client.get(url, timeout=ANSWER_SECONDS).status
        except HttpError:
            status = 599
        return url, status, time.monotonic() - started

    with ThreadPoolExecutor(WARM_UP_THREADS) as pool:
        answers = [item for item in pool.map(send, urls) if item[1] is not None]
    for url in dict.fromkeys(urls):
        statuses = [status for answered, status, _seconds in answers if answered == url]
        if statuses and all(status is not None and status >= 500 for status in statuses):
            raise DeployError(
                f"The new release answers {url} with errors only ({len(statuses)} requests, last status {statuses[-1]}).",
                hint="Look at the log lines in the evidence; the live release was not touched.",
            )
    first, last = answers[0][2], answers[-1][2]
    return f"{len(answers)} requests, first {first * 1000:.0f} ms, last {last * 1000:.0f} ms"

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the service what became of the inserts."""

from __future__ import annotations

import http.client
import typing as t

from tests.load.http1 import ADDRESS
from tests.load.traffic import API


def missing_keys(port: int, keys: t.Iterable[str]) -> list[str]:
    """Return those idempotency keys that the service has no transaction for.

    :raises RuntimeError: the service says neither that it has one, nor that it has none.
    """
    missing = []
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=10)
    try:
        for key in keys:
            connection.request("GET", f"{API}/transactions/by-key/{key}")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 404:
                missing.append(key)
            elif answer.status != 200:
                raise RuntimeError(f"by-key/{key} answered {answer.status}")
    finally:
        connection.close()
    return missing

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests against real parts."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from tests.integration.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    """A service of its own with its stack up and nothing released."""
    made = World(tmp_path_factory.mktemp("world"))
    try:
        yield made.start()
    finally:
        # a release goes on parking and pruning after its module has ended
        with contextlib.suppress(AssertionError, OSError):
            made.idle()
        made.stop()

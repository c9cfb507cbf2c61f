# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run benches and print what they measured: ``make bench``, or ``make bench BENCHES="playbooks"`` for some of them."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import tempfile
import traceback
import typing as t
from pathlib import Path

import tests.bench
from tests.bench._table import Table


def names() -> list[str]:
    """Return the names of all benches."""
    return [module.name for module in pkgutil.iter_modules(tests.bench.__path__) if not module.name.startswith("_")]


def load(name: str) -> t.Callable[[Path], t.Iterator[Table]]:
    """Return the function of a bench."""
    function: t.Callable[[Path], t.Iterator[Table]] = importlib.import_module(f"tests.bench.{name}").bench
    return function


def main(argv: t.Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a bench broke. The others are run all the same."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "benches", nargs="*", metavar="BENCH", help=f"one or more of {', '.join(names())}; all when omitted"
    )
    chosen = parser.parse_args(argv).benches or names()
    unknown = sorted(set(chosen) - set(names()))
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}; there are {', '.join(names())}")
    broken = False
    for name in chosen:
        try:
            # short: there may be sockets in it
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                for table in load(name)(Path(folder)):
                    print(f"\n{table}", flush=True)
        except Exception:
            broken = True
            print(f"\nThe bench {name} broke:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())

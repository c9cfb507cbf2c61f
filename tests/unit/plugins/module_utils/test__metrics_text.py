# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._metrics_text import count_samples

RECORDED = Path(__file__).resolve().parents[2] / "fixtures/metrics"


@pytest.mark.parametrize("name", ["quarkus.prom", "quarkus.openmetrics", "prometheus.prom"])
def test_what_real_services_say_is_read(name: str) -> None:
    text = (RECORDED / name).read_text(encoding="utf-8")
    assert count_samples(text) == len([line for line in text.splitlines() if line and not line.startswith("#")])


@pytest.mark.parametrize(
    "line",
    [
        "up 1",
        "up 1 1395066363000",
        "up -1.5e+03 -3982045",
        "up\t1",
        "up +Inf",
        "up -Inf",
        "up NaN",
        "up .5",
        "up 5.",
        "ns:up_total 1",
        "up{} 1",
        'up{a="b"} 1',
        'up{a="b",} 1',
        'up{a="b",c="d"} 1.0',
        'up {a="b", c="d" , } 1',
        'up{a=""} 1',
        'up{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9',
        'up{a="{b=\\"c\\"} 2 # x"} 1',
        'up{a="line\u2028separator"} 1',
        'up_bucket{le="0.5"} 17 # {trace_id="KOO5S4vxi0o"} 0.67',
        'up_bucket{le="0.5"} 17 # {trace_id="x"} 9.8 1520879607.789',
        'up_bucket{le="0.5"} 17 1520879607.7 # {} 0.67',
        "up 1\r\n",
    ],
)
def test_samples(line: str) -> None:
    assert count_samples(line) == 1


@pytest.mark.parametrize(
    "line",
    [
        "# just a comment",
        "#",
        "#comment",
        "# HELPER is no keyword",
        "# HELP up Whether it is up.",
        "# HELP up",
        "# HELP up  ",
        "# TYPE up gauge",
        "# TYPE up unknown",
        "# UNIT up_seconds seconds",
        "",
        "   ",
    ],
)
def test_lines_that_are_no_samples(line: str) -> None:
    assert count_samples(f"{line}\nup 1\n") == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<html><body>Not Found</body></html>", "line 1 is no metric: <html>"),
        ('{"status": "UP"}', "line 1 is no metric"),
        ("up 1\nup\n", "line 2 is no metric: up"),
        ("up one", "no metric"),
        ("1up 1", "no metric"),
        ("up 1 2 3", "no metric"),
        ("up 1 # exemplar", "no metric"),
        ("up 0x10", "no metric"),
        ("up 1_000", "no metric"),
        ("up{a=b} 1", "no metric"),
        ("up{a='b'} 1", "no metric"),
        ('up{a="b} 1', "no metric"),
        ('up{a="b"c="d"} 1', "no metric"),
        ('up{,a="b"} 1', "no metric"),
        ('up{1a="b"} 1', "no metric"),
        ('up{a="b"}', "no metric"),
        ('up{a="b\nc"} 1', "no metric"),
        ("# TYPE up speed\nup 1", "line 1 is no valid comment"),
        ("# TYPE up\nup 1", "line 1 is no valid comment"),
        ("# HELP\nup 1", "line 1 is no valid comment"),
        ("up 1\n# EOF\nup 2", "line 3 comes after '# EOF'"),
        ("", "no sample"),
        ("# HELP up x\n# TYPE up gauge\n", "no sample"),
    ],
)
def test_everything_else_is_refused_and_named(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        count_samples(text)


@pytest.mark.parametrize(
    "line",
    [
        "up " + "1" * 50000 + "x",
        'up{a="' + "\\\\" * 25000,
        "up{" + 'a="b",' * 10000 + "!",
        'up{a="b"' + " " * 50000 + "x",
        'up{a="b",' + " " * 50000 + "x",
        "up 1" + " " * 50000 + "x",
        "# TYPE" + " " * 50000,
    ],
    ids=["digits", "escapes", "labels", "spaces", "comma", "end", "comment"],
)
def test_no_line_takes_long(line: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match="line 1"):
        count_samples(line)
    assert time.process_time() - started < 1

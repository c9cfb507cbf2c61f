# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.secrets import Text, added_lines, read_baseline

DIFF = """\
\0aaaa

diff --git a/new b/new
new file mode 100644
index 0000000..fd1fa64
--- /dev/null
+++ b/new
@@ -0,0 +1,3 @@
+one
+++ b/not a header
+
\0bbbb

diff --git a/new b/new
--- a/new
+++ b/new
@@ -1 +1,2 @@ one
-one
+uno
+due
@@ -9,2 +10 @@
-x
-y
+z
\\ No newline at end of file
diff --git a/gone b/gone
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-was here
diff --git a/bin b/bin
Binary files a/bin and b/bin differ
diff --git "a/a\\"b" "b/a\\"b"
--- "a/a\\"b"
+++ "b/a\\"b"
@@ -3 +3 @@
-q
+r
diff --git a/with space b/with space
--- a/with space\t
+++ b/with space\t
@@ -0,0 +5 @@
+s
"""


def test_the_lines_that_were_added_are_read() -> None:
    assert added_lines(DIFF) == [
        Text("new", "aaaa", [(1, "one"), (2, "++ b/not a header"), (3, "")]),
        Text("new", "bbbb", [(1, "uno"), (2, "due"), (10, "z")]),
        Text('a"b', "bbbb", [(3, "r")]),
        Text("with space", "bbbb", [(5, "s")]),
    ]
    assert added_lines("") == []


def baseline(folder: Path, data: t.Any) -> str:
    path = folder / "baseline"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return str(path)


def test_a_baseline_runs_nothing_and_asks_nobody(tmp_path: Path) -> None:
    given = {
        "plugins_used": [{"name": "AWSKeyDetector"}, {"name": "Mine", "path": "file:///tmp/mine.py"}],
        "filters_used": [
            {"path": "detect_secrets.filters.allowlist.is_line_allowlisted"},
            {"path": "detect_secrets.filters.common.is_ignored_due_to_verification_policies", "min_level": 2},
            {"path": "detect_secrets.filters.regex.should_exclude_file", "pattern": ["^docs/"]},
            {"path": "file:///tmp/mine.py::f"},
            {"path": "os.system"},
        ],
        "results": {"a": [{"type": "AWS Access Key", "hashed_secret": "ff", "line_number": 1}]},
    }
    read = read_baseline(baseline(tmp_path, given))
    assert read.known == {("a", "ff", "AWS Access Key")}
    assert read.settings == {
        "plugins_used": [{"name": "AWSKeyDetector"}],
        "filters_used": [{"path": "detect_secrets.filters.allowlist.is_line_allowlisted"}],
    }
    assert [pattern.pattern for pattern in read.excluded] == ["^docs/"]


@pytest.mark.parametrize("given", ["", "{", "[]", "{}", '{"results": {"a": [{}]}}', '{"results": []}', b"\xff"])
def test_what_is_no_baseline(tmp_path: Path, given: str | bytes) -> None:
    path = tmp_path / "baseline"
    path.write_bytes(given if isinstance(given, bytes) else given.encode())
    with pytest.raises(DeployError, match="that is no baseline of detect-secrets"):
        read_baseline(str(path))


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="cannot be read: No such file or directory"):
        read_baseline(str(tmp_path / "none"))

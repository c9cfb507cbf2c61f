# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be in a release, looked for in the commits since the released one and in the working tree.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import fnmatch
import os
import re
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import Clone, Status
from ansible_collections.j4c.deploy.plugins.module_utils._git.reasons import Reason, at, counted, listed, reason

TYPES = ("build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test")
MEGABYTE = 1_000_000
# what git writes itself when it undoes a commit
BY_GIT = re.compile(r'^Revert ".+"$')
CONVENTIONAL = re.compile(r"^(?P<type>[A-Za-z]+)(?:\((?P<scope>[^()\s][^()]*)\))?!?: (?P<description>\S.*)$")
# all three, or it is the underline of a heading
MARKERS = ("<<<<<<<", "=======", ">>>>>>>")
MARKER_PATTERN = r"^(<{7} |>{7} |={7}[[:space:]]*$)"
GITLINK = "commit"
SHOWN = 5


def exempted(path: str, patterns: t.Iterable[str]) -> bool:
    """Tell whether a path, relative to the clone, matches one of the patterns (``*`` matches slashes too)."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def message_fault(subject: str, types: t.Collection[str], scopes: t.Collection[str]) -> str:
    """Return what is wrong with the first line of a commit message, ``""`` when it is conventional. Pure.

    :param types: the types that are allowed.
    :param scopes: the scopes that are allowed; any or none when empty.
    """
    if BY_GIT.match(subject):
        return ""
    found = CONVENTIONAL.match(subject)
    if not found:
        return "it is not '<type>(<scope>): <description>'"
    if found["type"] not in types:
        return f"its type '{found['type']}' is none of {', '.join(types)}"
    if scopes and found["scope"] is not None and found["scope"] not in scopes:
        return f"its scope '{found['scope']}' is none of {', '.join(scopes)}"
    return ""


def messages(clone: Clone, since: str, types: t.Collection[str], scopes: t.Collection[str]) -> list[Reason]:
    """Return the reason ``message`` for the commits whose messages are not conventional; merges may be called anything.

    :param since: the released commit; only the last commit is looked at when it is empty.
    """
    span = (f"{since}..HEAD",) if since else ("-1", "HEAD")
    shown = clone.git("log", "--no-show-signature", "--no-merges", "--format=%H %s", *span, "--").stdout.splitlines()
    faults = []
    for line in shown:
        commit, _space, subject = line.partition(" ")
        fault = message_fault(subject, types, scopes)
        if fault:
            faults.append({"commit": commit, "subject": subject, "fault": fault})
    if not faults:
        return []
    told = "; ".join(f"{item['commit'][:7]} '{item['subject']}': {item['fault']}" for item in faults[:SHOWN])
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return [
        reason(
            "message",
            f"{counted(len(faults), 'commit message')} not conventional: {told}{more}.",
            "Reword what is not pushed yet, or set the types and scopes (j4c_commit_types, j4c_commit_scopes).",
            faults,
        )
    ]


def large_files(clone: Clone, since: str, seen: Status, limit: float, exempt: t.Collection[str]) -> list[Reason]:
    """Return the reason ``large_file`` for files of HEAD, of the working tree and of the commits since.

    :param since: the released commit, or ``""``.
    :param limit: megabytes (10^6 bytes) that a file may have.
    """
    here: dict[str, int] = {}
    for entry in clone.lines("ls-tree", "-r", "-l", "-z", "HEAD"):
        about, _tab, path = entry.partition("\t")
        _mode, kind, _blob, size = about.split()
        if kind != GITLINK:
            here[path] = int(size)
    for path in (*seen.changed, *seen.untracked):
        full = os.path.join(clone.path, path)
        if os.path.isfile(full) and not os.path.islink(full):
            here[path] = os.path.getsize(full)
    # a file that is no longer there is in everybody's clone all the same
    history = _blobs_since(clone, since) if since else {}
    places = [
        {**at(path), "bytes": size, "in": where}
        for where, sizes in (("tree", here), ("history", history))
        for path, size in sorted(sizes.items())
        if size > limit * MEGABYTE
        and not exempted(path, exempt)
        and (where == "tree" or here.get(path, 0) <= limit * MEGABYTE)
    ]
    if not places:
        return []
    told = ", ".join(
        f"{item['path']} ({item['bytes'] / MEGABYTE:.1f} MB{', in the history' if item['in'] == 'history' else ''})"
        for item in places[:SHOWN]
    )
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return [
        reason(
            "large_file",
            f"{counted(len(places), 'file')} larger than {limit:g} MB: {told}{more}.",
            "Keep it out of git, raise max_file_mb (j4c_max_file_mb), or name it in exempt (j4c_source_exempt).",
            places,
        )
    ]


def _blobs_since(clone: Clone, since: str) -> dict[str, int]:
    """Return the largest size that each file had in the commits since."""
    objects = clone.git("rev-list", "--objects", f"{since}..HEAD", "--").stdout
    shown = clone.git("cat-file", "--batch-check=%(objecttype) %(objectsize) %(rest)", stdin=objects).stdout
    found: dict[str, int] = {}
    for line in shown.splitlines():
        kind, size, path = line.split(" ", 2)
        if kind == "blob":
            found[path] = max(int(size), found.get(path, 0))
    return found


def conflict_markers(clone: Clone, exempt: t.Collection[str]) -> list[Reason]:
    """Return the reason ``conflict_marker`` for files of the working tree in which a merge was never finished."""
    shape = ("--untracked", "--no-recurse-submodules", "--full-name", "--no-column", "-I", "-n", "-z", "-E")
    shown = clone.git("grep", *shape, "-e", MARKER_PATTERN, check=False).stdout
    found: dict[str, dict[str, int]] = {}
    for line in shown.split("\n"):
        path, _nul, rest = line.partition("\0")
        match = re.match(r"(\d+)[\0:](.{7})", rest)
        if match:
            found.setdefault(path, {}).setdefault(match[2], int(match[1]))
    places = [
        at(path, marks[MARKERS[0]])
        for path, marks in sorted(found.items())
        if marks.keys() >= set(MARKERS) and not exempted(path, exempt)
    ]
    if not places:
        return []
    return [
        reason(
            "conflict_marker",
            f"{counted(len(places), 'file')} not merged to the end, the conflict markers are at {listed(places)}.",
            "Finish the merge, or name what is meant to have them in exempt (j4c_source_exempt).",
            places,
        )
    ]


def submodules(clone: Clone, seen: Status) -> list[Reason]:
    """Return the reasons for submodules that are not as HEAD has them."""
    links = [entry.partition("\t") for entry in clone.lines("ls-tree", "-r", "-z", "HEAD")]
    empty = [
        path
        for about, _tab, path in links
        if about.split()[1] == GITLINK and not os.path.exists(os.path.join(clone.path, path, ".git"))
    ]
    rules = (
        ("submodule_missing", empty, "not checked out", "Run 'git submodule update --init --recursive'."),
        (
            "submodule_moved",
            [path for path, flags in seen.submodules.items() if "C" in flags],
            "at another commit than HEAD has",
            "Commit and push that commit, or run 'git submodule update --recursive'.",
        ),
        (
            "submodule_dirty",
            [path for path, flags in seen.submodules.items() if set(flags) & {"M", "U"}],
            "changed inside",
            "Commit or restore what is changed in it.",
        ),
    )
    return [
        reason(code, f"{counted(len(paths), 'submodule')} {what}: {', '.join(paths)}.", hint, map(at, paths))
        for code, paths, what, hint in rules
        if paths
    ]

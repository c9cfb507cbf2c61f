# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in the commits since the released one and in the working tree, as detect-secrets finds them.

Nothing is verified with whoever issued a secret: no secret leaves this machine.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import typing as t

from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._git.clone import ADDED_ONLY, Clone, Status
from ansible_collections.j4c.deploy.plugins.module_utils._git.policy import exempted
from ansible_collections.j4c.deploy.plugins.module_utils._git.reasons import Reason, at, counted, reason, tell

LIBRARY = "detect-secrets>=1.5,<2"
SHOWN = 10
HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")
FILTERS = "detect_secrets.filters."
# these ask the issuer, or read files that the baseline names
REFUSED_FILTERS = ("common.is_ignored_due_to_verification_policies", "wordlist.", "gibberish.")
FILE_FILTERS = ("regex.should_exclude_file", "common.is_baseline_file")


class Text(t.NamedTuple):
    """Lines to look at: those of a file that a commit added (``commit`` is its id), or those of the working tree (``""``)."""

    path: str
    commit: str
    lines: list[tuple[int, str]]


class Baseline(t.NamedTuple):
    """What a baseline file of detect-secrets says: findings that are known, and how to look."""

    known: frozenset[tuple[str, str, str]]
    settings: dict[str, t.Any]
    excluded: tuple[re.Pattern[str], ...]


def added_lines(diff: str) -> list[Text]:
    """Read the lines that ``git log -p --unified=0 --format=%x00%H`` or ``git diff --unified=0`` says were added. Pure."""
    texts: list[Text] = []
    commit, path, number, left = "", "", 0, 0
    for line in diff.split("\n"):
        if left and line.startswith("+"):
            texts[-1].lines.append((number, line[1:]))
            number, left = number + 1, left - 1
        elif line.startswith("\0"):
            commit = line[1:]
        elif line.startswith("diff --git "):
            path = ""
        elif line.startswith("+++ ") and not path:
            path = _unquoted(line[4:].rstrip("\t"))
        elif path:
            hunk = HUNK.match(line)
            if hunk:
                number, left = int(hunk[1]), int(hunk[2] or 1)
                if left and (not texts or (texts[-1].path, texts[-1].commit) != (path, commit)):
                    texts.append(Text(path, commit, []))
    return texts


def _unquoted(name: str) -> str:
    # git quotes a name with a control character, a quote or a backslash in it
    if name.startswith('"'):
        name = re.sub(r'\\(["\\])', r"\1", name[1:-1])
    return name[2:] if name.startswith("b/") else name


def read_baseline(path: str) -> Baseline:
    """Read a baseline file. Plugins and filters that are not part of detect-secrets are left out: they would be run.

    :raises DeployError: it is not there, or no baseline.
    """
    told = f"Option secrets_baseline is '{path}'"
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        known = frozenset(
            (name, str(item["hashed_secret"]), str(item["type"]))
            for name, items in data["results"].items()
            for item in items
        )
        plugins = [item for item in data.get("plugins_used", []) if "path" not in item]
        filters = [
            item
            for item in data.get("filters_used", [])
            if item["path"].startswith(FILTERS)
            and not item["path"][len(FILTERS) :].startswith((*REFUSED_FILTERS, *FILE_FILTERS))
        ]
        excluded = tuple(
            re.compile(pattern)
            for item in data.get("filters_used", [])
            if item["path"] == FILTERS + FILE_FILTERS[0]
            for pattern in item["pattern"]
        )
    except OSError as exc:
        raise DeployError(
            f"{told}: it cannot be read: {exc.strerror}.",
            hint="Make it with 'detect-secrets scan > .secrets.baseline', or empty secrets_baseline (j4c_secrets_baseline).",
        ) from exc
    except (ValueError, KeyError, TypeError, AttributeError, re.error) as exc:
        raise DeployError(
            f"{told}: that is no baseline of detect-secrets ({type(exc).__name__}: {exc}).",
            hint="Make it anew with 'detect-secrets scan > .secrets.baseline'.",
        ) from exc
    settings: dict[str, t.Any] = {}
    if plugins:
        settings["plugins_used"] = plugins
    if filters:
        settings["filters_used"] = filters
    return Baseline(known, settings, excluded)


def find_secrets(clone: Clone, since: str, seen: Status, baseline: str, exempt: t.Collection[str]) -> list[Reason]:
    """Look for secrets in the commits since a released one and in the working tree.

    :param since: the released commit: what changed since is looked at. All of the working tree when it is ``""``.
    :returns: see ``judge_texts``.
    :raises DeployError: the baseline cannot be used.
    """
    return judge_texts(clone, _texts(clone, since, seen), baseline, exempt)


def judge_texts(clone: Clone, texts: t.Iterable[Text], baseline: str, exempt: t.Collection[str]) -> list[Reason]:
    """Return the reason ``secret``, or ``secrets_not_looked_for`` when detect-secrets is not installed.

    :param texts: what is looked at.
    :param baseline: file of known findings, relative to the clone; ``""`` when there is none.
    :param exempt: patterns of paths that are not looked at.
    :raises DeployError: the baseline cannot be used.
    """
    full = os.path.join(clone.path, baseline) if baseline else ""
    known = read_baseline(full) if baseline else Baseline(frozenset(), {}, ())
    try:
        import detect_secrets  # noqa: F401
    except ImportError:
        return [
            reason(
                "secrets_not_looked_for",
                f"Secrets cannot be looked for: Python '{sys.executable}' has no detect-secrets.",
                f"Install it there with 'python -m pip install \"{LIBRARY}\"', or set secrets (j4c_secrets) to off.",
            )
        ]
    own = os.path.relpath(full, clone.path) if full else None
    wanted = [
        text
        for text in texts
        if text.path != own
        and not exempted(text.path, exempt)
        and not any(pattern.search(text.path) for pattern in known.excluded)
    ]
    places = _scan(wanted, known)
    if not places:
        return []
    told = ", ".join(f"{tell(place)} ({place['type']})" for place in places[:SHOWN])
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return [
        reason(
            "secret",
            f"{counted(len(places), 'line')} suspected of having a secret: {told}{more}.",
            "Take it out and change the secret where it is used: who has the commit has it. What is none goes into the "
            "baseline (j4c_secrets_baseline) or gets the comment 'pragma: allowlist secret'.",
            places,
        )
    ]


def _texts(clone: Clone, since: str, seen: Status) -> t.Iterator[Text]:
    if since:
        history = clone.git(
            "log", "--no-show-signature", "-p", "--reverse", "--format=%x00%H", *ADDED_ONLY, f"{since}..HEAD", "--"
        )
        yield from added_lines(history.stdout)
        yield from added_lines(clone.git("diff", *ADDED_ONLY, since, "--").stdout)
        paths: t.Iterable[str] = seen.untracked
    else:
        paths = (*clone.lines("ls-files", "-z"), *seen.untracked)
    for path in paths:
        full = os.path.join(clone.path, path)
        if os.path.isfile(full) and not os.path.islink(full):
            try:
                with open(full, encoding="utf-8", newline="\n") as file:
                    yield Text(path, "", list(enumerate(file.read().split("\n"), start=1)))
            except UnicodeDecodeError:
                # a binary file, which detect-secrets does not read either
                continue


def _scan(texts: t.Iterable[Text], known: Baseline) -> list[dict[str, t.Any]]:
    """Return the places of what is found and not known, each finding once in history and once in the tree."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import transient_settings

    kinds: t.Mapping[str, type] = get_mapping_from_secret_type_to_class()
    plugins = [{"name": kind.__name__} for kind in kinds.values()]
    found: dict[tuple[str, str, str, bool], dict[str, t.Any]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="j4c-secrets-") as folder,
        transient_settings({"plugins_used": plugins, **known.settings}),
    ):
        for number, text in enumerate(texts):
            # under its own name: the name decides how it is read
            copy = os.path.join(folder, str(number), text.path)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            with open(copy, "w", encoding="utf-8", newline="\n") as file:
                file.write("\n".join(line for _at, line in text.lines))
            for secret in scan_file(copy):
                key = (text.path, secret.secret_hash, secret.type)
                if key not in known.known:
                    line = text.lines[min(secret.line_number, len(text.lines)) - 1][0]
                    place = {**at(text.path, line, text.commit or None), "type": secret.type}
                    found.setdefault((*key, bool(text.commit)), place)
            os.unlink(copy)
    return list(found.values())

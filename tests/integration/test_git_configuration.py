# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users put into git's configuration for themselves must not change what the modules read."""

from __future__ import annotations

from pathlib import Path

from tests.integration.repositories import Work

UNUSUAL = """\
[color]
ui = always
[core]
quotePath = true
hooksPath = /nowhere
pager = false
[commit]
gpgSign = true
[diff]
noprefix = true
mnemonicPrefix = true
interHunkContext = 9
renames = copies
external = false
submodule = log
[fetch]
prune = true
pruneTags = true
[grep]
column = true
patternType = perl
lineNumber = false
[init]
defaultBranch = trunk
[log]
showSignature = true
date = relative
[merge]
ff = no
[push]
followTags = true
default = nothing
[safe]
bareRepository = explicit
[status]
showUntrackedFiles = no
short = true
branch = true
[gpg]
program = false
"""


def test_a_configuration_changes_nothing(tmp_path: Path) -> None:
    work = Work(tmp_path)
    config = tmp_path / "config"
    config.write_text(UNUSUAL, encoding="utf-8")
    env = {"GIT_CONFIG_GLOBAL": str(config)}
    # in two parts, so that nothing takes this file for one with a secret
    key = "AKIA" + "IOSFODNN7EXAMPLF"
    first = work.pushed("ä.txt", "".join(f"{number}\n" for number in range(9)), "feat: count")
    lines = ["new", *(str(number) for number in range(1, 8)), key]
    work.pushed("ä.txt", "".join(f"{line}\n" for line in lines), "feat: change")
    checkout = tmp_path / "checkout"
    source = {"url": f"file://{work.origin}", "path": str(checkout), "cache": str(tmp_path / "cache")}
    assert work.run("git_source", source, env=env)["commit"]["branch"] == "main"
    assert work.run("git_source", source, env=env)["changed"] is False
    (checkout / "ö").write_text("<<<<<<< a\n=======\n>>>>>>> b\n", encoding="utf-8")
    verify = {"path": str(checkout), "secrets": "abort", "released_commit": first}
    reasons = work.run("git_verify", verify, env=env)["reasons"]
    assert [(item["code"], item["places"][0]["path"], item["places"][0].get("line")) for item in reasons] == [
        ("untracked", "ö", None),
        ("conflict_marker", "ö", 1),
        ("secret", "ä.txt", 9),
    ]
    publish = {"path": str(checkout), "paths": ["ö"], "commit_message": "feat: add"}
    assert work.run("git_publish", publish, env=env)["evidence"]["paths"] == ["A\tö"]
    back = {"path": str(checkout), "state": "reverted", "since": first}
    result = work.run("git_publish", back, env=env)
    assert not result.get("failed"), result
    assert result["commit"]["id"] == work.git("rev-parse", "main", at=work.origin)
    assert work.git("rev-parse", "main^{tree}", at=work.origin) == work.git("rev-parse", f"{first}^{{tree}}")

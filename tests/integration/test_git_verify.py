# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.integration.run_module import run_module

# a configuration of the machine must not decide these tests
PLAIN = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "A. Developer",
    "GIT_AUTHOR_EMAIL": "dev@example.org",
    "GIT_COMMITTER_NAME": "C. Integrator",
    "GIT_COMMITTER_EMAIL": "int@example.org",
    "GIT_COMMITTER_DATE": "2026-01-31T12:00:00+00:00",
}


class Work:
    """A bare origin, a clone of it that is looked at, and another developer's clone."""

    def __init__(self, root: Path) -> None:
        self.root, self.clone, self.origin, self.other = root, root / "clone", root / "origin.git", root / "other"
        (root / "scratch").mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.origin), at=root)
        self.git("clone", "--quiet", str(self.origin), str(self.clone), at=root)
        self.git("switch", "--quiet", "--orphan", "main")
        self.commit("pom.xml", "<project/>", "feat: begin")
        self.git("push", "--quiet", "origin", "main")

    def git(self, *args: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=at or self.clone,
            env={**os.environ, **PLAIN},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, path: str, text: str, subject: str, at: Path | None = None) -> str:
        where = at or self.clone
        (where / path).write_text(text, encoding="utf-8")
        self.git("add", path, at=where)
        self.git("commit", "--quiet", "-m", subject, at=where)
        return self.git("rev-parse", "HEAD", at=where)

    def push_from_elsewhere(self, path: str = "theirs") -> str:
        self.git("clone", "--quiet", str(self.origin), str(self.other), at=self.root)
        pushed = self.commit(path, "x", "feat: theirs", at=self.other)
        self.git("push", "--quiet", at=self.other)
        return pushed

    def verify(self, check: bool = False, env: t.Mapping[str, str] | None = None, **options: t.Any) -> dict[str, t.Any]:
        given = {"path": str(self.clone), "timeout": 10, **options}
        return run_module("git_verify", self.root / "scratch", given, check=check, env={**PLAIN, **(env or {})})


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def codes(result: dict[str, t.Any]) -> list[str]:
    return [item["code"] for item in result["reasons"]]


@pytest.mark.parametrize("how", [{}, {"check": True}, {"fetch": False}])
def test_a_clean_clone_proceeds(work: Work, how: dict[str, t.Any]) -> None:
    result = work.verify(**how)
    head = work.git("rev-parse", "HEAD")
    assert (result["decision"], result["phase"], result["changed"]) == ("PROCEED", "git_verification", False)
    assert result["commit"] == {
        "id": head,
        "short": head[:7],
        "author": "A. Developer",
        "email": "dev@example.org",
        "subject": "feat: begin",
        "time": "2026-01-31T12:00:00+00:00",
        "branch": "main",
    }
    assert [step["name"] for step in result["steps"]] == ["repository", "remote", "tree"]
    assert result["reasons"] == []
    assert result["changes"] is None


def test_every_reason_is_told_at_once(work: Work) -> None:
    (work.clone / "pom.xml").write_text("<other/>", encoding="utf-8")
    (work.clone / "größe neu.txt").write_text("x", encoding="utf-8")
    work.git("switch", "--quiet", "-c", "topic")
    result = work.verify(branch="trunk")
    assert result["failed"]
    assert result["decision"] == "ABORT"
    assert codes(result) == ["dirty", "untracked", "branch", "no_upstream"]
    assert (result["evidence"]["changed"], result["evidence"]["untracked"]) == (["pom.xml"], ["größe neu.txt"])
    for reason in result["reasons"]:
        assert reason["msg"] in result["msg"]
        assert reason["hint"] in result["msg"]


def test_ignored_files_are_no_reason(work: Work) -> None:
    work.commit(".gitignore", "target/\n", "chore: ignore")
    work.git("push", "--quiet", "origin", "main")
    (work.clone / "target").mkdir()
    (work.clone / "target/app.jar").write_text("x", encoding="utf-8")
    assert work.verify()["decision"] == "PROCEED"


def test_a_commit_that_is_not_pushed(work: Work) -> None:
    work.commit("mine", "x", "feat: mine")
    result = work.verify()
    assert codes(result) == ["ahead"]
    assert (result["evidence"]["ahead"], result["evidence"]["behind"]) == (1, 0)


def test_a_commit_that_is_not_here_is_fetched_and_told(work: Work) -> None:
    pushed = work.push_from_elsewhere()
    result = work.verify()
    assert codes(result) == ["behind"]
    assert "'origin/main' is 1 commit further." in result["msg"]
    assert work.git("rev-parse", "origin/main") == pushed
    assert work.git("rev-parse", "HEAD") != pushed


def test_check_mode_sees_it_and_fetches_nothing(work: Work) -> None:
    pushed = work.push_from_elsewhere()
    before = work.git("rev-parse", "origin/main")
    result = work.verify(check=True)
    assert codes(result) == ["behind"]
    assert f"'origin/main' is at {pushed[:7]}, which is not here." in result["msg"]
    assert work.git("rev-parse", "origin/main") == before


def test_clones_that_went_apart(work: Work) -> None:
    work.push_from_elsewhere()
    work.commit("mine", "x", "feat: mine")
    assert codes(work.verify()) == ["diverged"]


def test_the_branch_of_a_clone_that_follows_only_another_one(work: Work) -> None:
    # such a clone never fetches main by itself
    work.git("config", "remote.origin.fetch", "+refs/heads/else:refs/remotes/origin/else")
    work.git("update-ref", "-d", "refs/remotes/origin/main")
    assert work.verify()["decision"] == "PROCEED"


def test_a_branch_that_the_remote_lost(work: Work) -> None:
    work.git("update-ref", "-d", "refs/heads/main", at=work.origin)
    assert codes(work.verify()) == ["no_upstream"]
    assert codes(work.verify(check=True)) == ["no_upstream"]


def test_a_detached_head(work: Work) -> None:
    work.git("checkout", "--quiet", "--detach")
    result = work.verify()
    assert codes(result) == ["detached"]
    assert result["commit"]["branch"] == ""


def test_what_changed_since_the_released_commit(work: Work) -> None:
    released = work.git("rev-parse", "HEAD")
    work.commit("pom.xml", "<a/>\n<b/>\n", "feat: more")
    work.git("push", "--quiet", "origin", "main")
    changes = work.verify(released_commit=released)["changes"]
    assert (changes["since"], changes["files"], changes["insertions"], changes["deletions"]) == (released, 1, 2, 1)
    assert changes["stat"][-1].startswith(" 1 file changed")
    assert changes["commits"][0].endswith("feat: more")


@pytest.mark.parametrize("released", ["f" * 40, "HEAD~9", "--output=/dev/null"])
def test_a_released_commit_that_is_not_here(work: Work, released: str) -> None:
    result = work.verify(released_commit=released)
    assert result["failed"]
    assert f"Option released_commit is '{released}': this clone does not have that commit." in result["msg"]
    assert [step["result"] for step in result["steps"]] == ["ok", "ok", "ok", "failed"]


def test_nothing_of_the_repository_is_run(work: Work) -> None:
    trap, sprung = work.root / "trap.sh", work.root / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch '{sprung}'\n", encoding="utf-8")
    trap.chmod(0o755)
    hook = work.clone / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.symlink_to(trap)
    for key in ("core.fsmonitor", "diff.external"):
        work.git("config", key, str(trap))
    sprung.unlink(missing_ok=True)
    released = work.git("rev-parse", "HEAD")
    sprung.unlink(missing_ok=True)
    work.push_from_elsewhere()
    (work.clone / "pom.xml").write_text("<other/>", encoding="utf-8")
    assert codes(work.verify(released_commit=released)) == ["dirty", "behind"]
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("prepare", "options", "told"),
    [
        (lambda work: None, {"path": "/nowhere/at/all"}, "there is no such directory"),
        (lambda work: None, {"path": "{root}/scratch"}, "that is not a git repository"),
        (lambda work: None, {"path": "{root}/origin.git"}, "that repository has no working tree"),
        (
            lambda work: work.git("init", "--quiet", "empty", at=work.root),
            {"path": "{root}/empty"},
            "that repository has no commit yet",
        ),
        (lambda work: None, {"remote": "upstream"}, "the repository has no such remote (it has origin)"),
        (lambda work: None, {"remote": "--upload-pack=false"}, "the repository has no such remote"),
        (
            lambda work: work.git("remote", "set-url", "origin", "{root}/gone.git"),
            {},
            "Asking the remote 'origin' failed: fatal: '{root}/gone.git' does not appear to be a git repository",
        ),
        # port 9 of this machine: nobody listens there
        (
            lambda work: work.git("remote", "set-url", "origin", "http://me:geheim@127.0.0.1:9/x.git"),
            {},
            "Asking the remote 'origin' failed: fatal: unable to access 'http://",
        ),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_what_cannot_be_verified(
    work: Work, prepare: t.Callable[[Work], t.Any], options: dict[str, str], told: str, check: bool
) -> None:
    prepare(work)
    url = work.git("remote", "get-url", "origin")
    work.git("remote", "set-url", "origin", url.replace("{root}", str(work.root)))
    given: dict[str, t.Any] = {key: text.replace("{root}", str(work.root)) for key, text in options.items()}
    result = work.verify(check=check, **given)
    assert result["failed"]
    assert result["decision"] == "ABORT"
    assert told.replace("{root}", str(work.root)) in result["msg"]
    assert result["hint"] in result["msg"]
    assert result["steps"][-1]["result"] == "failed"
    assert "geheim" not in str(result)


def test_a_remote_that_does_not_answer(work: Work) -> None:
    work.git("remote", "set-url", "origin", "ssh://nobody.invalid/x.git")
    silent = work.root / "silent.sh"
    silent.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    silent.chmod(0o755)
    work.git("config", "core.sshCommand", str(silent))
    result = work.verify(timeout=0.5)
    assert "did not end within 0.5 s" in result["msg"]
    assert "Check that it can be reached" in result["msg"]

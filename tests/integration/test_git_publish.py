# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from tests.integration import repositories
from tests.integration.claims import port
from tests.integration.repositories import git_web


class Work(repositories.Work):
    """With the module that is tested."""

    def publish(
        self, check: bool = False, env: t.Mapping[str, str] | None = None, **options: t.Any
    ) -> dict[str, t.Any]:
        """Run the module on the clone."""
        given = {"path": str(self.clone), "paths": ["pom.xml"], "commit_message": "feat: change", **options}
        return self.run("git_publish", given, check=check, env=env)

    def take_back(self, since: str, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run the module to take commits back."""
        given = {"path": str(self.clone), "state": "reverted", "since": since, **options}
        return self.run("git_publish", given, check=check)

    def write(self, path: str, text: str) -> None:
        """Write a file of the clone."""
        (self.clone / path).write_text(text, encoding="utf-8")

    @property
    def state(self) -> tuple[str, str, str, str]:
        """Everything that must stay as it was when something is refused."""
        return (
            self.git("rev-parse", "main", at=self.origin),
            self.head(),
            self.git("status", "--porcelain"),
            self.git("diff", "--cached"),
        )


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def names(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [(step["name"], step["result"]) for step in result["steps"]]


def test_named_paths_are_published(work: Work) -> None:
    first = work.head()
    work.pushed("gone", "x", "feat: add")
    (work.clone / "gone").unlink()
    work.write("pom.xml", "<changed/>\n")
    work.write("new *", "new")
    work.write("other", "not named")
    work.write("staged", "somebody else's")
    work.git("add", "staged")
    before = work.state
    options: dict[str, t.Any] = {
        "paths": ["pom.xml", "gone", "new *"],
        "commit_message": "feat(api): change\n\nBecause.\n",
    }
    planned = work.publish(check=True, **options)
    assert (planned["changed"], names(planned)[-2:]) == (True, [("commit", "planned"), ("push", "planned")])
    assert "+<changed/>" in planned["diff"]["prepared"]
    assert "would feat(api): change; push 1 commit to 'origin/main'" in planned["msg"]
    assert work.state == before
    result = work.publish(**options)
    assert not result.get("failed"), result
    assert (result["changed"], result["decision"], result["phase"]) == (True, "PROCEED", "git_verification")
    assert result["diff"] == planned["diff"]
    assert result["commit"]["id"] == work.head() == work.git("rev-parse", "main", at=work.origin)
    assert (result["commit"]["author"], result["commit"]["subject"]) == ("A. Developer", "feat(api): change")
    assert result["pushed"] == [f"{work.git('log', '-1', '--format=%h')} feat(api): change"]
    assert sorted(result["evidence"]["paths"]) == ["A\tnew *", "D\tgone", "M\tpom.xml"]
    assert names(result)[-2:] == [("verify", "ok"), ("clone", "ok")]
    assert work.git("log", "-1", "--format=%B") == "feat(api): change\n\nBecause."
    assert work.git("rev-parse", "HEAD~2") == first
    # what was not named is as it was, staged or not
    assert work.git("status", "--porcelain").splitlines() == ["A  staged", "?? other"]
    again = work.publish(**options)
    assert (again["changed"], again["pushed"], again["diff"]["prepared"]) == (False, [], "")
    assert work.publish(check=True, **options)["changed"] is False
    assert work.publish(paths=["gone"])["changed"] is False
    assert work.git("status", "--porcelain").splitlines() == ["A  staged", "?? other"]


def test_commits_that_were_not_pushed_are_pushed_too(work: Work) -> None:
    work.commit("mine", "x", "feat: mine")
    result = work.publish()
    assert (result["changed"], [line.split(" ", 1)[1] for line in result["pushed"]]) == (True, ["feat: mine"])
    assert work.head() == work.git("rev-parse", "main", at=work.origin)


def test_a_branch_that_the_remote_does_not_have(work: Work) -> None:
    work.git("switch", "--quiet", "-c", "next")
    work.write("pom.xml", "<changed/>")
    result = work.publish(branch="next")
    assert result["commit"]["id"] == work.git("rev-parse", "next", at=work.origin)


def test_who_commits(work: Work) -> None:
    nobody = {f"GIT_{who}_{what}": "" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    nobody["HOME"] = str(work.root)
    work.write("pom.xml", "<changed/>")
    before = work.state
    assert "Git does not know who commits." in work.publish(env=nobody)["msg"]
    assert work.state == before
    result = work.publish(env=nobody, author_name="Robot", author_email="robot@example.org")
    assert (result["commit"]["author"], result["commit"]["email"]) == ("Robot", "robot@example.org")


@pytest.mark.parametrize("check", [False, True])
def test_somebody_was_faster(work: Work, check: bool) -> None:
    work.push_from_elsewhere()
    work.commit("mine", "x", "feat: mine")
    work.write("pom.xml", "<changed/>")
    before = work.state
    result = work.publish(check=check)
    assert (result["failed"], result["code"], result["decision"]) == (True, "rejected", "ABORT")
    # what the remote has is not here in check mode, so nothing can be compared with it
    here = ["feat: change"] if check else ["feat: change", "feat: mine"]
    assert [line.split(" ", 1)[1] for line in result["evidence"]["here"]] == here
    there = result["evidence"]["there"]
    assert there == [work.git("rev-parse", "main", at=work.origin)[:7]] if check else there[0].endswith("feat: theirs")
    assert "'origin/main' has 1 commit that the clone does not have" in result["msg"]
    assert work.state == before


def test_somebody_was_faster_by_a_moment(work: Work) -> None:
    work.push_from_elsewhere()
    work.git("fetch", "--quiet")
    theirs = work.git("rev-parse", "origin/main")
    work.git("push", "--quiet", "--force", "origin", f"{work.head()}:main")
    # their commit arrives after the look at the remote, when the push is on its way
    hook = work.origin / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {theirs}\n", encoding="utf-8"
    )
    hook.chmod(0o755)
    work.write("pom.xml", "<changed/>")
    head = work.head()
    result = work.publish()
    assert result["failed"]
    assert result["code"] in ("rejected", "refused")
    assert (work.head(), work.git("rev-parse", "main", at=work.origin)) == (head, theirs)
    assert work.git("status", "--porcelain") == "M pom.xml"
    hook.unlink()
    again = work.publish()
    assert (again["code"], [line.split(" ", 1)[1] for line in again["evidence"]["there"]]) == (
        "rejected",
        ["feat: theirs"],
    )


def test_a_remote_that_refuses(work: Work) -> None:
    hook = work.origin / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'this branch is protected' >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    work.write("pom.xml", "<changed/>")
    before = work.state
    result = work.publish()
    assert (result["failed"], result["code"]) == (True, "refused")
    assert "(this branch is protected)" in result["msg"]
    assert work.state == before


def test_a_run_that_was_killed_after_its_push(work: Work) -> None:
    head = work.head()
    work.write("pom.xml", "<changed/>")
    made = work.publish()["commit"]["id"]
    work.git("update-ref", "refs/heads/main", head)
    result = work.publish()
    assert (result["changed"], result["commit"]["id"]) == (True, made)
    assert [name for name, _result in names(result)][3] == "adopt"
    assert work.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"commit_message": "Change things"}, "Option commit_message begins with 'Change things': it is not '<type>"),
        ({"commit_message": "feat(ui): x", "commit_scopes": ["api"]}, "its scope 'ui' is none of api"),
        ({"paths": ["none"]}, "Option paths is none: fatal: pathspec 'none' did not match any files."),
        ({"paths": ["../scratch"]}, "is outside repository"),
        ({"paths": ["*.xml"]}, "did not match any files"),
        ({"paths": ["ignored"]}, "Option paths is ignored: "),
        ({"branch": "other"}, "Option branch is 'other': branch 'main' is checked out"),
        ({"remote": "none"}, "the repository has no such remote"),
        ({"path": "/nowhere/at/all"}, "there is no such directory"),
    ],
)
def test_what_cannot_be_published(work: Work, options: dict[str, t.Any], told: str) -> None:
    (work.clone / ".git/info").mkdir(exist_ok=True)
    (work.clone / ".git/info/exclude").write_text("ignored\n", encoding="utf-8")
    work.write("ignored", "x")
    work.write("pom.xml", "<changed/>")
    before = work.state
    for check in (True, False):
        result = work.publish(check=check, **options)
        assert (result["failed"], result["decision"]) == (True, "ABORT")
        assert told in result["msg"]
    assert work.state == before


def test_secrets_are_not_published(work: Work) -> None:
    # in two parts, so that nothing takes this file for one with a secret
    key = "AKIA" + "IOSFODNN7EXAMPLF"
    work.write("pom.xml", f"<project/>\n{key}\n")
    before = work.state
    result = work.publish(secrets="abort")
    assert (result["code"], result["reasons"][0]["places"][0]["line"]) == ("secret", 2)
    assert key not in result["msg"]
    assert work.state == before


def test_a_release_is_taken_back(work: Work) -> None:
    good = work.head()
    work.pushed("pom.xml", "<bad/>", "feat: bad")
    work.git("switch", "--quiet", "-c", "side")
    work.commit("side", "x", "feat: side")
    work.git("switch", "--quiet", "main")
    bad = work.pushed("new", "x", "feat: worse")
    work.git("merge", "--quiet", "--no-ff", "--no-edit", "side")
    work.git("push", "--quiet", "origin", "main")
    last = work.head()
    work.write("untracked", "stays")
    before = work.state
    planned = work.take_back(good, check=True, reason="Orders were booked twice.")
    assert planned["changed"]
    assert "-<bad/>" in planned["diff"]["prepared"]
    assert work.state == before
    result = work.take_back(good, reason="Orders were booked twice.")
    assert not result.get("failed"), result
    assert work.git("rev-parse", "HEAD~") == last
    assert work.git("rev-parse", "HEAD^{tree}") == work.git("rev-parse", f"{good}^{{tree}}")
    assert work.git("rev-parse", "main", at=work.origin) == work.head()
    assert work.git("status", "--porcelain") == "?? untracked"
    message = work.git("log", "-1", "--format=%B")
    assert message.startswith("revert: 4 commits\n\nOrders were booked twice.\n\nThis reverts commit ")
    assert bad in message
    assert len(result["evidence"]["reverted"]) == 4
    again = work.take_back(good)
    assert (again["changed"], work.take_back(good, check=True)["changed"]) == (False, False)


def test_one_commit_is_taken_back_and_what_came_after_stays(work: Work) -> None:
    good = work.pushed("a", "1\n2\n3\n4\n5\n", "feat: good")
    bad = work.pushed("a", "1\n2\n3\n4\nBAD\n", "feat: bad")
    work.pushed("a", "ONE\n2\n3\n4\nBAD\n", "feat: later")
    planned = work.take_back(good, check=True, until=bad)
    assert planned["changed"], planned
    result = work.take_back(good, until=bad, commit_message="fix(a): take back")
    assert (work.clone / "a").read_text(encoding="utf-8") == "ONE\n2\n3\n4\n5\n"
    assert (result["commit"]["subject"], len(result["evidence"]["reverted"])) == ("fix(a): take back", 1)
    assert work.take_back(good, until=bad)["changed"] is False


def test_what_came_after_does_not_fit(work: Work) -> None:
    good = work.head()
    bad = work.pushed("pom.xml", "<bad/>", "feat: bad")
    work.pushed("pom.xml", "<bad-and-later/>", "feat: later")
    before = work.state
    for check in (True, False):
        result = work.take_back(good, check=check, until=bad)
        assert (result["failed"], result["code"], result["evidence"]["conflicts"]) == (True, "conflict", ["pom.xml"])
        assert "What came after does not fit: pom.xml." in result["msg"]
        assert work.state == before


@pytest.mark.parametrize(
    ("prepare", "options", "told"),
    [
        ("", {"since": "none"}, "Option since is 'none': no such commit is in the history of HEAD."),
        ("", {"since": "first", "until": "f" * 40}, "Option until is 'fff"),
        ("", {"since": "--all"}, "no such commit"),
        ("", {"since": "main", "until": "first"}, "it is not before 'first'"),
        ("dirty", {"since": "first"}, "1 tracked file is changed: pom.xml."),
        ("in the way", {"since": "first"}, "The working tree cannot be changed:"),
        ("faster", {"since": "first"}, "'origin/main' has 1 commit that the clone does not have"),
    ],
)
def test_what_cannot_be_taken_back(work: Work, prepare: str, options: dict[str, str], told: str) -> None:
    work.git("rm", "--quiet", "pom.xml")
    work.git("commit", "--quiet", "-m", "feat: remove")
    work.git("tag", "first", "HEAD~")
    work.pushed("pom2.xml", "x", "feat: other")
    if prepare == "dirty":
        work.pushed("pom.xml", "x", "feat: again")
        work.write("pom.xml", "changed")
    elif prepare == "in the way":
        work.write("pom.xml", "mine")
    elif prepare == "faster":
        work.push_from_elsewhere()
    before = work.state
    for check in (True, False):
        result = work.take_back(check=check, **options)
        assert result["failed"]
        assert told in result["msg"]
        assert result["hint"] in result["msg"]
        assert work.state == before


def test_a_remote_that_asks_for_a_password(work: Work) -> None:
    work.git("config", "http.receivepack", "true", at=work.origin)
    with git_web(work.root, "me", "geheim", port()) as web:
        work.git("remote", "set-url", "origin", f"{web.url}/origin.git")
        file = work.root / "credentials"
        file.write_text(f"http://me:geheim@{web.url.partition('://')[2]}\n", encoding="utf-8")
        file.chmod(0o600)
        work.write("pom.xml", "<changed/>")
        assert "Asking the remote 'origin' failed" in work.publish()["msg"]
        result = work.publish(credentials_file=str(file))
        assert result["commit"]["id"] == work.git("rev-parse", "main", at=work.origin)
        assert "geheim" not in str(result)


def test_nothing_of_the_repository_is_run(work: Work) -> None:
    sprung = work.root / "sprung"
    hooks = work.clone / ".git/hooks"
    shutil.rmtree(hooks, ignore_errors=True)
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg", "pre-push", "reference-transaction", "post-merge", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{sprung}'\n", encoding="utf-8")
        (hooks / name).chmod(0o755)
    good = work.head()
    work.write("pom.xml", "<changed/>")
    assert work.publish()["changed"]
    assert work.take_back(good)["changed"]
    assert not sprung.exists()

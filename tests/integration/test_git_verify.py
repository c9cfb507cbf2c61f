# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.integration import repositories


class Work(repositories.Work):
    """With the module that is tested."""

    def verify(self, check: bool = False, env: t.Mapping[str, str] | None = None, **options: t.Any) -> dict[str, t.Any]:
        """Run the module on the clone."""
        return self.run("git_verify", {"path": str(self.clone), "timeout": 60, **options}, check=check, env=env)


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
    assert [step["name"] for step in result["steps"]] == ["repository", "remote", "tree", "policy"]
    assert (result["reasons"], result["remarks"], result["tags"]) == ([], [], [])
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
    (work.clone / "new").write_text("x", encoding="utf-8")
    result = work.verify(released_commit=released)
    assert result["failed"]
    assert codes(result) == ["untracked", "released_unknown"]
    assert f"Option released_commit is '{released}': this clone does not have that commit." in result["msg"]
    assert result["changes"] is None


def test_commits_that_were_released_and_are_not_part_of_this_one(work: Work) -> None:
    work.git("checkout", "--quiet", "-b", "old")
    released = work.commit("x", "x", "feat: gone")
    work.git("checkout", "--quiet", "main")
    changes = work.verify(released_commit=released)["changes"]
    assert changes["commits"] == []
    assert [line.split(" ", 1)[1] for line in changes["undone"]] == ["feat: gone"]


def test_a_shallow_clone(work: Work) -> None:
    first = work.git("rev-parse", "HEAD")
    work.commit("b", "b", "feat: second")
    third = work.commit("c", "c", "feat: third")
    work.git("push", "--quiet", "origin", "main")
    shallow = work.root / "shallow"
    work.git("clone", "--quiet", "--depth=2", f"file://{work.origin}", str(shallow), at=work.root)
    assert work.verify(path=str(shallow))["evidence"]["shallow"] is True
    assert work.verify(path=str(shallow), released_commit=third)["decision"] == "PROCEED"
    result = work.verify(path=str(shallow), released_commit=first)
    assert codes(result) == ["shallow"]
    assert f"what changed since '{first}' cannot be told. Run 'git fetch --unshallow origin'" in result["msg"]
    # it has the released commit, and not all that came since
    work.git("fetch", "--quiet", "--depth=1", "origin", first, at=shallow)
    assert codes(work.verify(path=str(shallow), released_commit=first)) == ["shallow"]
    work.git("fetch", "--quiet", "--unshallow", at=shallow)
    assert work.verify(path=str(shallow), released_commit=first)["decision"] == "PROCEED"


def test_a_commit_that_is_named(work: Work) -> None:
    first = work.git("rev-parse", "HEAD")
    work.commit("b", "b", "feat: second")
    work.git("push", "--quiet", "origin", "main")
    work.git("checkout", "--quiet", first)
    result = work.verify(commit=first)
    assert (result["decision"], result["evidence"]["behind"]) == ("PROCEED", 1)
    assert codes(work.verify(commit="f" * 40)) == ["commit"]
    elsewhere = work.commit("c", "c", "feat: elsewhere")
    assert codes(work.verify(commit=elsewhere)) == ["not_on_branch"]


def test_tags(work: Work) -> None:
    work.git("tag", "v1.0")
    assert codes(work.verify(tag="v2*")) == ["tag"]
    # somebody else tags it, only the remote knows
    work.git("tag", "v2.0", work.git("rev-parse", "HEAD"), at=work.origin)
    result = work.verify(tag="v2*")
    assert (result["decision"], result["tags"]) == ("PROCEED", ["v1.0", "v2.0"])


MARKED = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n"


def test_conflict_markers(work: Work) -> None:
    work.commit("done.txt", MARKED, "feat: merge")
    work.commit("heading.md", "Text\n=======\n", "docs: write")
    work.git("push", "--quiet", "origin", "main")
    (work.clone / "new: file").write_text(MARKED.replace("\n", "\r\n"), encoding="utf-8", newline="")
    result = work.verify()
    assert codes(result) == ["untracked", "conflict_marker"]
    assert result["reasons"][1]["places"] == [{"path": "done.txt", "line": 2}, {"path": "new: file", "line": 2}]
    (work.clone / "new: file").unlink()
    assert work.verify(exempt=["done.*"])["decision"] == "PROCEED"


def test_a_merge_that_is_not_finished(work: Work) -> None:
    work.git("checkout", "--quiet", "-b", "other")
    work.commit("pom.xml", "<other/>", "feat: other")
    work.git("checkout", "--quiet", "main")
    work.commit("pom.xml", "<mine/>", "feat: mine")
    with pytest.raises(subprocess.CalledProcessError):
        work.git("merge", "--quiet", "other")
    assert codes(work.verify()) == ["unmerged", "ahead", "conflict_marker"]


def test_large_files(work: Work) -> None:
    first = work.git("rev-parse", "HEAD")
    work.commit("was-large.bin", "x" * 300_000, "feat: large")
    work.commit("was-large.bin", "x", "fix: small")
    work.commit("large.bin", "x" * 200_000, "feat: large")
    work.git("push", "--quiet", "origin", "main")
    result = work.verify(max_file_mb=0.1, released_commit=first)
    assert codes(result) == ["large_file"]
    assert result["reasons"][0]["places"] == [
        {"path": "large.bin", "bytes": 200_000, "in": "tree"},
        {"path": "was-large.bin", "bytes": 300_000, "in": "history"},
    ]
    assert "large.bin (0.2 MB), was-large.bin (0.3 MB, in the history)" in result["msg"]
    assert len(work.verify(max_file_mb=0.1)["reasons"][0]["places"]) == 1
    assert work.verify(max_file_mb=0)["decision"] == "PROCEED"
    assert work.verify(max_file_mb=0.1, exempt=["*.bin"], released_commit=first)["decision"] == "PROCEED"
    (work.clone / "new.bin").write_text("x" * 100_001, encoding="utf-8")
    assert "new.bin" in [item["path"] for item in work.verify(max_file_mb=0.1)["reasons"][1]["places"]]


def test_commit_messages(work: Work) -> None:
    first = work.git("rev-parse", "HEAD")
    second = work.commit("b", "b", "Second thing")
    work.commit("c", "c", "feat(ui): third")
    work.git("push", "--quiet", "origin", "main")
    told = work.verify(released_commit=first)
    assert told["decision"] == "PROCEED"
    assert [item["code"] for item in told["remarks"]] == ["message"]
    assert told["remarks"][0]["places"][0]["commit"] == second
    assert f"{second[:7]} 'Second thing': it is not '<type>(<scope>): <description>'." in str(told["warnings"])
    assert work.verify(commit_messages="abort")["decision"] == "PROCEED"
    result = work.verify(released_commit=first, commit_messages="abort", commit_scopes=["api"])
    assert codes(result) == ["message"]
    assert "2 commit messages are not conventional" in result["msg"]
    assert work.verify(released_commit=first, commit_messages="off", commit_scopes=["api"])["remarks"] == []
    assert work.verify(commit_messages="abort", commit_types=["add"])["reasons"][0]["code"] == "message"


def test_submodules(work: Work) -> None:
    library = work.root / "library"
    work.git("clone", "--quiet", str(work.origin), str(library), at=work.root)
    work.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(work.origin), "libs/a")
    work.git("commit", "--quiet", "-m", "feat: use a library")
    work.git("push", "--quiet", "origin", "main")
    assert work.verify()["decision"] == "PROCEED"
    inside = work.clone / "libs/a"
    (inside / "pom.xml").write_text("<changed/>", encoding="utf-8")
    work.git("config", "diff.ignoreSubmodules", "all")
    result = work.verify()
    assert codes(result) == ["submodule_dirty"]
    assert result["reasons"][0]["places"] == [{"path": "libs/a"}]
    work.commit("pom.xml", "<changed/>", "feat: change the library", at=inside)
    assert codes(work.verify()) == ["submodule_moved"]
    work.git("submodule", "--quiet", "deinit", "--force", "libs/a")
    assert codes(work.verify()) == ["submodule_missing"]


# an example that everybody's documentation has; in two parts, so that nothing takes this file for one with a secret
KEY = "AKIA" + "IOSFODNN7EXAMPLF"


def test_secrets(work: Work) -> None:
    first = work.git("rev-parse", "HEAD")
    second = work.commit("conf.txt", f"a\nb\nkey = {KEY}\n", "feat: configure")
    work.commit("conf.txt", "a\n", "fix: take it out")
    work.git("push", "--quiet", "origin", "main")
    result = work.verify(secrets="abort", released_commit=first)
    assert codes(result) == ["secret"]
    assert result["reasons"][0]["places"] == [
        {"path": "conf.txt", "line": 3, "commit": second, "type": "AWS Access Key"},
    ]
    assert f"{second[:7]}:conf.txt:3 (AWS Access Key)" in result["msg"]
    assert KEY not in str(result)
    # the tree alone has none
    assert work.verify(secrets="abort")["decision"] == "PROCEED"
    assert work.verify(released_commit=first)["decision"] == "PROCEED"
    told = work.verify(secrets="warn", released_commit=first)
    assert (told["decision"], [item["code"] for item in told["remarks"]]) == ("PROCEED", ["secret"])


@pytest.mark.parametrize("since", [True, False])
def test_secrets_of_the_working_tree(work: Work, since: bool) -> None:
    released = work.git("rev-parse", "HEAD") if since else ""
    (work.clone / "pom.xml").write_text(f"<project/>\n{KEY}\n", encoding="utf-8")
    (work.clone / "new").write_text(f"\n\n{KEY}\n", encoding="utf-8")
    (work.clone / "binary").write_bytes(b"\xff" + KEY.encode())
    (work.clone / "link").symlink_to("new")
    result = work.verify(secrets="abort", released_commit=released)
    assert codes(result) == ["dirty", "untracked", "secret"]
    assert result["reasons"][2]["places"] == [
        {"path": "pom.xml", "line": 2, "type": "AWS Access Key"},
        {"path": "new", "line": 3, "type": "AWS Access Key"},
    ]
    assert codes(work.verify(secrets="abort", released_commit=released, exempt=["new", "*.xml"]))[2:] == []


def test_secrets_that_are_none(work: Work) -> None:
    work.commit("conf.txt", f"key = {KEY}\n", "feat: configure")
    work.commit("other.txt", f"key = {KEY}  # pragma: allowlist secret\n", "feat: configure")
    found = {"type": "AWS Access Key", "hashed_secret": hashlib.sha1(KEY.encode()).hexdigest(), "line_number": 1}
    baseline = {"version": "1.5.0", "plugins_used": [{"name": "AWSKeyDetector"}], "results": {"conf.txt": [found]}}
    work.commit(".secrets.baseline", json.dumps(baseline, indent=1), "chore: know")
    work.git("push", "--quiet", "origin", "main")
    assert work.verify(secrets="abort", secrets_baseline=".secrets.baseline")["decision"] == "PROCEED"
    assert "secret" in codes(work.verify(secrets="abort", exempt=[".secrets.baseline"]))
    result = work.verify(secrets="abort", secrets_baseline="none")
    assert "secrets_baseline is" in result["msg"]
    assert result["decision"] == "ABORT"


def test_secrets_without_the_library(work: Work) -> None:
    (work.root / "shadow/detect_secrets").mkdir(parents=True)
    (work.root / "shadow/detect_secrets/__init__.py").write_text("raise ImportError('none')", encoding="utf-8")
    env = {"PYTHONPATH": f"{work.root}/shadow:{work.root}/scratch/names"}
    result = work.verify(secrets="abort", env=env)
    assert codes(result) == ["secrets_not_looked_for"]
    assert "detect-secrets>=1.5,<2" in result["msg"]
    assert work.verify(secrets="warn", env=env)["remarks"][0]["code"] == "secrets_not_looked_for"
    assert work.verify(env=env)["decision"] == "PROCEED"


def test_nothing_of_the_repository_is_run(work: Work) -> None:
    trap, sprung = work.root / "trap.sh", work.root / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch '{sprung}'\n", encoding="utf-8")
    trap.chmod(0o755)
    hook = work.clone / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.symlink_to(trap)
    for key in ("core.fsmonitor", "diff.external", "diff.trap.textconv", "diff.trap.command"):
        work.git("config", key, str(trap))
    sprung.unlink(missing_ok=True)
    (work.clone / ".git/info").mkdir(exist_ok=True)
    (work.clone / ".git/info/attributes").write_text("* diff=trap\n", encoding="utf-8")
    released = work.git("rev-parse", "HEAD")
    sprung.unlink(missing_ok=True)
    work.push_from_elsewhere()
    (work.clone / "pom.xml").write_text("<other/>", encoding="utf-8")
    assert codes(work.verify(released_commit=released, secrets="warn")) == ["dirty", "behind"]
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
        (
            lambda work: work.git("remote", "set-url", "origin", "ext::sh -c 'touch {root}/sprung'"),
            {},
            "transport 'ext' not allowed",
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
    silent.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    silent.chmod(0o755)
    work.git("config", "core.sshCommand", str(silent))
    result = work.verify(timeout=10)
    assert "did not end within 10 s" in result["msg"]
    assert "Check that it can be reached" in result["msg"]

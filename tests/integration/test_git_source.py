# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import time
import typing as t
from pathlib import Path

import pytest

from tests.integration import repositories
from tests.integration.claims import port
from tests.integration.repositories import PLAIN, GitWeb, git_web
from tests.integration.run_module import result_of, start_module

PASSWORD = "geheim:pass/wort @%"
QUOTED = "geheim%3Apass%2Fwort%20%40%25"


class Work(repositories.Work):
    """With the module that is tested."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.checkout, self.cache = root / "build/orders", root / "cache"

    def options(self, **options: t.Any) -> dict[str, t.Any]:
        """Return the options of the module."""
        return {"url": f"file://{self.origin}", "path": str(self.checkout), "cache": str(self.cache), **options}

    def bring(self, check: bool = False, env: t.Mapping[str, str] | None = None, **options: t.Any) -> dict[str, t.Any]:
        """Run the module."""
        return self.run("git_source", self.options(**options), check=check, env=env)

    @property
    def mirror(self) -> Path:
        """The one mirror."""
        return next(self.cache.glob("*.git"))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def names(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [(step["name"], step["result"]) for step in result["steps"]]


def test_a_branch_is_brought_and_followed(work: Work) -> None:
    first = work.head()
    planned = work.bring(check=True)
    assert (planned["changed"], planned["commit"]["id"]) == (True, first)
    assert names(planned) == [("remote", "ok"), ("make", "planned")]
    assert not work.cache.exists()
    assert not work.checkout.exists()
    result = work.bring()
    assert (result["changed"], result["decision"], result["phase"]) == (True, "PROCEED", "git_verification")
    assert (result["commit"]["id"], result["commit"]["branch"]) == (first, "main")
    assert result["commit"]["author"] == "A. Developer"
    assert result["ref"] == {"name": "main", "kind": "branch"}
    assert result["mirror"] == {"path": str(work.mirror), "state": "new"}
    assert (work.checkout / "pom.xml").read_text(encoding="utf-8") == "<project/>"
    again = work.bring()
    assert (again["changed"], again["mirror"]["state"], again["commit"]) == (False, "unchanged", result["commit"])
    assert work.bring(check=True)["changed"] is False
    second = work.pushed("new", "x", "feat: second")
    (work.checkout / ".git/info/exclude").parent.mkdir(exist_ok=True)
    (work.checkout / ".git/info/exclude").write_text("target/\n", encoding="utf-8")
    (work.checkout / "target").mkdir()
    (work.checkout / "target/app.jar").write_text("x", encoding="utf-8")
    assert work.bring(check=True)["diff"]["after"] == {
        "url": f"file://{work.origin}",
        "commit": second,
        "branch": "main",
    }
    assert work.head(work.checkout) == first
    followed = work.bring()
    assert (followed["changed"], followed["commit"]["id"], followed["mirror"]["state"]) == (True, second, "updated")
    assert (followed["diff"]["before"]["commit"], followed["diff"]["after"]["commit"]) == (first, second)
    assert followed["evidence"]["ignored"] == ["target/"]
    assert sorted(item.name for item in work.checkout.iterdir()) == [".git", "new", "pom.xml"]
    assert sorted(item.name for item in work.checkout.parent.iterdir()) == [".orders.lock", "orders"]
    # what was brought passes the verification
    verified = work.run("git_verify", {"path": str(work.checkout), "commit": second})
    assert verified["decision"] == "PROCEED"


def test_tags_and_commits(work: Work) -> None:
    first = work.head()
    work.git("tag", "--annotate", "--message=one", "v1")
    work.git("push", "--quiet", "origin", "v1")
    second = work.pushed("new", "x", "feat: second")
    tag = work.bring(ref="v1")
    assert (tag["commit"]["id"], tag["commit"]["branch"], tag["ref"]["kind"]) == (first, "", "tag")
    assert work.bring(ref="refs/tags/v1")["changed"] is False
    assert work.bring(ref=second[:9])["commit"]["id"] == second
    # the branch is another state than the commit alone
    assert work.bring(ref="refs/heads/main")["commit"] == {**work.bring(ref="main")["commit"], "branch": "main"}
    # a commit that the mirror has needs no repository
    work.origin.rename(work.root / "away")
    result = work.bring(ref=first)
    assert (result["commit"]["id"], result["mirror"]["state"]) == (first, "unchanged")


def test_a_commit_that_no_branch_has(work: Work) -> None:
    lost = work.pushed("lost", "x", "feat: lost")
    work.git("reset", "--quiet", "--hard", "HEAD~")
    work.git("push", "--quiet", "--force", "origin", "main")
    assert work.bring()["commit"]["id"] == work.head()
    result = work.bring(ref=lost)
    assert result["commit"]["id"] == lost
    assert work.bring(ref=lost)["changed"] is False
    assert work.bring()["commit"]["id"] == work.head()


def test_a_branch_that_was_rewritten(work: Work) -> None:
    work.pushed("lost", "x", "feat: lost")
    work.bring()
    work.git("reset", "--quiet", "--hard", "HEAD~")
    rewritten = work.commit("other", "x", "feat: other")
    work.git("push", "--quiet", "--force", "origin", "main")
    assert work.bring()["commit"]["id"] == rewritten


def test_a_branch_and_a_tag_of_one_name(work: Work) -> None:
    work.git("push", "--quiet", "origin", "main:refs/heads/both", "main:refs/tags/both")
    result = work.bring(ref="both")
    assert "has a branch and a tag of that name. Write 'refs/heads/both' or 'refs/tags/both'." in result["msg"]
    assert work.bring(ref="refs/tags/both")["ref"]["kind"] == "tag"


@pytest.mark.parametrize(
    ("prepare", "options", "told"),
    [
        ("", {"ref": "none"}, "has no such branch, tag or commit. Set ref (j4c_source_ref) to one of"),
        ("", {"ref": "--upload-pack=x"}, "that is no name of a branch or tag and no commit"),
        ("", {"ref": "main..v1"}, "that is no name of a branch"),
        ("unborn", {}, "has no commit yet. Push what is to be released."),
        ("gone", {}, "does not answer: fatal: '"),
        ("", {"url": "http://127.0.0.1:9/x.git"}, "does not answer: fatal: unable to access"),
        ("", {"url": "https://me:geheim@example.org/x.git"}, "must not have a user, password or token in it"),
        ("", {"url": "https://geheim@example.org/x.git"}, "must not have a user, password or token in it"),
        ("", {"url": "https://example.org/x.git?token=geheim"}, "must not have a user, password or token in it"),
        ("", {"url": "ext::sh -c true"}, "that is no URL of a repository"),
        ("", {"url": "ftp://example.org/x.git"}, "'ftp' is none of file, http, https, ssh"),
        ("", {"url": "relative/path"}, "that is no URL of a repository"),
        ("", {"ssh_key": "{root}/none"}, "Option ssh_key is '{root}/none': it cannot be read"),
        ("", {"ssh_key": "{root}/open"}, "others may use it too, its mode is 0644. Run 'chmod 0600 {root}/open'."),
        ("", {"ssh_known_hosts": "{root}/none"}, "there is no such file"),
        ("foreign", {}, "there is something that was not checked out by this module"),
        ("clone", {}, "there is something that was not checked out by this module"),
    ],
)
def test_what_cannot_be_brought(work: Work, prepare: str, options: dict[str, str], told: str) -> None:
    (work.root / "open").write_text("x", encoding="utf-8")
    (work.root / "open").chmod(0o644)
    if prepare == "unborn":
        shutil.rmtree(work.origin)
        work.git("init", "--quiet", "--bare", str(work.origin), at=work.root)
    elif prepare == "gone":
        work.origin.rename(work.root / "away")
    elif prepare == "foreign":
        work.checkout.mkdir(parents=True)
        (work.checkout / "mine").write_text("x", encoding="utf-8")
    elif prepare == "clone":
        work.git("clone", "--quiet", str(work.origin), str(work.checkout), at=work.root)
    before = sorted(str(item) for item in work.checkout.rglob("*"))
    given: dict[str, t.Any] = {key: text.replace("{root}", str(work.root)) for key, text in options.items()}
    for check in (True, False):
        result = work.bring(check=check, **given)
        assert result["failed"]
        assert result["decision"] == "ABORT"
        assert told.replace("{root}", str(work.root)) in result["msg"]
        assert result["hint"] in result["msg"]
        assert "geheim" not in str({key: value for key, value in result.items() if key != "invocation"})
    assert sorted(str(item) for item in work.checkout.rglob("*")) == before


def test_a_commit_that_the_repository_does_not_have(work: Work) -> None:
    for ref in ("f" * 40, "f" * 8):
        assert "has no such branch, tag or commit" in work.bring(ref=ref)["msg"]
    assert not work.checkout.exists()


def test_places_that_cannot_be_written(work: Work) -> None:
    (work.root / "file").write_text("x", encoding="utf-8")
    told = work.bring(cache=str(work.root / "file"))["msg"]
    assert f"Option cache needs the directory '{work.root}/file': it cannot be made" in told
    assert "Option path needs the directory" in work.bring(path=str(work.root / "file/orders"))["msg"]
    # another thing has the name that is needed for a moment
    work.checkout.parent.mkdir()
    (work.checkout.parent / ".orders.new").write_text("x", encoding="utf-8")
    result = work.bring()
    assert (result["failed"], result["decision"]) == (True, "ABORT")
    assert not work.checkout.exists()


def test_work_is_never_thrown_away(work: Work) -> None:
    first = work.bring()["commit"]["id"]
    work.pushed("new", "x", "feat: second")
    (work.checkout / "pom.xml").write_text("<mine/>", encoding="utf-8")
    (work.checkout / "notes").write_text("x", encoding="utf-8")
    result = work.bring()
    assert result["failed"]
    assert "1 tracked file is changed (pom.xml); 1 file is not tracked (notes)." in result["msg"]
    assert work.head(work.checkout) == first
    work.git("stash", "--quiet", "--include-untracked", at=work.checkout)
    assert "not in its repository" in work.bring(check=True)["msg"]
    work.git("stash", "pop", "--quiet", at=work.checkout)
    work.git("add", ".", at=work.checkout)
    work.git("commit", "--quiet", "-m", "feat: mine", at=work.checkout)
    mine = work.head(work.checkout)
    assert "1 commit is not in its repository" in work.bring()["msg"]
    aside = work.bring(own_work="set_aside")
    assert aside["changed"]
    assert work.head(Path(aside["set_aside"])) == mine
    assert aside["set_aside"] in str(aside["warnings"])
    assert work.head(work.checkout) == work.head()
    assert work.bring()["changed"] is False


def test_a_checkout_that_is_damaged(work: Work) -> None:
    work.bring()
    for pack in (work.checkout / ".git/objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(b"garbage")
    assert "git cannot read it" in work.bring()["msg"]
    result = work.bring(own_work="set_aside")
    assert (work.head(work.checkout), Path(result["set_aside"]).is_dir()) == (work.head(), True)


@pytest.mark.parametrize("damage", ["objects", "blob", "lock", "empty"])
def test_a_mirror_that_is_damaged_is_made_anew(work: Work, damage: str) -> None:
    work.pushed("text", "a" * 1000, "feat: text")
    work.bring()
    if damage == "objects":
        shutil.rmtree(work.mirror / "objects")
    elif damage == "blob":
        blob = work.git("rev-parse", "HEAD:text")
        loose = work.mirror / "objects" / blob[:2] / blob[2:]
        loose.chmod(0o600)
        loose.write_bytes(loose.read_bytes()[:-5])
    elif damage == "lock":
        (work.mirror / "packed-refs.lock").touch()
        (work.mirror / "refs/heads/main.lock").touch()
    else:
        shutil.rmtree(work.mirror)
    made = work.pushed("new", "x", "feat: new")
    result = work.bring()
    assert result["commit"]["id"] == made
    assert result["mirror"]["state"] == {"lock": "updated", "empty": "new"}.get(damage, "remade")
    assert work.git("status", "--porcelain", at=work.checkout) == ""


def test_submodules(work: Work) -> None:
    library = work.root / "library.git"
    work.git("clone", "--quiet", "--bare", str(work.origin), str(library), at=work.root)
    work.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{library}", "libs/a")
    work.git("commit", "--quiet", "-m", "feat: use a library")
    work.git("push", "--quiet", "origin", "main")
    work.bring()
    assert not (work.checkout / "libs/a/pom.xml").exists()
    shutil.rmtree(work.checkout)
    result = work.bring(submodules=True)
    assert not result.get("failed"), result
    assert (work.checkout / "libs/a/pom.xml").exists()
    assert work.bring(submodules=True)["changed"] is False


@pytest.fixture
def web(work: Work) -> t.Iterator[GitWeb]:
    with git_web(work.root, "me", PASSWORD, port()) as made:
        yield made


def credentials(work: Work, web: GitWeb, line: str = f"http://me:{QUOTED}@{{place}}\n") -> dict[str, t.Any]:
    """Write a credentials file and return the options that use it."""
    path = work.root / "credentials"
    path.write_text("# ours\n" + line.format(place=web.url.partition("://")[2]), encoding="utf-8")
    path.chmod(0o600)
    return {"url": f"{web.url}/origin.git", "credentials_file": str(path)}


def test_a_password_is_told_to_nobody_but_the_host(work: Work, web: GitWeb) -> None:
    given = credentials(work, web)
    denied = work.bring(url=given["url"])
    assert "does not answer" in denied["msg"]
    assert "credentials_file (j4c_source_credentials)" in denied["msg"]
    # a helper of this user would be told a password that was refused
    helper, told = work.root / "helper.sh", work.root / "told"
    helper.write_text(f"#!/bin/sh\necho $1 >> '{told}'\n", encoding="utf-8")
    helper.chmod(0o755)
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": str(helper)}
    result = work.bring(**given, env=env)
    assert not result.get("failed"), result
    assert result["commit"]["id"] == work.head()
    assert f"me:{PASSWORD}" in web.asked
    assert not told.exists()
    assert work.git("config", "remote.origin.url", at=work.checkout) == given["url"]
    kept = [path for path in (*work.cache.rglob("*"), *work.checkout.rglob("*")) if path.is_file()]
    assert kept
    for secret in (PASSWORD, QUOTED):
        assert secret not in str(result)
        assert not [path for path in kept if secret.encode() in path.read_bytes()]
    # the verification gets at the remote in the same way
    verify = {"path": str(work.checkout), "commit": result["commit"]["id"]}
    assert "Asking the remote 'origin' failed" in work.run("git_verify", verify)["msg"]
    verify["credentials_file"] = given["credentials_file"]
    assert work.run("git_verify", verify)["decision"] == "PROCEED"


def test_a_password_is_not_sent_to_where_the_host_sends_on(work: Work, web: GitWeb) -> None:
    with git_web(work.root, "me", PASSWORD, port()) as other:
        web.redirect = other.url
        assert "does not answer" in work.bring(**credentials(work, web))["msg"]
        assert set(other.asked) == {""}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("http://me:wrong@{place}", "Authentication failed"),
        ("http://me:x@127.0.0.1:1", "it has no line with a user and a password for http://127.0.0.1:"),
        ("https://me:x@{place}", "it has no line with a user and a password"),
        ("http://me@{place}", "it has no line with a user and a password"),
        ("garbage\nhttp://[", "it has no line with a user and a password"),
    ],
)
def test_a_password_that_does_not_fit(work: Work, web: GitWeb, line: str, told: str) -> None:
    result = work.bring(**credentials(work, web, line))
    assert told in result["msg"]
    assert "wrong" not in result["msg"]


def test_a_password_that_others_may_read(work: Work, web: GitWeb) -> None:
    given = credentials(work, web)
    Path(given["credentials_file"]).chmod(0o640)
    assert "others may use it too, its mode is 0640" in work.bring(**given)["msg"]
    Path(given["credentials_file"]).chmod(0o600)
    result = work.bring(**{**given, "url": "http://git.example.org/x.git"})
    assert "http sends the password of credentials_file for everybody to read" in result["msg"]
    assert not web.asked


def test_two_runs_at_once(work: Work, web: GitWeb) -> None:
    given = credentials(work, web)
    web.gate.clear()
    first = start_module("git_source", work.scratch, work.options(**given), env=PLAIN)
    try:
        assert web.reached.wait(60)
        busy = work.bring(**given, lock_timeout=0)
        assert f"is in use by process {first.pid}" in busy["msg"]
        second = start_module("git_source", work.scratch, work.options(**given), env=PLAIN)
        web.gate.set()
        results = [result_of(first), result_of(second)]
    finally:
        web.gate.set()
        first.kill()
    assert [result["changed"] for result in results] == [True, False]


def test_a_run_that_is_killed_while_it_fetches(work: Work, web: GitWeb) -> None:
    given = credentials(work, web)
    first = work.bring(**given)["commit"]["id"]
    second = work.pushed("new", "x", "feat: second")
    web.reached.clear()
    web.gate.clear()
    killed = start_module("git_source", work.scratch, work.options(**given), env=PLAIN)
    assert web.reached.wait(60)
    killed.kill()
    killed.communicate()
    assert work.head(work.checkout) == first
    # its git lives on and keeps the lock
    assert "is in use by process" in work.bring(**given, lock_timeout=0)["msg"]
    web.gate.set()
    result = work.bring(**given)
    assert (result["commit"]["id"], work.git("status", "--porcelain", at=work.checkout)) == (second, "")


@pytest.mark.parametrize("moment", ["mirror", "new", "pom.xml", "end"])
def test_a_run_that_is_killed_at_some_moment(work: Work, moment: str) -> None:
    first = work.bring()["commit"]["id"]
    for number in range(200):
        (work.clone / f"file-{number}").write_text("x" * 1000, encoding="utf-8")
    work.git("add", ".")
    second = work.pushed("new", "x", "feat: second")
    new = work.checkout.parent / ".orders.new"
    seen: dict[str, t.Callable[[], bool]] = {
        "mirror": lambda: work.git("rev-parse", "main", at=work.mirror) == second,
        "new": new.exists,
        "pom.xml": (new / "pom.xml").exists,
        "end": (work.checkout / "new").exists,
    }
    run = start_module("git_source", work.scratch, work.options(), env=PLAIN)
    deadline = time.monotonic() + 120
    while run.poll() is None and not seen[moment]():
        assert time.monotonic() < deadline
    run.kill()
    run.communicate()
    assert work.head(work.checkout) in (first, second)
    assert work.git("status", "--porcelain", at=work.checkout) == ""
    result = work.bring()
    assert (result["commit"]["id"], work.head(work.checkout)) == (second, second)
    assert sorted(item.name for item in work.checkout.parent.iterdir()) == [".orders.lock", "orders"]


def test_work_that_a_killed_run_left_beside_the_checkout_is_kept(work: Work) -> None:
    work.bring()
    old = work.checkout.parent / ".orders.old"
    shutil.copytree(work.checkout, old)
    (old / "mine").write_text("x", encoding="utf-8")
    work.bring()
    assert not old.exists()
    kept = [item for item in work.checkout.parent.iterdir() if item.name.startswith("orders.")]
    assert [(item / "mine").read_text(encoding="utf-8") for item in kept] == ["x"]
    work.checkout.rename(old)
    assert work.bring()["changed"] is False

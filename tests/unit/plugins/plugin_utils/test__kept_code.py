# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on a target: the hash that names it, the copy, and who may have written it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.j4c.deploy.plugins.plugin_utils import _kept_start as kept
from ansible_collections.j4c.deploy.plugins.plugin_utils._kept_code import COLLECTION, PLUGINS, Code, collect, program

MODULE = b"""from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule({"a": {"type": "int"}, "b": {"no_log": True}}, supports_check_mode=True)
    if module.params["a"] == 7:
        raise ValueError("seven")
    module.exit_json(changed=module.params["a"] > 1, check=module.check_mode, file=__file__, says=module.params["b"])


main()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory whose parents nobody else can write to, as far as these tests are concerned."""
    monkeypatch.setattr(kept, "require_own_path", str)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / kept.FOLDER


def with_module() -> Code:
    return Code({**collect().files, f"{COLLECTION}/plugins/modules/sample.py": MODULE})


def run(cache: Path, code: Code, with_code: bool, **args: object) -> subprocess.CompletedProcess[str]:
    params = json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_tracebacks_for": ["error"], **args}})
    text = program("#!python", "sample", code, params, "legacy", with_code)
    env = {**os.environ, "XDG_CACHE_HOME": str(cache.parent)}
    return subprocess.run([sys.executable], input=text.decode(), env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "other",
    [
        {"a": b"1", "b": b"3"},
        {"a": b"1", "c": b"2"},
        {"a": b"1"},
        {"a": b"1", "b": b"2", "c": b""},
        {"a": b"", "b": b"12"},
        {"a": b"1 1 b 1 2"},
    ],
)
def test_other_code_has_another_hash(other: dict[str, bytes]) -> None:
    assert Code(other).hash != Code({"a": b"1", "b": b"2"}).hash


def test_the_same_code_has_the_same_hash_and_archive() -> None:
    one, two = Code({"a": b"1", "b": b"2"}), Code({"b": b"2", "a": b"1"})
    assert (one.hash, one.archive()) == (two.hash, two.archive())


def test_the_code_is_that_of_all_modules() -> None:
    files = collect().files
    for folder in ("modules", "module_utils"):
        for path in (PLUGINS / folder).rglob("*.py"):
            assert files[f"{COLLECTION}/plugins/{path.relative_to(PLUGINS)}"] == path.read_bytes()
    assert "ansible/module_utils/basic.py" in files
    assert {f"{Path(name).parent}/__init__.py" for name in files} <= set(files)


def test_no_module_needs_what_is_left_out() -> None:
    for name, text in collect().files.items():
        if name.startswith(COLLECTION):
            assert b"module_utils.facts" not in text


def test_a_module_runs_from_the_copy_that_it_was_kept_in(cache: Path) -> None:
    code = with_module()
    asked = run(cache, code, False, a=1)
    assert json.loads(asked.stdout)["j4c_kept"] == "missing"
    first = json.loads(run(cache, code, True, a=2).stdout)
    second = json.loads(run(cache, code, False, a=1, _ansible_check_mode=True).stdout)
    [copy] = cache.iterdir()
    assert copy.name == f"{code.hash}-{sys.implementation.cache_tag}.zip"
    assert first["file"] == f"{copy}/{COLLECTION}/plugins/modules/sample.pyc"
    assert (first["changed"], first["check"], second["changed"], second["check"]) == (True, False, False, True)
    assert (cache.stat().st_mode & 0o777, copy.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_module_that_breaks_shows_where(cache: Path) -> None:
    code = with_module()
    run(cache, code, True, a=1)
    done = run(cache, code, False, a=7)
    result = json.loads(done.stdout)
    assert (done.returncode, result["failed"]) == (1, True)
    [copy] = cache.iterdir()
    assert f"{copy}/{COLLECTION}/plugins/modules/sample.py" in done.stdout
    assert "line 7, in main\\nValueError: seven" in done.stdout


def test_what_a_parameter_says_is_not_kept(cache: Path) -> None:
    code = with_module()
    secret = "Xyzzy-4711"
    result = json.loads(run(cache, code, True, a=1, b=secret).stdout)
    assert result["says"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert [secret.encode() in path.read_bytes() for path in cache.iterdir()] == [False]


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "writable", "link"])
def test_a_damaged_copy_is_replaced(cache: Path, damage: str) -> None:
    code = Code({"a.py": b"x = 1\n"})
    path = Path(kept.copy_of(code.hash, code.archive()))
    whole = path.read_bytes()
    if damage == "link":
        path.rename(path.with_suffix(".other"))
        path.symlink_to(path.with_suffix(".other"))
    elif damage == "writable":
        path.chmod(0o666)
    else:
        path.write_bytes({"cut": whole[:-1], "bit": whole[:-1] + bytes([whole[-1] ^ 1]), "empty": b""}[damage])
    with pytest.raises(kept.Missing):
        kept.copy_of(code.hash, None)
    assert kept.copy_of(code.hash, code.archive()) == str(path)
    assert path.read_bytes() == whole
    assert kept.copy_of(code.hash, None) == str(path)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_directory_that_is_open_to_others_is_refused(cache: Path, mode: int) -> None:
    cache.mkdir(parents=True)
    cache.chmod(mode)
    with pytest.raises(kept.Refused, match="with mode 0700"):
        kept.copy_of("0", b"")


def test_a_directory_of_another_user_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(parents=True, mode=0o700)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", (me + 1).__int__)
    with pytest.raises(kept.Refused, match=f"is not a directory of user {me + 1}"):
        kept.copy_of("0", b"")


def test_a_link_to_a_directory_is_refused(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    cache.parent.mkdir(mode=0o700)
    cache.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(kept.Refused):
        kept.copy_of("0", b"")


@pytest.mark.parametrize(("mode", "good"), [(0o755, True), (0o1777, True), (0o775, False), (0o757, False)])
def test_a_path_that_others_can_change_is_refused(tmp_path: Path, mode: int, good: bool) -> None:
    folder = tmp_path / "a"
    (folder / "b").mkdir(parents=True)
    folder.chmod(mode)
    if good:
        kept.require_own_path(str(folder / "b"))
    else:
        with pytest.raises(kept.Refused, match="can be changed by other users"):
            kept.require_own_path(str(folder / "b"))


def test_a_path_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(tmp_path, os.geteuid() or 65534, -1)
    monkeypatch.setattr(os, "geteuid", (os.geteuid() + 1).__int__)
    with pytest.raises(kept.Refused):
        kept.require_own_path(str(tmp_path / "not there yet"))


def test_a_home_that_is_a_file_is_an_error_and_leaves_nothing(cache: Path) -> None:
    cache.parent.write_text("", encoding="ascii")
    with pytest.raises(OSError, match="cache"):
        kept.copy_of("0", b"")


def test_a_copy_that_cannot_be_written_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    code = Code({"a.py": b"x = 1\n"})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept.copy_of(code.hash, code.archive())
    assert list(cache.iterdir()) == []


def test_old_copies_are_removed_but_not_those_used_last(cache: Path) -> None:
    cache.mkdir(parents=True, mode=0o700)
    old = time.time() - kept.MIN_AGE_SECONDS - 60
    for number in range(kept.KEPT_COPIES + 2):
        (cache / f"{number}.zip").write_bytes(b"")
        os.utime(cache / f"{number}.zip", (old - number, old - number))
    (cache / "young.zip").write_bytes(b"")
    for name, age in (("old.tmp", old), ("young.tmp", time.time())):
        (cache / name).write_bytes(b"")
        os.utime(cache / name, (age, age))
    code = Code({"a.py": b"x = 1\n"})
    made = Path(kept.copy_of(code.hash, code.archive())).name
    left = {path.name for path in cache.iterdir()}
    assert left == {made, "young.zip", "young.tmp", *(f"{number}.zip" for number in range(kept.KEPT_COPIES - 2))}


def test_a_use_counts_as_new(cache: Path) -> None:
    code = Code({"a.py": b"x = 1\n"})
    path = kept.copy_of(code.hash, code.archive())
    os.utime(path, (1, 1))
    kept.copy_of(code.hash, None)
    assert os.stat(path).st_mtime > time.time() - 600

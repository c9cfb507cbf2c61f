# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the house that no linter knows: each names the file that breaks it."""

from __future__ import annotations

import ast
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(path for path in ROOT.glob("plugins/**/*.py") if path.name != "__init__.py")
UTILS = [path for path in PLUGINS if "module_utils" in path.parts]
MODULES = sorted(ROOT.glob("plugins/modules/[!_]*.py"))
ROLES = sorted(path.parent for path in ROOT.glob("roles/*/meta"))
MAX_CODE_LINES = 200
PROGRAM_MODULES = {"subprocess", "pty", "multiprocessing", "asyncio"}
PROGRAM_CALLS = ("exec", "popen", "posix_spawn", "spawn", "system")
MODULE_ENDS = {"exit_json", "fail_json"}
# In two parts, so that tools do not read it as a licence line of this file.
LICENCE = "SPDX-License-" + "Identifier: GPL-3.0-or-later"
DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def attributes(path: Path) -> set[str]:
    """Return each ``a.b`` of the file's code, and ``.b`` of those whose left side is not a name."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            found.add(f"{node.value.id if isinstance(node.value, ast.Name) else ''}.{node.attr}")
    return found


def code_lines(path: Path) -> int:
    """Count the lines that are neither documentation, nor comment, nor empty."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for node in tree(path).body:
        documents = isinstance(node, ast.Assign) and {getattr(target, "id", "") for target in node.targets} & DOCUMENTS
        if documents and node.end_lineno is not None:
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / item for item in sorted(set(listed.stdout.split("\0"))) if item and (ROOT / item).is_file()]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_has_an_integration_test(path: Path) -> None:
    assert (ROOT / "tests/integration" / f"test_{path.name}").exists()


def test_the_action_group_has_every_module() -> None:
    groups = load(ROOT / "meta/runtime.yml")["action_groups"]
    assert groups["deploy"] == [path.stem for path in MODULES]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_thin(path: Path) -> None:
    assert code_lines(path) <= MAX_CODE_LINES


@pytest.mark.parametrize("path", PLUGINS, ids=name)
def test_only_the_runner_starts_programs(path: Path) -> None:
    if path.name == "_run.py":
        return
    calls = {item for item in attributes(path) if item.startswith("os.") and item[3:].startswith(PROGRAM_CALLS)}
    assert not calls | (imports(path) & PROGRAM_MODULES)


@pytest.mark.parametrize("path", PLUGINS, ids=name)
def test_only_the_border_ends_a_module(path: Path) -> None:
    if path.name == "_module.py":
        return
    assert not {item for item in attributes(path) if item.split(".")[1] in MODULE_ENDS}


@pytest.mark.parametrize("path", UTILS, ids=name)
def test_the_domain_knows_no_ansible(path: Path) -> None:
    if path.name == "_module.py":
        return
    assert not {item for item in imports(path) if item.startswith("ansible.")}


@pytest.mark.parametrize("path", UTILS, ids=name)
def test_a_module_util_is_private(path: Path) -> None:
    inside = path.relative_to(ROOT / "plugins/module_utils").parts
    assert inside[0].startswith("_")
    assert "This module util is PRIVATE to the collection." in (ast.get_docstring(tree(path)) or "")


@pytest.mark.parametrize("path", PLUGINS, ids=name)
def test_annotations_are_never_evaluated(path: Path) -> None:
    assert "__future__.annotations" in imports(path)


def test_every_variable_has_a_default_and_is_described() -> None:
    defaults = {option for role in ROLES for option in load(role / "defaults/main.yml") or {}}
    described = {option for role in ROLES for option in options_of(role)}
    assert described == defaults


def options_of(role: Path) -> dict[str, dict[str, t.Any]]:
    specs = (load(role / "meta/argument_specs.yml") or {}).get("argument_specs", {})
    return {option: spec for entry in specs.values() for option, spec in (entry.get("options") or {}).items()}


def test_a_default_that_is_described_is_the_default() -> None:
    defaults = {option: value for role in ROLES for option, value in (load(role / "defaults/main.yml") or {}).items()}
    told = {option: spec["default"] for role in ROLES for option, spec in options_of(role).items() if "default" in spec}
    assert told == {option: defaults[option] for option in told}


def test_code_carries_its_licence() -> None:
    files = tracked("*.py", "*.sh", "*.mk", "Makefile")
    assert files
    bare = [name(path) for path in files if LICENCE not in path.read_text("utf-8")]
    assert not [item for item in bare if (ROOT / item).stat().st_size]


def test_sanity_has_no_exceptions() -> None:
    assert not tracked("tests/sanity/ignore*")
    assert load(ROOT / ".ansible-lint")["skip_list"] == []
    assert load(ROOT / ".ansible-lint")["warn_list"] == []


def test_the_execution_environment_has_the_libraries_of_the_requirements() -> None:
    def libraries(path: str) -> set[str]:
        lines = (ROOT / path).read_text("utf-8").splitlines()
        return {line for line in lines if line and not line.startswith(("#", "ansible-core"))}

    assert libraries("meta/ee-requirements.txt") == libraries("requirements.txt")

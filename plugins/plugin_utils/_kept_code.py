# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that modules of this collection need on a target, its hash, and the program that starts a module from it.

This plugin util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import typing as t
import zipfile
from pathlib import Path

import ansible.module_utils
from ansible.release import __author__, __version__

PLUGINS = Path(__file__).resolve().parents[1]
CORE = Path(str(ansible.module_utils.__file__)).parent
COLLECTION = "ansible_collections/j4c/deploy"
# what no module of this collection imports; it is half of all
LEFT_OUT = ("facts",)
OLDEST_PYTHON = (3, 9)
EXTENDED = "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n"
PROGRAM = """{shebang}
import sys
if sys.version_info < {oldest!r}:
    sys.stdout.write('{{"j4c_kept": "refused", "reason": "its Python is too old"}}\\n')
else:
    names = {{"__name__": "j4c_kept_start"}}
    exec(compile({source!r}, "j4c_kept_start", "exec"), names)
    import base64
    archive = {archive!r}
    names["start"]({module!r}, {code!r}, {params!r}, {profile!r}, archive and base64.b64decode(archive))
"""


@dataclasses.dataclass(frozen=True)
class Code:
    """Files by their path below a directory of ``sys.path``."""

    files: t.Mapping[str, bytes]

    @property
    def hash(self) -> str:
        """The name of exactly this code."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{len(name)} {name} {len(self.files[name])} ".encode())
            digest.update(self.files[name])
        return digest.hexdigest()[:32]

    def archive(self) -> bytes:
        """Return it as the bytes of a ZIP file."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
            for name in sorted(self.files):
                file.writestr(zipfile.ZipInfo(name), self.files[name], zipfile.ZIP_DEFLATED)
        return made.getvalue()


def collect(plugins: Path = PLUGINS, core: Path = CORE) -> Code:
    """Return the code of all modules of the collection, with what ansible-core gives to modules."""
    packages = [COLLECTION.split("/")[:depth] for depth in (1, 2, 3)]
    packages += [[COLLECTION, "plugins", *more] for more in ([], ["modules"], ["module_utils"])]
    files = {"/".join([*package, "__init__.py"]): b"" for package in packages}
    for folder in ("modules", "module_utils"):
        files.update(_sources(plugins / folder, f"{COLLECTION}/plugins/{folder}"))
    files.update(_sources(core, "ansible/module_utils"))
    # the same packages as in what ansible-core sends: parts of them may be installed on the target
    files["ansible/__init__.py"] = f"{EXTENDED}__version__ = {__version__!r}\n__author__ = {__author__!r}\n".encode()
    files["ansible/module_utils/__init__.py"] = EXTENDED.encode()
    return Code(files)


def _sources(folder: Path, name: str) -> dict[str, bytes]:
    found = {}
    for path in folder.rglob("*.py"):
        inside = path.relative_to(folder)
        if inside.parts[0] not in LEFT_OUT:
            found[f"{name}/{inside.as_posix()}"] = path.read_bytes()
    return found


def program(shebang: str, module: str, code: Code, params: str, profile: str, with_code: bool) -> bytes:
    """Return the program that starts a module on a target.

    :param module: name of the module in this collection.
    :param params: its parameters as JSON: they are in the program, which is never part of a command line.
    :param profile: the serialization profile of ansible-core, empty before 2.19.
    :param with_code: send the code with it, to be kept.
    """
    text = PROGRAM.format(
        shebang=shebang,
        oldest=OLDEST_PYTHON,
        source=Path(__file__).with_name("_kept_start.py").read_text(encoding="utf-8"),
        archive=base64.b64encode(code.archive()).decode() if with_code else None,
        module=f"{COLLECTION}/plugins/modules/{module}".replace("/", "."),
        code=code.hash,
        params=params,
        profile=profile,
    )
    return text.encode()

# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_syntax import read_instructions
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError

PATH = "/srv/Dockerfile"


@pytest.mark.parametrize(
    ("text", "args", "line", "message"),
    [
        ("", {}, None, "there is no instruction in it"),
        ("# only a comment\n", {}, None, "there is no instruction in it"),
        ("ARG X=1\n", {}, None, "there is no FROM in it"),
        ("USER 1\nFROM a\n", {}, 1, "USER stands before the first FROM"),
        ("FROM a\nCOPI . /\n", {}, 2, "unknown instruction: COPI"),
        ("\x00\x01binary\n", {}, 1, "unknown instruction"),
        ("FROM\n", {}, 1, "FROM needs 1 argument or more, it has 0"),
        ("FROM a b\n", {}, 1, "FROM takes the name of an image"),
        ("FROM a b c\n", {}, 1, "FROM takes the name of an image"),
        ("FROM a AS b c\n", {}, 1, "FROM takes 3 arguments at most, it has 4"),
        ("FROM a\n\nCOPY x\n", {}, 3, "COPY needs 2 arguments or more, it has 1"),
        ("FROM a\nCOPY --from=b x\n", {}, 2, "COPY needs 2 arguments or more, it has 1"),
        ("FROM a\nUSER\n", {}, 2, "USER needs 1 argument or more"),
        ("FROM a\nUSER a b\n", {}, 2, "USER takes 1 argument at most, it has 2"),
        ("FROM a\nRUN cat <<EOF\n", {}, 2, "the heredoc that begins here has no end, a line 'EOF'"),
        ("ARG X\nFROM $X\n", {}, 2, "the image's name is empty: FROM $X"),
        ("ARG X=a\nFROM $X\n", {"X": ""}, 2, "the image's name is empty"),
    ],
)
def test_a_dockerfile_that_does_not_parse(text: str, args: dict[str, str], line: int | None, message: str) -> None:
    with pytest.raises(DeployError) as caught:
        read_instructions(PATH, text, args)
    assert message in caught.value.msg
    assert caught.value.msg.startswith(f"The Dockerfile {PATH}{f':{line}' if line else ''} does not parse: ")
    assert caught.value.hint
    evidence = caught.value.fields["evidence"]
    assert evidence["code"] == "dockerfile_syntax"
    assert evidence["dockerfile"]["line"] == line
    assert evidence["dockerfile"]["text"] == (text.splitlines()[line - 1] if line else "")


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nCMD\n",
        "FROM scratch AS a\nFROM a as b\n",
        "FROM --platform=linux/arm64 scratch AS a\n",
        'FROM scratch\nCOPY ["a","b"]\n',
        'FROM scratch\nVOLUME ["/x"]\nENTRYPOINT ["/x"]\nSHELL ["/x"]\n',
        "FROM scratch\nCOPY <<EOF /x\nFROM\nEOF\n",
        "ARG X\nARG Y=a\nFROM ${X:-$Y}\nHEALTHCHECK NONE\nONBUILD USER 1\nMAINTAINER me\nSTOPSIGNAL 15\n",
        "FROM scratch\nEXPOSE 80\nLABEL a=b c=d\nENV A b c\nWORKDIR /a b\nADD a b /c/\nRUN x\n",
    ],
)
def test_a_dockerfile_that_parses(text: str) -> None:
    assert read_instructions(PATH, text, {})[0].keyword in ("FROM", "ARG")

"""Tab completion: a script for each shell, with every command and flag."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from reasoner.cli import main
from reasoner.cli.commands import COMMANDS, TRAINING, parser

PRESS = """
source /dev/stdin
COMP_WORDS=(%(words)s); COMP_CWORD=%(last)d; COMPREPLY=()
_shtab_reasoner reasoner "${COMP_WORDS[%(last)d]}" "${COMP_WORDS[%(last)d-1]}"
echo "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("reasoner sol", "solve"),
        ("reasoner solve --tem", "--temperature"),
        ("reasoner train val", "value-head"),
        ("reasoner list ver", "verifiers"),
        ("reasoner train prm --init ran", "random"),
    ],
)
def test_bash_completes(words: str, completed: str, capsys: pytest.CaptureFixture[str]) -> None:
    program = PRESS % {"words": words, "last": len(words.split()) - 1}
    pressed = subprocess.run(
        ["bash", "-c", program], input=script("bash", capsys), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert pressed.stdout.split() == [completed]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_knows_every_flag(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for flag in ("temperature", "against", "question-field", "verdict-layers", "json", "version"):
        assert flag in text
    for command in (*COMMANDS, *TRAINING):
        assert command.name in text
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_json_holds_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fish", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["shell"] == "fish" and "complete -c reasoner" in document["script"]


def test_every_flag_has_a_help_text() -> None:
    for each in parser().parsers():
        if hasattr(each, "add_flags"):
            each.add_flags()
        for action in each.actions():
            assert action.help or action.choices, (each.prog, action.option_strings)

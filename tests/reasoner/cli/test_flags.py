"""Flags are generated from a model of options, and their values build it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from reasoner.cli.commands import COMMANDS, TRAINING, Command, imported
from reasoner.cli.flags import add_flags, build, typed
from reasoner.cli.parser import Parser
from reasoner.cli.parsing import sizes
from reasoner.errors import ConfigError
from reasoner.options import FlagReader, InputFile, Options, Positive

HEAVY = ("pydantic", "rich", "asyncio", "networkx", "numpy", "torch")


class Example(Options):
    """A field of every kind."""

    positional = ("name",)

    name: str
    n: Annotated[tuple[Positive, ...], FlagReader(sizes, "extend")] = (1, 2)
    pair: Annotated[tuple[Positive, Positive], Field(examples=["A", "B"])] = (3, 4)
    mode: Annotated[Literal["fast", "slow"], Field(description="how to run")] = "fast"
    dry_run: bool = False
    file: InputFile | None = None
    most: Annotated[Positive | None, Field(description="100 % at most")] = None


def parsed(*argv: str) -> Example:
    parser = Parser()
    add_flags(parser, Example)
    return build(Example, typed(parser.parse_args(argv), Example))


def test_defaults_are_those_of_the_model() -> None:
    assert parsed("x") == Example(name="x")


def test_every_kind_of_field_is_read() -> None:
    flags = ["--n", "4,5", "--n=6", "--pair", "7", "8", "--mode=slow", "--dry-run", "--most", "9"]
    assert parsed("x", *flags, "--file", __file__) == Example(
        name="x", n=(4, 5, 6), pair=(7, 8), mode="slow", dry_run=True, file=Path(__file__), most=9
    )


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        ((), "required: name"),
        (
            ("x", "--most=0"),
            "argument --most: '0' is not a positive whole number from 1 to 1000000",
        ),
        (("x", "--mode=fst"), "invalid choice: 'fst'; did you mean fast?"),
        (("x", "--pair", "1"), "argument --pair: expected 2 arguments"),
        (("x", "--file", "nowhere"), "argument --file: cannot read nowhere"),
        ((" ",), "argument name: it is empty"),
    ],
)
def test_a_wrong_value_names_its_flag(
    argv: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed(*argv)
    assert hint in capsys.readouterr().err


def test_the_model_has_the_last_word() -> None:
    with pytest.raises(ConfigError, match=r"--dry-run: 'x': Input should be a valid boolean"):
        build(Example, {"name": "x", "dry_run": "x"})


def test_help_has_bounds_defaults_and_placeholders(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    told = capsys.readouterr().out
    assert "--pair A B" in told and "--file FILE" in told and "100 % at most" in told
    assert "how to run (default: fast)" in told and "(default: 1,2)" in told


@pytest.mark.parametrize("command", [*COMMANDS, *TRAINING], ids=lambda command: command.name)
def test_every_command_can_be_imported_and_says_what_its_options_are(command: Command) -> None:
    model = imported(command.options)
    assert issubclass(model, Options) and callable(imported(command.function))
    assert callable(imported(command.build))
    undescribed = [n for n, field in model.model_fields.items() if not field.description]
    assert not undescribed


def test_help_imports_nothing_heavy() -> None:
    program = f"""
import sys
from reasoner.cli import main
assert main(["--help"]) == 0
assert not (heavy := set({HEAVY}) & sys.modules.keys()), heavy
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr

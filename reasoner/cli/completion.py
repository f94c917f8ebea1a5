"""`reasoner completion`: tab completion for shells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import shtab
from pydantic import Field

from reasoner.cli.commands import CommandParser, parser
from reasoner.cli.output import print_json
from reasoner.cli.parser import Parser
from reasoner.cli.places import CHECKS
from reasoner.options import Options

if TYPE_CHECKING:
    from reasoner.cli.commands import Invocation

FOLDERS = (CHECKS["folder"], CHECKS["run"])
FILES = (CHECKS["output"], CHECKS["document"])


class CompletionOptions(Options):
    """The options of `completion`."""

    positional = ("shell",)

    shell: Annotated[Literal["bash", "zsh", "fish"], Field(description="whose script to print")]


def completion(options: CompletionOptions, call: Invocation) -> int:
    """Print a script that completes commands, flags, choices and paths."""
    whole = parser()
    for each in whole.parsers():
        if isinstance(each, CommandParser):
            each.add_flags()
        _mark_paths(each)
    script = shtab.complete(whole, options.shell)
    print_json({"shell": options.shell, "script": script}) if call.json else print(script)
    return 0


def _mark_paths(each: Parser) -> None:
    """Have values that are paths completed as such."""
    for action in each.actions():
        if action.type in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.type in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]

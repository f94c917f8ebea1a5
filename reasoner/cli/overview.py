"""The screen that `reasoner` alone shows: what can be done, and where to begin."""

from __future__ import annotations

from textwrap import fill

from reasoner.cli.commands import COMMANDS, TRAINING
from reasoner.terminal import echo

STARTS = """\
reasoner: spend more inference compute on a GPT, and measure what the compute bought.

  reasoner demo                                     a first search, without an engine
  reasoner solve '12+30+41' --model scripted        one problem, without an engine
  reasoner solve 'cd:12,3,25,7,4=306' --strategy beam --n 16
                                                    with the embedded GPT
  reasoner solve 'What is 12*7?' --base-url URL     with the model of a server
  reasoner bench --task countdown --out runs/mine   accuracy against compute
  reasoner report runs/mine                         its results as one HTML page
  reasoner list strategies                          the searches; also verifiers, tasks
  reasoner serve                                    an OpenAI-compatible API
"""
ENDS = """\
`reasoner COMMAND --help` explains a command. For a bug report: `reasoner environment`.
"""


def show_overview() -> int:
    """Print the screen; return exit code 0."""
    names = [command.name for command in COMMANDS] + [f"train {kind.name}" for kind in TRAINING]
    listed = fill(f"Commands: {', '.join(names)}.", 80, break_on_hyphens=False)
    echo(f"{STARTS}\n{listed}\n{ENDS.rstrip()}")
    return 0

"""`reasoner demo`: a first search with the scripted model, which takes seconds and needs no engine."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import print_json
from reasoner.cli.solve import print_result, result_json
from reasoner.options import Options
from reasoner.printable import one_line
from reasoner.terminal import echo

if TYPE_CHECKING:
    from reasoner.cli.commands import Invocation
    from reasoner.trace import Node, Trace

PROBLEM = "12+30+41+5+19"
ABOUT = f"""\
problem: {PROBLEM}
model: scripted, a toy that adds two numbers a step and errs now and then
strategy: beam with n = 4: sample steps, score them, go on from the best
verifier: verdict, the model's own opinion of each step
"""
NEXT = """
next: reasoner solve '7+8+9+10' --model scripted --strategy mcts --n 8
      reasoner solve 'cd:12,3,25,7,4=306' --task countdown --strategy beam --n 16
      The second asks the embedded GPT, which needs extra `cpu` or `gpu`.
"""


class DemoOptions(Options):
    """The options of `demo`: none."""


def demo(options: DemoOptions, call: Invocation) -> int:
    """Search with the scripted model, and print the tree, the answer and its cost."""
    from reasoner.api import Reasoner, open_backend
    from reasoner.search import Beam

    reasoner = Reasoner(open_backend("scripted"), strategy=Beam(n=4), verifier="verdict", seed=1)
    result = interruptible(reasoner.asolve(PROBLEM))
    if call.json:
        print_json(result_json(PROBLEM, result))
        return 0
    path = result.trace.path(result.chosen) if result.chosen else []
    echo(ABOUT)
    for line in tree_lines(result.trace, path):
        echo(line)
    echo("* leads to the answer")
    print_result(result)
    echo(NEXT.rstrip())
    return 0


def tree_lines(trace: Trace, path: Collection[Node]) -> Iterator[str]:
    """Yield a line for each node, indented by its depth, with its score; those on `path` have a star."""
    waiting = trace.children(trace.root)[::-1]
    while waiting:
        node = waiting.pop()
        waiting += trace.children(node)[::-1]
        text = node.completion.text.strip() if node.completion else ""
        score = "     " if node.score is None else f"{node.score:.3f}"
        star = "*" if node in path else " "
        yield f"{star} {score}  {'   ' * (node.depth - 1)}{one_line(text)}"

"""Answers forced from a solution that the model has not ended."""

from reasoner.run import Run
from reasoner.thinking import closing
from reasoner.trace import Node


def ask_for_answer(run: Run, node: Node, text: str) -> Node:
    """Write `text`, which prompts for the answer, after a solution; after the end of its thinking, if it is open."""
    parts = run.trace.candidate(node).parts
    mark = f"\n{closing(parts.opening)}" if parts.unfinished else ""
    return run.write(node, mark + text)


def full(run: Run, node: Node) -> bool:
    """Return True if a solution has the task's maximum length."""
    return node.length >= run.sampling.max_tokens

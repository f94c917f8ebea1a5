"""What commands print: text for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from reasoner.errors import ReasonerError
from reasoner.events import Result
from reasoner.printable import one_line
from reasoner.terminal import SafeConsole, echo
from reasoner.trace import Node


def step(node: Node) -> str:
    """One sampled piece with its depth and score."""
    text = node.completion.text if node.completion else ""
    first, *rest = text.strip("\n").split("\n")
    score = "     " if node.score is None else f"{node.score:.3f}"
    return "\n".join([f"{node.depth:>3}  {score}  {first}", *(" " * 12 + line for line in rest)])


def print_result(result: Result) -> None:
    """The answer and what it cost."""
    used = result.generator
    answer = None if result.answer is None else one_line(result.answer)
    echo(f"\nanswer: {answer}")
    echo(
        f"{len(result.candidates)} solutions, {used.completion_tokens} tokens generated,"
        f" {used.fresh_tokens} prompt tokens ({used.cached_tokens} more from the cache),"
        f" {result.seconds:.2f} s, stopped: {result.stopped}"
        + (f", scored by {result.scored_by}" if result.scored_by else "")
    )
    if result.trace.malformed:
        echo(f"{result.trace.malformed} verdicts could not be read, and did not count")


def result_json(problem: str, result: Result) -> dict[str, Any]:
    """A result as plain JSON values, without its tree."""
    return {
        "problem": problem,
        "answer": result.answer,
        "solution": result.text,
        "stopped": str(result.stopped),
        "error": result.error,
        "seconds": result.seconds,
        "usage": asdict(result.usage),
        "malformed": result.trace.malformed,
        "verifier": result.scored_by,
        "by_role": {role: asdict(usage) for role, usage in result.by_role.items()},
        "candidates": [
            {"answer": s.answer, "score": s.score, "solution": s.candidate.text}
            for s in result.candidates
        ],
    }


def about(registry: Any, name: str) -> str:
    """The first line of a component's description."""
    try:
        doc: str = registry.load(name).__doc__ or ""
    except ReasonerError as e:
        return f"(unavailable: {e})"
    return doc.strip().partition("\n")[0]


def print_json(document: Any) -> None:
    """Write the one document of a command: plain ASCII, and null for what is no number."""
    numbers = json.loads(json.dumps(document), parse_constant=lambda _: None)
    # The one control character that JSON leaves as it is.
    print(json.dumps(numbers, indent=1).replace("\x7f", r"\u007f"))


@contextmanager
def stdout_for_json(wanted: bool) -> Generator[None]:
    """Send what engines print to standard error, so that standard output is one document."""
    if not wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def console() -> SafeConsole:
    """Standard output, wide enough for a table where nobody's window limits it."""
    plain = SafeConsole()
    return plain if plain.is_terminal else SafeConsole(width=110)

"""Worked examples from a file."""

from __future__ import annotations

from pathlib import Path

from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError
from reasoner.files import read_lines, shown
from reasoner.printable import Text
from reasoner.schema import Frozen


class Shot(Frozen):
    """A problem, and a solution as the model should write it."""

    problem: Text
    solution: Text


def read_shots(path: Path) -> tuple[tuple[str, str], ...]:
    """Read the problems and solutions of a file of JSON lines.

    Raises:
        ConfigError: a line is no worked example, or there is none.
        StoreError: the file cannot be read.
    """
    lines = enumerate(read_lines(path), start=1)
    shots = [_parse(path, number, line) for number, line in lines if line.strip()]
    if not shots:
        raise ConfigError(f"--shots: {shown(path)} holds no worked example")
    return tuple((shot.problem, shot.solution) for shot in shots)


def _parse(path: Path, number: int, line: bytes) -> Shot:
    try:
        return parse_model(Shot, line)
    except Malformed as e:
        raise ConfigError(
            f"--shots: {shown(path)}:{number} is no worked example ({e}); write"
            ' {"problem": ..., "solution": ...}'
        ) from e

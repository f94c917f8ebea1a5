"""Options: the values that people set, declared once for files and the command line.

A command is a frozen model of its options. pydantic's own words say all there is to say of one: the
type and its bounds, the default, `description` (the help text) and `examples` (the placeholder). The
command line generates its flags from them (`reasoner.cli.flags`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from reasoner.naming import LARGEST
from reasoner.schema import Frozen

MOST = 1_000_000
"""The largest number in a setting: searches of more would not end."""
LAYERS = 1024
"""More layers than any model has."""

CONCURRENCY = 128
"""Problems in flight."""

Positive = Annotated[int, Field(ge=1, le=MOST)]
Seed = Annotated[int, Field(ge=0, le=LARGEST)]
Layers = Annotated[int, Field(ge=1, le=LAYERS)]
Width = Annotated[int, Field(ge=32, le=65_536)]
"""The width of a model, the size of its hidden states."""


class Options(Frozen):
    """The options of a command; those in `positional` are named by their place."""

    positional: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class FlagReader:
    """Reads a field from the text after its flag.

    `read` raises an `argparse.ArgumentTypeError` for text that it cannot read. With `action`
    "extend" it returns a list and with "append" one entry, and the flag may be repeated.
    """

    read: Callable[[str], Any]
    action: str = "store"


@dataclass(frozen=True, slots=True)
class PathKind:
    """Marks a path: the command line checks it before any work begins, by the check of this name."""

    name: str
    placeholder: str


OutputFolder = Annotated[Path, PathKind("folder", "DIR")]
"""A folder that results may go to."""
OutputFile = Annotated[Path, PathKind("output", "FILE")]
"""A file that may be written."""
InputFile = Annotated[Path, PathKind("document", "FILE")]
"""A file to be read."""
RunPath = Annotated[Path, PathKind("run", "DIR")]
"""A folder that an earlier command wrote."""

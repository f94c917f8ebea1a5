"""`reasoner list`: the components by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field

from reasoner.cli.output import print_json
from reasoner.errors import ReasonerError
from reasoner.options import Options
from reasoner.terminal import echo

if TYPE_CHECKING:
    from reasoner.cli.commands import Invocation

Kind = Literal["strategies", "verifiers", "backends", "tools", "tasks"]


class ListOptions(Options):
    """The options of `list`."""

    positional = ("kind",)

    kind: Annotated[Kind | None, Field(description="only this kind")] = None


def list_components(options: ListOptions, call: Invocation) -> int:
    """Print the names of the components and a line about each."""
    from reasoner import registry

    kinds = [options.kind] if options.kind else get_args(Kind)
    components = {
        k: {n: _about(getattr(registry, k), n) for n in getattr(registry, k).names()} for k in kinds
    }
    if call.json:
        print_json(components)
        return 0
    for kind, names in components.items():
        echo(kind)
        width = max(map(len, names), default=0) + 2
        for name, about in names.items():
            echo(f"  {name:<{width}}{about}")
    return 0


def _about(registry: Any, name: str) -> str:
    """Return the first line of a component's docstring."""
    try:
        doc: str = registry.load(name).__doc__ or ""
    except ReasonerError as e:
        return f"(unavailable: {e})"
    return doc.strip().partition("\n")[0]

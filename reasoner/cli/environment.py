"""`reasoner environment`: versions, commit and hardware, for bug reports."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from reasoner.cli.output import print_json
from reasoner.options import Options
from reasoner.terminal import echo

if TYPE_CHECKING:
    from reasoner.cli.commands import Invocation


class EnvironmentOptions(Options):
    """The options of `environment`: none."""


def environment(options: EnvironmentOptions, call: Invocation) -> int:
    """Print versions, commit and hardware: a line, or JSON; no path and no secret is among them."""
    from reasoner.benchmarks.store.environment import describe

    # A command has paths, and the kernel's name may have a machine's.
    about = {part: value for part, value in describe([]).items() if part != "command"}
    about["platform"] = f"{platform.system()} {platform.machine()}"
    print_json(about) if call.json else echo(sentence(about))
    return 0


def sentence(about: dict[str, Any]) -> str:
    """Return the description in one line."""
    machine = about["hardware"]
    parts = [
        *(f"{name} {version}" for name, version in about["packages"].items()),
        f"commit {about['commit'] or 'not known'}",
        f"Python {about['python']}",
        about["platform"],
        f"{machine['cores']} cores, {machine['cpu']}, {machine['memory_gib']} GiB",
        f"GPU {machine['gpu'] or 'none'}",
    ]
    return "; ".join(parts)

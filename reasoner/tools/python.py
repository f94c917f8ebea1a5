"""Python: programs that a model writes inside a solution, run in the sandbox."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.sandbox import Kind, Limits, ProgramOutcome, Status, run

Marker = Annotated[str, Field(min_length=1)]
ERROR = 400
"""The most characters of an error message that are shown."""


@dataclass(frozen=True)
class PythonTool:
    """Run each block of Python that a model writes, and show it what the block prints.

    Tool-integrated reasoning (ToRA; Gou et al., 2023, arXiv 2309.17452). A block is all between `opening`, at the
    start of a line, and `closing`. It is a program of its own, with the standard library, `seconds` of
    wall-clock time and the other limits of the sandbox. Of what it prints, and of the end of an error, the
    model sees `tokens` tokens at most. After `calls` blocks of a solution no more run.
    """

    opening: Marker = "```python\n"
    closing: Marker = "\n```\n"
    calls: PositiveInt = 4
    tokens: PositiveInt = 256
    seconds: PositiveFloat = 5.0
    sandbox: Kind = "bubblewrap"

    async def start(self) -> None:
        """Refuse to go on without a sandbox, before anything is sampled.

        Raises:
            ConfigError: there is none.
        """
        await self.run("")

    async def run(self, code: str) -> str:
        """Return what a program prints, and the end of its error or the limit that stopped it.

        Raises:
            ConfigError: there is no sandbox.
        """
        limits = Limits(seconds=self.seconds)
        return described(await run(code, limits=limits, sandbox=self.sandbox))


def described(outcome: ProgramOutcome) -> str:
    """Return the output of a run as a model sees it."""
    if outcome.status is Status.PASSED:
        return outcome.stdout.strip("\n") or "(nothing was printed)"
    if outcome.status is Status.FAILED:
        error = outcome.stderr.strip()[-ERROR:] or f"exit code {outcome.code}"
    else:
        error = f"stopped at its limit of {outcome.status}"
    return "\n".join(filter(None, [outcome.stdout.strip("\n"), error]))

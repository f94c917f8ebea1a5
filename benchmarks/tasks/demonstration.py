"""What a policy is pre-trained on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A problem and a solution; `taught` tells which characters to imitate (`None`: all)."""

    prompt: str
    solution: str
    taught: tuple[bool, ...] | None = None

    @property
    def mask(self) -> tuple[bool, ...]:
        """For each character of the solution, and for its end, whether it is to be imitated."""
        return (*(self.taught or (True,) * len(self.solution)), True)

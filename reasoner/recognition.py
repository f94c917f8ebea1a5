"""Backends that look up what their model can do before anything is sampled."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Recognising(Protocol):
    """A backend that looks up what its model can do, which its traits then say."""

    async def recognise(self) -> None:
        """Look it up; sample nothing."""
        ...


async def recognise(*components: object) -> bool:
    """Have each component look up what its model can do; return True if one did, so that traits may have changed.

    Raises:
        ConfigError: a component's settings do not suit what it found.
    """
    recognising = [each for each in components if isinstance(each, Recognising)]
    for component in recognising:
        await component.recognise()
    return bool(recognising)

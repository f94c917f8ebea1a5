"""Backends that look up what their model can do before anything is sampled."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Recognising(Protocol):
    """A backend that looks up what its model can do, which its traits then say."""

    async def recognise(self) -> None:
        """Look it up; sample nothing."""
        ...


async def recognise(*components: object) -> None:
    """Have each component that can look up what its model can do.

    Raises:
        ConfigError: a component's settings do not suit what it found.
    """
    for component in components:
        if isinstance(component, Recognising):
            await component.recognise()

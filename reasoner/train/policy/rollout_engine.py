"""The backend that samples rollouts, and the weights that it serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from reasoner.backends.restarting import Restarting
from reasoner.base import Backend
from reasoner.errors import BackendError
from reasoner.train.progress import Report

Open = Callable[[str], Backend]
"""Opens a backend for the model in a folder."""


@runtime_checkable
class Reloading(Protocol):
    """A backend whose running engine can take other weights of the same architecture."""

    async def reload(self, folder: str) -> None:
        """Serve the weights in `folder` from now on.

        Raises:
            BackendError: the engine cannot load them.
        """
        ...


class RolloutEngine:
    """One engine at a time, which serves whichever weights are asked for.

    A backend that can reload takes new weights while it runs; any other is closed and opened again.
    """

    def __init__(self, open_backend: Open, report: Report = print) -> None:
        self._open, self._report = open_backend, report
        self._backend: Backend | None = None
        self._served = ""

    async def serve(self, model: str) -> Backend:
        """Return a backend with the weights of `model`, whose engine restarts if it dies."""
        if self._backend is None or self._served != model:
            if not await self._reloaded(model):
                await self.aclose()
                self._backend = self._open(model)
            self._served = model
        assert self._backend is not None
        return Restarting(self._backend, tell=self._report)

    async def serve_anew(self, folder: Path) -> Backend:
        """Return a backend with the weights that were just written to `folder`, served before or not."""
        self._served = ""
        return await self.serve(str(folder))

    async def aclose(self) -> None:
        """Release the engine."""
        backend, self._backend, self._served = self._backend, None, ""
        if backend is not None:
            await backend.aclose()

    async def _reloaded(self, model: str) -> bool:
        """Try to load the weights of `model` into the running engine; return False where that fails."""
        if not isinstance(self._backend, Reloading):
            return False
        try:
            await self._backend.reload(model)
        except BackendError as e:
            self._report(f"{e}; starting the engine again")
            return False
        return True

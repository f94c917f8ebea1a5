"""The front door: a model, a strategy and a verifier, ready to solve problems."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from reasoner.base import Backend, Task, Verifier, release
from reasoner.budget import Budget
from reasoner.errors import ConfigError
from reasoner.events import Done, Event, Result
from reasoner.printable import storable
from reasoner.registry import Registry, backends, strategies, tasks, verifiers
from reasoner.run import Extract, Listener, Strategy, ignore, last_line, verified
from reasoner.solving import solve
from reasoner.types import Problem, Sampling

T = TypeVar("T")

EMBEDDED = Path(__file__).parent / "gpt"
"""The GPT that ships with the package."""


class Reasoner:
    """A model that thinks for as long as it is given budget.

    Without arguments it is the embedded GPT, best-of-N by its own verdicts. `model` is a path, a
    name or a `Backend`; `"scripted"` is a toy that adds numbers and needs no engine. Components
    are names known to the registry or instances. `task` says how solutions are drawn and what they
    answer; `sampling` or `temperature`, and `extract`, override it. `second` is another model, for the
    strategies that ask one. `concurrency` caps the problems in flight. Other arguments go to the
    backend.

    Use it in a `with` or `async with` block, or call `close`, to release the engine.
    """

    def __init__(
        self,
        model: str | Path | Backend | None = None,
        *,
        strategy: str | Strategy = "best-of-n",
        verifier: str | Verifier | None = None,
        task: str | Task | None = None,
        shots: str = "",
        backend: str | None = None,
        sampling: Sampling | None = None,
        extract: Extract | None = None,
        temperature: float | None = None,
        seed: int = 0,
        concurrency: int = 64,
        second: str | Path | Backend | None = None,
        **engine: Any,
    ) -> None:
        if concurrency < 1:
            raise ConfigError(f"concurrency={concurrency} is not a positive number of problems")
        self.strategy: Strategy = _component(strategies, strategy)
        self.backend = _backend(model, backend, engine)
        self.second = None if second is None else _backend(second, None, {})
        self.verifier = _verifier(verifier, self.strategy)
        self.task: Task | None = None if task is None else _component(tasks, task)
        self.sampling = sampling or _sampling(self.task, temperature)
        self.extract = extract or (self.task.answer if self.task else last_line)
        self.shots, self.seed, self.concurrency = shots, seed, concurrency
        self._loop: _Loop | None = None

    # -- asynchronous ---------------------------------------------------------------------------

    async def asolve(
        self,
        problem: str | Problem,
        budget: Budget | None = None,
        *,
        seed: int | None = None,
        listen: Listener = ignore,
    ) -> Result:
        """Solve one problem within `budget`."""
        return await solve(
            self._problem(problem),
            self.strategy,
            self.backend,
            self.verifier,
            budget=budget or Budget(),
            sampling=self.sampling,
            extract=self.extract,
            seed=self.seed if seed is None else seed,
            listen=listen,
            second=self.second,
        )

    async def asolve_many(
        self, problems: Iterable[str | Problem], budget: Budget | None = None
    ) -> list[Result]:
        """Solve every problem within its own `budget`, `concurrency` of them at a time."""
        governor = asyncio.Semaphore(self.concurrency)

        async def governed(problem: str | Problem) -> Result:
            async with governor:
                return await self.asolve(problem, budget)

        async with asyncio.TaskGroup() as group:
            solved = [group.create_task(governed(p)) for p in problems]
        return [t.result() for t in solved]

    async def astream(
        self, problem: str | Problem, budget: Budget | None = None
    ) -> AsyncGenerator[Event]:
        """Tell what happens while a problem is solved; the last event is `Done`.

        Leaving the loop early and closing the iterator cancels the search.
        """
        events = asyncio.Queue[Event | None]()
        search = asyncio.create_task(self.asolve(problem, budget, listen=events.put_nowait))
        search.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while event := await events.get():
                yield event
            yield Done(await search)
        finally:
            search.cancel()
            await asyncio.gather(search, return_exceptions=True)

    async def aclose(self) -> None:
        """Release the engine, and what the verifier holds."""
        await release(self.backend, self.second, self.verifier)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- synchronous ----------------------------------------------------------------------------

    def solve(
        self, problem: str | Problem, budget: Budget | None = None, *, seed: int | None = None
    ) -> Result:
        """`asolve`, from code that is not asynchronous."""
        return self._wait(self.asolve(problem, budget, seed=seed))

    def solve_many(
        self, problems: Iterable[str | Problem], budget: Budget | None = None
    ) -> list[Result]:
        """`asolve_many`, from code that is not asynchronous."""
        return self._wait(self.asolve_many(problems, budget))

    def close(self) -> None:
        """Release the engine and the thread that ran it."""
        self._wait(self.aclose())
        if self._loop:
            self._loop.close()
            self._loop = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        # One loop for the object's whole life: an engine lives in the loop it was started in.
        self._loop = self._loop or _Loop()
        return self._loop.run(call)

    def _problem(self, problem: str | Problem) -> Problem:
        if isinstance(problem, str):
            problem = storable(problem)
            name = blake2b(problem.encode(), digest_size=6).hexdigest()
            read = getattr(self.task, "prompt", str)
            problem = Problem(name, read(problem))
        if not self.shots:
            return problem
        return Problem(problem.id, self.shots + problem.prompt, problem.meta)


class _Loop:
    """An event loop in a thread of its own, so that notebooks and servers may call in too."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reasoner", daemon=True)
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _component(registry: Registry, named: str | T) -> T:
    return cast(T, registry.make(named)) if isinstance(named, str) else named


def _backend(
    model: str | Path | Backend | None, backend: str | None, engine: dict[str, Any]
) -> Backend:
    if not isinstance(model, str | Path | None):
        if engine or backend:
            names = ", ".join([*engine, *(["backend"] if backend else [])])
            raise ConfigError(f"{names}: a model that is a Backend already has its settings")
        return model
    if model is None and backend in (None, "vllm") and not EMBEDDED.is_dir():
        raise ConfigError(
            f"the embedded GPT is not at {EMBEDDED}: name a model, or use model='scripted'"
        )
    name = backend or ("scripted" if model == "scripted" else "vllm")
    made: Backend = backends.make(name, str(model or EMBEDDED), **engine)
    return made


def _verifier(verifier: str | Verifier | None, strategy: Strategy) -> Verifier | None:
    if verifier is None:
        return _component(verifiers, "verdict") if verified(strategy) else None
    return _component(verifiers, verifier)


def _sampling(task: Task | None, temperature: float | None) -> Sampling:
    sampling = task.sampling if task else Sampling(stop=("\n",))
    return sampling if temperature is None else replace(sampling, temperature=temperature)

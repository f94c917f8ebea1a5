"""The public entry point: a model, a strategy and a verifier, ready to solve problems."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterable
from dataclasses import replace
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import Field, PositiveInt

from reasoner import registry
from reasoner.base import Backend, Task, Verifier, check_problem, release
from reasoner.budget import Budget
from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.event_loop import EventLoop
from reasoner.events import Done, Event, Listener, Result, ignore
from reasoner.naming import LARGEST
from reasoner.posing import Posed, as_problem, with_examples
from reasoner.registry import Registry, backends, strategies, tasks, verifiers
from reasoner.run import Extract, Strategy, last_line
from reasoner.settings import check
from reasoner.solving import check_images, check_suitable, failed, solve
from reasoner.suitability import default_verifier
from reasoner.tool_calls import Tool
from reasoner.traits import LIKENESS, backend_traits
from reasoner.types import Problem, Sampling

T = TypeVar("T")

EMBEDDED = Path(__file__).parent / "gpt"
"""The GPT that ships with the package."""


class Reasoner:
    """A model, a strategy and a verifier, ready to solve problems within a budget.

    Without arguments it is the embedded GPT with best-of-N by its own verdicts. Components are
    instances or names known to the registry. Use it in a `with` or `async with` block, or call
    `close`, to release the engine.

    Args:
        model: a path, a name or a `Backend`; "scripted" is a toy that adds numbers, without an engine.
        strategy: the search.
        verifier: scores solutions. By default the model's own verdicts where it has verdict tokens,
            else what suits the strategy (see `suitability.default_verifier`).
        task: how solutions are sampled and what they answer.
        shots: worked examples, put before every problem.
        backend: the kind of backend; by default `vllm`.
        sampling: how solutions are sampled, in place of the task's way.
        temperature: that of the samples, in place of `sampling`'s.
        top_p: the same for nucleus sampling.
        max_tokens: the same for the longest piece.
        extract: finds the canonical answer in a solution's text, in place of the task's way.
        seed: equal seeds give equal searches.
        concurrency: the most problems in flight.
        second: another model, for the strategies that use one.
        tools: what the model may use while it writes a solution: "python", or a `Tool`.
        engine: other arguments of the backend (see `open_backend`).

    Raises:
        ConfigError: a name or an argument is unknown, or components do not suit one another.
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
        temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None,
        top_p: Annotated[float, Field(gt=0, le=1)] | None = None,
        max_tokens: PositiveInt | None = None,
        seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0,
        concurrency: PositiveInt = 64,
        second: str | Path | Backend | None = None,
        tools: str | Tool | None = None,
        **engine: Any,
    ) -> None:
        parts = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
        plain = {"shots": shots, "sampling": sampling, "seed": seed, "concurrency": concurrency}
        check("Reasoner", Reasoner, parts | plain)
        self.strategy: Strategy = _component(strategies, strategy)
        self.backend = open_backend(model, backend, **engine)
        self.second = None if second is None else open_backend(second)
        self.task: Task | None = None if task is None else _component(tasks, task)
        self.sampling = sampling or _sampling(self.task, parts)
        self.extract = extract or (self.task.answer if self.task else last_line)
        self.verifier = self._verifier(verifier)
        self.tool: Tool | None = None if tools is None else _component(registry.tools, tools)
        check_suitable(
            self.strategy, self.backend, self.verifier, second=self.second, tool=self.tool
        )
        self.shots, self.seed, self.concurrency = shots, seed, concurrency
        self._loop: EventLoop | None = None
        self._opening = threading.Lock()
        self._pid = 0

    # -- asynchronous ---------------------------------------------------------------------------

    async def asolve(
        self,
        problem: Posed,
        budget: Budget | None = None,
        *,
        seed: int | None = None,
        listen: Listener = ignore,
    ) -> Result:
        """Solve one problem within `budget`.

        Raises:
            ConfigError: the problem is empty or cannot be judged, the budget does not suit the model,
                or this is a fork of the process that used the object first.
        """
        self._refuse_fork()
        return await self._at_home(self._solve(self._problem(problem), budget, seed, listen))

    async def _solve(
        self,
        problem: Problem,
        budget: Budget | None,
        seed: int | None = None,
        listen: Listener = ignore,
        *,
        raising: bool = True,
    ) -> Result:
        return await solve(
            problem,
            self.strategy,
            self.backend,
            self.verifier,
            budget=budget or Budget(),
            sampling=self.sampling,
            extract=self.extract,
            seed=self.seed if seed is None else seed,
            listen=listen,
            second=self.second,
            tool=self.tool,
            raising=raising,
        )

    async def asolve_many(
        self, problems: Iterable[Posed], budget: Budget | None = None
    ) -> list[Result]:
        """Solve every problem within its own `budget`, `concurrency` of them at a time.

        A problem whose search fails, for whatever reason, has a result with `error`; the others go on.

        Raises:
            ConfigError: a problem is empty or cannot be judged, or the budget does not suit the model.
                Nothing is sampled then.
        """
        self._refuse_fork()
        posed = [self._problem(p) for p in problems]
        check_suitable(
            self.strategy, self.backend, self.verifier, budget or Budget(), self.second, self.tool
        )
        for problem in posed:
            check_problem(self.verifier, problem)
            check_images(problem, self.backend, self.second)
        governor = asyncio.Semaphore(self.concurrency)

        async def governed(problem: Problem) -> Result:
            async with governor:
                try:
                    return await self._solve(problem, budget, raising=False)
                except Exception as e:  # Before the search, or in its task's rule for answers.
                    return failed(problem, e)

        return await self._at_home(gather(map(governed, posed)))

    async def astream(self, problem: Posed, budget: Budget | None = None) -> AsyncGenerator[Event]:
        """Yield what happens while a problem is solved; the last event is `Done`.

        Leaving the loop early and closing the iterator cancels the search.
        """
        events = asyncio.Queue[Event | None]()
        here = asyncio.get_running_loop()  # The search may be in another thread's.

        def put(event: Event) -> None:
            here.call_soon_threadsafe(events.put_nowait, event)

        search = asyncio.create_task(self.asolve(problem, budget, listen=put))
        search.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while event := await events.get():
                yield event
            yield Done(await search)
        finally:
            search.cancel()
            await asyncio.gather(search, return_exceptions=True)

    async def aclose(self) -> None:
        """Release the engines, and what the verifier holds."""
        await self._at_home(release(self.backend, self.second, self.verifier))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- synchronous ----------------------------------------------------------------------------

    def solve(
        self, problem: Posed, budget: Budget | None = None, *, seed: int | None = None
    ) -> Result:
        """Solve one problem within `budget`: `asolve` for code that is not asynchronous."""
        return self._wait(self.asolve(problem, budget, seed=seed))

    def solve_many(self, problems: Iterable[Posed], budget: Budget | None = None) -> list[Result]:
        """Solve every problem within `budget`: `asolve_many` for code that is not asynchronous."""
        return self._wait(self.asolve_many(problems, budget))

    def close(self) -> None:
        """Release the engines and the thread that ran them; in a fork of the process, do nothing."""
        if self._pid and self._pid != os.getpid():
            return
        self._wait(self.aclose())
        with self._opening:
            loop, self._loop = self._loop, None
        if loop:
            loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            self._refuse_fork()
        except ConfigError:
            call.close()
            raise
        return self._own_loop().run(call)

    def _own_loop(self) -> EventLoop:
        """Return the one loop of synchronous calls: an engine lives in the loop it was started in."""
        with self._opening:
            self._loop = self._loop or EventLoop()
        return self._loop

    async def _at_home(self, call: Coroutine[Any, Any, T]) -> T:
        """Await `call` where synchronous calls run, if there have been any, or may be: in a notebook."""
        home = self._own_loop() if "ipykernel" in sys.modules else self._loop
        return await (home.arun(call) if home else call)

    def _refuse_fork(self) -> None:
        """Let one process use this object: threads and connections do not outlive a fork.

        Raises:
            ConfigError: another process used it before.
        """
        self._pid = self._pid or os.getpid()
        if self._pid != os.getpid():
            raise ConfigError(
                f"this Reasoner belongs to process {self._pid}, of which {os.getpid()} is a fork:"
                " make a new one in each process, or start processes by 'spawn'"
            )

    def _verifier(self, verifier: str | Verifier | None) -> Verifier | None:
        if verifier is not None:
            return _component(verifiers, verifier)
        name = default_verifier(self.strategy, self.backend)
        return None if name is None else cast(Verifier, verifiers.make(name))

    def _problem(self, posed: Posed) -> Problem:
        problem = posed if isinstance(posed, Problem) else as_problem(posed, self.task)
        return with_examples(problem, self.shots) if self.shots else problem


def _component(registry: Registry, named: str | T) -> T:
    return cast(T, registry.make(named)) if isinstance(named, str) else named


def open_backend(
    model: str | Path | Backend | None = None, backend: str | None = None, **engine: Any
) -> Backend:
    """Return a backend for a model. Its engine starts with the first call; close it by `aclose`.

    Args:
        model: a path or a name, by default the embedded GPT; a `Backend` is returned as it is.
        backend: the kind of backend: "vllm" (the default), "openai", "scripted" or a plugin's.
        engine: arguments of that backend, such as `base_url` or `max_model_len`.

    Raises:
        ConfigError: the model does not exist, or the backend has no such argument.
    """
    if not isinstance(model, str | Path | None):
        if engine or backend:
            names = ", ".join([*engine, *(["backend"] if backend else [])])
            raise ConfigError(f"{names}: a model that is a Backend already has its settings")
        backend_traits(model)
        return model
    if model is None and backend in (None, "vllm") and not EMBEDDED.is_dir():
        raise ConfigError(
            f"the embedded GPT is not at {EMBEDDED}: name a model, or use model='scripted'"
        )
    name = backend or ("scripted" if model == "scripted" else "vllm")
    _refuse_misspelt(name, engine)
    opened: Backend = backends.make(name, str(model or EMBEDDED), **engine)
    return opened


def _refuse_misspelt(backend: str, engine: dict[str, Any]) -> None:
    """Refuse an argument that the backend does not name and that is much like one of `Reasoner`'s."""
    known = signature(backends.load(backend)).parameters
    own = signature(Reasoner).parameters.keys() - {"engine"}
    for name in engine.keys() - known.keys():
        if alike := get_close_matches(name, own, n=1, cutoff=LIKENESS):
            raise ConfigError(
                f"backend {backend!r} has no setting {name!r}; did you mean {alike[0]} of Reasoner?"
                if name != alike[0]
                else f"backend {backend!r} has no setting {name!r}; give it to Reasoner"
            )


def _sampling(task: Task | None, parts: dict[str, Any]) -> Sampling:
    sampling = task.sampling if task else Sampling(stop=("\n",))
    return replace(sampling, **{name: part for name, part in parts.items() if part is not None})

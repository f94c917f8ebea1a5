"""From a request to a search: components, sampling, budget and problem, checked before anything is sampled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from secrets import randbelow
from typing import Any

from reasoner.base import Backend, Task, Verifier, check_problem, release
from reasoner.benchmarks.runner.components import sized
from reasoner.budget import Budget
from reasoner.naming import near, parse_spec
from reasoner.posing import as_problem
from reasoner.registry import Registry, accepts, strategies, tasks, verifiers
from reasoner.run import Extract, Strategy, last_line
from reasoner.server.answer_format import document_in
from reasoner.server.api_errors import invalid, unsupported
from reasoner.server.model_names import ModelNames
from reasoner.server.request_models import SearchRequest
from reasoner.server.settings import ServerSettings
from reasoner.solving import check_images, check_suitable
from reasoner.suitability import default_verifier
from reasoner.traits import backend_traits, strategy_traits, verifier_traits
from reasoner.types import Problem, Sampling
from reasoner.verifiers.schema import Schema

ONE = "majority"
"""The strategy that samples the base model once."""
SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """A search that was checked; `size` is its `n`, where it has one."""

    model: str
    name: str
    strategy: Strategy
    size: int | None
    verifier: Verifier | None
    verifier_name: str | None
    task: Task | None
    problem: Problem
    sampling: Sampling
    budget: Budget
    seed: int
    schema: str = ""
    """The JSON schema of answers, as JSON text; empty where they are any text."""

    @property
    def extract(self) -> Extract:
        """The rule that finds an answer in a solution."""
        if self.schema:
            return document_in
        return self.task.answer if self.task else last_line

    def again(self, index: int) -> SearchPlan:
        """Return the plan of another, independent search."""
        return replace(self, seed=(self.seed + index) % SEEDS)


class SearchPlanner:
    """Makes plans; verifiers are shared by all of them, since they may hold engines."""

    def __init__(
        self,
        backend: Backend,
        names: ModelNames,
        settings: ServerSettings,
        second: Backend | None = None,
    ) -> None:
        self._backend, self._second = backend, second
        self._names, self._settings = names, settings
        self._verifiers = dict[str, Verifier]()

    def plan(self, request: SearchRequest, posed: str | Sequence[dict[str, Any]]) -> SearchPlan:
        """Return the search that a request asks for.

        Raises:
            ApiError: a field has a value that is not allowed, or the model does not exist.
            ConfigError: a component does not exist, or components do not suit one another.
        """
        options, settings = request.reasoner, self._settings
        name, size = self._strategy(request)
        default = None if request.schema_text else settings.task
        task = self._task(options.task or default, trusted=options.task is None)
        strategy = sized(name, size)
        verifier_name, verifier = self._judge(request, name, strategy)
        problem = as_problem(posed, task)
        budget = options.budget.within(settings.budget)
        check_suitable(strategy, self._backend, verifier, budget, self._second)
        check_images(problem, self._backend, self._second)
        check_problem(verifier, problem)
        seed = options.seed if options.seed is not None else request.seed
        return SearchPlan(
            model=request.model,
            name=name,
            strategy=strategy,
            size=size,
            verifier=verifier,
            verifier_name=verifier_name,
            task=task,
            problem=problem,
            sampling=self._sampling(request, strategy, task),
            budget=budget,
            seed=randbelow(SEEDS) if seed is None else seed,
            schema=request.schema_text,
        )

    def check(self) -> None:
        """Refuse settings of the server that cannot serve any request.

        Raises:
            ConfigError: strategy, verifier or task do not exist, or do not suit the model.
        """
        settings = self._settings
        strategy = sized(settings.strategy, None)
        self._task(settings.task, trusted=True)
        name = settings.verifier or default_verifier(strategy, self._backend)
        check_suitable(strategy, self._backend, self._verifier(name), second=self._second)
        for spec in settings.verifiers:
            self._verifier(spec)

    async def aclose(self) -> None:
        """Release what the verifiers hold."""
        await release(*self._verifiers.values())

    def _strategy(self, request: SearchRequest) -> tuple[str, int | None]:
        """Return the strategy's name, and its size where it has one."""
        options, settings = request.reasoner, self._settings
        named = options.strategy or self._names.strategy(request.model)
        effort = None if request.effort is None else settings.efforts[request.effort]
        if named is None and options.n is None and effort in (None, 1):
            return ONE, 1
        name = named or settings.strategy
        if named is not None:
            _refuse_unknown(strategies, name, "reasoner.strategy")
        if (size := options.n or effort) is not None and size > settings.size:
            raise invalid(f"n is at most {settings.size} here, not {size}", "reasoner.n")
        return name, size if accepts(strategies.load(name), "n") else None

    def _task(self, name: str | None, *, trusted: bool) -> Task | None:
        if name is None:
            return None
        if not trusted:
            _refuse_unknown(tasks, name, "reasoner.task")
        task: Task = tasks.make(name)
        return task

    def _judge(
        self, request: SearchRequest, name: str, strategy: Strategy
    ) -> tuple[str | None, Verifier | None]:
        """Return the verifier's name and the verifier.

        By default it is `schema` where answers have one that the backend cannot hold samples to.
        """
        asked, schema = request.reasoner.verifier, request.schema_text
        if not schema or asked is not None or backend_traits(self._backend).schemas:
            spec = self._verifier_name(name, strategy, asked)
            return spec, self._verifier(spec)
        if name == ONE:
            raise unsupported(
                "response_format of a single sample", "name a strategy, as in 'BASE:best-of-n'"
            )
        return "schema", Schema(schema=json.loads(schema))

    def _sampling(self, request: SearchRequest, strategy: Strategy, task: Task | None) -> Sampling:
        """Return the task's way to sample, with the request's own parameters."""
        base = task.sampling if task else Sampling(stop=("\n",))
        parts: dict[str, Any] = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_tokens": request.longest,
            "end": (*base.end, *request.stops) or None,
        }
        sampling = replace(base, **{n: value for n, value in parts.items() if value is not None})
        if not (schema := request.schema_text):
            return sampling
        if task:
            raise invalid("a task has answers of its own form; leave one out", "response_format")
        if not backend_traits(self._backend).schemas:
            return sampling
        if strategy_traits(strategy).continues:
            raise invalid(
                "this strategy continues solutions, which a schema does not allow; use 'best-of-n'",
                "response_format",
            )
        # An engine follows a schema from the beginning only: a whole document is one step.
        return replace(sampling, schema=schema, stop=())

    def _verifier_name(self, name: str, strategy: Strategy, asked: str | None) -> str | None:
        if name == ONE and asked is None:
            return None
        if asked is None:
            return self._settings.verifier or default_verifier(strategy, self._backend)
        _refuse_unknown(verifiers, asked, "reasoner.verifier")
        offered = {parse_spec(spec)[0]: spec for spec in self._settings.verifiers}
        traits = verifier_traits(verifiers.load(asked))
        if traits.oracle or (traits.own_model and asked not in offered):
            reason = (
                "reads the answer, which a server does not know" if traits.oracle
                else "loads a model of its own; only the server's operator offers such ones"
            )  # fmt: skip
            raise invalid(f"verifier {asked!r} {reason}", "reasoner.verifier")
        return offered.get(asked, asked)

    def _verifier(self, name: str | None) -> Verifier | None:
        if name is None:
            return None
        if name not in self._verifiers:
            self._verifiers[name] = verifiers.make(name)
        return self._verifiers[name]


def _refuse_unknown(registry: Registry, name: str, param: str) -> None:
    """Refuse a name that is not registered: settings in brackets are the operator's, not the client's."""
    if name not in registry.names():
        raise invalid(
            f"there is no {registry.kind} named {name[:80]!r}; {near(name, registry.names())}",
            param,
        )

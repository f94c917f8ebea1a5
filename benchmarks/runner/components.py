"""From a spec to a search: the components each experiment names, around one shared backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reasoner.answering import reading
from reasoner.base import Backend, Example, Task, Verifier, check_problem, release
from reasoner.benchmarks.runner.resumable import JournalledModel, JournalledTool, journalled
from reasoner.benchmarks.runner.total_budget import Allowance, BudgetedModel
from reasoner.benchmarks.store.call_log import Calls
from reasoner.benchmarks.store.engine_throughput import EngineUse
from reasoner.benchmarks.store.grid import Grid, bracketed_size
from reasoner.benchmarks.store.records import Spec
from reasoner.budget import GENERATOR, SECOND, Budget
from reasoner.errors import ConfigError
from reasoner.events import Result, Stopped
from reasoner.files import clipped
from reasoner.registry import accepts, strategies, tasks, tools, verifiers
from reasoner.run import Strategy
from reasoner.solving import check_suitable, solve
from reasoner.tool_calls import Tool
from reasoner.traits import verifier_traits
from reasoner.types import Problem, Usage


@dataclass(frozen=True, slots=True)
class Solver:
    """The components of one experiment."""

    named: str
    task: Task
    strategy: Strategy
    verifier: Verifier | None
    budget: Budget
    second: Backend | None = None
    tool: Tool | None = None


class Solvers:
    """Every solver of a grid, built before anything runs so that a wrong name costs nothing."""

    def __init__(
        self,
        grid: Grid,
        named: Mapping[str, Task] | None = None,
        examples: Mapping[str, Sequence[Example]] | None = None,
        second: Backend | None = None,
    ) -> None:
        self.second = second
        self.engine_use = EngineUse()
        """The use of the engine by one solve call."""
        self.tasks = dict(named) if named else {name: tasks.make(name) for name in grid.tasks}
        self._flops = grid.total_budget.get("flops")
        self._solvers = {spec.key: self._build(spec) for spec in grid.specs()}
        self.examples = examples or {
            name: examples_of(task, grid.split, grid.problems) for name, task in self.tasks.items()
        }
        self._references = {
            (name, e.problem.id): e for name, examples in self.examples.items() for e in examples
        }

    async def attempt(
        self,
        backend: Backend,
        spec: Spec,
        example: Example,
        calls: Calls,
        allowance: Allowance | None = None,
    ) -> Result:
        """Solve one problem as `spec` says, going on from its finished `calls`, within the run's budget."""
        solver = self._solvers[spec.key]
        task = solver.task
        second = solver.second and prepared(solver.second, calls, allowance, SECOND)
        result = await solve(
            example.problem,
            solver.strategy,
            prepared(backend, calls, allowance),
            solver.verifier and journalled(solver.verifier, calls, allowance),
            budget=solver.budget,
            sampling=task.sampling,
            extract=task.answer,
            seed=spec.seed,
            second=second,
            tool=solver.tool and JournalledTool(solver.tool, calls),
            clock=calls.clock,
            raising=False,
        )
        self.engine_use.add(result)
        if allowance and allowance.refused and result.stopped is not Stopped.ERROR:
            result = replace(result, stopped=Stopped.TOTAL)
        return with_lost(result, calls.lost)

    def check(self, backend: Backend) -> None:
        """Refuse components that do not suit `backend`, and problems that no verifier can judge.

        Raises:
            ConfigError: they do not; nothing is sampled then.
        """
        for solver in self._solvers.values():
            budget = replace(solver.budget, flops=solver.budget.flops or self._flops)
            check_suitable(
                solver.strategy, backend, solver.verifier, budget, solver.second, solver.tool
            )
            for example in self.examples[solver.named]:
                check_problem(solver.verifier, example.problem)

    async def aclose(self) -> None:
        """Release what verifiers hold."""
        await release(*(solver.verifier for solver in self._solvers.values()))

    def _build(self, spec: Spec) -> Solver:
        task = self.tasks[spec.task]
        budget: dict[str, Any] = spec.budget or {}
        return Solver(
            spec.task,
            task,
            sized(spec.strategy, spec.n),
            self._verifier(spec),
            Budget(**budget),
            self.second if spec.second else None,
            tools.make(spec.tools) if spec.tools else None,
        )

    def _verifier(self, spec: Spec) -> Verifier | None:
        if spec.verifier is None:
            return None
        if not verifier_traits(verifiers.load(spec.verifier)).oracle:
            verifier: Verifier = verifiers.make(spec.verifier)
            return reading(verifier, self.tasks[spec.task].answer)

        def check(problem: Problem, solution: str) -> bool:
            reference = self._references[spec.task, problem.id]
            return self.tasks[spec.task].check(reference, solution)

        oracle: Verifier = verifiers.make(spec.verifier, check)
        return oracle


def prepared(
    backend: Backend, calls: Calls, allowance: Allowance | None, role: str = GENERATOR
) -> Backend:
    """Return a model for one attempt: on its log of calls, and within the run's budget."""
    return JournalledModel(
        BudgetedModel(backend, allowance, role) if allowance else backend, calls, role
    )


def with_lost(result: Result, lost: Mapping[str, Usage]) -> Result:
    """Return `result`, charged with what failed calls of earlier attempts cost, by role."""
    if not lost:
        return result
    roles = dict.fromkeys((*result.by_role, *lost))
    by_role = {r: result.by_role.get(r, Usage()) + lost.get(r, Usage()) for r in roles}
    return replace(result, usage=sum(by_role.values(), Usage()), by_role=by_role)


def sized(name: str, n: int | None) -> Strategy:
    """Return the strategy `name` with size `n`, if it has one: its own where `n` is None.

    Raises:
        ConfigError: its brackets set another size, or it cannot be built.
    """
    has_size = accepts(strategies.load(name), "n")
    own = bracketed_size(name)
    if has_size and None not in (own, n) and own != n:
        raise ConfigError(
            f"strategy {clipped(name, 60)!r} has n={own} in its brackets, and n={n} is asked for beside"
            " them; leave one of the two out"
        )
    strategy: Strategy = strategies.make(name, **({"n": n} if has_size and n else {}))
    return strategy


def examples_of(task: Task, split: str, count: int) -> list[Example]:
    """Return the first `count` problems of a split.

    Raises:
        ConfigError: the split has none, or the task cannot read it.
    """
    if examples := list(task.examples(split, count)):
        return examples
    raise ConfigError(
        f"task {task.name!r} has no problems in split {split!r}; choose another split"
    )

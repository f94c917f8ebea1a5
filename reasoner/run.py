"""One problem, one budget: the verbs a search needs, metered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Protocol, TypeVar, runtime_checkable

from reasoner.base import Backend, Verifier
from reasoner.budget import (
    GENERATOR,
    VERIFIER,
    Budget,
    Ledger,
    Room,
    clip,
    largest,
    worst_case,
)
from reasoner.errors import BackendError, BudgetExhausted, ConfigError
from reasoner.events import AnswerOffered, Event, Result, Solution, StepSampled, StepScored, Stopped
from reasoner.trace import Node, Trace
from reasoner.types import Problem, Prompt, Sampling, Usage

Extract = Callable[[str], str | None]
T = TypeVar("T")
Listener = Callable[[Event], None]


def ignore(_: Event) -> None:
    """A listener that does not listen."""


def last_line(solution: str) -> str | None:
    """The answer where no task tells better: the last line that is not empty, its `#` aside."""
    lines = solution.split("\n")
    return next((text for x in reversed(lines) if (text := x.strip().removeprefix("#"))), None)


class Run:
    """A strategy's whole world: expand nodes, score nodes, offer an answer.

    The ledger is charged here and only here, so no strategy can forget to count. `sampling` is
    the task's: `stop` ends a step, `max_tokens` is the longest solution.
    """

    def __init__(
        self,
        problem: Problem,
        backend: Backend,
        verifier: Verifier | None,
        ledger: Ledger,
        *,
        sampling: Sampling = Sampling(),
        extract: Extract = last_line,
        seed: int = 0,
        listen: Listener = ignore,
    ) -> None:
        self.problem, self.ledger = problem, ledger
        self.sampling = replace(sampling, logprobs=bool(getattr(verifier, "logprobs", False)))
        self.trace = Trace(problem)
        self.rng = random.Random(f"{seed}:{problem.id}")
        self.incumbent: Node | None = None
        self.clipped = False
        self.decide: Callable[[Sequence[Node]], Node] = best
        """How to choose among finished nodes should the run be cut short."""
        self._backend, self._verifier = backend, verifier
        self._extract, self._seed, self._listen = extract, seed, listen
        self._drawn = Counter[int]()

    async def expand(
        self,
        nodes: Sequence[Node],
        *,
        n: int = 1,
        step: bool = False,
        temperature: float | None = None,
    ) -> list[Node]:
        """Sample `n` children of every node at once: one step each, or to the end.

        Returns fewer as the budget closes.

        Raises:
            BudgetExhausted: there was budget for none.
            BackendError: a request failed; children that arrived stay in the trace.
        """
        wanted = self._wanted(step, temperature)
        parts = 1 if self.ledger.budget.seconds is None else n  # a deadline keeps what arrived
        tasks = await gather(
            [self._draw(node, wanted, n // parts) for node in nodes for _ in range(parts)]
        )
        children = [child for drawn in tasks for child in drawn]
        if not children and any(not node.terminal for node in nodes):
            raise BudgetExhausted("no budget is left to expand a node")
        return children

    async def score(self, nodes: Sequence[Node]) -> None:
        """Write the verifier's score on every node that has none, in one batch if it fits.

        Raises:
            BudgetExhausted: there was not the budget to score all of them.
            ConfigError: the run has no verifier.
        """
        if self._verifier is None:
            raise ConfigError("this strategy scores candidates: give the run a verifier")
        rest = [n for n in nodes if n.score is None]
        while rest:
            rest = rest[await self._score(self._verifier, rest) :]

    def affordable(self, n: int) -> int:
        """How many whole solutions, up to `n`, the budget holds beside what is spent."""
        model, prompt = self._backend.model, self._backend.prompt_length(Prompt(self.problem))

        def holds(k: int) -> bool:
            return self.ledger.room.holds(worst_case(replace(self.sampling, n=k), prompt, model))

        return largest(n, holds)

    def answer(self, node: Node) -> str | None:
        """The canonical answer stated by the solution that ends at `node`."""
        return self._extract(self.trace.candidate(node).text)

    def offer(self, node: Node) -> Node:
        """Make `node` the answer should the run end here."""
        if node is not self.incumbent:
            self.incumbent = node
            self._listen(AnswerOffered(self.answer(node), self.trace.candidate(node)))
        return node

    def conclude(self) -> Node | None:
        """The answer of a run that was cut short: finished solutions go before unfinished ones."""
        if self.incumbent and self.incumbent.finished:
            return self.incumbent
        finished = self.trace.finished
        return self.decide(finished) if finished else self.incumbent

    def _wanted(self, step: bool, temperature: float | None) -> Sampling:
        wanted = self.sampling if step else replace(self.sampling, stop=())
        return wanted if temperature is None else replace(wanted, temperature=temperature)

    async def _draw(self, node: Node, wanted: Sampling, n: int) -> list[Node]:
        """Sample until `n` children are there; a clipped request is followed by another."""
        children = list[Node]()
        prompt = self.trace.prompt(node)
        length = self._backend.prompt_length(prompt)
        limit = self._limit(node, wanted, length)
        try:
            while len(children) < n and limit > 0:
                missing = replace(wanted, n=n - len(children), max_tokens=limit)
                children += await self._sample(node, prompt, length, missing)
        except BudgetExhausted:
            self.clipped = True
        return children

    async def _sample(
        self, node: Node, prompt: Prompt, length: int, wanted: Sampling
    ) -> list[Node]:
        model = self._backend.model
        failed = Usage(1, length, 0, 0, model.flops(0, length))
        seed = self._next_seed(node, wanted.n)
        fit = clip(replace(wanted, seed=seed), length, model)
        async with self.ledger.reserve(GENERATOR, fit, failed) as hold:
            generation = await self._backend.generate(prompt, hold.granted)
            hold.usage = generation.usage
        spent = self.ledger.spent.completion_tokens
        children = list[Node]()
        for completion in generation.completions:
            full = node.length + len(completion.token_ids) >= self.sampling.max_tokens
            children.append(self.trace.add(node, completion, spent=spent, terminal=full))
            self._listen(StepSampled(children[-1]))
        return children

    def _limit(self, node: Node, wanted: Sampling, prompt: int) -> int:
        """Tokens that may follow `node`: the solution's length and the model's context allow."""
        left = 0 if node.terminal else wanted.max_tokens - node.length
        space = self._backend.model.context - prompt
        # A problem that does not fit at all is the backend's to refuse.
        fits = not self._backend.model.context or (node.depth == 0 and space <= 0)
        return left if fits else min(left, space)

    def _next_seed(self, node: Node, n: int) -> int:
        """A seed that depends on the node's place in the tree only, never on timing."""
        ranks = [n.rank for n in self.trace.path(node)]
        drawn = self._drawn[node.id]
        self._drawn[node.id] += n
        text = f"{self._seed}:{self.problem.id}:{ranks}:{drawn}"
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) >> 1

    async def _score(self, verifier: Verifier, nodes: Sequence[Node]) -> int:
        """Score as many of the first `nodes` as the budget admits; tell how many."""
        candidates = [self.trace.candidate(n) for n in nodes]

        def fit(room: Room, _: bool) -> tuple[int, Usage] | None:
            count = len(candidates)
            while count:
                worst = verifier.estimate(self.problem, candidates[:count])
                if room.holds(worst):
                    return count, worst
                count //= 2
            return None

        async with self.ledger.reserve(VERIFIER, fit) as hold:
            judgement = await verifier.score(self.problem, candidates[: hold.granted])
            hold.usage = judgement.usage
        for node, score in zip(nodes[: hold.granted], judgement.scores, strict=True):
            node.score, node.step_scores = score.value, score.steps
            self._listen(StepScored(node))
        return hold.granted


@runtime_checkable
class Strategy(Protocol):
    """A search. Instances hold settings only; all state lives in the run."""

    async def search(self, run: Run) -> Node:
        """Spend the run's budget and return the chosen node."""
        ...


async def solve(
    problem: Problem,
    strategy: Strategy,
    backend: Backend,
    verifier: Verifier | None = None,
    *,
    budget: Budget = Budget(),
    sampling: Sampling = Sampling(),
    extract: Extract = last_line,
    seed: int = 0,
    listen: Listener = ignore,
) -> Result:
    """Search until the strategy is done or the budget is; either way, answer.

    `sampling` is the task's: `stop` ends a step, `max_tokens` is the longest solution. `extract`
    finds the canonical answer in a solution's text. A model that fails ends the run with the
    incumbent and the error; what the caller got wrong is raised.
    """
    if budget.flops is not None and not backend.model.parameters:
        raise ConfigError(
            f"a FLOPs budget needs the size of {backend.model.name!r}, which its backend"
            " does not tell; use a token budget"
        )
    ledger = Ledger(budget)
    run = Run(
        problem, backend, verifier, ledger,
        sampling=sampling, extract=extract, seed=seed, listen=listen,
    )  # fmt: skip
    stopped, error = await _search(strategy, run)
    node = run.conclude()
    solutions = [
        Solution(run.trace.candidate(n), run.answer(n), n.score) for n in run.trace.finished
    ]
    return Result(
        answer=run.answer(node) if node else None,
        candidate=run.trace.candidate(node) if node else None,
        candidates=tuple(solutions),
        trace=run.trace,
        usage=ledger.spent,
        by_role=ledger.by_role,
        seconds=ledger.elapsed,
        stopped=stopped,
        error=error,
        oracle=bool(getattr(verifier, "oracle", False)),
    )


async def _search(strategy: Strategy, run: Run) -> tuple[Stopped, str | None]:
    deadline = asyncio.timeout(run.ledger.budget.seconds)
    try:
        async with deadline:
            run.offer(await _unwrapped(strategy.search(run)))
    except BudgetExhausted:
        return Stopped.BUDGET, None
    except BackendError as e:
        return Stopped.ERROR, str(e)
    except TimeoutError:
        if not deadline.expired():
            raise
        return Stopped.BUDGET, None
    return (Stopped.BUDGET if run.clipped else Stopped.DONE), None


async def _unwrapped(search: Awaitable[T]) -> T:
    try:
        return await search
    except BaseExceptionGroup as group:
        raise _cause(group) from None


def _cause(error: BaseException) -> BaseException:
    """The first exception of a group; running out of budget yields to any other."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(e) for e in error.exceptions]
    return next((c for c in causes if not isinstance(c, BudgetExhausted)), causes[0])


async def gather(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; the first failure cancels the rest and is raised itself."""

    async def group() -> list[T]:
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(c) for c in calls]
        return [t.result() for t in started]

    return await _unwrapped(group())


def top(nodes: Iterable[Node], k: int) -> list[Node]:
    """The `k` best nodes, best first: finished ones lead, then the score decides, then the order."""
    return sorted(nodes, key=_merit, reverse=True)[:k]


def best(nodes: Sequence[Node]) -> Node:
    """The first of `top`."""
    return max(nodes, key=_merit)


def _merit(node: Node) -> tuple[bool, float]:
    return node.finished, -1.0 if node.score is None else node.score

"""One problem, one budget: the verbs a search needs, metered."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Protocol, Self, runtime_checkable

from reasoner.base import Backend, Halt, Verifier, required_sampling
from reasoner.budget import GENERATOR, VERIFIER, Ledger, Room, largest, worst_case
from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted, ConfigError
from reasoner.events import AnswerOffered, Event, StepSampled, StepScored
from reasoner.metered import Metered
from reasoner.trace import Node, Trace
from reasoner.types import Completion, Finish, Problem, Prompt, Sampling, Usage

Extract = Callable[[str], str | None]
Listener = Callable[[Event], None]
Chooser = Callable[[Sequence[Node]], Node]
"""Choose one of several finished nodes."""
PER_TOKEN_FIELDS = ("verdicts", "confidences", "entropies", "logprobs")
"""The fields of a completion that hold one value per token, in token order."""


def ignore(_: Event) -> None:
    """A listener that does not listen."""


def last_line(solution: str) -> str | None:
    """The answer where no task tells better: the last line that is not empty, its `#` aside."""
    lines = solution.split("\n")
    return next((text for x in reversed(lines) if (text := x.strip().removeprefix("#"))), None)


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """How the children of a node are to be drawn; `tokens` is how long a piece may be."""

    model: Metered
    sampling: Sampling
    tokens: int | None = None
    halt: Callable[[], Halt] | None = None


class Run:
    """A strategy's whole world: expand nodes, score nodes, offer an answer.

    The ledger is charged here and only here, so no strategy can forget to count. `sampling` is
    the task's: `stop` ends a step, `max_tokens` is the longest solution. `second` is another model
    for the strategies that ask for one.
    """

    def __init__(
        self,
        problem: Problem,
        backend: Backend,
        verifier: Verifier | None,
        ledger: Ledger,
        *,
        second: Backend | None = None,
        sampling: Sampling = Sampling(),
        extract: Extract = last_line,
        seed: int = 0,
        listen: Listener = ignore,
    ) -> None:
        self.problem, self.ledger = problem, ledger
        self.sampling = replace(sampling, **required_sampling(verifier))
        self.trace = Trace(problem)
        self.rng = random.Random(f"{seed}:{problem.id}")
        self.incumbent: Node | None = None
        self.clipped = False
        self._choose: Chooser = best
        self._model, self._second = Metered(backend, ledger), Metered(second or backend, ledger)
        self._verifier = verifier
        self._extract, self._seed, self._listen = extract, seed, listen
        self._drawn = Counter[int | str]()

    @property
    def verified(self) -> bool:
        """Whether there is a verifier to score with."""
        return self._verifier is not None

    @property
    def ceiling(self) -> float:
        """The highest score that the verifier gives."""
        return float(getattr(self._verifier, "ceiling", 1.0))

    async def expand(
        self,
        nodes: Sequence[Node],
        *,
        n: int = 1,
        step: bool = False,
        tokens: int | None = None,
        temperature: float | None = None,
        halt: Callable[[], Halt] | None = None,
        second: bool = False,
    ) -> list[Node]:
        """Sample `n` children of every node at once: one step each, or to the end.

        Pieces of at most `tokens` can be continued. `halt` makes, for each sample, the judge that
        watches its confidences and may give it up. `second` asks the second model. Returns fewer
        as the budget closes.

        Raises:
            BudgetExhausted: there was budget for none.
            BackendError: a request failed; children that arrived stay in the trace.
        """
        request = self._request(step, tokens, temperature, halt, second)
        # Watched samples are requests of their own, and a deadline keeps what arrived.
        parts = n if halt or self.ledger.budget.seconds is not None else 1
        tasks = await gather(
            [self._draw(node, request, n // parts) for node in nodes for _ in range(parts)]
        )
        children = [child for drawn in tasks for child in drawn]
        if not children and any(not node.terminal for node in nodes):
            raise BudgetExhausted("no budget is left to expand a node")
        return children

    def write(self, node: Node, text: str) -> Node:
        """Put `text` after `node`, unsampled; where the model had ended, in place of its end."""
        ids = self._model.backend.encode(text)
        if not (node.finished and node.completion and (parent := self.trace.parent(node))):
            return self.trace.add(node, Completion(text, ids, Finish.WRITTEN))
        ended = node.completion
        told = {name: getattr(ended, name)[:-1] for name in PER_TOKEN_FIELDS}
        ids = ended.token_ids[:-1] + ids
        piece = replace(ended, text=ended.text + text, token_ids=ids, finish=Finish.WRITTEN, **told)
        return self.trace.add(parent, piece, spent=node.spent)

    async def ask(
        self,
        text: str,
        *,
        n: int = 1,
        max_tokens: int | None = None,
        temperature: float | None = None,
        stop: tuple[str, ...] = (),
        role: str = GENERATOR,
    ) -> list[Completion]:
        """What the model says to a strategy's own prompt; fewer than `n` where the budget closes.

        Raises:
            BudgetExhausted: there was budget for none.
            BackendError: the request failed.
        """
        drawn = self._drawn[text]
        self._drawn[text] += n
        wanted = replace(
            self.sampling,
            n=n,
            stop=stop,
            end=(),
            max_tokens=max_tokens or self.sampling.max_tokens,
            temperature=self.sampling.temperature if temperature is None else temperature,
            seed=self._seeded(text, drawn),
        )
        prompt = Prompt(Problem(self.problem.id, text))
        length = self._model.length(prompt)
        return list((await self._model.sample(prompt, length, wanted, role=role)).completions)

    def adopt(self, node: Node, completion: Completion) -> Node:
        """Put what `ask` returned after `node`: a solution to score and choose from."""
        return self._grow(node, completion, terminal=True)

    def sub_run(self, share: float, time: float | None = None) -> Self:
        """This run with `share` of what is left of its budget, for a strategy inside another.

        `time` is the share of the seconds left, where that differs.
        """
        part = copy(self)
        part.ledger = self.ledger.part(share, share if time is None else time)
        part._model = Metered(self._model.backend, part.ledger)
        part._second = Metered(self._second.backend, part.ledger)
        part.incumbent, part.clipped, part._choose = None, False, best
        return part

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
        model, prompt = self._model.info, self._model.length(Prompt(self.problem))

        def holds(k: int) -> bool:
            return self.ledger.room.holds(worst_case(replace(self.sampling, n=k), prompt, model))

        return largest(n, holds)

    def answer(self, node: Node) -> str | None:
        """The canonical answer of the solution that ends at `node`; one that was cut off has none."""
        return self._extract(self.trace.candidate(node).text) if node.finished else None

    def offer(self, node: Node) -> Node:
        """Make `node` the answer should the run end here."""
        if node is not self.incumbent:
            self.incumbent = node
            self._listen(AnswerOffered(self.answer(node), self.trace.candidate(node)))
        return node

    def offer_if_better(self, nodes: Sequence[Node]) -> Node:
        """Offer the best of `nodes`, unless the answer so far is as good."""
        return self.offer(best([*filter(None, [self.incumbent]), *nodes]))

    def choose_final(self, nodes: Sequence[Node]) -> Node:
        """Choose the answer among finished `nodes`: the best-scored one, or as `choose_final_by` set."""
        return self._choose(nodes)

    def choose_final_by(self, choose: Chooser) -> None:
        """Choose by `choose` in the end, and also where the budget cuts the run short."""
        self._choose = choose

    def conclude(self) -> Node | None:
        """The answer of a run that was cut short: finished solutions go before unfinished ones."""
        if self.incumbent and self.incumbent.finished:
            return self.incumbent
        finished = self.trace.finished
        return self.choose_final(finished) if finished else self.incumbent

    def _request(
        self,
        step: bool,
        tokens: int | None,
        temperature: float | None,
        halt: Callable[[], Halt] | None,
        second: bool,
    ) -> DrawRequest:
        sampling = self.sampling if step else replace(self.sampling, stop=())
        if temperature is not None:
            sampling = replace(sampling, temperature=temperature)
        return DrawRequest(self._second if second else self._model, sampling, tokens, halt)

    async def _draw(self, node: Node, request: DrawRequest, n: int) -> list[Node]:
        """Sample until `n` children are there; a clipped request is followed by another."""
        children = list[Node]()
        prompt = self.trace.prompt(node)
        # Token ids mean something to their own model only.
        if request.model.backend is not self._model.backend:
            prompt = replace(prompt, token_ids=())
        length = request.model.length(prompt)
        limit = self._limit(node, request, length)
        try:
            while len(children) < n and limit > 0:
                rest = replace(request.sampling, n=n - len(children), max_tokens=limit)
                children += await self._sample(
                    node, prompt, length, replace(request, sampling=rest)
                )
        except BudgetExhausted:
            self.clipped = True
        return children

    async def _sample(
        self, node: Node, prompt: Prompt, length: int, request: DrawRequest
    ) -> list[Node]:
        seeded = replace(request.sampling, seed=self._next_seed(node, request.sampling.n))
        halt = request.halt() if request.halt else None
        generation = await request.model.sample(prompt, length, seeded, halt=halt)
        return [self._add(node, completion, request) for completion in generation.completions]

    def _add(self, node: Node, completion: Completion, request: DrawRequest) -> Node:
        size, cut = len(completion.token_ids), completion.finish is Finish.LENGTH
        full = node.length + size >= self.sampling.max_tokens
        piece = cut and size == request.tokens
        goes_on = (completion.finish is Finish.STOP or piece) and not full
        self.clipped |= cut and size < request.sampling.max_tokens
        return self._grow(node, completion, terminal=not goes_on)

    def _grow(self, node: Node, completion: Completion, *, terminal: bool) -> Node:
        spent = self.ledger.total.completion_tokens
        child = self.trace.add(node, completion, spent=spent, terminal=terminal)
        self._listen(StepSampled(child))
        return child

    def _limit(self, node: Node, request: DrawRequest, prompt: int) -> int:
        """Tokens that may follow `node`: the solution's length and the model's context allow."""
        left = 0 if node.terminal else request.sampling.max_tokens - node.length
        left = left if request.tokens is None else min(left, request.tokens)
        space = request.model.info.context - prompt
        # A problem that does not fit at all is the backend's to refuse.
        fits = not request.model.info.context or (node.depth == 0 and space <= 0)
        return left if fits else min(left, space)

    def _next_seed(self, node: Node, n: int) -> int:
        """A seed that depends on the node's place in the tree only, never on timing."""
        drawn = self._drawn[node.id]
        self._drawn[node.id] += n
        return self._seeded([n.rank for n in self.trace.path(node)], drawn)

    def _seeded(self, place: object, drawn: int) -> int:
        text = f"{self._seed}:{self.problem.id}:{place}:{drawn}"
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
        self.trace.malformed += judgement.malformed
        for node, score in zip(nodes[: hold.granted], judgement.scores, strict=True):
            node.score, node.step_scores = score.value, score.steps
            self._listen(StepScored(node))
        return hold.granted


@runtime_checkable
class Strategy(Protocol):
    """A search. Instances hold settings only; all state lives in the run.

    One that needs no verifier says so by an attribute `verified = False`, one that may end before its
    budget on purpose by `stops_early = True`.
    """

    async def search(self, run: Run) -> Node:
        """Spend the run's budget and return the chosen node."""
        ...


def verified(strategy: object) -> bool:
    """Whether `strategy`, a class or an instance, chooses by a verifier's scores."""
    return bool(getattr(strategy, "verified", True))


def top(nodes: Iterable[Node], k: int) -> list[Node]:
    """The `k` best nodes, best first: finished ones lead, then the score decides, then the order."""
    return sorted(nodes, key=_merit, reverse=True)[:k]


def best(nodes: Sequence[Node]) -> Node:
    """The first of `top`."""
    return max(nodes, key=_merit)


def _merit(node: Node) -> tuple[bool, float]:
    return node.finished, -1.0 if node.score is None else node.score

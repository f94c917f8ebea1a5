"""The verbs of a search on one problem and one budget."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Protocol, Self, runtime_checkable

from reasoner.base import Backend, Halt, Verifier, as_spelling, required_sampling
from reasoner.budget import GENERATOR, VERIFIER, Ledger, Room
from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted, ConfigError
from reasoner.events import AnswerOffered, Listener, StepScored, ignore
from reasoner.sampler import DrawRequest, Sampler
from reasoner.telemetry import annotate
from reasoner.tool_calls import Tool
from reasoner.trace import Node, Trace
from reasoner.traits import verifier_traits
from reasoner.types import Completion, Finish, Problem, Sampling, Usage

Extract = Callable[[str], str | None]
"""Return the canonical answer that a solution's text states."""
Chooser = Callable[[Sequence[Node]], Node]
"""Choose one of several finished nodes."""
PER_TOKEN_FIELDS = ("verdicts", "confidences", "entropies", "logprobs")
"""The fields of a completion that end with the value of its last token."""


def last_line(solution: str) -> str | None:
    """Return the last line that is not empty, without its `#`: the answer where no task is given."""
    lines = solution.split("\n")
    return next((text for x in reversed(lines) if (text := x.strip().removeprefix("#"))), None)


class Run:
    """The whole world of a strategy: expand nodes, score nodes, offer an answer.

    The ledger is charged here and only here, so no strategy can forget to count.

    Args:
        problem: the problem to solve.
        backend: the policy.
        verifier: scores nodes; None where the strategy needs none.
        ledger: the budget, and what is spent of it.
        second: another model, for the strategies that use one; by default the policy.
        sampling: the task's: `stop` ends a step, `max_tokens` is the longest solution.
        extract: finds the canonical answer in a solution's text.
        seed: equal seeds give equal trees.
        listen: is called with every event.
        tool: what the model may use while it writes solutions, if anything.
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
        tool: Tool | None = None,
    ) -> None:
        self.problem = problem
        self.sampling = replace(sampling, **required_sampling(verifier))
        self.trace = Trace(problem)
        self.rng = random.Random(f"{seed}:{problem.id}")
        self.incumbent: Node | None = None
        self._sampler = Sampler(self.trace, backend, second or backend, ledger, seed, listen, tool)
        self._verifier, self._extract, self._listen = verifier, extract, listen
        self._choose: Chooser = best

    @property
    def ledger(self) -> Ledger:
        """The budget, and what is spent of it."""
        return self._sampler.ledger

    @property
    def verified(self) -> bool:
        """True where there is a verifier to score with."""
        return self._verifier is not None

    @property
    def ceiling(self) -> float:
        """The highest score that the verifier gives; 1 without one."""
        return 1.0 if self._verifier is None else verifier_traits(self._verifier).ceiling

    @property
    def clipped(self) -> bool:
        """True once the budget has cut the search short anywhere."""
        return self._sampler.clipped

    def mark_clipped(self) -> None:
        """Record that the budget has cut a part of the search short."""
        self._sampler.clipped = True

    def read_confidences(self, likeliest: int) -> None:
        """From now on, have samples hold the confidence of each token, against `likeliest` tokens."""
        self.sampling = replace(self.sampling, confidences=likeliest)

    def read_logprobs(self) -> None:
        """From now on, sample from the model's own distribution, with the log-probability of each token.

        That is at temperature 1 and without a nucleus, whatever the task's sampling is.
        """
        self.sampling = replace(self.sampling, logprobs=True, temperature=1.0, top_p=1.0)

    def limit_thinking(self, tokens: int) -> None:
        """From now on, have the engine end the thinking of a solution at this many tokens."""
        self.sampling = replace(self.sampling, thinking_budget=tokens)

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
        sampling = self.sampling if step else replace(self.sampling, stop=())
        if temperature is not None:
            sampling = replace(sampling, temperature=temperature)
        request = DrawRequest(sampling, tokens, halt, second)
        # Watched samples are requests of their own, and a deadline keeps what arrived.
        parts = n if halt or self.ledger.budget.seconds is not None else 1
        tasks = await gather(
            [self._sampler.draw(node, request, n // parts) for node in nodes for _ in range(parts)]
        )
        children = [child for samples in tasks for child in samples]
        if not children and any(not node.terminal for node in nodes):
            raise BudgetExhausted("no budget is left to expand a node")
        return children

    def write(self, node: Node, text: str) -> Node:
        """Add `text` after `node`, unsampled; where the model had ended, in place of its end."""
        ids = self._sampler.model.backend.encode(text)
        if not (node.finished and node.completion and (parent := self.trace.parent(node))):
            return self.trace.add(node, Completion(text, ids, Finish.WRITTEN))
        ended = node.completion
        rest = {name: getattr(ended, name)[:-1] for name in PER_TOKEN_FIELDS}
        ids = ended.token_ids[:-1] + ids
        piece = replace(ended, text=ended.text + text, token_ids=ids, finish=Finish.WRITTEN, **rest)
        return self.trace.add(parent, piece, spent=node.spent)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without end tokens; the backend's traits must have `spells`."""
        return as_spelling(self._sampler.model.backend).decode(ids)

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
        """Sample `n` replies to a strategy's own prompt; fewer where the budget closes.

        They are charged to `role`, and are no part of the trace (see `adopt`).

        Raises:
            BudgetExhausted: there was budget for none.
            BackendError: the request failed.
        """
        sampling = replace(
            self.sampling,
            n=n,
            stop=stop,
            end=(),
            max_tokens=max_tokens or self.sampling.max_tokens,
            temperature=self.sampling.temperature if temperature is None else temperature,
        )
        return await self._sampler.reply(text, sampling, role)

    def adopt(self, node: Node, completion: Completion) -> Node:
        """Add a reply that `ask` returned to the trace, after `node`: a solution like any sampled one.

        It can then be scored, voted on and chosen. Nothing can follow it.
        """
        return self._sampler.add(node, completion, terminal=True)

    def sub_run(self, share: float, time: float | None = None) -> Self:
        """Return this run with `share` of the rest of its budget, for a strategy inside another.

        Trace and seeds are the run's own; the incumbent and the final chooser are not. `time` is the
        share of the seconds left, where that differs.
        """
        part = copy(self)
        part._sampler = self._sampler.on(self.ledger.part(share, share if time is None else time))
        part.incumbent, part._choose = None, best
        return part

    async def score(self, nodes: Sequence[Node]) -> None:
        """Write the verifier's score on every node that has none, in one batch if the budget holds it.

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
        """Return how many whole solutions, up to `n`, the rest of the budget holds."""
        return self._sampler.affordable(n, self.sampling)

    def answer(self, node: Node) -> str | None:
        """Return the canonical answer of the solution that ends at `node`; None if it was cut off.

        It is read from the text after the thinking, if the model thinks first.
        """
        return self._extract(self.trace.candidate(node).answer_text) if node.finished else None

    def offer(self, node: Node) -> Node:
        """Make `node` the answer should the run end here."""
        if node is not self.incumbent:
            self.incumbent = node
            self._listen(AnswerOffered(self.answer(node), self.trace.candidate(node)))
        return node

    def offer_if_better(self, nodes: Sequence[Node]) -> Node:
        """Offer the best of `nodes`, unless the incumbent is as good; return the incumbent."""
        return self.offer(best([*filter(None, [self.incumbent]), *nodes]))

    def choose_final(self, nodes: Sequence[Node]) -> Node:
        """Choose the answer among finished `nodes`: the best-scored one, or as `choose_final_by` set."""
        return self._choose(nodes)

    def choose_final_by(self, choose: Chooser) -> None:
        """Choose by `choose` in the end, and also where the budget cuts the run short."""
        self._choose = choose

    def conclude(self) -> Node | None:
        """Return the answer of a run that ends now: finished solutions go before unfinished ones."""
        if self.incumbent and self.incumbent.finished:
            return self.incumbent
        finished = self.trace.finished
        return self.choose_final(finished) if finished else self.incumbent

    async def _score(self, verifier: Verifier, nodes: Sequence[Node]) -> int:
        """Score as many of the first `nodes` as the budget admits; return how many."""
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
            annotate(lambda: {"reasoner.candidates": hold.granted})
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

    It declares what it needs as `traits` (see `StrategyTraits`).
    """

    async def search(self, run: Run) -> Node:
        """Spend the run's budget and return the chosen node."""
        ...


def top(nodes: Iterable[Node], k: int) -> list[Node]:
    """Return the `k` best nodes, best first: finished before unfinished, then by score, then in order."""
    return sorted(nodes, key=_merit, reverse=True)[:k]


def best(nodes: Sequence[Node]) -> Node:
    """Return the first of `top`."""
    return max(nodes, key=_merit)


def _merit(node: Node) -> tuple[bool, float]:
    return node.finished, -1.0 if node.score is None else node.score

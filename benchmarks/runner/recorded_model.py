"""A model that answers from the recorded solutions of one problem, and the scores recorded with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reasoner.base import Halt, ModelInfo
from reasoner.benchmarks.store.pool_costs import PoolCosts
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.concurrency import settled
from reasoner.errors import ConfigError
from reasoner.traits import BackendTraits, VerifierTraits
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Score,
    Usage,
)


@dataclass(slots=True)
class SampleCosts:
    """The cost of the samples of a pool, one by one: the first computes the whole prompt.

    Each further one computes the part of it that no full cache block holds, as `PoolCosts.portion` has it.
    """

    prompt: Usage
    again: Usage
    flops_per_token: float

    @classmethod
    def of(cls, record: Record) -> SampleCosts:
        """Return the costs of the samples in a record."""
        costs, spend = PoolCosts.of([record]), record.spend
        prompt, tails = float(costs.prompt[0]), float(costs.tails[0])
        rest, length = max(1, len(record.samples) - 1), record.prompt_tokens
        cached = min(length, round(spend.prompt_tokens_cached / rest))
        fresh = max(0.0, spend.prompt_tokens_fresh - length) / rest
        again = Usage(1, cached + round(fresh), cached, 0, tails / rest)
        decoding = spend.generator_flops - prompt - tails
        per_token = decoding / max(1.0, spend.generated_tokens)
        return cls(Usage(1, length, 0, 0, prompt), again, per_token)

    def usage(self, number: int, tokens: int) -> Usage:
        """Return the usage of the `number`-th sample, counted from 0, if it has so many tokens."""
        before = self.again if number else self.prompt
        return before + Usage(completion_tokens=tokens, flops=tokens * self.flops_per_token)


class RecordedModel:
    """Gives the recorded solutions of one problem in an order, each once.

    A solution's score comes with it, as its verdict. Calls are answered in the order in which they are
    made. Watched samples grow together, a token each at a time, so that the shortest ends first; one that
    is given up has cost the tokens until then.
    """

    def __init__(self, name: str, record: Record, order: Sequence[int], sampling: Sampling) -> None:
        self.model = ModelInfo(name)
        self.taken = list[Sample]()
        """The solutions given so far."""
        self._record, self._sampling = record, sampling
        self._left = [record.samples[i] for i in reversed(order)]
        self._costs = SampleCosts.of(record)
        self._growth = Growth()

    @property
    def traits(self) -> BackendTraits:
        """Whole solutions and their scores; nothing about single tokens."""
        return BackendTraits(verdicts=True, watches=True, continues=False)

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the length of the problem's prompt, as it was recorded."""
        return self._record.prompt_tokens

    def encode(self, text: str) -> tuple[int, ...]:
        """Return a stand-in a character."""
        return (0,) * len(text)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Return the next `sampling.n` solutions.

        Raises:
            ConfigError: the request is for something else, or for more than there are.
        """
        started = [self._take(prompt, sampling) for _ in range(sampling.n)]
        usages = [self._costs.usage(number, sample.tokens) for number, sample in started]
        return Generation(tuple(completed(s) for _, s in started), sum(usages, Usage()))

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Return the next solution, or its beginning if `halt` gives it up; raises as `generate`."""
        number, sample = self._take(prompt, sampling)
        tokens = await self._growth.grow(sample.tokens, lambda: halt(()))
        usage = self._costs.usage(number, tokens)
        whole = tokens == sample.tokens
        return Generation((completed(sample) if whole else aborted(sample, tokens),), usage)

    async def aclose(self) -> None:
        """Do nothing: there is no engine."""

    def _take(self, prompt: Prompt, sampling: Sampling) -> tuple[int, Sample]:
        own = prompt.text or prompt.token_ids or prompt.problem.prompt != self._record.question
        shorter = sampling.stop or sampling.max_tokens < self._sampling.max_tokens
        if own or shorter or sampling.temperature != self._sampling.temperature:
            raise ConfigError(
                "the search asks for more than whole solutions sampled as the recorded ones were; replay"
                " one that does not, such as adaptive-majority"
            )
        if not self._left:
            raise ConfigError(
                f"the search asks for more than the {len(self.taken)} recorded solutions of a problem;"
                " replay a smaller --n"
            )
        self.taken.append(self._left.pop())
        return len(self.taken) - 1, self.taken[-1]


@dataclass(slots=True)
class Growing:
    """A watched sample: the time it began, its whole size, and where its last size is awaited."""

    start: int
    size: int
    halted: Callable[[], bool]
    ended: asyncio.Future[int]

    def end(self, tokens: int) -> None:
        """Set the size with which it ends."""
        if not self.ended.done():
            self.ended.set_result(min(tokens, self.size))


@dataclass(slots=True)
class Growth:
    """Samples that grow together, a token each at a time."""

    now: int = 0
    running: list[Growing] = field(default_factory=list[Growing])
    clock: asyncio.Task[None] | None = None

    async def grow(self, size: int, halted: Callable[[], bool]) -> int:
        """Return the tokens of a sample of `size` when it ends, or at the token after it was given up."""
        sample = Growing(self.now, size, halted, asyncio.get_running_loop().create_future())
        self.running.append(sample)
        if self.clock is None or self.clock.done():
            self.clock = asyncio.create_task(self._run())
        return await sample.ended

    async def _run(self) -> None:
        """End one sample after the other, the shortest first; the search acts in between."""
        while True:
            await settled()
            self._give_up()
            if not self.running:
                return
            first = min(self.running, key=lambda sample: sample.start + sample.size)
            self.now = first.start + first.size
            self.running.remove(first)
            first.end(first.size)

    def _give_up(self) -> None:
        """End the samples that were given up, or whose search was cancelled."""
        for sample in list(self.running):
            if sample.ended.done() or sample.halted():
                self.running.remove(sample)
                sample.end(self.now - sample.start + 1)


class RecordedScores:
    """Gives each solution the score that was recorded with it; unscored ones have 0.

    The cost is the solution's share of what scoring the pool cost.
    """

    def __init__(self, record: Record, ceiling: float) -> None:
        self.traits = VerifierTraits(verdicts=True, scores_steps=False, ceiling=ceiling)
        samples = max(1, len(record.samples))
        self._tokens = record.spend.verifier_tokens / samples
        self._flops = record.spend.verifier_flops / samples

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the cost of scoring `candidates`."""
        count = len(candidates)
        return Usage(completion_tokens=round(count * self._tokens), flops=count * self._flops)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Return the recorded scores."""
        scores = tuple(Score(max(c.verdicts, default=0.0)) for c in candidates)
        return Judgement(scores, self.estimate(problem, candidates))


def completed(sample: Sample) -> Completion:
    """Return a recorded solution as it was written; its token ids are stand-ins."""
    finish = Finish.EOS if sample.complete else Finish.LENGTH
    verdicts = () if sample.score is None else (sample.score,)
    size = sample.tokens + sum(output.tokens for output in sample.outputs)
    return Completion(sample.text, (0,) * size, finish, verdicts=verdicts, outputs=sample.outputs)


def aborted(sample: Sample, tokens: int) -> Completion:
    """Return the beginning of a recorded solution; where a token ends in its text is not known."""
    text = sample.text[: len(sample.text) * tokens // max(1, sample.tokens)]
    return Completion(text, (0,) * tokens, Finish.ABORTED)

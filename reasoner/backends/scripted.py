"""A scripted model: a deterministic, instant function, for tests and docs."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from math import inf, log
from typing import Annotated

from pydantic import Field, NonNegativeInt

from reasoner.backends.stop_strings import begin
from reasoner.base import Attention, Halt, ModelInfo
from reasoner.concurrency import settled
from reasoner.errors import BackendError, ConfigError
from reasoner.traits import BackendTraits
from reasoner.types import Completion, Finish, Generation, Prompt, Sampling, Usage

END = "\0"
DRAWS = 16
"""The number of replies that estimate a label's probability."""

Reply = Callable[[Prompt, random.Random], str]
"""A function from a prompt to the rest of the solution."""

Judge = Callable[[Prompt, str], float]
"""A function from a prompt and a step to the model's own verdict on the step."""


def add_up(prompt: Prompt, rng: random.Random) -> str:
    """Add the numbers of the problem, one per line, with an occasional error.

    They are those of the first paragraph that has any; earlier solutions may follow it.
    """
    stated = (re.findall(r"\d+", text) for text in prompt.problem.prompt.split("\n\n"))
    numbers = [int(x) for x in next(filter(None, stated), ())]
    sums = re.findall(r"=(-?\d+)\n", prompt.text)
    total = int(sums[-1]) if sums else (numbers or [0])[0]
    reply = list[str]()
    for number in numbers[len(sums) + 1 :]:
        slip = rng.choice([-10, -1, 1, 10]) if rng.random() < 0.15 else 0
        reply.append(f"{total}+{number}={total + number + slip}\n")
        total += number + slip
    half = prompt.text.rpartition("\n")[2]
    return ("".join(reply) + f"#{total}{END}").removeprefix(half)


def doubt(prompt: Prompt, step: str) -> float:
    """Return a high verdict for correct sums and a low one for wrong sums, with noise."""
    sums = re.findall(r"(\d+)\+(\d+)=(-?\d+)", prompt.text + step)
    right = all(int(a) + int(b) == int(c) for a, b, c in sums)
    noise = random.Random(prompt.text + step).uniform(0.0, 0.3)
    return 1.0 - noise if right else noise


def undecided(_: Prompt, __: str) -> float:
    """Return 0.5 for any step."""
    return 0.5


class Scripted:
    """A model that calls `reply(prompt, rng)` for each sample; a character is a token.

    A label's probability is the share of replies that start with it. The model records its own `usage`,
    so that a ledger can be checked against it. Each `fail_every`-th request fails, and each request
    takes `delay` seconds.
    """

    def __init__(
        self,
        model: str = "scripted",
        *,
        reply: Reply = add_up,
        judge: Judge | None = doubt,
        delay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0,
        fail_every: NonNegativeInt = 0,
        parameters: NonNegativeInt = 1000,
        context: NonNegativeInt = 0,
    ) -> None:
        self._model = ModelInfo(model, context, parameters, (Attention(1, 8),))
        self.reply, self.judge = reply, judge
        self.delay, self.fail_every = delay, fail_every
        self.usage = Usage()
        self.running = 0
        self.closed = False
        self._latest = dict[str, asyncio.Future[None]]()

    @property
    def model(self) -> ModelInfo:
        return self._model

    @property
    def traits(self) -> BackendTraits:
        """All that there is; verdicts where there is a judge."""
        verdicts = self.judge is not None
        return BackendTraits(
            verdicts=verdicts,
            logprobs=True,
            confidences=True,
            labels=True,
            watches=True,
            spells=True,
        )

    def prompt_length(self, prompt: Prompt) -> int:
        return len(prompt.problem.prompt) + len(prompt.token_ids or prompt.text)

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids)).replace(END, "")

    async def start(self) -> None:
        """Do nothing."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Continue `prompt` by the script."""
        prefill = await self._begin(prompt)
        completions = tuple(self._sample(prompt, sampling, i) for i in range(sampling.n))
        decoded = self._decoding(prompt, completions)
        self.usage += decoded
        return Generation(completions, prefill + decoded)

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Continue `prompt` token by token until `halt` returns True."""
        prefill = await self._begin(prompt)
        whole = self._sample(prompt, sampling, 0)
        tokens = enumerate(whole.confidences or (0.0,) * len(whole.token_ids), start=1)
        size = next((i for i, sure in tokens if halt((sure,))), len(whole.token_ids))
        grown = whole if size == len(whole.token_ids) else cut_off(whole, size)
        decoded = self._decoding(prompt, (grown,))
        self.usage += decoded
        return Generation((grown,), prefill + decoded)

    async def aclose(self) -> None:
        """Set `closed`, for tests; there is nothing to release."""
        self.closed = True

    async def _begin(self, prompt: Prompt) -> Usage:
        """Start a request and return the usage of its prompt.

        Raises:
            ConfigError: the prompt does not fit the context.
            BackendError: this request is to fail.
        """
        length = self.prompt_length(prompt)
        if self._model.context and length >= self._model.context:
            raise ConfigError(f"a prompt of {length} tokens leaves no room in {self._model}")
        spent = Usage(1, length, 0, 0, self._model.flops(0, length))
        self.usage += spent
        number = self.usage.requests
        await self._in_order(prompt.problem.id)
        if self.fail_every and number % self.fail_every == 0:
            raise BackendError(f"scripted failure of request {number}")
        return spent

    async def _in_order(self, problem: str) -> None:
        """Wait so that calls on one problem end one after another, in starting order.

        A search with several concurrent calls then takes the same course at any speed.
        """
        before, ended = self._latest.get(problem), asyncio.get_running_loop().create_future()
        self._latest[problem] = ended
        try:
            await self._wait()
            if before is not None:
                await asyncio.wait([before])
                await settled()
        finally:
            ended.set_result(None)
            if self._latest.get(problem) is ended:
                del self._latest[problem]

    async def _wait(self) -> None:
        self.running += 1
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.running -= 1

    def _decoding(self, prompt: Prompt, completions: tuple[Completion, ...]) -> Usage:
        length, sizes = self.prompt_length(prompt), [len(c.token_ids) for c in completions]
        return Usage(
            completion_tokens=sum(sizes),
            flops=sum(self._model.flops(length, length + size) for size in sizes),
        )

    def _sample(self, prompt: Prompt, sampling: Sampling, index: int) -> Completion:
        seed = 0 if sampling.temperature == 0 else f"{sampling.seed}:{index}"
        text, _, _ = self.reply(prompt, random.Random(seed)).partition(END)
        text, finish = cut(text + END, sampling)
        ids = tuple(map(ord, text))
        text = text.removesuffix(END)
        logprob = -0.1 * len(ids) if sampling.logprobs else None
        verdicts = self._verdicts(prompt, text, finish)
        confidences = self._confidences(prompt, text, len(ids)) if sampling.confidences else ()
        entropies = tuple((20 - c) / 20 * log(sampling.confidences) for c in confidences)
        logprobs = (-0.1,) * len(ids) if sampling.logprobs else ()
        labels = self._labels(prompt, sampling.labels)
        return Completion(
            text, ids, finish, logprob, verdicts, confidences, entropies, logprobs, labels
        )

    def _labels(self, prompt: Prompt, labels: Sequence[str]) -> tuple[float, ...]:
        """Return the labels' log-probabilities, estimated from replies; none if no label occurs."""
        rng = random.Random(prompt.problem.prompt + prompt.text)
        replies = [self.reply(prompt, rng) for _ in range(DRAWS if labels else 0)]
        counts = [sum(r.startswith(label) for r in replies) for label in labels]
        return tuple(log(n / DRAWS) if n else -inf for n in counts) if any(counts) else ()

    def _verdicts(self, prompt: Prompt, text: str, finish: Finish) -> tuple[float, ...]:
        if self.judge is None:
            return ()
        lines = text.splitlines(keepends=True)
        ended = lines if finish is Finish.EOS else [x for x in lines if x.endswith("\n")]
        return tuple(self.judge(prompt, "".join(lines[: i + 1])) for i in range(len(ended)))

    def _confidences(self, prompt: Prompt, text: str, size: int) -> tuple[float, ...]:
        """Return each token's confidence: twenty times the verdict on its line."""
        lines = text.splitlines(keepends=True) or [text]
        judge = self.judge or undecided
        so_far = ["".join(lines[: i + 1]) for i in range(len(lines))]
        sure = [20 * judge(prompt, s) for line, s in zip(lines, so_far, strict=True) for _ in line]
        return (*sure, *sure[-1:])[:size]


def cut_off(whole: Completion, size: int) -> Completion:
    """Return the first `size` tokens of `whole`, as an aborted sample."""
    text = whole.text[:size]
    return Completion(
        text,
        whole.token_ids[:size],
        Finish.ABORTED,
        verdicts=whole.verdicts[: text.count("\n")],
        confidences=whole.confidences[:size],
        entropies=whole.entropies[:size],
    )


def cut(text: str, sampling: Sampling) -> tuple[str, Finish]:
    """Cut `text` where the sampling would end it; the end mark counts as a token."""
    if (at := begin(sampling.end, text)) is not None:
        text = text[:at] + END
    ends = [text.find(s) + len(s) for s in sampling.stop if s in text]
    size, finish = (min(ends), Finish.STOP) if ends else (len(text), Finish.EOS)
    return (
        (text[:size], finish)
        if size <= sampling.max_tokens
        else (
            text[: sampling.max_tokens],
            Finish.LENGTH,
        )
    )

"""The samples of one call to a Transformers model: the distribution they are drawn from, and their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import torch

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.sample_output import Output
from reasoner.backends.verdict_levels import write_levels
from reasoner.backends.verdict_tokens import Ending
from reasoner.types import Sampling

TAIL = 16
"""Tokens before the longest stop string that are decoded with it, so that its first character is whole."""


class DrawnTokens(NamedTuple):
    """The next token of each row, its log-probability, and the log-probabilities that a call asks for."""

    tokens: list[int]
    logprobs: list[float]
    named: list[list[float]]


@dataclass(frozen=True)
class Distribution:
    """The settings that determine what is drawn from logits; rows with equal ones are drawn at once.

    Attributes:
        silent: tokens that are not to be drawn, each with what is added to its logit.
        labels: tokens whose log-probabilities are returned; without, those of the `likeliest` ones are.
    """

    temperature: float
    top_p: float
    endings: tuple[Ending, ...]
    silent: tuple[tuple[int, float], ...]
    labels: tuple[int, ...]
    likeliest: int

    def draw(self, logits: torch.Tensor, chances: Sequence[float]) -> DrawnTokens:
        """Draw a token of each row of `logits`, (rows, vocabulary), with a number in [0, 1) each."""
        processed = self._processed(logits)
        logprobs = torch.log_softmax(processed, dim=-1)
        tokens = processed.argmax(dim=-1)
        if self.temperature > 0:
            tokens = _inverse(logprobs.exp(), chances, tokens)
        own = logprobs.gather(1, tokens[:, None])[:, 0]
        named = logprobs[:, list(self.labels)] if self.labels else logprobs.topk(self.likeliest)[0]
        return DrawnTokens(tokens.tolist(), own.tolist(), named.tolist())

    def _processed(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits of the distribution that is drawn from."""
        logits = write_levels(logits.clone(), self.endings)
        for token, bias in self.silent:
            logits[:, token] += bias
        if self.temperature > 0:
            logits = logits / self.temperature
            if self.top_p < 1:
                logits = _nucleus(logits, self.top_p)
        return logits


class CallSamples:
    """The samples of one prompt of `length` tokens, each with a random state of its own.

    `live` are the indices of those that go on. The first sample pays for the prompt, of which `cached`
    tokens were known; the others share all of it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        sampling: Sampling,
        length: int,
        cached: int,
        endings: Sequence[Ending],
    ) -> None:
        self._checkpoint, self._sampling, self.length = checkpoint, sampling, length
        self._most = min(sampling.max_tokens, checkpoint.info.context - length)
        self.outputs = [Output(cached_tokens=length if i else cached) for i in range(sampling.n)]
        self.live = list(range(sampling.n))
        self._random = [_source(sampling.seed, i) for i in range(sampling.n)]
        self._tokens, self._strings = checkpoint.stops((*sampling.stop, *sampling.end))
        self._tail = TAIL + max(map(len, self._strings), default=0)
        labels = checkpoint.labels(sampling.labels).tokens
        silent = [(t, b) for t, b in checkpoint.silent.items() if t not in labels]
        self.distribution = Distribution(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            endings=tuple(endings),
            silent=tuple(silent),
            labels=tuple(labels),
            likeliest=sampling.confidences,
        )

    def chances(self) -> list[float]:
        """Return a random number for each sample that goes on."""
        return [self._random[index].random() for index in self.live]

    def last_tokens(self) -> list[int]:
        """Return the last token of each sample that goes on."""
        return [self.outputs[index].token_ids[-1] for index in self.live]

    def add(self, drawn: DrawnTokens, start: int) -> list[bool]:
        """Give the samples that go on their next tokens, from row `start` on; return which still do."""
        for row, index in enumerate(self.live, start):
            self._add(self.outputs[index], drawn.tokens[row], drawn.logprobs[row], drawn.named[row])
        going = [self.outputs[index].finish_reason is None for index in self.live]
        self.live = [index for index, goes in zip(self.live, going, strict=True) if goes]
        return going

    def _add(self, output: Output, token: int, logprob: float, named: list[float]) -> None:
        output.token_ids.append(token)
        if self._sampling.logprobs or self._sampling.confidences:
            output.sampled = [*(output.sampled or ()), logprob]
        if named:
            output.likeliest.append(named)
        self._end(output, token)

    def _end(self, output: Output, token: int) -> None:
        """Note the reason that a sample ends here, if it does."""
        tail = output.token_ids[-self._tail :]
        text = self._checkpoint.decode(tail) if self._strings else ""
        if token in self._tokens:
            output.finish_reason, output.stop_reason = "stop", token
        elif stopped := next((s for s in self._strings if s in text), None):
            output.finish_reason, output.stop_reason = "stop", stopped
        elif len(output.token_ids) >= self._most:
            output.finish_reason = "length"


def _source(seed: int | None, index: int) -> Random:
    """Return a sample's source of random numbers, which does not depend on the device."""
    return Random(None if seed is None else seed + index)


def _inverse(
    probabilities: torch.Tensor, chances: Sequence[float], likeliest: torch.Tensor
) -> torch.Tensor:
    """Return the token of each row at which the cumulated probability passes its number in [0, 1)."""
    exact = torch.float32 if probabilities.device.type == "mps" else torch.float64
    cumulated = probabilities.to(exact).cumsum(dim=-1)
    levels = torch.tensor(chances, dtype=exact, device=probabilities.device)[:, None]
    places = torch.searchsorted(cumulated, levels * cumulated[:, -1:], right=True)
    tokens = places.clamp(max=probabilities.shape[-1] - 1)
    # Rounding may lead to a token without probability.
    possible = probabilities.gather(1, tokens) > 0
    return torch.where(possible[:, 0], tokens[:, 0], likeliest)


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Cut off all but the likeliest tokens that together have a probability of `top_p`."""
    ordered, order = logits.sort(dim=-1, descending=True)
    before = torch.softmax(ordered, dim=-1).cumsum(dim=-1) - torch.softmax(ordered, dim=-1)
    cut = torch.zeros_like(before, dtype=torch.bool).scatter(1, order, before >= top_p)
    return logits.masked_fill(cut, -torch.inf)

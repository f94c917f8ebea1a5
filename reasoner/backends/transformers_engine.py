"""Sampling with a Transformers model: a batch of samples of one prompt, and a cache of prompts.

Transformers' own continuous batching (`generate_batch`) returns neither the log-probabilities of the
likeliest tokens nor those of named ones, and has one random state for all requests, so that a sample's
seed would not determine it. Hence this loop over `model.forward`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.sample_output import Output
from reasoner.backends.verdict_levels import write_levels
from reasoner.backends.verdict_tokens import Ending
from reasoner.types import Sampling

PROMPTS = 32
"""The number of prompts whose keys and values are kept."""


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The keys and values of a prompt, and the logits after it, of shape (1, vocabulary)."""

    cache: Any
    logits: torch.Tensor


class PromptCache:
    """The least recently used prompts leave first.

    A prompt is reused only as a whole: layers with a sliding window forget what a shorter one needs.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._known = OrderedDict[tuple[int, ...], Prefilled]()

    def prefill(self, ids: tuple[int, ...]) -> tuple[Prefilled, int]:
        """Return a prompt's keys and values, and the number of its tokens that were not computed."""
        size = max((len(k) for k in self._known if ids[: len(k)] == k), default=0)
        if size:
            self._known.move_to_end(ids[:size])
        if size < len(ids):
            before = deepcopy(self._known[ids[:size]].cache) if size else None
            self._known[ids] = self._computed(ids[size:], before)
        if len(self._known) > PROMPTS:
            self._known.popitem(last=False)
        return self._known[ids], size

    def _computed(self, ids: Sequence[int], before: Any) -> Prefilled:
        tokens = torch.tensor([list(ids)], device=self._model.device)
        output = self._model(input_ids=tokens, past_key_values=before, use_cache=True)
        return Prefilled(output.past_key_values, output.logits[:, -1].float())


class Batch:
    """The samples of one prompt, each with a random state of its own; they grow together, token by token."""

    def __init__(
        self,
        model: Any,
        checkpoint: Checkpoint,
        prompt: tuple[Prefilled, int, int],
        sampling: Sampling,
        endings: Sequence[Ending],
    ) -> None:
        start, cached, length = prompt
        self._model, self._checkpoint, self._sampling = model, checkpoint, sampling
        self._endings = endings
        self._most = min(sampling.max_tokens, checkpoint.info.context - length)
        self._cache = deepcopy(start.cache)
        self._cache.batch_repeat_interleave(sampling.n)
        self._logits = start.logits.repeat(sampling.n, 1)
        # The first sample pays for the prompt; the others share all of it.
        self.outputs = [Output(cached_tokens=length if i else cached) for i in range(sampling.n)]
        self._live = list(range(sampling.n))
        self._random = [_generator(sampling.seed, i) for i in range(sampling.n)]
        self._tokens, self._strings = checkpoint.stops((*sampling.stop, *sampling.end))
        self._labels = checkpoint.labels(sampling.labels).tokens
        self._silent = {t: b for t, b in checkpoint.silent.items() if t not in self._labels}

    @property
    def live(self) -> bool:
        """Return whether a sample goes on."""
        return bool(self._live)

    def step(self) -> None:
        """Draw the next token of every sample that goes on."""
        if self.outputs[self._live[0]].token_ids:
            self._forward()
        logits = self._processed(self._logits)
        logprobs = torch.log_softmax(logits, dim=-1)
        drawn = self._draw(logits)
        for row, index in enumerate(self._live):
            self._add(self.outputs[index], int(drawn[row]), logprobs[row])
        rows = [r for r, i in enumerate(self._live) if self.outputs[i].finish_reason is None]
        if 0 < len(rows) < len(self._live):
            kept = torch.tensor(rows, device=self._logits.device)
            self._cache.batch_select_indices(kept)
        self._live = [self._live[row] for row in rows]

    def _forward(self) -> None:
        last = [[self.outputs[i].token_ids[-1]] for i in self._live]
        tokens = torch.tensor(last, device=self._model.device)
        output = self._model(input_ids=tokens, past_key_values=self._cache, use_cache=True)
        self._cache, self._logits = output.past_key_values, output.logits[:, -1].float()

    def _processed(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits of the distribution that is drawn from."""
        logits = write_levels(logits.clone(), self._endings)
        for token, bias in self._silent.items():
            logits[:, token] += bias
        if self._sampling.temperature > 0:
            logits = logits / self._sampling.temperature
            if self._sampling.top_p < 1:
                logits = _nucleus(logits, self._sampling.top_p)
        return logits

    def _draw(self, logits: torch.Tensor) -> torch.Tensor:
        """Return a token of each row: the likeliest at temperature 0.

        The largest p / e, with e exponential noise, is a draw from p.
        """
        if self._sampling.temperature == 0:
            return logits.argmax(dim=-1)
        shape = logits.shape[-1]
        noise = [torch.empty(shape).exponential_(generator=self._random[i]) for i in self._live]
        return (torch.softmax(logits, dim=-1) / torch.stack(noise).to(logits.device)).argmax(dim=-1)

    def _add(self, output: Output, token: int, logprobs: torch.Tensor) -> None:
        sampling = self._sampling
        output.token_ids.append(token)
        if sampling.logprobs or sampling.confidences:
            output.sampled = [*(output.sampled or ()), float(logprobs[token])]
        if self._labels:
            output.likeliest.append(logprobs[self._labels].tolist())
        elif sampling.confidences:
            output.likeliest.append(logprobs.topk(sampling.confidences).values.tolist())
        self._end(output, token)

    def _end(self, output: Output, token: int) -> None:
        """Note the reason that a sample ends here, if it does."""
        text = self._checkpoint.decode(output.token_ids) if self._strings else ""
        if token in self._tokens:
            output.finish_reason, output.stop_reason = "stop", token
        elif stopped := next((s for s in self._strings if s in text), None):
            output.finish_reason, output.stop_reason = "stop", stopped
        elif len(output.token_ids) >= self._most:
            output.finish_reason = "length"


def _generator(seed: int | None, index: int) -> torch.Generator:
    """Return a sample's source of random numbers, on the CPU, so that seeds agree between devices."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
        return generator
    return generator.manual_seed((seed + index) % 2**63)


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Cut off all but the likeliest tokens that together have a probability of `top_p`."""
    ordered, order = logits.sort(dim=-1, descending=True)
    before = torch.softmax(ordered, dim=-1).cumsum(dim=-1) - torch.softmax(ordered, dim=-1)
    cut = torch.zeros_like(before, dtype=torch.bool).scatter(1, order, before >= top_p)
    return logits.masked_fill(cut, -torch.inf)

"""Sampling with a Transformers model: calls that grow together in one batch, and a cache of prompts.

Transformers' own continuous batching (`generate_batch`) returns neither the log-probabilities of the
likeliest tokens nor those of named ones, and has one random state for all requests, so that a sample's
seed would not determine it. Hence this loop over `model.forward`.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad
from transformers.cache_utils import DynamicLayer

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.transformers_calls import PendingCall
from reasoner.backends.transformers_samples import CallSamples, DrawnTokens
from reasoner.backends.verdict_tokens import Ending

PROMPTS = 32
"""The number of prompts whose keys and values are kept."""


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The keys and values of a prompt, and the logits after it, of shape (1, vocabulary)."""

    cache: Any
    logits: torch.Tensor

    @property
    def pads(self) -> bool:
        """Return whether all layers keep all tokens, so that prompts of other lengths can stand beside it."""
        return all(type(layer) is DynamicLayer for layer in self.cache.layers)


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


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model, its files, and the tokens that end its steps with a verdict."""

    model: Any
    checkpoint: Checkpoint
    endings: Sequence[Ending]

    def batch(self) -> RunningBatch:
        """Return an empty batch."""
        return RunningBatch(self)


class RunningBatch:
    """The samples of several calls, a row each, which grow together, token by token.

    Rows of different lengths end in the same column: the shorter ones have padding on the left, which
    attention does not see. The rows of a call are neighbours.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded, self._model = loaded, loaded.model
        self._prompts = PromptCache(loaded.model)
        parameters = inspect.signature(loaded.model.forward).parameters
        self._takes_positions = "position_ids" in parameters
        self.clear()

    @property
    def rows(self) -> int:
        """The number of samples that go on."""
        return len(self._seen)

    def clear(self) -> None:
        """Remove all calls."""
        self._calls = list[CallSamples]()
        self._cache: Any = None
        self._seen = torch.ones((0, 0), dtype=torch.bool)
        """The columns that are tokens of each row, of shape (rows, columns)."""

    def admit(self, call: PendingCall) -> bool:
        """Let a call join, and draw the first token of each of its samples.

        Return False if the model's layers do not let it stand beside others.
        """
        if call.prefilled is None:
            call.prefilled = self._prompts.prefill(call.ids)
        start, cached = call.prefilled
        if self.rows and not start.pads:
            return False
        length = len(call.ids)
        samples = CallSamples(
            self._loaded.checkpoint, call.sampling, length, cached, self._loaded.endings
        )
        logits = start.logits.repeat(len(samples.live), 1)
        samples.add(samples.distribution.draw(logits, samples.chances()), 0)
        if samples.live:
            self._append(start.cache, len(samples.live), length)
            self._calls.append(samples)
        call.samples = samples
        return True

    def leave(self, call: CallSamples) -> None:
        """Remove a call that is not to go on."""
        if call in self._calls:
            going = [other is not call for other in self._calls for _ in other.live]
            call.live = []
            self._select(going)

    def step(self) -> None:
        """Draw the next token of every row."""
        logits = self._forward()
        going = dict[int, list[bool]]()
        for rows, calls, drawn in self._drawn(logits):
            for call, start in zip(calls, rows, strict=True):
                going[id(call)] = call.add(drawn, start)
        self._select([goes for call in self._calls for goes in going[id(call)]])

    def _forward(self) -> torch.Tensor:
        """Return the logits after each row's last token, (rows, vocabulary), in single precision."""
        device = self._model.device
        last = [[token] for call in self._calls for token in call.last_tokens()]
        lengths = self._seen.sum(1, keepdim=True)
        self._seen = pad(self._seen, (0, 1), value=True)
        places: dict[str, Any] = {}
        if not self._seen.all():
            places["attention_mask"] = self._seen.to(device, torch.long)
            if self._takes_positions:
                places["position_ids"] = lengths.to(device)
        output = self._model(
            input_ids=torch.tensor(last, device=device),
            past_key_values=self._cache,
            use_cache=True,
            **places,
        )
        self._cache = output.past_key_values
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _drawn(
        self, logits: torch.Tensor
    ) -> Iterator[tuple[list[int], list[CallSamples], DrawnTokens]]:
        """Yield calls with equal distributions, the first row of each among theirs, and their tokens."""
        first, row = dict[int, int](), 0
        for call in self._calls:
            first[id(call)] = row
            row += len(call.live)
        for distribution in dict.fromkeys(call.distribution for call in self._calls):
            calls = [call for call in self._calls if call.distribution == distribution]
            places = [first[id(c)] + i for c in calls for i in range(len(c.live))]
            chances = [chance for call in calls for chance in call.chances()]
            part = logits if len(places) == len(logits) else logits[places]
            starts = [0]
            for call in calls[:-1]:
                starts.append(starts[-1] + len(call.live))
            yield starts, calls, distribution.draw(part, chances)

    def _append(self, cache: Any, count: int, length: int) -> None:
        """Add `count` rows with the keys and values of a prompt."""
        before = self._seen.shape[1] if self.rows else length
        columns = max(before, length)
        new = pad(torch.ones((count, length), dtype=torch.bool), (columns - length, 0))
        if not self.rows:
            self._cache, self._seen = deepcopy(cache), new
            self._cache.batch_repeat_interleave(count)
            return
        self._seen = torch.cat([pad(self._seen, (columns - before, 0)), new])
        for ours, theirs in zip(self._cache.layers, cache.layers, strict=True):
            ours.keys = _stacked(ours.keys, theirs.keys, count)
            ours.values = _stacked(ours.values, theirs.values, count)

    def _select(self, going: Sequence[bool]) -> None:
        """Remove the rows that do not go on, and the columns that are padding in all others."""
        self._calls = [call for call in self._calls if call.live]
        if all(going):
            return
        kept = torch.tensor([row for row, goes in enumerate(going) if goes], dtype=torch.long)
        self._seen = self._seen[kept]
        if not self.rows:
            self._cache = None
            return
        self._cache.batch_select_indices(kept.to(self._model.device))
        if blank := int(self._seen.any(0).int().argmax()):
            self._seen = self._seen[:, blank:]
            for layer in self._cache.layers:
                layer.keys, layer.values = layer.keys[..., blank:, :], layer.values[..., blank:, :]


def _stacked(ours: torch.Tensor, theirs: torch.Tensor, count: int) -> torch.Tensor:
    """Return rows of (rows, heads, columns, width), then `count` times one other, with padding on the left."""
    columns = max(ours.shape[-2], theirs.shape[-2])
    padded = (pad(part, (0, 0, columns - part.shape[-2], 0)) for part in (ours, theirs))
    first, other = padded
    return torch.cat([first, other.expand(count, -1, -1, -1)])

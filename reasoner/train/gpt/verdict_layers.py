"""Training of the verdict layers: the policy judges its own steps, from its rollouts' outcomes alone.

The policy is frozen, and `LAYERS` more layers are added on top of it. At every token they read what the
policy expected there and what was written instead. They start as the identity. One loss preserves the
policy's distribution over tokens; the other trains the verdict. (For a model that has verdict layers,
these are trained further, or more of its upper layers.)

The log-odds of the two tokens that can end a step are its verdict. The log-odds of a right answer are
those of the latest step, plus all *doubts*: the negative log-odds of the steps before it. A verdict
therefore need not repeat the errors of earlier steps: trained on the value of the whole prefix instead,
a small model forgets an error after a line or two. And unlike in a plain sum, later steps cannot
compensate for an error. Only verdicts at step ends are used later, but every token is trained (as in
Cobbe et al., 2021), which teaches where a solution goes wrong: step ends alone are twenty times fewer
examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import kl_div
from transformers import Qwen3ForCausalLM

from reasoner.train import resumable as journal
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.loop import device, fit, restored
from reasoner.train.gpt.model import build, compile_layers
from reasoner.train.gpt.muon import optimizers
from reasoner.train.gpt.pretraining import merged
from reasoner.train.gpt.rollouts import Rollouts, prefix_values
from reasoner.train.progress import Report

LAYERS = 2
FIDELITY = 20.0
"""Weight of a nat of KL divergence from the policy: a solution has a hundred tokens."""
LAYER = re.compile(r"model\.layers\.(\d+)\.(.*)")
State = dict[str, torch.Tensor]
Source = Callable[[int], tuple[torch.Tensor, torch.Tensor]]
"""Returns the batch of a step: tokens (rows, length), and the value before each sampled one, -1 elsewhere."""


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A rollout as the model reads it, and the value of the prefix before each sampled token."""

    ids: list[int]
    values: list[float]

    @property
    def start(self) -> int:
        """Return the position of the first sampled token."""
        return len(self.ids) - len(self.values)


def load(path: Path) -> list[VerdictRow]:
    """Load every rollout of a file, with prefix values averaged over its problem's rollouts."""
    rows = list[VerdictRow]()
    for line in journal.read(path, Rollouts):
        prompt = v.encode(line["prompt"])
        rollouts = [{**r, "ids": v.as_read(r["ids"])} for r in line["rollouts"]]
        for r, values in zip(rollouts, prefix_values(rollouts), strict=True):
            rows.append(VerdictRow(prompt + r["ids"], values))
    return rows


def batch(rows: Sequence[VerdictRow], size: int, step: int, seed: str) -> list[VerdictRow]:
    """Return the rows of a step: every row once before any is repeated, in a new order each round."""
    round_, start = divmod(step, -(-len(rows) // size))
    order = Random(f"{seed}/{round_}").sample(range(len(rows)), len(rows))
    return [rows[i] for i in order[start * size : (start + 1) * size]]


def rereading(path: Path, size: int, length: int, seed: str) -> Source:
    """Return a source of batches of the rollouts in a file: `size` rows of `length` tokens."""
    rows = load(path)
    return lambda step: tensors(batch(rows, size, step, seed), length)


def tensors(rows: Sequence[VerdictRow], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens, and the value before each sampled one (-1 elsewhere); longer rows lose their end."""
    tokens = torch.full((len(rows), length), v.PAD)
    values = torch.full((len(rows), length), -1.0)
    for i, row in enumerate(rows):
        ids = row.ids[:length]
        tokens[i, : len(ids)] = torch.tensor(ids)
        values[i, row.start : len(ids)] = torch.tensor(row.values[: len(ids) - row.start])
    return tokens, values


def log_odds(logits: torch.Tensor, tokens: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Return log-odds (rows, length) of a right answer: a step's own, and the doubts about earlier steps.

    `tokens` are the next ones; `ends` is 1 for those that end a step. Inside a step, the pair of
    newlines is the verdict.
    """
    step = logits[..., v.STEP].float() - logits[..., v.STEP_BAD].float()
    end = logits[..., v.END].float() - logits[..., v.END_BAD].float()
    own = torch.where(tokens == v.END, end, step)
    doubt = own.clamp(max=0) * ends
    return own + doubt.cumsum(1) - doubt


def verdict_loss(logits: torch.Tensor, tokens: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of the log-odds against the values.

    It is the average of two means: over step ends, and over all tokens.
    """
    known = (values >= 0).float()
    ends = known * ((tokens == v.STEP) | (tokens == v.END)).float()
    odds = log_odds(logits, tokens, ends)
    loss = bce(odds, values.clamp(min=0), reduction="none")
    return ((loss * known).sum() / known.sum() + (loss * ends).sum() / ends.sum()) / 2


def policy_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the KL divergence of every next-token distribution from its target, pairs counted as one."""
    ours, target = (merged(x).log_softmax(-1) for x in (logits, targets))
    return kl_div(ours, target, reduction="none", log_target=True).sum(-1)


def cut(model: Qwen3ForCausalLM, depth: int) -> tuple[Any, Qwen3ForCausalLM]:
    """Split a frozen model in two: its first `depth` layers, and the rest with the output layer."""
    width, rest = model.config.hidden_size, model.config.num_hidden_layers - depth
    below, above = build(depth, width), build(rest, width)
    below.load_state_dict(_renumbered(model.state_dict(), 0, depth))
    above.load_state_dict(_renumbered(model.state_dict(), -depth, rest))
    below.model.register_module("norm", nn.Identity())
    return below.model.requires_grad_(False), above.requires_grad_(False)


def sprout(above: Qwen3ForCausalLM, layers: int = LAYERS, seed: int = 0) -> Qwen3ForCausalLM:
    """Return `layers` layers to train: those of `above`, then new ones that are the identity.

    Without verdict layers in `above`, every verdict starts undecided.
    """
    top, existing = build(layers, above.config.hidden_size, seed), above.config.num_hidden_layers
    with torch.no_grad():
        top.load_state_dict(top.state_dict() | above.state_dict())
        for layer in cast(Sequence[Any], top.model.layers)[existing:]:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        for good, bad in v.PAIRS if not existing else ():  # Pre-training never wrote the second.
            top.lm_head.weight[bad] = top.lm_head.weight[good]
    return top


def grown(
    model: Qwen3ForCausalLM, depth: int, file: Path, layers: int = LAYERS
) -> Qwen3ForCausalLM:
    """Return one model: the first `depth` layers of `model` under the verdict layers of `file`."""
    width = model.config.hidden_size
    top = restored(build(layers, width), file)
    whole = build(depth + layers, width)
    above = _renumbered(top.state_dict(), depth, depth + layers)
    del above["model.embed_tokens.weight"]
    whole.load_state_dict(_renumbered(model.state_dict(), 0, depth) | above)
    return whole


def _renumbered(state: State, by: int, layers: int) -> State:
    """Return weights with `by` added to the number of each layer, for numbers from 0 to below `layers`."""
    moved: State = {}
    for name, weight in state.items():
        if not (match := LAYER.match(name)):
            moved[name] = weight
        elif 0 <= (number := int(match[1]) + by) < layers:
            moved[f"model.layers.{number}.{match[2]}"] = weight
    return moved


def train(
    model: Qwen3ForCausalLM,
    depth: int,
    file: Path,
    sources: Sequence[Source],
    steps: int,
    seed: int = 0,
    layers: int = LAYERS,
    muon: float = 0.02,
    adam: float = 2e-3,
    compiled: bool = True,
    report: Report = print,
) -> Path:
    """Train `layers` layers above `depth` into `file`.

    `model` wrote the rollouts; a step takes a batch from each of their `sources`.
    """
    below, above = cut(model, depth)
    top = sprout(above, layers, seed)
    parts = (below, above, top)
    lower, policy, judge = map(compile_layers, parts) if compiled else parts

    def losses(step: int) -> Iterator[str]:
        for source in sources:
            tokens, values = (t.to(device()) for t in source(step))
            with torch.no_grad():
                states = lower(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
                targets = policy(inputs_embeds=states, use_cache=False).logits
            logits = judge(inputs_embeds=states, use_cache=False).logits
            sampled = (values[:, 1:] >= 0).float()
            divergence = (policy_loss(logits, targets) * sampled).sum() / sampled.sum()
            verdict = verdict_loss(logits, tokens[:, 1:], values[:, 1:])
            ((FIDELITY * divergence + verdict) / len(sources)).backward()
            yield f"{divergence.item():.5f}+{verdict.item():.4f}"

    return fit(top, optimizers(top, muon, adam), file, steps, losses, report)

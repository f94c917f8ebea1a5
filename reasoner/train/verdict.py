"""Teach the policy to judge its own steps, from its own rollouts' outcomes alone.

The policy is frozen, and `LAYERS` more layers are grown on top of it: they read, at every token, what
the policy expected there and what was written instead. They start as the identity. One loss keeps
the policy's distribution over tokens what it was; the other is the verdict: the first of the two
tokens that could end a step should be as probable, given the pair, as what stands there is valuable.
Only step ends are read later, but every token is asked (as in Cobbe et al., 2021), which teaches
where a solution goes wrong: judged at step ends alone, there are twenty times fewer examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import kl_div
from transformers import Qwen3ForCausalLM

from reasoner.train import vocabulary as v
from reasoner.train.loop import Report, device, fit
from reasoner.train.model import build
from reasoner.train.optimizer import optimizers
from reasoner.train.policy import merged, trained
from reasoner.train.rollouts import prefix_values, read

LAYERS = 2
FIDELITY = 20.0
"""What a nat of the policy's distribution is worth: a solution has a hundred tokens."""
LAYER = re.compile(r"model\.layers\.(\d+)\.(.*)")


@dataclass(frozen=True, slots=True)
class Row:
    """A rollout as the model reads it, and the value of what stood before each sampled token."""

    ids: list[int]
    values: list[float]

    @property
    def start(self) -> int:
        return len(self.ids) - len(self.values)


def load(path: Path) -> list[Row]:
    """Every rollout of a file, with prefix values averaged over its problem's rollouts."""
    rows = list[Row]()
    for line in read(path):
        prompt = v.encode(line["prompt"])
        rollouts = [{**r, "ids": v.as_read(r["ids"])} for r in line["rollouts"]]
        for r, values in zip(rollouts, prefix_values(rollouts), strict=True):
            rows.append(Row(prompt + r["ids"], values))
    return rows


def tensors(rows: Sequence[Row], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens, and the value before each sampled one (-1 elsewhere); longer rows lose their end."""
    tokens = torch.full((len(rows), length), v.PAD)
    values = torch.full((len(rows), length), -1.0)
    for i, row in enumerate(rows):
        ids = row.ids[:length]
        tokens[i, : len(ids)] = torch.tensor(ids)
        values[i, row.start : len(ids)] = torch.tensor(row.values[: len(ids) - row.start])
    return tokens, values


def verdict_loss(logits: torch.Tensor, tokens: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the pairs' log-odds against the values, over step ends and over all tokens.

    The two means are averaged. Inside a step it is the step's pair that judges.
    """
    step = logits[..., v.STEP].float() - logits[..., v.STEP_BAD].float()
    end = logits[..., v.END].float() - logits[..., v.END_BAD].float()
    odds = torch.where(tokens == v.END, end, step)
    loss = bce(odds, values.clamp(min=0), reduction="none")
    known = (values >= 0).float()
    ends = known * ((tokens == v.STEP) | (tokens == v.END)).float()
    return ((loss * known).sum() / known.sum() + (loss * ends).sum() / ends.sum()) / 2


def policy_loss(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """KL divergence of every next-token distribution from the wanted one, pairs counted as one."""
    told, meant = (merged(x).log_softmax(-1) for x in (logits, wanted))
    return kl_div(told, meant, reduction="none", log_target=True).sum(-1)


class Policy(nn.Module):
    """A trained policy, frozen: the states its last layer leaves, and what it wants to write."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.full = trained(folder)
        self.norm = self.full.model.norm
        self.full.model.register_module("norm", nn.Identity())

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = self.full.model(input_ids=tokens, use_cache=False).last_hidden_state
        return states, self.full.lm_head(self.norm(states))


def sprout(policy: Policy, seed: int = 0) -> Qwen3ForCausalLM:
    """Layers that do nothing yet, with the policy's norm and head, undecided on every verdict."""
    top = build(LAYERS, policy.full.config.hidden_size, seed)
    with torch.no_grad():
        top.model.norm.load_state_dict(policy.norm.state_dict())
        top.lm_head.load_state_dict(policy.full.lm_head.state_dict())
        for layer in cast(Iterable[Any], top.model.layers):
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        for good, bad in v.PAIRS:  # Pre-training never wrote the second of a pair.
            top.lm_head.weight[bad] = top.lm_head.weight[good]
    return top


def grown(folder: Path) -> Qwen3ForCausalLM:
    """The policy of `folder` with its trained verdict layers on top: one ordinary model."""
    policy = trained(folder)
    state = dict(policy.state_dict())
    depth = policy.config.num_hidden_layers
    layers = torch.load(folder / "verdict.pt", weights_only=True, map_location=device())["model"]
    for name, weight in layers.items():
        if match := LAYER.match(name):
            state[f"model.layers.{depth + int(match[1])}.{match[2]}"] = weight
        elif "embed_tokens" not in name:
            state[name] = weight
    model = build(depth + LAYERS, policy.config.hidden_size)
    model.load_state_dict(state)
    return model


def train(
    folder: Path,
    files: Sequence[tuple[Path, int, int]],
    steps: int,
    seed: int = 0,
    muon: float = 0.02,
    adam: float = 2e-3,
    compiled: bool = True,
    report: Report = print,
) -> Path:
    """Grow verdict layers on `folder`/policy.pt from files of (path, rows a batch, tokens a row)."""
    policy = Policy(folder)
    top = sprout(policy, seed)
    made = optimizers(top, muon, adam)
    data = [(load(file), rows, length) for file, rows, length in files]
    below, above = (torch.compile(m) if compiled else m for m in (policy, top))

    def losses(step: int) -> Iterator[str]:
        for i, (rows, size, length) in enumerate(data):
            chosen = Random(f"{seed}/{step}/{i}").sample(rows, size)
            tokens, values = (t.to(device()) for t in tensors(chosen, length))
            states, wanted = below(tokens[:, :-1])
            logits = above(inputs_embeds=states, use_cache=False).logits
            sampled = (values[:, 1:] >= 0).float()
            kept = (policy_loss(logits, wanted) * sampled).sum() / sampled.sum()
            verdict = verdict_loss(logits, tokens[:, 1:], values[:, 1:])
            ((FIDELITY * kept + verdict) / 2).backward()
            yield f"{kept.item():.5f}+{verdict.item():.4f}"

    return fit(top, made, folder / "verdict.pt", steps, losses, report)

"""Teach the policy to judge its own steps, from its own rollouts' outcomes alone.

Training goes on from the policy's weights on everything it sampled, right or wrong, so its
distribution stays what it was; the new term is the verdict: the first of the two tokens that could
end a step should be as probable, given the pair, as what stands there is valuable. Only step ends
are read later, but every token is asked (as in Cobbe et al., 2021), which teaches the model where a
solution goes wrong: judged at step ends alone, it learns from twenty times fewer examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from transformers import Qwen3ForCausalLM

from reasoner.train import vocabulary as v
from reasoner.train.loop import Report, device, fit
from reasoner.train.model import build
from reasoner.train.optimizer import optimizers
from reasoner.train.policy import token_loss
from reasoner.train.rollouts import prefix_values, read


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


def undecided(model: Qwen3ForCausalLM) -> None:
    """Make both tokens of every pair equally likely: pre-training never wrote the second."""
    with torch.no_grad():
        for good, bad in v.PAIRS:
            model.lm_head.weight[bad] = model.lm_head.weight[good]


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
    """Fine-tune `folder`/policy.pt on rollout files of (path, rows a batch, tokens a row)."""
    model = build()
    model.load_state_dict(torch.load(folder / "policy.pt", weights_only=True)["model"])
    undecided(model)
    made = optimizers(model, muon, adam)
    data = [(load(file), rows, length) for file, rows, length in files]
    run = torch.compile(model) if compiled else model

    def losses(step: int) -> Iterator[str]:
        for i, (rows, size, length) in enumerate(data):
            chosen = Random(f"{seed}/{step}/{i}").sample(rows, size)
            tokens, values = (t.to(device()) for t in tensors(chosen, length))
            logits = run(input_ids=tokens[:, :-1], use_cache=False).logits
            weight = (values[:, 1:] >= 0).float()
            policy = (token_loss(logits, tokens[:, 1:]) * weight).sum() / weight.sum()
            verdict = verdict_loss(logits, tokens[:, 1:], values[:, 1:])
            ((policy + verdict) / 2).backward()
            yield f"{policy.item():.4f}+{verdict.item():.4f}"

    return fit(model, made, folder / "verdict.pt", steps, losses, report)

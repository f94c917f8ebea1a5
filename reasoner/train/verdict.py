"""Teach the policy to judge its own steps, from its own rollouts' outcomes alone.

Training goes on from the policy's weights on everything it sampled, right or wrong, so its
distribution stays what it was; the new term is the verdict: at the end of every step, the first of
the two separator tokens should be as probable as the prefix is valuable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from reasoner.train import vocabulary as v
from reasoner.train.loop import Report, device, fit
from reasoner.train.model import build
from reasoner.train.optimizer import optimizers
from reasoner.train.policy import token_loss
from reasoner.train.rollouts import prefix_labels, read

ENDS = frozenset(i for pair in v.PAIRS for i in pair)


@dataclass(frozen=True, slots=True)
class Row:
    """A rollout as the model reads it, and the value of its prefix at each step end."""

    ids: list[int]
    start: int
    labels: list[tuple[int, float]]


def load(path: Path) -> list[Row]:
    """Every rollout of a file, with prefix values averaged over its problem's rollouts."""
    rows = list[Row]()
    for line in read(path):
        prompt = v.encode(line["prompt"])
        rollouts = [{**r, "ids": v.as_read(r["ids"])} for r in line["rollouts"]]
        for r, labels in zip(rollouts, prefix_labels(rollouts, ENDS), strict=True):
            moved = [(len(prompt) + i, value) for i, value in labels]
            rows.append(Row(prompt + r["ids"], len(prompt), moved))
    return rows


def tensors(rows: Sequence[Row], length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens, a mask of solution tokens, and prefix values (-1 where no step ends)."""
    tokens = torch.full((len(rows), length), v.PAD)
    mask, values = torch.zeros(len(rows), length), torch.full((len(rows), length), -1.0)
    for i, row in enumerate(rows):
        ids = row.ids[:length]
        tokens[i, : len(ids)] = torch.tensor(ids)
        mask[i, row.start : len(ids)] = 1
        for at, value in row.labels:
            if at < length:
                values[i, at] = value
    return tokens, mask, values


def verdict_loss(logits: torch.Tensor, tokens: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the pairs' log-odds against the prefix values."""
    odds = torch.zeros_like(values)
    for first, second in v.PAIRS:
        odds = torch.where(
            tokens == first, logits[..., first].float() - logits[..., second].float(), odds
        )
    known = (values >= 0).float()
    return (bce(odds, values.clamp(min=0), reduction="none") * known).sum() / known.sum()


def train(
    folder: Path,
    files: Sequence[tuple[Path, int, int]],
    steps: int,
    seed: int = 0,
    muon: float = 0.01,
    adam: float = 1e-3,
    compiled: bool = True,
    report: Report = print,
) -> Path:
    """Fine-tune `folder`/policy.pt on rollout files of (path, rows a batch, tokens a row)."""
    model = build()
    model.load_state_dict(torch.load(folder / "policy.pt", weights_only=True)["model"])
    made = optimizers(model, muon, adam)
    data = [(load(file), rows, length) for file, rows, length in files]
    run = torch.compile(model) if compiled else model

    def losses(step: int) -> Iterator[str]:
        for i, (rows, size, length) in enumerate(data):
            chosen = Random(f"{seed}/{step}/{i}").sample(rows, size)
            tokens, mask, values = (t.to(device()) for t in tensors(chosen, length))
            logits = run(input_ids=tokens[:, :-1], use_cache=False).logits
            weight = mask[:, 1:]
            policy = (token_loss(logits, tokens[:, 1:]) * weight).sum() / weight.sum()
            verdict = verdict_loss(logits, tokens[:, 1:], values[:, 1:])
            ((policy + verdict) / 2).backward()
            yield f"{policy.item():.4f}+{verdict.item():.4f}"

    return fit(model, made, folder / "verdict.pt", steps, losses, report)

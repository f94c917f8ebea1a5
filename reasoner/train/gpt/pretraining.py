"""Pre-train the embedded GPT on demonstrations of both tasks, resumable at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import torch
from pydantic import BaseModel, Field
from torch.nn.functional import cross_entropy
from transformers import Qwen3ForCausalLM

from reasoner.benchmarks.tasks import countdown, dagmath
from reasoner.benchmarks.tasks.generated import Demonstration
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import read_bytes, save_json, shown
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.loop import device, fit, restored
from reasoner.train.gpt.model import build, compile_layers
from reasoner.train.gpt.muon import optimizers
from reasoner.train.progress import Report

ROW = {"dagmath": 170, "countdown": 122}
"""Tokens of a row: the longest problem with its solution and its end."""

Demonstrator = Callable[[Random], Demonstration | None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights; `steps` counts optimiser steps."""

    steps: int = 1600
    layers: int = 6
    width: int = 192
    seed: int = 0
    dagmath_rows: int = 12
    countdown_rows: int = 40
    muon: float = 0.02
    adam: float = 3e-3


class _Size(BaseModel, extra="ignore"):
    """The part of a recipe that a finished policy is built by."""

    layers: int = Field(ge=1, le=1024)
    width: int = Field(ge=32, le=65_536)


def gentle(recipe: Recipe, model: Qwen3ForCausalLM) -> Recipe:
    """The recipe for training a finished `model` further: its size, and small steps."""
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    return replace(
        recipe,
        layers=layers,
        width=width,
        dagmath_rows=16,
        countdown_rows=16,
        muon=recipe.muon / 4,
        adam=recipe.adam / 6,
    )


def demonstrators(recipe: Recipe) -> list[tuple[Demonstrator, int, int]]:
    """(demonstrator, rows a batch, tokens a row) of each task."""
    return [
        (dagmath.demonstrate, recipe.dagmath_rows, ROW["dagmath"]),
        (countdown.demonstrate, recipe.countdown_rows, ROW["countdown"]),
    ]


def batch(
    draw: Demonstrator, rows: int, length: int, rng: Random
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (rows, length) and a mask of those to imitate, the end token included.

    A demonstration longer than `length` is an error, never left out: that would teach short
    problems only.
    """
    tokens = torch.full((rows, length), v.PAD)
    mask = torch.zeros((rows, length))
    row = 0
    while row < rows:
        shown = draw(rng)
        if shown is None:
            continue
        ids = [*v.encode(shown.prompt + shown.solution), v.END]
        tokens[row, : len(ids)] = torch.tensor(ids)
        mask[row, len(shown.prompt) : len(ids)] = torch.tensor(shown.mask).float()
        row += 1
    return tokens, mask


def token_loss(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of every next token, the two of a pair counted as one."""
    flat = merged(logits).flatten(0, 1)
    return cross_entropy(flat, tokens.flatten(), reduction="none").view_as(tokens)


def merged(logits: torch.Tensor) -> torch.Tensor:
    """Logits in which the first of each pair stands for both."""
    one = logits.float().clone()
    for first, second in v.PAIRS:
        one[..., first] = torch.logsumexp(logits[..., [first, second]].float(), -1)
        one[..., second] = -1e9
    return one


def trained(folder: Path) -> Qwen3ForCausalLM:
    """The policy that `train` left in `folder`."""
    path = folder / "recipe.json"
    try:
        recipe = parse_model(_Size, read_bytes(path))
    except Malformed as e:
        raise StoreError(f"{shown(path)} is no recipe ({e}); run the first stage again") from e
    return restored(build(recipe.layers, recipe.width), folder / "policy.pt")


def train(
    recipe: Recipe,
    folder: Path,
    compiled: bool = True,
    report: Report = print,
    model: Qwen3ForCausalLM | None = None,
) -> Path:
    """Train to `folder`/policy.pt, continuing from the last checkpoint found there.

    A new model, or `model` further, which must have the recipe's layers and width.
    """
    save_json(asdict(recipe), folder / "recipe.json")
    model = model or build(recipe.layers, recipe.width, recipe.seed)
    made = optimizers(model, recipe.muon, recipe.adam)
    run = compile_layers(model) if compiled else model

    def losses(step: int) -> Iterator[str]:
        rng = Random(f"{recipe.seed}/{step}")
        for draw, rows, length in demonstrators(recipe):
            tokens, mask = (t.to(device()) for t in batch(draw, rows, length, rng))
            logits = run(input_ids=tokens[:, :-1], use_cache=False).logits
            weight = mask[:, 1:]
            loss = (token_loss(logits, tokens[:, 1:]) * weight).sum() / weight.sum()
            (loss / 2).backward()
            yield f"{loss.item():.4f}"

    return fit(model, made, folder / "policy.pt", recipe.steps, losses, report)

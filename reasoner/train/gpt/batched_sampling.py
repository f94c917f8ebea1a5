"""Rollouts by the tens of thousands: what a GPU draws in the time an engine takes for hundreds.

An engine schedules every solution by itself, which for a model of four million parameters is nearly all of
the work. Here, all solutions of a batch go one token forward together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import repeat
from typing import Any, cast

import torch
from transformers import Qwen3ForCausalLM

from reasoner.base import Example, Task
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.grading_workers import graded

CHUNK = 2000
"""Solutions that a worker process grades at a time."""


def draw(
    model: Qwen3ForCausalLM, prompts: Sequence[str], longest: int, rows: int = 32_768
) -> torch.Tensor:
    """One solution of each prompt at temperature 1, as token ids (prompts, `longest`) with padding.

    Prompts of a length are drawn together, `rows` at a time. An ending is the first of its pair.
    """
    lengths = defaultdict[int, list[int]](list)
    for i, prompt in enumerate(prompts):
        lengths[len(prompt)].append(i)
    drawn = torch.full((len(prompts), longest), v.PAD, dtype=torch.uint8)
    for places in lengths.values():
        for start in range(0, len(places), rows):
            some = places[start : start + rows]
            written = _written(model, [prompts[i] for i in some], longest)
            drawn[some, : written.shape[1]] = written.to("cpu", torch.uint8)
    return drawn


def _written(model: Qwen3ForCausalLM, prompts: Sequence[str], longest: int) -> torch.Tensor:
    read = torch.tensor([v.encode(p) for p in prompts], device=model.device)
    whole = cast(Any, model).generate(
        input_ids=read,
        attention_mask=torch.ones_like(read),
        do_sample=True,
        top_k=0,
        max_new_tokens=longest,
        eos_token_id=[v.END, v.END_BAD],
        pad_token_id=v.PAD,
        cache_implementation="static",
        disable_compile=True,
    )
    assert isinstance(whole, torch.Tensor)
    ids = whole[:, read.shape[1] :]
    for good, bad in v.PAIRS:
        ids[ids == bad] = good
    return ids


def outcomes(
    task: Task, examples: Sequence[Example], drawn: torch.Tensor, workers: Executor
) -> torch.Tensor:
    """Which of the solutions drawn ended, and rightly; solution i is of example i."""
    starts = range(0, len(examples), CHUNK)
    parts = [(examples[i : i + CHUNK], drawn[i : i + CHUNK].numpy().tobytes()) for i in starts]
    right = workers.map(graded, repeat(task), *zip(*parts, strict=True), repeat(drawn.shape[1]))
    return torch.tensor([each for part in right for each in part])


def values(drawn: torch.Tensor, right: torch.Tensor, each: int) -> torch.Tensor:
    """What stood before each token is worth: the share of the problem's solutions through it that are right.

    `drawn` (problems · `each`, tokens) and `right` have each problem's solutions side by side; where
    there is padding the value is -1. It is `rollouts.prefix_values`, of all problems at once.
    """
    grouped = drawn.view(-1, each, drawn.shape[1])
    ended = right.view(-1, 1, each, 1).float()
    same = (grouped[:, :, None] == grouped[:, None]).cumprod(-1).float()
    same = torch.cat((torch.ones_like(same[..., :1]), same[..., :-1]), -1)
    shares = (same * ended).sum(2) / same.sum(2)
    shares[grouped == v.PAD] = -1.0
    return shares.view_as(drawn)

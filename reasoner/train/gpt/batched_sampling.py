"""Batched sampling of rollouts: a GPU draws tens of thousands in the time an engine needs for hundreds.

An engine schedules every solution separately, which for a model of four million parameters is nearly all of
the work. Here, all solutions of a batch advance one token together.
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
from reasoner.train.gpt.grading_workers import grade

CHUNK = 2000
"""Solutions per grading job of a worker process."""


def draw(
    model: Qwen3ForCausalLM, prompts: Sequence[str], longest: int, rows: int = 32_768
) -> torch.Tensor:
    """Sample one solution of each prompt at temperature 1, as padded token ids (prompts, `longest`).

    Prompts of equal length are sampled together, `rows` at a time. An ending is the first of its pair.
    """
    lengths = defaultdict[int, list[int]](list)
    for i, prompt in enumerate(prompts):
        lengths[len(prompt)].append(i)
    solutions = torch.full((len(prompts), longest), v.PAD, dtype=torch.uint8)
    for places in lengths.values():
        for start in range(0, len(places), rows):
            batch = places[start : start + rows]
            ids = _generate(model, [prompts[i] for i in batch], longest)
            solutions[batch, : ids.shape[1]] = ids.to("cpu", torch.uint8)
    return solutions


def _generate(model: Qwen3ForCausalLM, prompts: Sequence[str], longest: int) -> torch.Tensor:
    encoded = torch.tensor([v.encode(p) for p in prompts], device=model.device)
    whole = cast(Any, model).generate(
        input_ids=encoded,
        attention_mask=torch.ones_like(encoded),
        do_sample=True,
        top_k=0,
        max_new_tokens=longest,
        eos_token_id=[v.END, v.END_BAD],
        pad_token_id=v.PAD,
        cache_implementation="static",
        disable_compile=True,
    )
    assert isinstance(whole, torch.Tensor)
    ids = whole[:, encoded.shape[1] :]
    for good, bad in v.PAIRS:
        ids[ids == bad] = good
    return ids


def outcomes(
    task: Task, examples: Sequence[Example], solutions: torch.Tensor, workers: Executor
) -> torch.Tensor:
    """Return for each solution if it ended with a right answer; solution i is of example i."""
    starts = range(0, len(examples), CHUNK)
    parts = [(examples[i : i + CHUNK], solutions[i : i + CHUNK].numpy().tobytes()) for i in starts]
    right = workers.map(grade, repeat(task), *zip(*parts, strict=True), repeat(solutions.shape[1]))
    return torch.tensor([each for part in right for each in part])


def values(solutions: torch.Tensor, right: torch.Tensor, each: int) -> torch.Tensor:
    """Return the value of the prefix before each token: the share of right ones among solutions through it.

    `solutions` (problems · `each`, tokens) and `right` (problems · `each`) have each problem's solutions in
    succession; the value of padding is -1. Equals `rollouts.prefix_values`, for all problems at once.
    """
    grouped = solutions.view(-1, each, solutions.shape[1])
    ended = right.view(-1, 1, each, 1).float()
    same = (grouped[:, :, None] == grouped[:, None]).cumprod(-1).float()
    same = torch.cat((torch.ones_like(same[..., :1]), same[..., :-1]), -1)
    shares = (same * ended).sum(2) / same.sum(2)
    shares[grouped == v.PAD] = -1.0
    return shares.view_as(solutions)

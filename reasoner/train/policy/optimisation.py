"""The optimiser: steps on packed solutions, checkpoints, and progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from random import Random
from zlib import crc32

import torch

from reasoner.files import replacing
from reasoner.train.gpt.loop import device, loading
from reasoner.train.policy.packing import PackedRow, TokenisedSolution, pack
from reasoner.train.policy.policy_model import PolicyModel
from reasoner.train.policy.training_flops import training_flops
from reasoner.train.progress import Report

SAVE_EVERY, REPORT_EVERY = 120.0, 10.0
"""Seconds from one checkpoint to the next, and from one line of progress to the next."""
WARM_UP = 0.05
"""The share of the steps in which the learning rate rises."""
LARGEST_NORM = 1.0
"""The norm that the gradient is clipped to."""


@dataclass(slots=True)
class TrainingUse:
    """The compute of a training so far: steps, tokens of problems and solutions, FLOPs, and seconds."""

    step: int = 0
    tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0


class Optimisation:
    """AdamW on a policy, for `steps` steps, with a checkpoint at `path` from which a killed run resumes.

    A step depends on the weights, its number and its solutions alone, so that a resumed run ends with the
    weights of an uninterrupted one on the same machine.
    """

    def __init__(self, policy: PolicyModel, steps: int, path: Path, report: Report) -> None:
        self.policy, self.steps, self.path = policy, steps, path
        self.use = TrainingUse()
        self._report, self._recipe = report, policy.recipe
        self._optimiser = torch.optim.AdamW(
            policy.weights.values(), policy.recipe.rate, betas=(0.9, 0.95), weight_decay=0.0
        )
        self._saved = self._reported = time.monotonic()
        self._resumed = TrainingUse()
        if path.exists():
            self._restore()

    def step(self, solutions: Sequence[TokenisedSolution]) -> float:
        """Take one step on `solutions`; return the loss: the weighted mean over their tokens, in nats.

        Without solutions, the step changes nothing but its own number.
        """
        started = time.monotonic()
        torch.manual_seed(crc32(f"{self._recipe.seed}/{self.use.step}".encode()))
        tokens, loss = sum(s.trained for s in solutions), 0.0
        for row in pack(solutions):
            part = self.policy.loss(PackedRow.of(row, device())) / tokens
            part.backward()
            loss += part.item()
        if solutions:
            self._descend()
        self._count(solutions, time.monotonic() - started)
        self._tell(loss)
        return loss

    def _descend(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.policy.weights.values(), LARGEST_NORM)
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.rate * schedule(self.use.step, self.steps)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "weights": {n: w.detach() for n, w in self.policy.weights.items()},
            "optimiser": self._optimiser.state_dict(),
            "use": asdict(self.use),
        }
        with replacing(self.path) as part:
            torch.save(state, part)
        self._saved = time.monotonic()

    def save_sometimes(self) -> None:
        """Write the checkpoint if the last one is `SAVE_EVERY` seconds old."""
        if time.monotonic() - self._saved >= SAVE_EVERY:
            self.save()

    def _restore(self) -> None:
        with loading(self.path) as state, torch.no_grad():
            for name, weight in self.policy.weights.items():
                weight.copy_(state["weights"][name])
            self._optimiser.load_state_dict(state["optimiser"])
            self.use, self._resumed = TrainingUse(**state["use"]), TrainingUse(**state["use"])

    def _count(self, solutions: Sequence[TokenisedSolution], seconds: float) -> None:
        lengths, policy = [len(s.ids) for s in solutions], self.policy
        self.use.step += 1
        self.use.tokens += sum(lengths)
        self.use.seconds += seconds
        self.use.flops += training_flops(
            policy.info, lengths, policy.adapter_weights, self._recipe.recompute
        )

    def _tell(self, loss: float) -> None:
        """Report loss, speed and the time left, now and then and at the end."""
        now, use = time.monotonic(), self.use
        if use.step < self.steps and use.step > 1 and now - self._reported < REPORT_EVERY:
            return
        self._reported = now
        seconds = max(use.seconds - self._resumed.seconds, 1e-9)
        speed = (use.tokens - self._resumed.tokens) / seconds
        left = seconds / (use.step - self._resumed.step) * (self.steps - use.step)
        self._report(
            f"step {use.step}/{self.steps}  loss {loss:.4f}  {speed:,.0f} tokens/s  {duration(left)} left"
        )


def schedule(step: int, steps: int) -> float:
    """Return the share of the learning rate in a step: a linear warm-up, then half a cosine to zero."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return (1 + cos(pi * (step - warm_up) / max(1, steps - warm_up))) / 2


def batch(
    solutions: Sequence[TokenisedSolution], size: int, step: int, seed: int
) -> list[TokenisedSolution]:
    """Return the solutions of a step: each once before any is repeated, in a new order each time."""
    epoch, start = divmod(step, -(-len(solutions) // size))
    order = Random(f"{seed}/{epoch}").sample(range(len(solutions)), len(solutions))
    return [solutions[i] for i in order[start * size : (start + 1) * size]]


def duration(seconds: float) -> str:
    """Return a time as minutes and seconds, or as hours and minutes."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes}:{rest:02}"

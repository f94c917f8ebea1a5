"""Recipes: the settings that determine a training, given its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "bfloat16", "float32"]
Start = Literal["base", "last"]
Reward = Literal["rule", "verifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """The settings of the optimiser.

    Attributes:
        rate: the highest learning rate, reached after the warm-up.
        epochs: passes over the data.
        batch: solutions per optimiser step.
        lora: the rank of the adapters; 0 trains all weights.
        precision: of the computation; weights and optimiser are in single precision.
        recompute: compute activations again in the backward pass, which saves memory.
        seed: determines order, dropout and the initial adapters.
    """

    rate: float
    epochs: int = 3
    batch: int = 16
    lora: int = 0
    precision: Precision = "auto"
    recompute: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRecipe:
    """The settings of rounds of sampling and training.

    Attributes:
        task: the task whose problems of split "train" are solved.
        rounds: how often to sample and train.
        problems: problems per round.
        samples: solutions per problem.
        strategy: samples them.
        verifier: guides the search; by default what suits it, where it needs one.
        reward: the task's own check, or the verifier's score.
        threshold: the least reward of a solution to learn from (expert iteration).
        most: the most solutions of one problem to learn from (expert iteration).
        start: the weights that each round trains (expert iteration).
        fresh: solve other problems in each round.
        dev_problems, dev_samples: what the policy is measured on after each round; 0 problems measure nothing.
        measure_every: rounds from one measurement to the next.
    """

    task: str
    rounds: int = 3
    problems: int = 256
    samples: int = 4
    strategy: str = "majority"
    verifier: str | None = None
    reward: Reward = "rule"
    threshold: float = 0.5
    most: int = 4
    start: Start = "base"
    fresh: bool = False
    dev_problems: int = 100
    dev_samples: int = 16
    measure_every: int = 1

"""The options of `train policy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from reasoner.cli import option_types as o
from reasoner.errors import ConfigError
from reasoner.options import InputFile, Options, Positive

if TYPE_CHECKING:
    from reasoner.train.policy.recipe import RolloutRecipe, TrainingRecipe

Whole = Annotated[int, Field(ge=0, le=1_000_000)]
Rank = Annotated[int, Field(ge=0, le=4096)]
RATES = {"sft": 1e-4, "expert-iteration": 1e-4, "reinforce": 1e-5}
"""The default learning rate of all weights, by method; adapters take ten times as much."""


class PolicyOptions(Options):
    """The options of `train policy`: the method, its data, and the size of each part."""

    method: Annotated[
        Literal["sft", "expert-iteration", "reinforce"],
        Field(description="imitate solutions; or learn from its own, by imitation or by gradient"),
    ] = "sft"
    model: o.ModelPath = None
    data: Annotated[
        InputFile | None,
        Field(examples=["FILE.jsonl"], description="problems and solutions, for sft"),
    ] = None
    task: Annotated[
        str | None, Field(description="whose problems to solve, or solutions to imitate")
    ] = None
    out: o.Out = Path("runs/policy")
    epochs: Annotated[Positive, Field(description="passes over the solutions")] = 3
    batch: Annotated[Positive, Field(description="solutions per step")] = 16
    rate: Annotated[
        o.Rate | None,
        Field(description="default: 1e-4, or 1e-5 for reinforce; ten times that with --lora"),
    ] = None
    lora: Annotated[Rank, Field(description="rank of adapters; 0 trains all weights")] = 0
    precision: Annotated[
        Literal["auto", "bfloat16", "float32"],
        Field(description="of the computation; auto is bfloat16 where the hardware has it"),
    ] = "auto"
    recompute: Annotated[
        bool, Field(description="less memory: compute activations again in the backward pass")
    ] = False
    snapshots: Annotated[Whole, Field(description="models to write on the way, for sft")] = 0
    demonstrations: Annotated[
        Positive, Field(description="solutions of --task to imitate, for sft without --data")
    ] = 10_000
    rounds: Annotated[Positive, Field(description="rounds of sampling and training")] = 3
    problems: Annotated[Positive, Field(description="training problems per round")] = 256
    samples: Annotated[Positive, Field(description="solutions per problem")] = 4
    strategy: Annotated[
        str,
        Field(description="samples solutions, for expert-iteration; `reasoner list strategies`"),
    ] = "majority"
    verifier: Annotated[
        str | None, Field(description="guides the strategy, or rewards; `reasoner list verifiers`")
    ] = None
    reward: Annotated[
        Literal["rule", "verifier"],
        Field(description="the task's own check, or the verifier's score"),
    ] = "rule"
    threshold: Annotated[
        o.Share,
        Field(
            examples=["SHARE"],
            description="least reward of a solution to learn from (default: 0.5)",
        ),
    ] = 0.5
    most: Annotated[
        Positive, Field(description="solutions of a problem to learn from, for expert-iteration")
    ] = 4
    start: Annotated[
        Literal["base", "last"],
        Field(description="the weights each round trains, for expert-iteration"),
    ] = "base"
    fresh: Annotated[
        bool, Field(description="other problems in each round, for expert-iteration")
    ] = False
    dev_problems: Annotated[Whole, Field(description="problems to measure on; 0: none")] = 100
    dev_samples: Annotated[Positive, Field(description="solutions of each of them")] = 16
    measure_every: Annotated[
        Positive | None, Field(description="rounds (default: 1, or 10 for reinforce)")
    ] = None
    backend: o.Backend = None
    seed: o.RandomSeed = 0

    def check(self) -> None:
        """Refuse options that do not belong together.

        Raises:
            ConfigError: there is nothing to learn from.
        """
        if self.method == "sft" and not (self.data or self.task):
            raise ConfigError("--method sft needs solutions: give --data FILE.jsonl or --task NAME")
        if self.method != "sft" and not self.task:
            raise ConfigError(f"--method {self.method} needs problems to solve: give --task NAME")
        if self.method != "sft" and self.data:
            raise ConfigError(
                f"--method {self.method} samples its own solutions; leave --data out, or put the"
                " problems into a task: --task 'jsonl(data=\"FILE\")'"
            )

    def training_recipe(self) -> TrainingRecipe:
        """Return the settings of the optimiser."""
        from reasoner.train.policy.recipe import TrainingRecipe

        default = RATES[self.method] * (10 if self.lora else 1)
        return TrainingRecipe(
            rate=default if self.rate is None else self.rate,
            epochs=self.epochs,
            batch=self.batch,
            lora=self.lora,
            precision=self.precision,
            recompute=self.recompute,
            seed=self.seed,
        )

    def rollout_recipe(self) -> RolloutRecipe:
        """Return the settings of the rounds."""
        from reasoner.train.policy.recipe import RolloutRecipe

        same = (
            "rounds", "problems", "samples", "strategy", "verifier", "reward", "threshold", "most",
            "start", "fresh", "dev_problems", "dev_samples",
        )  # fmt: skip
        every = self.measure_every or (10 if self.method == "reinforce" else 1)
        return RolloutRecipe(
            task=self.task or "", measure_every=every, **{f: getattr(self, f) for f in same}
        )

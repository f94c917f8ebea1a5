"""The options of `reasoner train gpt`, read without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from reasoner.options import Layers, Options, OutputFolder, Positive, RunPath, Seed


class GptOptions(Options):
    """Options for training the embedded GPT: the stages, and the size of each."""

    out: Annotated[OutputFolder, Field(description="folder of the checkpoints and the model")] = (
        Path("runs/train")
    )
    stage: Annotated[
        Literal["policy", "rollouts", "verdict", "evaluate"] | None,
        Field(description="run only this stage (default: all in order)"),
    ] = None
    steps: Annotated[Positive, Field(description="steps of pre-training")] = 1600
    verdict_steps: Annotated[Positive, Field(description="steps of learning to judge")] = 800
    verdict_layers: Annotated[
        Layers, Field(description="layers that learn to judge, from the top")
    ] = 2
    problems: Annotated[
        tuple[Positive, Positive],
        Field(
            examples=["DAGMATH", "COUNTDOWN"],
            description="problems to roll out (default: 3200 4800)",
        ),
    ] = (3200, 4800)
    rollouts: Annotated[Positive, Field(description="rollouts per problem")] = 4
    fresh: Annotated[
        bool,
        Field(
            description="draw rollouts of so many new --problems whenever the last were seen --times (on a GPU)"
        ),
    ] = False
    times: Annotated[Positive, Field(description="how often to learn from a fresh rollout")] = 3
    test_problems: Annotated[Positive, Field(description="problems per task to evaluate on")] = 1000
    split: Annotated[
        str,
        Field(
            description="train, dev (for choices), test or final (for headlines), to evaluate on"
        ),
    ] = "dev"
    model: Annotated[
        RunPath | None, Field(description="a finished model, to evaluate or to train further")
    ] = None
    eager: Annotated[bool, Field(description="compile nothing, for short runs")] = False
    seed: Annotated[Seed, Field(description="seed of everything that is drawn")] = 0

"""`reasoner train prm`: a process reward model, to be used as verifier `token-classifier`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from reasoner.train.progress import Report
from reasoner.train.reward.labelled_solutions import LabelledSolution
from reasoner.train.reward.recipe import Kind, Recipe
from reasoner.train.reward.recipe import train as train_classifier

Target = Literal["soft", "hard"]


def train(
    recipe: Recipe, target: Target, environment: Mapping[str, Any], report: Report = print
) -> dict[str, Any]:
    """Train two labels on every step: on its value where `target` is soft, else on its label.

    A step without a value is learned from its label. Raises what `classifier.train` raises.
    """
    kind = Kind(
        spelled=spelled,
        auto="AutoModelForTokenClassification",
        labels=2,
        targets=soft if target == "soft" else hard,
        right=lambda solution: solution.labels,
        settings={"target": target},
    )
    return train_classifier(kind, recipe, environment, report)


def spelled(model: str, separator: str) -> str:
    """The verifier as it is named on the command line."""
    cut = "" if separator == "\n" else f", separator={separator!r}"
    return f"token-classifier(model={json.dumps(model)}{cut})"


def soft(solution: LabelledSolution) -> list[float]:
    """The value of each step, or its label."""
    return solution.targets


def hard(solution: LabelledSolution) -> list[float]:
    """The label of each step."""
    return [float(label) for label in solution.labels]

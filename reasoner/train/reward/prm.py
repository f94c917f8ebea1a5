"""Training of a process reward model, for verifier `token-classifier`: `reasoner train prm`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from reasoner.train.progress import Report
from reasoner.train.reward.labelled_solutions import LabelledSolution
from reasoner.train.reward.recipe import RewardKind, RewardRecipe
from reasoner.train.reward.recipe import train as train_classifier

Target = Literal["soft", "hard"]


def train(
    recipe: RewardRecipe, target: Target, environment: Mapping[str, Any], report: Report = print
) -> dict[str, Any]:
    """Train two labels on every step: on its value if `target` is soft, else on its label.

    The target of a step without a value is its label. Raises what `recipe.train` raises.
    """
    kind = RewardKind(
        verifier_spec=verifier_spec,
        auto="AutoModelForTokenClassification",
        labels=2,
        targets=soft if target == "soft" else hard,
        right=lambda solution: solution.labels,
        settings={"target": target},
    )
    return train_classifier(kind, recipe, environment, report)


def verifier_spec(model: str, separator: str) -> str:
    """Return the verifier's spec for the command line."""
    cut = "" if separator == "\n" else f", separator={separator!r}"
    return f"token-classifier(model={json.dumps(model)}{cut})"


def soft(solution: LabelledSolution) -> list[float]:
    """Return the value of each step, or if unknown its label."""
    return solution.targets


def hard(solution: LabelledSolution) -> list[float]:
    """Return the label of each step."""
    return [float(label) for label in solution.labels]

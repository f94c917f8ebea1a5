"""Training of an outcome reward model, for verifier `orm`: `reasoner train orm`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reasoner.train.progress import Report
from reasoner.train.reward.recipe import RewardKind, RewardRecipe
from reasoner.train.reward.recipe import train as train_classifier

KIND = RewardKind(
    verifier_spec=lambda model, _: f"orm(model={json.dumps(model)})",
    auto="AutoModelForSequenceClassification",
    labels=1,
    targets=lambda solution: [float(solution.correct)],
    right=lambda solution: [solution.correct],
    settings={},
)


def train(
    recipe: RewardRecipe, environment: Mapping[str, Any], report: Report = print
) -> dict[str, Any]:
    """Train one label on the correctness of the solution. Raises what `recipe.train` raises."""
    return train_classifier(KIND, recipe, environment, report)

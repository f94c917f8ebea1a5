"""Supervised fine-tuning: the policy imitates solutions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from reasoner.errors import ConfigError
from reasoner.files import save_json
from reasoner.models.local import local_model
from reasoner.models.train_compute import RECORD, train_flops
from reasoner.train.manifest import claim, identity
from reasoner.train.policy.ledger import ComputeLedger, LedgerEntry
from reasoner.train.policy.optimisation import Optimisation, TrainingUse, batch
from reasoner.train.policy.packing import TokenisedSolution
from reasoner.train.policy.policy_model import PolicyModel
from reasoner.train.policy.recipe import TrainingRecipe
from reasoner.train.policy.solutions import Pair
from reasoner.train.progress import Report


def train(
    model: str,
    pairs: Sequence[Pair],
    recipe: TrainingRecipe,
    out: Path,
    environment: Mapping[str, Any],
    *,
    snapshots: int = 0,
    spent: float | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """Train `model` on `pairs`; write the trained model to `out`, and return its training.json.

    A killed run resumes from its last checkpoint; a finished one is left as it is. `snapshots` models are
    written on the way, evenly spaced, to folders such as `step-100`. `spent` is the training compute so
    far, in FLOPs; by default that of `model`.

    Raises:
        ConfigError: no solution fits the context, or `out` has another training.
        StoreError: a file cannot be read or written.
    """
    folder = local_model(model)
    refuse_itself(folder, out)
    settings = {**asdict(recipe), **identity(folder, folder), "data": digest_of(pairs)}
    record = out / RECORD
    if "steps" in (manifest := claim(record, settings)):
        return manifest
    before = (train_flops(folder) or 0.0) if spent is None else spent
    policy = PolicyModel(model, recipe)
    solutions = tokenised(policy, pairs, report)
    use = fit(policy, solutions, out, snapshots, before, report)
    policy.save(out)
    manifest = {
        "settings": settings,
        **environment,
        "solutions": len(solutions),
        "steps": use.step,
        "tokens": use.tokens,
        "flops": use.flops,
        "train_flops": before + use.flops,
        "seconds": round(use.seconds, 3),
    }
    save_json(manifest, record)
    checkpoint(out).unlink(missing_ok=True)
    return manifest


def charge(ledger: ComputeLedger, round: int, manifest: Mapping[str, Any]) -> None:
    """Enter the compute of a finished training."""
    use = {field: manifest[field] for field in ("tokens", "flops", "seconds")}
    ledger.charge(LedgerEntry(round=round, role="train", **use))


def tokenised(
    policy: PolicyModel, pairs: Sequence[Pair], report: Report
) -> list[TokenisedSolution]:
    """Return the tokens of the pairs that fit the context.

    Raises:
        ConfigError: none does, or the model cannot train on packed rows.
    """
    solutions = [s for s in map(policy.tokenise, pairs) if s]
    if not solutions:
        raise ConfigError(f"no solution fits the context of {policy.info.name!r}")
    if len(solutions) < len(pairs):
        report(f"{len(pairs) - len(solutions)} solutions are longer than the context; left out")
    if len(solutions) > 1:
        policy.check_packing(solutions[0], solutions[1])
    return solutions


def fit(
    policy: PolicyModel,
    solutions: Sequence[TokenisedSolution],
    out: Path,
    snapshots: int,
    before: float,
    report: Report,
) -> TrainingUse:
    """Train for all epochs, from the checkpoint in `out` if there is one, after `before` FLOPs."""
    recipe = policy.recipe
    steps = recipe.epochs * -(-len(solutions) // recipe.batch)
    optimisation = Optimisation(policy, steps, checkpoint(out), report)
    written = {round(steps * i / (snapshots + 1)) for i in range(1, snapshots + 1)}
    while (step := optimisation.use.step) < steps:
        optimisation.step(batch(solutions, recipe.batch, step, recipe.seed))
        if step + 1 in written:
            policy.save(folder := out / f"step-{step + 1}")
            save_json({"train_flops": before + optimisation.use.flops}, folder / RECORD)
        optimisation.save_sometimes()
    return optimisation.use


def checkpoint(out: Path) -> Path:
    """Return the file of the checkpoint, which exists until the training ends."""
    return out / "checkpoint.pt"


def refuse_itself(model: str, out: Path) -> None:
    """Raise a `ConfigError` if `out` is the model that is trained."""
    if os.path.isdir(model) and out.resolve() == Path(model).resolve():
        raise ConfigError(f"{str(out)!r} is the model itself; train into another folder")


def digest_of(pairs: Sequence[Pair]) -> str:
    """Return a digest of problems and solutions, in their order."""
    digest = blake2b(digest_size=6)
    for pair in pairs:
        digest.update(f"{pair.prompt}\0{pair.solution}\0".encode())
    return digest.hexdigest()

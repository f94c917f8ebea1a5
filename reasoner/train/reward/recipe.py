"""Training of reward models: a classifier learns to tell, where its verifier reads it, what it should.

The verifier itself makes the tokens and says where they are read, and the trained folder is measured
through it: what is trained is what is used.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import accelerate
import torch
import transformers

from reasoner.benchmarks.analysis.step_metrics import Ranking, ScoredSolution
from reasoner.errors import ConfigError
from reasoner.files import save_json
from reasoner.registry import verifiers
from reasoner.train.manifest import claim, digest, told_apart
from reasoner.train.progress import Report
from reasoner.train.reward.labelled_solutions import LabelledSolution, held_out, read
from reasoner.train.reward.trainer import LARGE, checkpoints, fit
from reasoner.types import Candidate, Completion, Finish, Problem
from reasoner.verifiers.reward.reward_model import RewardModel


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, the kind of reward model aside.

    Where `test` names no solutions, those of a tenth of the problems in `data` are held out. A step
    takes `batch` solutions; without a `rate`, it is 1e-5, or 1e-3 for less than `LARGE` parameters.
    """

    data: Path
    model: str
    out: Path
    test: Path | None = None
    epochs: int = 3
    batch: int = 16
    rate: float | None = None
    init: Literal["pretrained", "random"] = "pretrained"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells one kind of reward model from another in training.

    `spelled` is the verifier of a model, given the separator of its steps, as the registry has it;
    `auto` the Transformers class of such models. `targets` and `right` have an entry per read of a
    solution: the score that is wanted, and whether it ought to be high.
    """

    spelled: Callable[[str, str], str]
    auto: str
    labels: int
    targets: Callable[[LabelledSolution], Sequence[float]]
    right: Callable[[LabelledSolution], Sequence[bool]]
    settings: Mapping[str, Any]


def train(
    kind: Kind, recipe: Recipe, environment: Mapping[str, Any], report: Report = print
) -> dict[str, Any]:
    """Train into the folder `recipe.out`, and return what its training.json tells.

    A run that was killed goes on from its last checkpoint; one that had ended is left as it is.

    Raises:
        ConfigError: the data or the model will not do, or the folder is of another recipe.
        StoreError: a file cannot be read or written.
    """
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    learned, tested = _solutions(recipe)
    separator = _separator([*learned, *tested])
    verifier: RewardModel = verifiers.make(kind.spelled(recipe.model, separator))
    if recipe.out.resolve() == Path(verifier.weights.path).resolve():
        raise ConfigError(f"{str(recipe.out)!r} is the model itself; train into another folder")
    rows, settings = examples(kind, verifier, learned), _settings(kind, recipe, verifier)
    record = recipe.out / "training.json"
    if "held_out" in (found := claim(record, settings)):
        return found
    model = build(kind, recipe, verifier)
    fit(
        model, rows, recipe.out, epochs=recipe.epochs, batch=recipe.batch, rate=settings["rate"],
        seed=recipe.seed, report=report,
    )  # fmt: skip
    model.save_pretrained(recipe.out)
    verifier.weights.tokenizer.save_pretrained(recipe.out)
    name = kind.spelled(str(recipe.out), separator)
    found = {
        "settings": settings,
        **environment,
        "accelerate": accelerate.__version__,
        "verifier": name,
        "solutions": len(rows),
        "tokens": recipe.epochs * sum(len(row["input_ids"]) for row in rows),
        "held_out": asyncio.run(measure(verifiers.make(name, engine="transformers"), kind, tested)),
    }
    save_json(found, record)
    shutil.rmtree(checkpoints(recipe.out))
    return found


def examples(
    kind: Kind, verifier: RewardModel, solutions: Iterable[LabelledSolution]
) -> list[dict[str, Any]]:
    """What the verifier reads of each solution, and what it ought to read there.

    Reads beyond the model's context are left out, as the verifier leaves them out.

    Raises:
        ConfigError: nothing is left, or a step contains the separator.
    """
    tokenizer, context = verifier.weights.tokenizer, verifier.weights.info.context
    rows = list[dict[str, Any]]()
    for solution in solutions:
        encoded = verifier.encode(tokenizer, solution.prompt, solution.solution)
        targets = kind.targets(solution)
        if len(encoded.reads) != len(targets):
            raise ConfigError(
                f"{solution.id} has {len(targets)} steps, and the verifier reads"
                f" {len(encoded.reads)}: none may contain the separator {solution.separator!r}"
            )
        kept = encoded.within(context)
        if kept.reads:
            targets = targets[: len(kept.reads)]
            rows.append({"input_ids": kept.ids, "reads": kept.reads, "targets": targets})
    if not rows:
        raise ConfigError(f"no solution has a step within {verifier.model!r}'s context")
    return rows


def build(kind: Kind, recipe: Recipe, verifier: RewardModel) -> Any:
    """The classifier to train, with a new head; in single precision, whatever it was saved in.

    Raises:
        ConfigError: Transformers has no such classifier, or cannot load the weights.
    """
    transformers.set_seed(recipe.seed)
    auto, path = getattr(transformers, kind.auto), verifier.weights.path
    try:
        if recipe.init == "pretrained":
            return auto.from_pretrained(path, num_labels=kind.labels, dtype=torch.float32)
        config = transformers.AutoConfig.from_pretrained(path, num_labels=kind.labels)
        return auto.from_config(config, dtype=torch.float32)
    except (OSError, ValueError) as e:
        told = str(e).splitlines()[0]
        raise ConfigError(f"cannot make a reward model of {recipe.model!r}: {told}") from e


async def measure(
    verifier: RewardModel, kind: Kind, solutions: Sequence[LabelledSolution]
) -> dict[str, Any]:
    """How well the verifier's scores of solutions rank right over wrong, with its interval."""
    pools = list[list[ScoredSolution]]()
    for prompt in dict.fromkeys(s.prompt for s in solutions):
        pool = [s for s in solutions if s.prompt == prompt and kind.right(s)]
        judged = await verifier.score(Problem(prompt, prompt), [_candidate(s) for s in pool])
        told = [score.steps or (score.value,) for score in judged.scores]
        # Of a solution longer than the context, the steps beyond it have no score.
        pools.append([(t, kind.right(s)[: len(t)]) for s, t in zip(pool, told, strict=True)])
    await verifier.aclose()
    return Ranking.of(pools).model_dump()


def _candidate(solution: LabelledSolution) -> Candidate:
    return Candidate((Completion(solution.solution, (), Finish.EOS),), complete=True)


def _solutions(recipe: Recipe) -> tuple[list[LabelledSolution], list[LabelledSolution]]:
    """The solutions to learn from, and those to measure on."""
    rows = read(recipe.data)
    if recipe.test is None:
        return held_out(rows, recipe.seed)
    tested = read(recipe.test)
    if shared := {row.prompt for row in rows} & {row.prompt for row in tested}:
        raise ConfigError(
            f"{len(shared)} problems of {recipe.test} are in {recipe.data} too; label another split"
        )
    return rows, tested


def _separator(rows: Sequence[LabelledSolution]) -> str:
    separators = sorted({row.separator for row in rows})
    if len(separators) > 1:
        raise ConfigError(
            f"the solutions end their steps in different ways: {', '.join(map(repr, separators))};"
            " train on those of one kind"
        )
    return separators[0]


def _settings(kind: Kind, recipe: Recipe, verifier: RewardModel) -> dict[str, Any]:
    """The recipe, with files told by what is in them."""
    chosen = 1e-5 if verifier.weights.info.parameters >= LARGE else 1e-3
    return {
        **{k: v for k, v in asdict(recipe).items() if k != "out"},
        **kind.settings,
        "data": digest(recipe.data),
        "test": recipe.test and digest(recipe.test),
        **told_apart(recipe.model, verifier.weights.path),
        "rate": chosen if recipe.rate is None else recipe.rate,
    }

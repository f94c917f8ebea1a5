"""Training of reward models: a classifier learns its targets at the positions that its verifier reads.

The verifier itself encodes solutions and chooses these positions, and the trained model is measured
through it, so that training and use agree.
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
from reasoner.files import exclusive, save_json
from reasoner.registry import verifiers
from reasoner.train.manifest import claim, digest, identity
from reasoner.train.progress import Report
from reasoner.train.reward.labelled_solutions import LabelledSolution, held_out, read
from reasoner.train.reward.trainer import LARGE, checkpoints, fit
from reasoner.types import Candidate, Completion, Finish, Problem
from reasoner.verifiers.reward.reward_model import RewardModel


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRecipe:
    """Everything that determines the weights, except the kind of reward model.

    Without `test`, the solutions of a tenth of the problems in `data` are held out. An optimiser step takes
    `batch` solutions. The default `rate` is 1e-5, or 1e-3 below `LARGE` parameters.
    """

    data: Path
    model: str
    out: Path
    test: Path | None = None
    epochs: int
    batch: int
    rate: float | None = None
    init: Literal["pretrained", "random"] = "pretrained"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RewardKind:
    """A kind of reward model in training.

    `verifier_spec` returns the spec of the verifier of a model and a separator of steps; `auto` is the
    Transformers class of such models, and `labels` their number of outputs. `targets` and `right` return
    an entry per read of a solution: the target score, and True if it should be high.
    """

    verifier_spec: Callable[[str, str], str]
    auto: str
    labels: int
    targets: Callable[[LabelledSolution], Sequence[float]]
    right: Callable[[LabelledSolution], Sequence[bool]]
    settings: Mapping[str, Any]


def train(
    kind: RewardKind, recipe: RewardRecipe, environment: Mapping[str, Any], report: Report = print
) -> dict[str, Any]:
    """Train into the folder `recipe.out`, and return the content of its training.json.

    A killed run resumes from its last checkpoint; a finished one is left as it is.

    Raises:
        ConfigError: the data or the model is unsuitable, or the folder belongs to another recipe.
        StoreError: a file cannot be read or written.
    """
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    trained, tested = _solutions(recipe)
    separator = _separator([*trained, *tested])
    verifier: RewardModel = verifiers.make(kind.verifier_spec(recipe.model, separator))
    if recipe.out.resolve() == Path(verifier.weights.path).resolve():
        raise ConfigError(f"{str(recipe.out)!r} is the model itself; train into another folder")
    rows, settings = examples(kind, verifier, trained), _settings(kind, recipe, verifier)
    record = recipe.out / "training.json"
    if "held_out" in (manifest := claim(record, settings)):
        return manifest
    with exclusive(recipe.out):
        model = build(kind, recipe, verifier)
        fit(
            model, rows, recipe.out, epochs=recipe.epochs, batch=recipe.batch,
            rate=settings["rate"], seed=recipe.seed, report=report,
        )  # fmt: skip
        model.save_pretrained(recipe.out)
        verifier.weights.tokenizer.save_pretrained(recipe.out)
    name = kind.verifier_spec(str(recipe.out), separator)
    manifest = {
        "settings": settings,
        **environment,
        "accelerate": accelerate.__version__,
        "verifier": name,
        "solutions": len(rows),
        "tokens": recipe.epochs * sum(len(row["input_ids"]) for row in rows),
        "held_out": asyncio.run(measure(verifiers.make(name, engine="transformers"), kind, tested)),
    }
    save_json(manifest, record)
    shutil.rmtree(checkpoints(recipe.out))
    return manifest


def examples(
    kind: RewardKind, verifier: RewardModel, solutions: Iterable[LabelledSolution]
) -> list[dict[str, Any]]:
    """Return the tokens of each solution, the positions that the verifier reads, and the targets there.

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
                f"{solution.id} has {len(targets)} steps, but the verifier reads"
                f" {len(encoded.reads)}: no step may contain the separator {solution.separator!r}"
            )
        inside = encoded.within(context)
        if inside.reads:
            targets = targets[: len(inside.reads)]
            rows.append({"input_ids": inside.ids, "reads": inside.reads, "targets": targets})
    if not rows:
        raise ConfigError(f"no solution has a step within {verifier.model!r}'s context")
    return rows


def build(kind: RewardKind, recipe: RewardRecipe, verifier: RewardModel) -> Any:
    """Build the classifier to train, with a new head, in single precision.

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
        cause = str(e).splitlines()[0]
        raise ConfigError(f"cannot make a reward model of {recipe.model!r}: {cause}") from e


async def measure(
    verifier: RewardModel, kind: RewardKind, solutions: Sequence[LabelledSolution]
) -> dict[str, Any]:
    """Measure how well the verifier's scores rank right over wrong, with the interval."""
    pools = list[list[ScoredSolution]]()
    for prompt in dict.fromkeys(s.prompt for s in solutions):
        pool = [s for s in solutions if s.prompt == prompt and kind.right(s)]
        judged = await verifier.score(Problem(prompt, prompt), [_candidate(s) for s in pool])
        scores = [score.steps or (score.value,) for score in judged.scores]
        # Steps beyond the model's context have no score.
        pools.append([(t, kind.right(s)[: len(t)]) for s, t in zip(pool, scores, strict=True)])
    await verifier.aclose()
    return Ranking.of(pools).model_dump()


def _candidate(solution: LabelledSolution) -> Candidate:
    return Candidate((Completion(solution.solution, (), Finish.EOS),), complete=True)


def _solutions(recipe: RewardRecipe) -> tuple[list[LabelledSolution], list[LabelledSolution]]:
    """Return the solutions to train on, and those to measure on."""
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
            f"the solutions have different step separators: {', '.join(map(repr, separators))};"
            " train on those with one"
        )
    return separators[0]


def _settings(kind: RewardKind, recipe: RewardRecipe, verifier: RewardModel) -> dict[str, Any]:
    """Return the recipe as settings, with digests in place of files."""
    default = 1e-5 if verifier.weights.info.parameters >= LARGE else 1e-3
    return {
        **{k: v for k, v in asdict(recipe).items() if k != "out"},
        **kind.settings,
        "data": digest(recipe.data),
        "test": recipe.test and digest(recipe.test),
        **identity(recipe.model, verifier.weights.path),
        "rate": default if recipe.rate is None else recipe.rate,
    }

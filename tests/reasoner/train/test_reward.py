"""Training of reward models: it learns, resumes exactly, and what is trained is what is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.needs import need

need("torch", "accelerate")

import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from reasoner.errors import ConfigError
from reasoner.registry import verifiers
from reasoner.train.gpt import vocabulary as v
from reasoner.train.reward import orm, prm, trainer
from reasoner.train.reward import recipe as classifier
from reasoner.train.reward.labelled_solutions import LabelledSolution
from reasoner.train.reward.recipe import RewardRecipe
from reasoner.types import Candidate, Completion, Finish, Problem
from tests import models

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def row(problem: int, i: int, rng: Random) -> LabelledSolution:
    """A solution of up to four steps; a step of a's is right, with b's it goes wrong."""
    size, error = rng.randint(2, 4), rng.randint(0, 4)
    steps = tuple("aaa" if n < error else "abb" for n in range(size))
    labels = tuple(n < error for n in range(size))
    values = (*(0.75 if label else 0.25 for label in labels[:-1]), float(labels[-1]))
    return LabelledSolution(
        id=f"{problem}/{i}", task="letters", prompt=f"cd:{problem}\n", completions=steps,
        separator="\n", labels=labels, values=values, correct=labels[-1], method="monte-carlo",
        k=4, tokens=9,
    )  # fmt: skip


def saved(rows: Sequence[LabelledSolution], path: Path) -> Path:
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> RewardRecipe:
    """A tiny random model, and solutions of twenty problems."""
    rng = Random(0)
    rows = [row(problem, i, rng) for problem in range(20) for i in range(4)]
    return RewardRecipe(
        data=saved(rows, tmp_path / "rows.jsonl"), model=str(models.qwen3(tmp_path / "model")),
        out=tmp_path / "out", epochs=1, batch=16, rate=3e-3,
    )  # fmt: skip


def quiet(_: str) -> None:
    """Report nothing."""


def right(solution: LabelledSolution) -> Sequence[bool]:
    return solution.labels


Train = Callable[[RewardRecipe], dict[str, Any]]


def train_prm(recipe: RewardRecipe) -> dict[str, Any]:
    return prm.train(recipe, "soft", {}, quiet)


def train_orm(recipe: RewardRecipe) -> dict[str, Any]:
    return orm.train(recipe, {}, quiet)


BOTH = pytest.mark.parametrize("train", [train_prm, train_orm])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


class Killed(Exception):
    """Stands for kill -9."""


@pytest.mark.parametrize(
    ("train", "model"),
    [pytest.param(train_prm, models.qwen3, marks=pytest.mark.slow), (train_orm, models.gpt2)],
)
def test_a_killed_run_ends_with_the_same_weights(
    recipe: RewardRecipe,
    train: Train,
    model: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five steps, killed in the fourth, of which there is half a checkpoint; GPT-2 has dropout."""
    recipe = replace(recipe, model=str(model(recipe.out.parent / "other")))
    train(recipe)
    cut = replace(recipe, out=recipe.out.parent / "cut")
    forward, steps = trainer.LossAtReads.forward, list[int]()

    def dying(self: trainer.LossAtReads, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        steps.append(len(steps))
        if len(steps) == 4:
            raise Killed
        return forward(self, **batch)

    monkeypatch.setattr(trainer.LossAtReads, "forward", dying)
    with pytest.raises(Killed):
        train(cut)
    last = Path(trainer.last_checkpoint(cut.out) or "")
    assert last.name == "checkpoint-3"
    torn = last.with_name("checkpoint-4")
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")
    told = train(cut)
    whole, resumed = weights(recipe.out), weights(cut.out)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert len(steps) == 4 + 2
    assert told["held_out"] == json.loads((recipe.out / "training.json").read_text())["held_out"]
    assert not trainer.checkpoints(cut.out).exists()


def judged(verifier: str, solutions: Sequence[LabelledSolution]) -> list[list[float]]:
    """The scores that a verifier, by its name alone, gives each solution."""
    import asyncio

    made = verifiers.make(verifier, engine="transformers")
    candidates = [
        Candidate((Completion(s.solution, (), Finish.EOS),), complete=True) for s in solutions
    ]
    told = asyncio.run(made.score(Problem("p", solutions[0].prompt), candidates))
    return [list(score.steps or (score.value,)) for score in told.scores]


@pytest.fixture
def solutions(recipe: RewardRecipe) -> list[LabelledSolution]:
    return [
        LabelledSolution.model_validate_json(line) for line in recipe.data.read_text().splitlines()
    ]


def test_a_process_reward_model_is_served_as_it_was_trained(
    recipe: RewardRecipe, solutions: list[LabelledSolution], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = list[Any]()

    def spied(model: Any, *args: Any, **settings: Any) -> None:
        trainer.fit(model, *args, **settings)
        trained.append(model.eval())

    monkeypatch.setattr(classifier, "fit", spied)
    name = train_prm(recipe)["verifier"]
    assert name == f'token-classifier(model="{recipe.out}")'
    served = judged(name, solutions[:4])
    loaded = AutoModelForTokenClassification.from_pretrained(recipe.out).eval()
    for solution, scores in zip(solutions, served, strict=False):
        text = solution.prompt + "".join(f"{step}\n" for step in solution.completions)
        ends = [i for i, c in enumerate(text) if c == "\n"][1:]
        for model in (trained[0], loaded):
            logits = model(torch.tensor([v.encode(text)])).logits[0, ends]
            assert scores == pytest.approx(logits.softmax(-1)[:, 1].tolist(), abs=1e-6)
    assert len({round(x, 4) for scores in served for x in scores}) > 4


def test_an_outcome_reward_model_is_served_as_it_was_trained(
    recipe: RewardRecipe, solutions: list[LabelledSolution]
) -> None:
    name = train_orm(recipe)["verifier"]
    assert name == f'orm(model="{recipe.out}")'
    model = AutoModelForSequenceClassification.from_pretrained(recipe.out).eval()
    for solution, scores in zip(solutions, judged(name, solutions[:4]), strict=False):
        reward = model(torch.tensor([v.encode(solution.prompt + solution.solution)])).logits
        assert scores == pytest.approx(reward.sigmoid()[0].tolist(), abs=1e-6)


@BOTH
def test_it_learns_and_a_finished_training_is_left_alone(
    recipe: RewardRecipe, train: Train
) -> None:
    longer = replace(recipe, epochs=5, rate=0.01)
    told = train(longer)
    assert told["held_out"]["problems"] == 2
    assert told["held_out"]["auc"]["value"] > 0.95
    files = {p: p.stat().st_mtime_ns for p in longer.out.iterdir()}
    assert train(longer) == told == json.loads((longer.out / "training.json").read_text())
    assert {p: p.stat().st_mtime_ns for p in longer.out.iterdir()} == files
    with pytest.raises(ConfigError, match="epochs 5, but 1 is requested"):
        train(recipe)


def test_soft_values_become_chances_and_hard_labels_certainties(
    recipe: RewardRecipe, solutions: list[LabelledSolution]
) -> None:
    scores = list[float]()
    for target in ("soft", "hard"):
        out = recipe.out.with_name(target)
        told = prm.train(replace(recipe, epochs=6, rate=0.01, out=out), target, {}, quiet)
        [first, *_] = judged(told["verifier"], [s for s in solutions if s.labels[0]][:1])
        scores.append(first[0])
    assert scores[0] == pytest.approx(0.75, abs=0.1)
    assert scores[1] > 0.9


def test_a_step_without_a_value_is_learned_from_its_label(
    solutions: list[LabelledSolution],
) -> None:
    values = (None, *solutions[0].values[1:])
    known = solutions[0].model_copy(update={"values": values})
    assert prm.soft(known) == [float(known.labels[0]), *values[1:]]
    assert prm.hard(known) == [float(label) for label in known.labels]


def test_random_weights_are_the_seeds(recipe: RewardRecipe) -> None:
    verifier = verifiers.make(prm.verifier_spec(recipe.model, "\n"))
    kind = classifier.RewardKind(
        prm.verifier_spec, "AutoModelForTokenClassification", 2, prm.soft, right, {}
    )
    made = list[torch.Tensor]()
    for seed in (0, 0, 1):
        chosen = replace(recipe, init="random", seed=seed)
        made.append(classifier.build(kind, chosen, verifier).base_model.embed_tokens.weight)
    given = classifier.build(kind, recipe, verifier).base_model.embed_tokens.weight
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert torch.equal(given.bfloat16(), weights(Path(recipe.model))["model.embed_tokens.weight"])


def test_what_cannot_be_learned_from_is_refused(
    recipe: RewardRecipe, solutions: list[LabelledSolution], tmp_path: Path
) -> None:
    def refused(match: str, rows: Sequence[LabelledSolution], **other: Any) -> None:
        data = saved(rows, tmp_path / "bad.jsonl")
        with pytest.raises(ConfigError, match=match):
            train_prm(replace(recipe, data=data, **other))

    first = solutions[0]
    refused("has no solutions", [])
    refused("80 solutions|20 problems of .* are in", solutions, test=recipe.data)
    two = [first, solutions[9].model_copy(update={"separator": "\n\n"})]
    refused("have different step separators", two)
    within = first.model_copy(update={"completions": ("a\nb", *first.completions[1:])})
    refused("no step may contain the separator", [within, solutions[9]])
    refused("is the model itself", solutions, out=Path(recipe.model))
    assert not recipe.out.exists()
    long = [s.model_copy(update={"prompt": s.prompt + "a" * 600}) for s in solutions]
    refused("no solution has a step within", long, out=tmp_path / "long")


def test_steps_beyond_the_context_are_not_learned_from(
    recipe: RewardRecipe, solutions: list[LabelledSolution]
) -> None:
    longest = next(s for s in solutions if len(s.completions) == 4)
    room = longest.model_copy(update={"prompt": "a" * (512 - 9)})
    verifier = verifiers.make(prm.verifier_spec(recipe.model, "\n"))
    kind = classifier.RewardKind(
        prm.verifier_spec, "AutoModelForTokenClassification", 2, prm.hard, right, {}
    )
    [kept] = classifier.examples(kind, verifier, [room])
    assert kept["reads"] == (506, 510) and len(kept["targets"]) == 2
    assert len(kept["input_ids"]) == 511


def test_another_separator_goes_into_the_verifiers_name() -> None:
    assert prm.verifier_spec("m", "\n\n") == "token-classifier(model=\"m\", separator='\\n\\n')"

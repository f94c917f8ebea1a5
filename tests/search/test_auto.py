"""A probe tells what a problem gets."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from pydantic import ValidationError

from reasoner.api import EMBEDDED
from reasoner.backends.checkpoint import fingerprint
from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.errors import ReasonerError
from reasoner.events import Result
from reasoner.registry import strategies
from reasoner.search import auto
from reasoner.search.auto import BUILTIN, FEATURES, Arm, Auto, Table, load
from reasoner.solving import solve
from reasoner.types import Generation, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

EASY, HARD = Problem("easy", "easy"), Problem("hard", "hard")


def guess(prompt: Prompt, rng: random.Random) -> str:
    right = 0.9 if prompt.problem is EASY else 0.05
    return f"think\n#{'right' if rng.random() < right else 'wrong'}{END}"


def trust(prompt: Prompt, step: str) -> float:
    text = prompt.text + step
    return 0.9 if "right" in text else 0.1 if "wrong" in text else 0.5


class Told(Scripted):
    """Counts samples to the end, and requests for a step."""

    def __init__(self) -> None:
        super().__init__(reply=guess, judge=trust)
        self.wholes = self.steps = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        if sampling.stop:
            self.steps += 1
        else:
            self.wholes += sampling.n
        return await super().generate(prompt, sampling)


async def run(strategy: Auto, problem: Problem, budget: Budget = Budget()) -> tuple[Told, Result]:
    backend = Told()
    result = await solve(
        problem, strategy, backend, Verdict("last"),
        sampling=Sampling(stop=("\n",), max_tokens=40), budget=budget,
    )  # fmt: skip
    return backend, result


def written(path: Path, table: Table) -> str:
    path.write_text(table.model_dump_json())
    return str(path)


def arms(*names: tuple[str, int]) -> tuple[Arm, ...]:
    return tuple(Arm(strategy=name, n=n) for name, n in names)


async def test_the_easy_stop_and_the_hard_go_on(tmp_path: Path) -> None:
    table = Table(edges=(0.5,), arms=arms(("best-of-n", 32), ("stop", 1)))
    strategy = Auto(table=written(tmp_path / "t.json", table))
    easy, first = await run(strategy, EASY)
    hard, second = await run(strategy, HARD)
    assert easy.wholes == 4 and hard.wholes == 32
    assert first.answer == "right" and len(second.candidates) == 32


@pytest.mark.parametrize(("n", "drawn"), [(2, 2), (4, 4), (10, 10), (99, 32)])
async def test_n_caps_the_probe_and_the_arm(tmp_path: Path, n: int, drawn: int) -> None:
    table = Table(edges=(), arms=arms(("best-of-n", 32)))
    backend, _ = await run(Auto(n=n, table=written(tmp_path / "t.json", table)), HARD)
    assert backend.wholes == drawn


async def test_a_search_gets_its_whole_size(tmp_path: Path) -> None:
    table = Table(probe=2, edges=(), arms=arms(("beam", 8)))
    backend, result = await run(Auto(table=written(tmp_path / "t.json", table)), HARD)
    assert backend.wholes == 2 and backend.steps
    assert result.usage == backend.usage
    first = sum(n.depth == 1 and not n.terminal for n in result.trace)
    assert first == 8


async def test_the_probe_stays_in_the_running(tmp_path: Path) -> None:
    """Check that the better of both is chosen: the arm, greedy, is wrong here."""
    table = Table(edges=(), arms=arms(("greedy", 1)))
    _, result = await run(Auto(table=written(tmp_path / "t.json", table)), EASY)
    assert result.candidates[-1].score == 0.9 and result.answer == "right"
    scores = [s.score or 0.0 for s in result.candidates]
    assert len(scores) == 5


async def test_the_better_of_probe_and_arm_is_the_answer(tmp_path: Path) -> None:
    table = Table(edges=(), arms=arms(("best-of-n", 64)))
    strategy, found = Auto(table=written(tmp_path / "t.json", table)), 0
    for seed in range(8):
        result = await solve(
            HARD, strategy, Told(), Verdict("last"), sampling=Sampling(max_tokens=40), seed=seed
        )
        answers = [s.answer for s in result.candidates]
        assert result.answer == ("right" if "right" in answers else "wrong")
        found += "right" in answers[4:] and "right" not in answers[:4]
    assert found


async def test_a_budget_ends_the_arm_too() -> None:
    backend, result = await run(Auto(), HARD, Budget(tokens=200))
    assert backend.wholes > 4 and result.usage.completion_tokens <= 200
    assert result.candidate and result.candidate.complete


async def test_an_unfinished_probe_means_hard(tmp_path: Path) -> None:
    """The step that was finished has a score, the solution has none."""
    table = Table(edges=(0.3,), arms=arms(("best-of-n", 12), ("stop", 1)))
    strategy, backend = Auto(table=written(tmp_path / "t.json", table)), Told()
    cut = Sampling(stop=("\n",), max_tokens=8)
    await solve(EASY, strategy, backend, Verdict("last"), sampling=cut)
    assert backend.wholes == 12


def test_features_are_low_where_it_is_hard() -> None:
    split = [("a", 0.9), ("b", 0.2), ("a", 0.5), (None, 0.0)]
    assert FEATURES["best"](split) == 0.9
    assert FEATURES["mean"](split) == pytest.approx(0.4)
    assert FEATURES["agreement"](split) == 0.5
    nothing = [(None, 0.0), (None, 0.0)]
    assert [f(nothing) for f in FEATURES.values()] == [0.0, 0.0, 0.0]


def test_an_edge_belongs_to_the_bin_above() -> None:
    table = Table(feature="best", edges=(0.2, 0.6), arms=arms(("a", 1), ("b", 1), ("c", 1)))
    found = [table.arm([("x", s)]).strategy for s in (0.1, 0.2, 0.5, 0.6, 1.0)]
    assert found == ["a", "b", "b", "c", "c"]


def test_the_shipped_table_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "files", lambda _: tmp_path)
    auto.load.cache_clear()
    try:
        assert auto.load() == BUILTIN
        auto.load.cache_clear()
        table = Table(edges=(), arms=arms(("beam", 4)))
        (tmp_path / "gpt").mkdir()
        written(tmp_path / "gpt" / "auto.json", table)
        assert auto.load() == table
    finally:
        auto.load.cache_clear()


WRONG = {
    "no arm for a bin": {"edges": [0.5], "arms": [{"strategy": "stop"}]},
    "falling edges": {"edges": [0.5, 0.5], "arms": [{"strategy": "stop"}] * 3},
    "itself": {"edges": [], "arms": [{"strategy": "auto", "n": 4}]},
    "an unknown strategy": {"edges": [], "arms": [{"strategy": "beem", "n": 4}]},
    "an unknown field": {"edges": [], "arms": [{"strategy": "stop"}], "edge": 1},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_costs_nothing(name: str, tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    file.write_text(json.dumps(WRONG[name]))
    with pytest.raises((ReasonerError, ValidationError)) as error:
        strategies.make("auto", table=str(file))
    assert "fit-auto" in str(error.value) or "did you mean beam" in str(error.value)


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReasonerError, match="fit-auto"):
        strategies.make("auto", table=str(tmp_path / "none.json"))


def test_the_table_that_ships_was_fitted_on_the_weights_that_ship() -> None:

    table = load(None)
    assert table.fitted is not None
    assert table.fitted.weights == fingerprint(EMBEDDED)
    assert table.fitted.split == "dev"

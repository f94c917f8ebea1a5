"""Labels from continuations: values by hand, the prefixes that are probed, and a killed run."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.base import Example
from reasoner.errors import BackendError, ConfigError
from reasoner.train.reward import step_labels as labels
from reasoner.train.reward.labelled_solutions import LabelledSolution, held_out, read
from reasoner.train.reward.step_labels import LabelPlan, label, make
from reasoner.train.reward.step_values import SampledSolution
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling
from tests.benchmarks.synthetic import LabelledSums

STEPS = Sampling(max_tokens=60, stop=("\n",))
EXAMPLE = Example(Problem("p", "?"), "yes")


@dataclass(frozen=True)
class Endings:
    """A solution is right if its last line is `yes`."""

    sampling: Sampling = STEPS
    name: str = "endings"

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        yield EXAMPLE

    def answer(self, solution: str) -> str | None:
        return solution.rpartition("\n")[2]

    def check(self, example: Example, solution: str) -> bool:
        return self.answer(solution) == example.answer


class Script:
    """A model with fixed continuations, one after the other; it remembers every prompt that it continued."""

    def __init__(self, endings: dict[str, list[str]]) -> None:
        self._endings = {text: iter(told) for text, told in endings.items()}
        self.asked = defaultdict[str, int](int)

    def __call__(self, prompt: Prompt, _: random.Random) -> str:
        assert prompt.token_ids == tuple(map(ord, prompt.text))
        self.asked[prompt.text] += 1
        return next(self._endings[prompt.text]) + END


SCRIPT = {
    "": ["p\n", "p\n", "x\n"],
    "p\n": ["q\n", "q\n", "q\nr\nyes", "q\nno"],
    "p\nq\n": ["r\n", "r\n", "r\nno", "r\nno"],
    "p\nq\nr\n": ["no", "yes", "yes", "yes"],
    "x\n": ["yes", "no", "no"],
}
"""Three solutions, a step at a time; then two continuations of each of their prefixes."""


async def test_values_are_shares_of_right_continuations_and_equal_prefixes_are_continued_once() -> (
    None
):
    script = Script(SCRIPT)
    backend = Scripted(reply=script)
    rows = await label(LabelPlan("endings", Endings(), 1, 3, "monte-carlo", 2), backend, EXAMPLE)
    assert [row["completions"] for row in rows] == [
        ["p", "q", "r", "no"],
        ["p", "q", "r", "yes"],
        ["x", "yes"],
    ]
    assert [row["values"] for row in rows] == [[0.5, 0, 1, 0], [0.5, 0, 1, 1], [0, 1]]
    assert rows[0]["labels"] == [True, False, True, False]
    assert [row["correct"] for row in rows] == [False, True, True]
    assert script.asked == {text: len(told) for text, told in SCRIPT.items()}
    assert backend.usage.requests == 8 + 4
    # Its own 9 and 31 for three prefixes; the second row has them for nothing.
    assert [row["tokens"] for row in rows] == [9 + 13 + 10 + 8, 10, 6 + 6]
    assert sum(row["tokens"] for row in rows) == backend.usage.completion_tokens


def worker(steps: int, first_error: int) -> Script:
    """Eight steps, the outcome wrong; goes on rightly from any prefix without the first error."""
    texts = ["".join(f"{i}\n" for i in range(1, n + 1)) for n in range(steps)]
    script = {
        text: [f"{n + 1}\n", "yes" if n < first_error else "no"] for n, text in enumerate(texts)
    }
    script[texts[-1]][0] = "no"
    return Script(script)


@pytest.mark.parametrize(
    ("first_error", "probed", "values"),
    [
        (6, [4, 5, 6], [None, None, None, 1, 1, 0, None, 0]),
        (1, [1, 2, 4], [0, 0, None, 0, None, None, None, 0]),
        (3, [2, 3, 4], [None, 1, 0, 0, None, None, None, 0]),
        (8, [4, 6, 7], [None, None, None, 1, None, 1, 1, 0]),
    ],
)
async def test_omega_searches_for_the_first_error_by_halves(
    first_error: int, probed: Sequence[int], values: Sequence[float | None]
) -> None:
    script = worker(8, first_error)
    plan = LabelPlan("endings", Endings(), 1, 1, "omega", 1)
    [row] = await label(plan, Scripted(reply=script), EXAMPLE)
    # Every text is continued once as the solution grows, and once more if it is probed.
    assert [text.count("\n") for text, times in script.asked.items() if times == 2] == probed
    assert row["values"] == list(values)
    assert row["labels"] == [step < first_error for step in range(1, 9)]


async def test_omega_does_not_search_a_right_solution() -> None:
    script = Script({"": ["p\n"], "p\n": ["q\n"], "p\nq\n": ["yes"]})
    plan = LabelPlan("endings", Endings(), 1, 1, "omega", 4)
    [row] = await label(plan, Scripted(reply=script), EXAMPLE)
    assert (row["labels"], row["values"]) == ([True] * 3, [None, None, 1.0])
    assert set(script.asked.values()) == {1}


async def test_solutions_that_begin_alike_are_searched_together() -> None:
    script = Script({**SCRIPT, "p\nq\n": ["r\n", "r\n", "r\nyes", "r\nno"], "x\n": ["yes"]})
    plan = LabelPlan("endings", Endings(), 1, 3, "omega", 2)
    rows = await label(plan, Scripted(reply=script), EXAMPLE)
    assert rows[0]["values"] == [None, 0.5, 1.0, 0.0]
    assert rows[0]["labels"] == [True, True, True, False]
    assert rows[1]["values"] == [None, None, None, 1.0]
    assert [row["tokens"] for row in rows] == [9 + 11 + 8, 10, 6]


def test_steps_that_one_token_ended_go_on_from_the_same_tokens() -> None:
    """A token may hold a full stop and two newlines; what it ended cannot be told apart."""
    pieces = [
        Completion("a.\n\n", (7, 8), Finish.STOP),
        Completion("b\n", (9,), Finish.STOP),
        Completion("", (0,), Finish.EOS),
    ]
    solution = SampledSolution.of(Problem("p", "?"), pieces, "\n", True)
    assert solution.steps == ["a.", "", "b"]
    assert [p.token_ids for p in solution.prefixes] == [(7, 8), (7, 8)]


async def test_outcome_labels_every_step_with_the_end_and_continues_nothing() -> None:
    script = Script(
        {text: told[: 2 if text else 3] for text, told in SCRIPT.items()} | {"x\n": ["yes"]}
    )
    backend = Scripted(reply=script)
    rows = await label(LabelPlan("endings", Endings(), 1, 3, "outcome", 0), backend, EXAMPLE)
    assert [row["labels"] for row in rows] == [[False] * 4, [True] * 4, [True] * 2]
    assert [row["values"] for row in rows] == [[None] * 3 + [0], [None] * 3 + [1], [None, 1]]
    assert backend.usage.requests == 8 and sum(row["tokens"] for row in rows) == 9 + 10 + 6


PLAN = LabelPlan("labelled", LabelledSums(), 5, 2, "monte-carlo", 3)


class Killed(Exception):
    """Stands for kill -9."""


class Dying(Scripted):
    """Answers so many requests."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self.left = requests

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return await super().generate(prompt, sampling)


def quiet(_: str) -> None:
    """Report nothing."""


async def made(out: Path, backend: Scripted, plan: LabelPlan = PLAN) -> dict[str, Any]:
    return await make(plan, backend, out, {"model": "scripted"}, {}, quiet)


async def test_a_killed_run_goes_on_to_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "LIVE", 1)
    whole, cut, backend = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl", Scripted()
    found = await made(whole, backend)
    each = backend.usage.requests // 5
    with pytest.raises(Killed):
        await made(cut, Dying(3 * each))
    assert not cut.exists()
    journal = cut.with_suffix(".journal")
    done = journal.read_bytes()
    journal.write_bytes(done[:-9])
    again = Scripted()
    assert await made(cut, again) == found
    assert cut.read_bytes() == whole.read_bytes()
    assert again.usage.requests < backend.usage.requests - each * (done.count(b"\n") - 2)
    assert found["tokens"] == backend.usage.completion_tokens
    idle = Scripted()
    assert await made(cut, idle) == found
    assert idle.usage.requests == 0


async def test_a_failed_problem_is_left_for_the_next_run(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    found = await made(out, Scripted(fail_every=90))
    assert 0 < found["failed"] < 5 and found["problems"] == 5 - found["failed"]
    assert (await made(out, Scripted()))["failed"] == 0
    whole = tmp_path / "whole.jsonl"
    await made(whole, Scripted())
    assert out.read_bytes() == whole.read_bytes()
    with pytest.raises(BackendError, match="scripted failure"):
        await made(tmp_path / "none.jsonl", Scripted(fail_every=1))


async def test_rows_are_what_trl_reads_and_more(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    await made(out, Scripted())
    rows = read(out)
    assert [row.id for row in rows] == [f"train-{i}/{j}" for i in range(5) for j in range(2)]
    for row, line in zip(rows, out.read_text().splitlines(), strict=True):
        told = json.loads(line)
        assert all(isinstance(label, bool) for label in told["labels"])
        assert told == row.model_dump(mode="json") and told["k"] == 3
        assert row.values[-1] == float(row.correct)


async def test_the_first_problems_can_be_left_out(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    found = await made(out, Scripted(), replace(PLAN, problems=2, skip=3))
    assert {row.id.split("/")[0] for row in read(out)} == {"train-3", "train-4"}
    assert found["settings"]["skip"] == 3


async def test_exact_labels_are_the_tasks(tmp_path: Path) -> None:
    plan = LabelPlan("labelled", LabelledSums(), 5, 4, "exact", 0)
    backend = Scripted()
    await made(tmp_path / "l.jsonl", backend, plan)
    rows = read(tmp_path / "l.jsonl")
    for row in rows:
        exact = plan.task.step_labels(Problem("", row.prompt), row.solution)  # type: ignore[attr-defined]
        assert list(row.labels) == exact and set(row.values) == {None}
    assert {label for row in rows for label in row.labels} == {True, False}
    assert sum(row.tokens for row in rows) == backend.usage.completion_tokens


async def test_other_settings_do_not_go_into_the_same_file(tmp_path: Path) -> None:
    await made(tmp_path / "l.jsonl", Scripted())
    other = LabelPlan("labelled", LabelledSums(), 5, 2, "monte-carlo", 4)
    with pytest.raises(ConfigError, match="k 3, but 4 is requested"):
        await made(tmp_path / "l.jsonl", Scripted(), other)


def test_what_a_task_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigError, match="labels no steps itself"):
        LabelPlan("endings", Endings(), 1, 1, "exact")
    with pytest.raises(ConfigError, match="ends no steps"):
        LabelPlan("endings", Endings(Sampling()), 1, 1)


def test_problems_are_held_out_whole() -> None:
    rows = [
        LabelledSolution(
            id=f"{i}", task="t", prompt=f"{i // 4}", completions=("a",), separator="\n",
            labels=(True,), values=(None,), correct=True, method="omega", k=1, tokens=1,
        )
        for i in range(80)
    ]  # fmt: skip
    learned, kept = held_out(rows, seed=1)
    assert len(kept) == 8 and not {r.prompt for r in kept} & {r.prompt for r in learned}
    assert held_out(rows, seed=1) == (learned, kept) != held_out(rows, seed=2)
    with pytest.raises(ConfigError, match="of one problem"):
        held_out(rows[:4], seed=1)

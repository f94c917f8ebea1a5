"""Solutions are drawn once, step by step; every verifier judges the same ones; a killed run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.runner import eval_verifier as judging
from reasoner.benchmarks.runner import scheduler
from reasoner.benchmarks.runner.scheduler import Tally
from reasoner.benchmarks.runner.step_sampling import prefixes
from reasoner.benchmarks.store.judgements import DiagnosisPlan, Drawn
from reasoner.benchmarks.store.records import Spec
from reasoner.benchmarks.store.store import kept
from reasoner.errors import BackendError, ConfigError, StoreError
from reasoner.registry import verifiers
from reasoner.types import Candidate, Completion, Finish, Sampling
from reasoner.verifiers.verdict import Verdict
from tests.benchmarks.conftest import Sums
from tests.benchmarks.synthetic import Knowing, LabelledSums, ranked
from tests.benchmarks.tables import sql

NAMED = {"labelled": LabelledSums()}


def plan(**changed: Any) -> DiagnosisPlan:
    """Four solutions of each of six problems, and of two more to tune on."""
    steps, tuning = changed.pop("steps", "prefixes"), changed.pop("tuning", 2)
    setting = {"tasks": ("labelled",), "problems": 6, "backend": "scripted"} | changed
    return DiagnosisPlan.of(4, steps=steps, tuning=tuning, **setting)


async def judge(out: Path, backend: Scripted, by: Any = None, **changed: Any) -> Tally:
    """Judge what is missing, one problem after another."""
    return await judging.run(plan(**changed), out, backend, verifier=by, named=NAMED, concurrency=1)


def piece(text: str, finish: Finish = Finish.STOP) -> Completion:
    """A sampled step."""
    return Completion(text, tuple(map(ord, text)), finish)


def texts(*pieces: Completion) -> list[tuple[str, bool]]:
    """The prefixes of a solution, and which of them is complete."""
    done = bool(pieces) and pieces[-1].finish is Finish.EOS
    return [(p.text, p.complete) for p in prefixes(Candidate(pieces, done))]


def test_prefixes_end_where_steps_do() -> None:
    end = piece("c", Finish.EOS)
    assert texts(piece("a\n"), piece("b\n"), end) == [
        ("a\n", False), ("a\nb\n", False), ("a\nb\nc", True),
    ]  # fmt: skip
    assert texts(piece("a\n"), piece("b", Finish.LENGTH)) == [("a\n", False)]
    assert texts(piece("a\n"), piece("\n"), end) == [("a\n\n", False), ("a\n\nc", True)]
    assert texts(piece("\n"), piece("a\n"), piece("", Finish.EOS)) == [("\na\n", True)]
    assert texts(piece("", Finish.EOS)) == texts() == texts(piece("a", Finish.LENGTH)) == []


def test_sizes_double_up_to_what_is_drawn() -> None:
    assert DiagnosisPlan.of(64).grid.ns == (1, 2, 4, 8, 16, 32, 64)
    assert DiagnosisPlan.of(6).grid.ns == (1, 2, 4, 6)
    assert DiagnosisPlan.of(1).grid.ns == (1,)


async def test_a_score_is_what_the_verifier_says_of_the_prefix(tmp_path: Path) -> None:
    tally = await judge(tmp_path, Scripted())
    assert (tally.finished, tally.failed) == (8, 0)
    rows, task = plan().read(tmp_path, "labelled"), LabelledSums()
    assert [r.index for r in rows] == list(range(6))
    drawn_of_test = "SELECT spec FROM specs WHERE spec LIKE '%drawn%' AND spec LIKE '%\"test\"%'"
    [[spec]] = sql(tmp_path, drawn_of_test)
    examples = list(task.examples("test", 6))
    solutions = kept(tmp_path, Spec.model_validate_json(spec), Drawn)
    for example, row, drawn in zip(examples, rows, solutions, strict=True):
        assert len(row.record.samples) == 4
        for i, solution in enumerate(drawn.solutions):
            judged = await Verdict().score(example.problem, prefixes(solution))
            assert row.steps[i] == tuple(s.value for s in judged.scores)
            assert row.labels[i] == tuple(task.step_labels(example.problem, solution.text))
            sample = row.record.samples[i]
            assert (sample.score, sample.answer) == (row.steps[i][-1], task.answer(solution.text))
            assert sample.correct == task.check(example, solution.text)


async def test_a_second_run_draws_nothing_and_another_verifier_judges_the_same(
    tmp_path: Path,
) -> None:
    backend = Scripted()
    await judge(tmp_path, backend)
    spent = backend.usage
    assert (await judge(tmp_path, backend)).finished == 0
    await judge(tmp_path, backend, Knowing(ranked), verifier="knowing")
    assert backend.usage == spent
    one, other = (plan(verifier=v).read(tmp_path, "labelled") for v in ("verdict", "knowing"))
    assert [r.labels for r in one] == [r.labels for r in other]
    assert [r.steps for r in one] != [r.steps for r in other]
    assert [s.answer for r in one for s in r.record.samples] == [
        s.answer for r in other for s in r.record.samples
    ]


async def test_more_problems_extend_what_is_there(tmp_path: Path) -> None:
    backend = Scripted()
    await judge(tmp_path, backend, problems=3)
    assert (await judge(tmp_path, backend)).finished == 3
    whole = plan().read(tmp_path, "labelled")
    await judge(tmp_path / "anew", backend)
    assert [r.steps for r in whole] == [r.steps for r in plan().read(tmp_path / "anew", "labelled")]
    assert len(plan(problems=2).read(tmp_path, "labelled")) == 2


async def test_a_failure_is_kept_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "TRIES", 1)
    tally = await judge(tmp_path, Scripted(fail_every=40))
    assert tally.failed and tally.finished
    rows = plan().read(tmp_path, "labelled")
    failed = [r for r in rows if r.error]
    assert failed and not any(r.record.correct or r.record.samples for r in failed)
    assert (await judge(tmp_path, Scripted())).finished == tally.failed
    assert not any(r.error for r in plan().read(tmp_path, "labelled"))


async def test_what_is_drawn_and_not_judged_is_judged(tmp_path: Path) -> None:
    backend = Scripted()
    await judge(tmp_path, backend)
    before, spent = plan().read(tmp_path, "labelled"), backend.usage
    key = plan().judged("labelled").key
    sql(tmp_path, "DELETE FROM records WHERE key = ? AND place = 3", key)
    assert (await judge(tmp_path, backend)).finished == 1
    assert backend.usage == spent
    assert plan().read(tmp_path, "labelled") == before


@pytest.mark.parametrize("row", ["nonsense", '{"problem": "p"}'])
async def test_a_corrupt_row_is_named(tmp_path: Path, row: str) -> None:
    await judge(tmp_path, Scripted())
    key = plan().judged("labelled").key
    sql(tmp_path, "UPDATE records SET record = ? WHERE key = ? AND place = 3", row, key)
    with pytest.raises(StoreError, match=r"is corrupt: the judged of .*problem test-3"):
        plan().read(tmp_path, "labelled")
    with pytest.raises(StoreError, match=r"is corrupt: .*delete that row"):
        await judge(tmp_path, Scripted())


async def test_step_scores_may_come_with_the_whole_solution(tmp_path: Path) -> None:
    verifier = Knowing(ranked)
    for steps in ("prefixes", "whole"):
        await judge(tmp_path, Scripted(), verifier, steps=steps, verifier="knowing")
    one, other = (
        plan(steps=s, verifier="knowing").read(tmp_path, "labelled") for s in ("prefixes", "whole")
    )
    assert [r.steps for r in one] == [r.steps for r in other] and one[0].steps
    with pytest.raises(BackendError, match=r"0 step scores to a solution of 6 steps.*prefixes"):
        await judge(tmp_path, Scripted(), Silent(), steps="whole", verifier="silent", tuning=8)


class Silent(Verdict):
    """Gives no step scores."""

    async def score(self, problem: Any, candidates: Any) -> Any:
        """Values only."""
        judged = await super().score(problem, candidates)
        return type(judged)(tuple(type(s)(s.value) for s in judged.scores))


async def test_scoring_whole_solutions_is_charged_to_the_verifier(tmp_path: Path) -> None:
    await judge(tmp_path, Scripted(), Knowing(ranked), verifier="knowing")
    spends = [r.record.spend for r in plan(verifier="knowing").read(tmp_path, "labelled")]
    assert {s.verifier_tokens for s in spends} == {10}  # Usage(1, 8, 0, 2) for the one batch
    assert all(s.generated_tokens for s in spends)


async def test_unfinished_solutions_are_neither_scored_nor_right(tmp_path: Path) -> None:
    short = LabelledSums(sampling=Sampling(max_tokens=30, stop=("\n",)))
    await judging.run(plan(), tmp_path, Scripted(), named={"labelled": short})
    for row in plan().read(tmp_path, "labelled"):
        assert all(s.score is None and not s.correct for s in row.record.samples)
        assert all(0 < len(steps) < 6 for steps in row.steps)
        assert [len(s) for s in row.steps] == [len(s) for s in row.labels]


async def test_where_steps_have_no_labels_the_pool_of_a_benchmark_will_do(
    tmp_path: Path, bench_type: type
) -> None:
    bench = bench_type(tmp_path, ns=[1, 2, 4], problems=5, strategies=["best-of-n"])
    await bench.run()
    unlabelled = plan(tasks=("sums",))
    spent = bench.backend.usage
    tally = await judging.run(unlabelled, tmp_path, bench.backend, named={"sums": Sums()})
    assert tally.finished == 1  # the sixth problem
    assert bench.backend.usage.requests == spent.requests + 1
    rows = unlabelled.read(tmp_path, "sums")
    assert len(rows) == 6 and all(len(r.record.samples) == 4 and not r.steps for r in rows)
    assert all(s.score is not None for r in rows for s in r.record.samples)


class Closing(Knowing):
    """Holds an engine."""

    closed = 0

    async def aclose(self) -> None:
        """Count."""
        type(self).closed += 1


async def test_a_verifier_is_released_by_whoever_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(_: str) -> Closing:
        return Closing(ranked)

    monkeypatch.setattr(verifiers, "make", make)
    await judge(tmp_path, Scripted(), Closing(ranked), verifier="given")
    assert Closing.closed == 0
    await judge(tmp_path, Scripted(), verifier="verdict")
    assert Closing.closed == 1


@pytest.mark.parametrize("name", ["oracle", None])
async def test_there_must_be_a_verifier_that_judges(tmp_path: Path, name: str | None) -> None:
    with pytest.raises(ConfigError, match="nothing to diagnose"):
        await judge(tmp_path, Scripted(), verifier=name)


async def test_no_problem_is_both_measured_and_tuned_on(tmp_path: Path) -> None:
    assert (await judge(tmp_path, Scripted(), split="dev")).finished == 8
    on_dev = plan(split="dev")
    measured, tuned = on_dev.read(tmp_path, "labelled"), on_dev.read_tuned(tmp_path, "labelled")
    assert [row.problem for row in measured] == [f"dev-{i}" for i in range(6)]
    assert [row.problem for row in tuned] == ["dev-6", "dev-7"]
    assert [row.problem for row in plan().read_tuned(tmp_path, "labelled")] == ["dev-0", "dev-1"]


async def test_hopeless_runs_end(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="scripted failure"):
        await judge(tmp_path, Scripted(fail_every=1))

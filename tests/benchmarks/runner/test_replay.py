"""Replays: equal to live runs on the same samples, averaged over orders, charged, and refused in one line."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted, add_up
from reasoner.benchmarks.analysis.curves import points
from reasoner.benchmarks.runner.recorded_model import RecordedModel, RecordedScores, SampleCosts
from reasoner.benchmarks.runner.replay import Replay, replay
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record, Sample, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from reasoner.errors import ConfigError, StoreError
from reasoner.events import Result
from reasoner.run import Strategy
from reasoner.search.esc import ESC
from reasoner.search.revise import Revise
from reasoner.search.short_m import ShortM
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling, Usage
from tests.benchmarks.store.test_pools import puzzles, written

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

EARLY = (
    "adaptive-majority",
    "adaptive-majority(ahead=2,parallel=3)",
    "esc(window=3)",
    "adaptive-best-of-n",
)
POOL: dict[str, Any] = {
    "strategies": ["majority", "best-of-n"],
    "ns": [1, 4, 16],
    "verifier": "verdict",
}


def in_turn() -> Scripted:
    """A model whose `i`-th sample of a problem is the same one, whoever asks for it and how."""
    drawn = Counter[str]()

    def reply(prompt: Prompt, _: Random) -> str:
        number = drawn[prompt.problem.prompt]
        drawn[prompt.problem.prompt] += 1
        return add_up(prompt, Random(f"{prompt.problem.prompt}:{number}"))

    return Scripted(reply=reply)


async def pooled(
    bench_type: type[Bench], out: Path, model: Scripted, problems: int = 30
) -> RunFolder:
    bench = bench_type(out, model, problems=problems, **POOL)
    await bench.run()
    return RunFolder(out, bench.grid)


async def live(
    bench_type: type[Bench], out: Path, model: Scripted, strategy: str, n: int, **grid: Any
) -> RunFolder:
    """Return a run of one strategy, whose samples are drawn for it."""
    searches = {**POOL, "strategies": [strategy], "search_ns": [n], "problems": 30, **grid}
    bench = bench_type(out, model, **searches)
    await bench.run()
    return RunFolder(out, bench.grid)


def outcomes(records: Sequence[Record]) -> list[tuple[object, ...]]:
    """Return all of records but the cost of prompts, which depends on how samples are requested."""
    return [
        (
            r.problem,
            r.index,
            r.correct,
            r.answer,
            r.score,
            r.spend.generated_tokens,
            r.stopped,
            r.error,
        )
        for r in records
    ]


@pytest.mark.parametrize("strategy", EARLY)
@pytest.mark.parametrize("n", [4, 16])
async def test_a_replay_is_the_live_run_on_the_same_samples(
    strategy: str, n: int, tmp_path: Path, bench_type: type[Bench]
) -> None:
    source = await pooled(bench_type, tmp_path / "pool", in_turn())
    run = await live(bench_type, tmp_path / "live", in_turn(), strategy, n)
    grid = await replay(source, Replay((strategy,), (n,)), tmp_path / "replay")
    replayed = RunFolder(tmp_path / "replay").records(grid.spec("sums", strategy, n))
    expected = run.records(run.grid.spec("sums", strategy, n))
    assert outcomes(replayed) == outcomes(expected)
    assert sum(r.correct for r in replayed) > 0
    assert sum(r.spend.generated_tokens for r in replayed) < sum(
        r.spend.generated_tokens for r in source.pool("sums")
    )


async def test_orders_reproduce_a_live_run_of_other_samples_within_noise(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    source = await pooled(bench_type, tmp_path / "pool", Scripted(), problems=60)
    strategy = "adaptive-majority(threshold=0.8)"
    run = await live(bench_type, tmp_path / "live", Scripted(), strategy, 8, problems=60, seed=7)
    await replay(source, Replay((strategy,), (8,), orders=8), tmp_path / "replay")
    [expected] = [p for p in points(run) if p.strategy == strategy]
    [point] = [p for p in points(RunFolder(tmp_path / "replay")) if p.strategy == strategy]
    assert point.accuracy == pytest.approx(expected.accuracy, abs=0.08)
    assert point.generated_tokens == pytest.approx(expected.generated_tokens, rel=0.08)


# -- orders ---------------------------------------------------------------------------------------


async def test_each_problem_is_averaged_over_the_orders(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    source = await pooled(bench_type, tmp_path / "pool", Scripted())

    async def replayed(name: str, orders: int, seed: int = 0) -> list[Record]:
        grid = await replay(source, Replay(("esc(window=2)",), (8,), orders, seed), tmp_path / name)
        return RunFolder(tmp_path / name).records(grid.spec("sums", "esc(window=2)", 8))

    recorded, drawn = await replayed("one", 1), await replayed("many", 4)
    assert all(r.share is None for r in recorded)
    assert {r.share for r in drawn} <= {0, 0.25, 0.5, 0.75, 1} and len({r.share for r in drawn}) > 2
    assert all(r.correct == (r.share is not None and r.share > 0.5) for r in drawn)
    assert drawn == await replayed("again", 4) != await replayed("otherwise", 4, seed=1)
    [point] = [p for p in points(RunFolder(tmp_path / "many")) if p.strategy == "esc(window=2)"]
    assert point.accuracy == pytest.approx(fmean(r.share or 0 for r in drawn))
    assert point.generated_tokens == pytest.approx(fmean(r.spend.generated_tokens for r in drawn))


async def test_a_folder_of_replays_is_gone_on_with_and_not_mixed(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    source, out = await pooled(bench_type, tmp_path / "pool", Scripted()), tmp_path / "out"
    await replay(source, Replay(("esc",), (4,)), out)
    before = points(RunFolder(out))
    grid = await replay(source, Replay(("esc", "adaptive-majority"), (4,)), out)
    after = points(RunFolder(out, grid))
    assert [p for p in after if p.strategy != "adaptive-majority"] == before
    assert {p.strategy for p in after} == {
        "majority",
        "best-of-n",
        "esc",
        "adaptive-majority",
        "pass@k",
    }
    with pytest.raises(StoreError, match="choose another --out"):
        await replay(source, Replay(("esc",), (4,), orders=3), out)
    other = await pooled(bench_type, tmp_path / "other", in_turn())
    with pytest.raises(StoreError, match="replays of other solutions"):
        await replay(other, Replay(("esc",), (4,)), out)
    with pytest.raises(StoreError, match="holds results of `reasoner bench`"):
        await replay(source, Replay(("esc",), (4,)), tmp_path / "pool")


async def test_the_pool_and_what_it_decides_stand_beside_the_replays(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    source = await pooled(bench_type, tmp_path / "pool", Scripted())
    await replay(source, Replay(("esc",), (4,)), tmp_path / "out")
    decided = [p for p in points(RunFolder(tmp_path / "out")) if p.strategy != "esc"]
    assert decided == points(source)


# -- the model ------------------------------------------------------------------------------------


def record(lengths: Sequence[int], answers: str = "", **fields: object) -> Record:
    """Return the record of a pool whose solutions have `lengths` and state the letters of `answers`."""
    answers = answers or "a" * len(lengths)
    samples = tuple(
        Sample(answer=a, correct=a == "a", score=0.5, tokens=n, text=f"{i} {'.' * n}{a}")
        for i, (n, a) in enumerate(zip(lengths, answers, strict=True))
    )
    made: dict[str, Any] = {
        "spend": Spend(generated_tokens=sum(lengths)),
        "prompt_tokens": 10,
        **fields,
    }
    return Record(problem="p", index=0, correct=False, question="?", samples=samples, **made)


def searched(strategy: Strategy, pool: Record, order: Sequence[int] | None = None) -> Result:
    sampling = Sampling(max_tokens=max(s.tokens for s in pool.samples))
    model = RecordedModel("m", pool, range(len(pool.samples)) if order is None else order, sampling)
    answers = {sample.text: sample.answer for sample in pool.samples}
    solving = solve(
        Problem("p", "?"), strategy, model, sampling=sampling, extract=answers.get, raising=False
    )
    return asyncio.run(solving)


@settings(max_examples=30)
@given(st.permutations([7, 20, 31, 44, 50, 68]), st.integers(1, 6))
def test_the_shortest_samples_win_a_race_and_the_others_are_charged_until_its_end(
    lengths: list[int], m: int
) -> None:
    pool = record(lengths, "".join("a" if n > 30 else "b" for n in lengths))
    result = searched(ShortM(n=6, m=m), pool)
    first, last = sorted(lengths)[:m], sorted(lengths)[m - 1]
    assert result.usage.completion_tokens == sum(first) + (6 - m) * (last + 1)
    assert result.answer == ("b" if m < 4 else "b" if m == 4 else "a")


def test_a_sample_that_starts_later_ends_later() -> None:
    """Two at once: the third begins when the first has ended."""
    model = RecordedModel("m", record([10, 30, 15]), (0, 1, 2), Sampling(max_tokens=30))
    ended = list[int]()

    async def watched() -> None:
        sampled = await model.watch(
            Prompt(Problem("p", "?")), Sampling(max_tokens=30), lambda _: False
        )
        ended.append(sampled.usage.completion_tokens)

    async def two_lanes() -> None:
        async def lane(count: int) -> None:
            for _ in range(count):
                await watched()

        await asyncio.gather(lane(2), lane(1))

    asyncio.run(two_lanes())
    assert ended == [10, 15, 30]


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=9),
    st.integers(0, 300),
    st.floats(0, 1),
    st.floats(0, 1e9),
)
def test_all_samples_together_cost_what_the_pool_did(
    lengths: list[int], prompt: int, cached: float, decoding: float
) -> None:
    rest = len(lengths) - 1
    reused = rest * int(prompt * cached)
    spend = Spend(
        generated_tokens=sum(lengths),
        prompt_tokens_fresh=(rest + 1) * prompt - reused,
        prompt_tokens_cached=reused,
        generator_flops=1e6 + rest * 1e3 + decoding * (sum(lengths) > 0),
    )
    pool = record(
        lengths, spend=spend, prompt_tokens=prompt, prompt_flops=1e6, tails_flops=rest * 1e3
    )
    costs = SampleCosts.of(pool)
    total = sum((costs.usage(i, n) for i, n in enumerate(lengths)), Usage())
    assert total.completion_tokens == spend.generated_tokens
    assert total.fresh_tokens == spend.prompt_tokens_fresh
    assert total.cached_tokens == spend.prompt_tokens_cached
    assert total.flops == pytest.approx(spend.generator_flops)


def test_scores_and_their_cost_are_the_recorded_ones() -> None:
    pool = record(
        [5, 5, 5, 5], spend=Spend(generated_tokens=20, verifier_tokens=40, verifier_flops=8)
    )
    scores = RecordedScores(pool, 0.9)
    model = RecordedModel("m", pool, (2, 1), Sampling(max_tokens=9))
    result = asyncio.run(
        solve(Problem("p", "?"), ESC(n=2, window=2), model, sampling=Sampling(max_tokens=9))
    )
    judgement = asyncio.run(
        scores.score(Problem("p", "?"), [s.candidate for s in result.candidates])
    )
    assert [score.value for score in judgement.scores] == [0.5, 0.5]
    assert judgement.usage == Usage(completion_tokens=20, flops=4)
    assert [sample.text[0] for sample in model.taken] == ["2", "1"]


@pytest.mark.parametrize(
    ("strategy", "message"),
    [(ESC(n=9, window=9), "more than the 4 recorded"), (Revise(how="ask"), "more than whole")],
)
def test_what_a_pool_does_not_have_is_refused(strategy: Strategy, message: str) -> None:
    cause = searched(strategy, record([5, 5, 5, 5])).cause
    assert isinstance(cause, ConfigError) and message in str(cause)


# -- refusals -------------------------------------------------------------------------------------


def imported(tmp_path: Path, completions: list[object], scored: bool = False) -> Path:
    rows = [{**row, "completions": completions} for row in puzzles(3, 1)]
    pool, out = written(tmp_path / "pool.jsonl", rows), tmp_path / "imported"
    assert main(["import-pool", str(pool), "--task", "countdown", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(
    ("strategy", "completions", "message"),
    [
        ("adaptive-best-of-n", ["1", "2", "3"], "have none; score them with `reasoner rerank"),
        ("short-m", ["1", "2", "3"], "does not tell the tokens"),
        ("adaptive-majority", ["1", "2"], "may ask for 3 solutions"),
        ("majority", ["1", "2", "3"], "decided by the whole pool"),
        ("tot-bfs", ["1", "2", "3"], "samples steps"),
        ("deepconf", ["1", "2", "3"], "confidence of each token"),
        ("revise(how='ask')", ["1", "2", "3"], "revise"),
    ],
)
def test_a_strategy_that_the_pool_cannot_answer_is_refused_before_anything_is_written(
    strategy: str,
    completions: list[object],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out = imported(tmp_path, completions), tmp_path / "out"
    capsys.readouterr()
    assert main(["replay", str(source), "--strategy", strategy, "--n", "3", "--out", str(out)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line and len(line) <= 300
    assert not out.exists()


def test_scores_that_compare_the_whole_pool_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, ranked = imported(tmp_path, ["#1", "#2", "#2"]), str(tmp_path / "ranked")
    assert main(["rerank", str(source), "--verifier", "agreement", "--out", ranked]) == 0
    capsys.readouterr()
    assert main(["replay", ranked, "--strategy", "adaptive-best-of-n", "--n", "2"]) == 2
    assert "compared all of them" in capsys.readouterr().err


def test_a_reranked_import_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pool, out, ranked = (
        written(tmp_path / "pool.jsonl", puzzles()),
        tmp_path / "imported",
        tmp_path / "ranked",
    )
    assert main(["import-pool", str(pool), "--task", "countdown", "--out", str(out)]) == 0
    assert main(["rerank", str(out), "--verifier", "arithmetic", "--out", str(ranked)]) == 0
    capsys.readouterr()
    assert (
        main(
            [
                "replay",
                str(ranked),
                "--strategy",
                "adaptive-best-of-n(batch=1),short-m",
                "--n",
                "4",
                "--json",
            ]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    accuracy = {(p["strategy"], p["n"]): p["accuracy"] for p in report["summary"]}
    grid = Grid.load(tmp_path / "ranked-replay")
    assert grid.command == "replay" and grid.verifier == "arithmetic"
    # A perfect verifier finds a right solution among the first four whenever there is one.
    pools = [record.samples[:4] for record in RunFolder(ranked).pool("countdown")]
    assert accuracy["adaptive-best-of-n(batch=1)", 4] == fmean(
        any(s.correct for s in pool) for pool in pools
    )

"""Noise on the scores of a stored pool: as much as wanted, the same for equal solutions, and no better."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reasoner.benchmarks.analysis import surface_rules as surface
from reasoner.benchmarks.analysis.noisy_scores import ScoredPool
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.benchmarks.studies import verifier_noise
from reasoner.errors import StoreError

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object


def records(problems: int = 60, samples: int = 16) -> list[Record]:
    """Pools with a verifier that is nearly always right, and every solution twice."""
    rng, pools = Random(0), list[Record]()
    for index in range(problems):
        distinct = [
            Sample(
                answer=str(i), correct=right, score=0.6 if right else 0.01, tokens=9, text=str(i)
            )
            for i in range(samples // 2)
            for right in [rng.random() < 0.4]
        ]
        pools.append(
            Record(problem=str(index), index=index, correct=False, samples=(*distinct, *distinct))
        )
    return pools


def test_noise_takes_the_auc_to_where_it_is_wanted() -> None:
    scored = ScoredPool.of(records())
    assert scored.auc(scored.pool.scores) == 1
    for wanted in (0.95, 0.8):
        noise = scored.noise_for(wanted, seed=3)
        assert scored.auc(scored.noisy(noise, 3)) == pytest.approx(wanted, abs=0.01)


def test_equal_solutions_get_equal_noise_and_scores_level_off() -> None:
    scored = ScoredPool.of(records())
    noisy = scored.noisy(2.0, 0)
    assert np.array_equal(noisy[:, :8], noisy[:, 8:])
    assert len(np.unique(noisy[:, :8])) > 100
    assert noisy.max() == scored.pool.scores.max()
    assert np.allclose(scored.noisy(0.0, 0), scored.pool.scores)


@pytest.mark.parametrize(
    ("task", "question", "text", "score"),
    [
        ("countdown", "cd:2,3=6\n", "2*3=6:6?+0", 1.0),
        ("countdown", "cd:2,3=6\n", "2*3=6:6?+0\n6-1=5:5?+1", 0.0),
        ("countdown(tier='easy')", "cd:2,3=6\n", "", 0.0),
        ("dagmath", "dg:c=a+b,a=7025,b=1840?c\n", "a7025+b1840=c8865\n", 1.0),
        ("dagmath", "dg:c=a+b,a=7025,b=1840?c\n", "a7025+b1840=d8865", 0.0),
    ],
)
def test_a_last_line_states_what_a_right_one_would(
    task: str, question: str, text: str, score: float
) -> None:
    sample = Sample(answer=None, correct=False, score=None, tokens=5, text=text)
    assert surface.surface_rules(task)["last line"](question, sample) == score


async def test_a_run_has_its_study(tmp_path: Path, bench_type: type[Bench]) -> None:
    bench = bench_type(tmp_path / "run", strategies=["best-of-n"], ns=[1, 4, 16])
    await bench.run()
    out = tmp_path / "out"
    verifier_noise.main(
        ["--run", str(bench.out), "--out", str(out), "--auc", "0.7", "--draws", "2"]
    )
    document = json.loads((out / "verifier-noise.json").read_text())
    [study] = document["tasks"]
    assert (study["task"], study["split"], study["problems"], study["samples"]) == (
        "sums", "test", 30, 16,
    )  # fmt: skip
    lines = {line["name"]: line for line in study["lines"]}
    assert lines["noisy verdict"]["auc"] == pytest.approx(0.7, abs=0.05)
    best = {name: line["accuracy"].get("best-of-n") for name, line in lines.items()}
    assert best["noisy verdict"]["16"]["value"] < best["verdict"]["16"]["value"]
    assert best["random"]["1"] == best["random"]["16"]
    assert {"commit", "hardware", "command", "packages"} <= document.keys()
    assert (out / "verifier-noise.png").exists() and (out / "verifier-noise.svg").exists()


async def test_a_run_without_a_pool_has_none(tmp_path: Path, bench_type: type[Bench]) -> None:
    bench = bench_type(tmp_path, strategies=["greedy"])
    await bench.run()
    with pytest.raises(StoreError, match="holds no pool of sums"):
        verifier_noise.main(["--run", str(tmp_path), "--out", str(tmp_path / "out")])

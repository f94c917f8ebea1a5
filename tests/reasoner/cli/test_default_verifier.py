"""Defaults of `bench` suit the model."""

from __future__ import annotations

import pytest

from reasoner.benchmarks.store.grid import Grid
from reasoner.cli.bench_options import BenchOptions
from reasoner.cli.default_verifier import with_default_verifier
from reasoner.errors import ConfigError

SERVED = {"model": "m", "backend": "openai(base_url='http://127.0.0.1:1/v1')"}


def test_step_searches_are_left_out_where_nothing_scores_steps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = BenchOptions.model_validate(SERVED)
    grid = with_default_verifier(options.grid(), options)
    assert grid.strategies == ("greedy", "majority", "best-of-n", "weighted")
    assert grid.verifier == "agreement"
    assert "beam, particle, mcts left out" in capsys.readouterr().err


def test_a_strategy_that_is_named_is_refused() -> None:
    options = BenchOptions.model_validate(SERVED | {"strategy": ("beam",)})
    with pytest.raises(ConfigError, match="beam"):
        with_default_verifier(options.grid(), options)


def test_the_embedded_model_runs_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    options = BenchOptions()
    grid = with_default_verifier(options.grid(), options)
    assert (grid.strategies, grid.verifier) == (Grid().strategies, "verdict")
    assert capsys.readouterr().err == ""

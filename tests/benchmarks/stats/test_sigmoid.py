"""The sigmoid over training compute: recovered from data made of one."""

from __future__ import annotations

import numpy as np
import pytest

from reasoner.benchmarks.stats.sigmoid import forecasts, sigmoid
from reasoner.errors import ConfigError

COSTS = np.geomspace(1e12, 1e15, 9)
TRUE = 0.2 + 0.5 / (1 + (2e13 / COSTS) ** 1.2)


def problems(seed: int, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Return problems solved at random, before training and after: the means are those of `TRUE`."""
    rng = np.random.default_rng(seed)
    return (rng.random(count) < 0.2) * 1.0, (rng.random((count, 9)) < TRUE) * 1.0


def test_the_parameters_are_recovered() -> None:
    covered = 0
    for seed in range(10):
        fit = sigmoid(COSTS, *problems(seed))
        assert fit.r2 > 0.9 and abs(fit.ceiling.value - 0.7) < 0.08
        assert 0.8e13 < fit.midpoint.value < 5e13
        covered += fit.ceiling.low <= 0.7 <= fit.ceiling.high
    assert covered >= 8


def test_exact_data_are_fitted_to_the_grid() -> None:
    start, values = np.full(4, 0.2), np.tile(TRUE, (4, 1))
    fit = sigmoid(COSTS, start, values)
    assert fit.ceiling.value == pytest.approx(0.7, abs=0.01) and fit.r2 > 0.999
    later = forecasts(COSTS, start, values)
    assert [f.train_flops for f in later] == pytest.approx(COSTS[6:])
    for forecast, truth in zip(later, TRUE[6:], strict=True):
        assert forecast.predicted.value == pytest.approx(truth, abs=0.02)
        assert forecast.measured.value == pytest.approx(truth)


def test_no_gain_and_too_few_checkpoints() -> None:
    level = sigmoid(COSTS, np.full(5, 0.5), np.full((5, 9), 0.4))
    assert level.ceiling.value == 0.5
    with pytest.raises(ConfigError, match="3 trained checkpoints"):
        sigmoid(COSTS[:2], np.zeros(5), np.zeros((5, 2)))
    assert forecasts(COSTS[:3], np.zeros(5), np.zeros((5, 3))) == []

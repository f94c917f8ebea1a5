"""Calibration curves: from a verifier's score to the probability that a candidate is right."""

from bisect import bisect
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, TypeAdapter
from pydantic.dataclasses import dataclass

from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError, StoreError
from reasoner.extras import needed_by
from reasoner.files import read_bytes, save_bytes, shown
from reasoner.verifiers.common.probability import log_odds, sigmoid

Share = Annotated[float, Field(ge=0, le=1)]
EDGE = 1e-6
"""Scores are clipped to this distance from 0 and 1; log-odds further out carry no information."""


@dataclass(frozen=True)
class Isotonic:
    """A non-decreasing, piecewise linear curve (isotonic regression: Zadrozny & Elkan, 2002).

    It fits any shape and so needs many labels, about a thousand or more (Niculescu-Mizil & Caruana,
    2005). Where it is flat, candidates with different scores become equal.
    """

    scores: Annotated[tuple[Share, ...], Field(min_length=1)]
    rates: tuple[Share, ...]
    kind: Literal["isotonic"] = "isotonic"

    def __post_init__(self) -> None:
        """Raise ConfigError unless the points form a non-decreasing curve."""
        risen = all(a < b for a, b in pairwise(self.scores))
        if not risen or len(self.rates) != len(self.scores) or sorted(self.rates) != [*self.rates]:
            raise ConfigError("an isotonic calibration needs rising scores and a rate for each")

    @classmethod
    def fit(cls, scores: Sequence[float], right: Sequence[bool]) -> Self:
        """Fit by least squares to scores and whether their candidates are right.

        Fitting needs scikit-learn; using the curve does not.

        Raises:
            ConfigError: there is not one label for each score.
        """
        _require_labels(scores, right)
        with needed_by("fitting a calibration"):
            from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(y_min=0, y_max=1).fit(scores, [float(r) for r in right])
        return cls(tuple(curve.X_thresholds_.tolist()), tuple(curve.y_thresholds_.tolist()))

    def __call__(self, score: float) -> float:
        """Return the curve's value at `score`; the curve is constant beyond its ends."""
        above = bisect(self.scores, score)
        if above in (0, len(self.scores)):
            return self.rates[max(0, above - 1)]
        (x, end), (y, top) = (p[above - 1 : above + 1] for p in (self.scores, self.rates))
        return min(top, y + (top - y) * (score - x) / (end - x))


@dataclass(frozen=True)
class Platt:
    """A logistic curve in the score's log-odds (Platt, 1999): two parameters, so few labels suffice.

    Slope 1 and intercept 0 leave a score unchanged; a smaller slope corrects overconfidence.
    """

    slope: FiniteFloat
    intercept: FiniteFloat
    kind: Literal["platt"] = "platt"

    @classmethod
    def fit(cls, scores: Sequence[float], right: Sequence[bool]) -> Self:
        """Fit by maximum likelihood to Platt's smoothed targets (see `smoothed_labels`).

        Fitting needs scikit-learn; using the curve does not.

        Raises:
            ConfigError: there is not one label for each score.
        """
        _require_labels(scores, right)
        with needed_by("fitting a calibration"):
            from sklearn.linear_model import LogisticRegression

        odds, chances = [[log_odds(s, EDGE)] for s in scores], smoothed_labels(right)
        curve = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(
            [*odds, *odds],
            [1] * len(odds) + [0] * len(odds),
            sample_weight=[*chances, *(1 - c for c in chances)],
        )
        return cls(float(curve.coef_[0, 0]), float(curve.intercept_[0]))

    def __call__(self, score: float) -> float:
        """Return the probability that a candidate with this score is right."""
        return sigmoid(self.slope * log_odds(score, EDGE) + self.intercept)


Calibration = Annotated[Isotonic | Platt, Field(discriminator="kind")]
CALIBRATION: TypeAdapter[Isotonic | Platt] = TypeAdapter(Calibration)


def save(calibration: Isotonic | Platt, path: Path) -> None:
    """Write a calibration as JSON."""
    save_bytes(CALIBRATION.dump_json(calibration), path)


def load(path: Path) -> Isotonic | Platt:
    """Read a calibration that `save` wrote.

    Raises:
        ConfigError: the file is missing or contains no calibration.
    """
    try:
        return parse_model(CALIBRATION, read_bytes(path, hint="fit one and save it"))
    except Malformed as e:
        raise ConfigError(f"{shown(path)} contains no calibration: {e}") from e
    except StoreError as e:
        raise ConfigError(str(e)) from e


def smoothed_labels(right: Sequence[bool]) -> list[float]:
    """Return Platt's target for each label: nearer to 1/2 the fewer labels of its kind there are."""
    good = sum(right)
    bad = len(right) - good
    return [(good + 1) / (good + 2) if r else 1 / (bad + 2) for r in right]


def _require_labels(scores: Sequence[float], right: Sequence[bool]) -> None:
    if not scores or len(scores) != len(right):
        raise ConfigError(
            f"{len(scores)} scores and {len(right)} labels: a calibration needs one label for each"
            " score, and at least one"
        )
    if not all(0 <= s <= 1 for s in scores):
        raise ConfigError(f"scores lie in [0, 1], not between {min(scores)} and {max(scores)}")

"""Maps from a verifier's scores to the chance that a candidate is right."""

from bisect import bisect
from collections.abc import Sequence
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, TypeAdapter
from pydantic.dataclasses import dataclass

from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError, StoreError
from reasoner.files import read_bytes, save_bytes, shown

Share = Annotated[float, Field(ge=0, le=1)]
EDGE = 1e-6
"""Scores nearer to 0 or 1 count as this near: further out the log-odds say nothing more."""


@dataclass(frozen=True)
class Isotonic:
    """A rising curve through points (Zadrozny & Elkan, 2002), straight between two of them.

    It takes any shape, and so wants many labels: from about a thousand on (Niculescu-Mizil & Caruana,
    2005). It may level off, which makes candidates equal that the verifier told apart.
    """

    scores: Annotated[tuple[Share, ...], Field(min_length=1)]
    rates: tuple[Share, ...]
    kind: Literal["isotonic"] = "isotonic"

    def __post_init__(self) -> None:
        """Refuse points that make no rising curve."""
        risen = all(a < b for a, b in pairwise(self.scores))
        if not risen or len(self.rates) != len(self.scores) or sorted(self.rates) != [*self.rates]:
            raise ConfigError("an isotonic calibration needs rising scores and a rate for each")

    @classmethod
    def fit(cls, scores: Sequence[float], right: Sequence[bool]) -> Self:
        """The curve nearest to whether candidates with these scores were right.

        Needs scikit-learn; the curve itself does not.

        Raises:
            ConfigError: there is not one label for each score.
        """
        _require_labels(scores, right)
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(y_min=0, y_max=1).fit(scores, [float(r) for r in right])
        return cls(tuple(curve.X_thresholds_.tolist()), tuple(curve.y_thresholds_.tolist()))

    def __call__(self, score: float) -> float:
        """The height of the curve at `score`; level beyond its ends."""
        above = bisect(self.scores, score)
        if above in (0, len(self.scores)):
            return self.rates[max(0, above - 1)]
        (x, end), (y, top) = (p[above - 1 : above + 1] for p in (self.scores, self.rates))
        return min(top, y + (top - y) * (score - x) / (end - x))


@dataclass(frozen=True)
class Platt:
    """A logistic curve in the score's log-odds (Platt, 1999): two numbers, so few labels will do.

    Slope 1 and intercept 0 leave a score as it is; a smaller slope takes back overconfidence.
    """

    slope: FiniteFloat
    intercept: FiniteFloat
    kind: Literal["platt"] = "platt"

    @classmethod
    def fit(cls, scores: Sequence[float], right: Sequence[bool]) -> Self:
        """The likeliest curve, with Platt's targets: a little less sure than the labels.

        Needs scikit-learn; the curve itself does not.

        Raises:
            ConfigError: there is not one label for each score.
        """
        _require_labels(scores, right)
        from sklearn.linear_model import LogisticRegression

        odds, chances = [[log_odds(s)] for s in scores], targets(right)
        curve = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(
            [*odds, *odds],
            [1] * len(odds) + [0] * len(odds),
            sample_weight=[*chances, *(1 - c for c in chances)],
        )
        return cls(float(curve.coef_[0, 0]), float(curve.intercept_[0]))

    def __call__(self, score: float) -> float:
        """The chance that a candidate with this score is right."""
        return 1 / (1 + exp(min(700.0, -self.slope * log_odds(score) - self.intercept)))


Calibration = Annotated[Isotonic | Platt, Field(discriminator="kind")]
CALIBRATION: TypeAdapter[Isotonic | Platt] = TypeAdapter(Calibration)


def save(calibration: Isotonic | Platt, path: Path) -> None:
    """Write a calibration as JSON."""
    save_bytes(CALIBRATION.dump_json(calibration), path)


def load(path: Path) -> Isotonic | Platt:
    """Read what `save` wrote.

    Raises:
        ConfigError: the file is missing or holds no calibration.
    """
    try:
        return parse_model(CALIBRATION, read_bytes(path, hint="fit one and save it"))
    except Malformed as e:
        raise ConfigError(f"{shown(path)} holds no calibration: {e}") from e
    except StoreError as e:
        raise ConfigError(str(e)) from e


def calibration_error(chances: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """How far stated chances are from the truth, on average (Naeini et al., 2015).

    The expected calibration error, with bins of equal width: 0 where of the candidates with a chance
    of p the share p is right.
    """
    _require_labels(chances, right)
    binned: list[list[float]] = [[] for _ in range(bins)]
    for chance, r in zip(chances, right, strict=True):
        binned[min(bins - 1, int(chance * bins))].append(chance - r)
    return sum(abs(sum(gaps)) for gaps in binned) / len(chances)


def log_odds(score: float) -> float:
    """Those of a score, cut off where it is all but certain."""
    chance = min(max(score, EDGE), 1 - EDGE)
    return log(chance / (1 - chance))


def targets(right: Sequence[bool]) -> list[float]:
    """What the curve is to give each candidate: the labels, less sure the fewer they are."""
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

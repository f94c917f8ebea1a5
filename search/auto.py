"""Compute-optimal allocation: a cheap probe estimates difficulty, and a table picks the search."""

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator
from pydantic.dataclasses import dataclass

from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError, StoreError
from reasoner.files import read_bytes, shown
from reasoner.run import Run, best
from reasoner.schema import Frozen
from reasoner.search.common.substrategy import answered, attempt, make
from reasoner.search.common.voting import score
from reasoner.trace import Node
from reasoner.traits import StrategyTraits, join_requirements, strategy_traits

Feature = Literal["best", "mean", "agreement"]

STOP = "stop"
SAMPLING = "best-of-n"
"""The strategy that samples as the probe does: the probe's samples count towards its `n`."""

Sampled = Sequence[tuple[str | None, float]]
"""The answer and score of each probe sample; None and zero for an unfinished one."""


def agreement(samples: Sampled) -> float:
    """Return the share of samples with the same answer as the best-scored one."""
    answer, _ = max(samples, key=lambda s: s[1])
    return fmean(a is not None and a == answer for a, _ in samples)


FEATURES: dict[Feature, Callable[[Sampled], float]] = {
    "best": lambda samples: max(s for _, s in samples),
    "mean": lambda samples: fmean(s for _, s in samples),
    "agreement": agreement,
}
"""Difficulty features of a probe; each is low for a hard problem."""


class Arm(Frozen):
    """The search after the probe: a strategy and its size, or `stop`."""

    strategy: str
    n: PositiveInt = 1

    @model_validator(mode="after")
    def _no_recursion(self) -> Self:
        if self.strategy == "auto":
            raise ValueError("an arm of 'auto' cannot be 'auto' itself")
        return self

    def __str__(self) -> str:
        return STOP if self.strategy == STOP else f"{self.strategy}:{self.n}"


class Fitted(Frozen):
    """Provenance of a fitted table."""

    tasks: tuple[str, ...]
    split: str
    problems: int
    model: str
    weights: str = ""
    verifier: str | None
    seed: int
    tolerance: float
    date: str


class Table(Frozen):
    """The arm of each difficulty bin: `arms[i]` for a `feature` from `edges[i - 1]` to `edges[i]`."""

    probe: PositiveInt = 4
    feature: Feature = "mean"
    edges: tuple[float, ...]
    arms: tuple[Arm, ...] = Field(min_length=1)
    fitted: Fitted | None = None

    @model_validator(mode="after")
    def _one_arm_per_bin(self) -> Self:
        if len(self.arms) != len(self.edges) + 1:
            raise ValueError("there must be exactly one arm more than edges")
        if any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError("edges must increase")
        return self

    def arm(self, samples: Sampled) -> Arm:
        """Return the arm for a problem with these probe samples."""
        return self.arms[bisect_right(self.edges, FEATURES[self.feature](samples))]


BUILTIN = Table(
    edges=(0.25, 0.5),
    arms=(Arm(strategy=SAMPLING, n=64), Arm(strategy=SAMPLING, n=16), Arm(strategy=STOP)),
)
"""The default without a fitted table: the lower the scores, the more samples."""


@dataclass(frozen=True)
class Auto:
    """Give each problem the search that fits its difficulty (Snell et al., 2024, section 3).

    A probe samples and scores a few whole solutions. A table, fitted by `reasoner fit-auto` for one
    model and verifier, maps a feature of them to an arm: a strategy and its size, at most `n`, or
    `stop`. The answer is the best of the probe's and the arm's solutions. `table` is a file written
    by `fit-auto`; the default is the one shipped with the embedded GPT.
    """

    n: PositiveInt = 64
    table: str | None = None

    def __post_init__(self) -> None:
        """Reject an invalid table before any compute is spent."""
        for arm in load(self.table).arms:
            if arm.strategy != STOP:
                make(arm.strategy, arm.n)

    @property
    def traits(self) -> StrategyTraits:
        """The probe needs a verifier; each arm may need more."""
        arms = (make(arm.strategy, arm.n) for arm in load(self.table).arms if arm.strategy != STOP)
        needs = join_requirements(map(strategy_traits, arms))
        return replace(needs, verifier="required", stops_early=True)

    async def search(self, run: Run) -> Node:
        """Probe, look up the arm, search."""
        table = load(self.table)
        probed = await run.expand([run.trace.root], n=min(table.probe, self.n))
        run.offer(best(probed))
        await score(run, probed)
        run.offer(best(probed))
        arm = table.arm([sample(run, node) for node in probed])
        size = min(arm.n, self.n) - (len(probed) if arm.strategy == SAMPLING else 0)
        if arm.strategy != STOP and size > 0:
            await attempt(run, run.sub_run(1.0), make(arm.strategy, size))
        return answered(run)


def sample(run: Run, node: Node) -> tuple[str | None, float]:
    """Return the answer and score of one probe sample."""
    return (run.answer(node), node.score or 0.0) if node.finished else (None, 0.0)


@cache
def load(path: str | None = None) -> Table:
    """Load the table in a file; without a path, the embedded GPT's table or `BUILTIN`.

    Raises:
        ConfigError: the file cannot be read or is not a table.
    """
    shipped = Path(str(files("reasoner") / "gpt" / "auto.json"))
    if path is None and not shipped.exists():
        return BUILTIN
    file = shipped if path is None else Path(os.path.expanduser(path))
    try:
        return parse_model(Table, read_bytes(file, hint="`reasoner fit-auto` writes one"))
    except Malformed as e:
        raise ConfigError(
            f"{shown(file)} is not a table ({e}); `reasoner fit-auto` writes one"
        ) from e
    except StoreError as e:
        raise ConfigError(str(e)) from e

"""Compute-optimal allocation: a cheap probe tells how hard a problem is, and so what it gets."""

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
"""The strategy that draws as the probe does: the probe's samples count in its `n`."""

Sampled = Sequence[tuple[str | None, float]]
"""The answer and the score of each probe sample; nothing and zero where it did not finish."""


def agreement(samples: Sampled) -> float:
    """The share of samples that answer what the best one does."""
    answer, _ = max(samples, key=lambda s: s[1])
    return fmean(a is not None and a == answer for a, _ in samples)


FEATURES: dict[Feature, Callable[[Sampled], float]] = {
    "best": lambda samples: max(s for _, s in samples),
    "mean": lambda samples: fmean(s for _, s in samples),
    "agreement": agreement,
}
"""What tells an easy problem from a hard one; each is low for a hard one."""


class Arm(Frozen):
    """What a problem gets after the probe: a strategy and its size, or `stop`."""

    strategy: str
    n: PositiveInt = 1

    @model_validator(mode="after")
    def _nothing_endless(self) -> Self:
        if self.strategy == "auto":
            raise ValueError("an arm of 'auto' cannot be 'auto' itself")
        return self

    def __str__(self) -> str:
        return STOP if self.strategy == STOP else f"{self.strategy}:{self.n}"


class Fitted(Frozen):
    """How a table was learned."""

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
    """Which arm is for which difficulty: `arms[i]` for a `feature` from `edges[i - 1]` to `edges[i]`."""

    probe: PositiveInt = 4
    feature: Feature = "mean"
    edges: tuple[float, ...]
    arms: tuple[Arm, ...] = Field(min_length=1)
    fitted: Fitted | None = None

    @model_validator(mode="after")
    def _one_arm_per_bin(self) -> Self:
        if len(self.arms) != len(self.edges) + 1:
            raise ValueError("there must be one arm more than edges")
        if any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError("edges must rise")
        return self

    def arm(self, samples: Sampled) -> Arm:
        """What a problem with these probe samples gets."""
        return self.arms[bisect_right(self.edges, FEATURES[self.feature](samples))]


BUILTIN = Table(
    edges=(0.25, 0.5),
    arms=(Arm(strategy=SAMPLING, n=64), Arm(strategy=SAMPLING, n=16), Arm(strategy=STOP)),
)
"""Where nothing was fitted: more samples for what the verifier thinks less of."""


@dataclass(frozen=True)
class Auto:
    """Give each problem the search that its difficulty calls for (Snell et al., 2024, section 3).

    A few whole solutions are sampled first and scored. A table, learned by `reasoner fit-auto` for
    one model and verifier, maps what they look like to an arm: a strategy and its size, at most
    `n`, or an end. The answer is the best of the probe's and the arm's. `table` is the file that
    `fit-auto` wrote; the one that ships with the embedded GPT is the default.
    """

    n: PositiveInt = 64
    table: str | None = None

    def __post_init__(self) -> None:
        """Refuse a wrong table before anything is spent."""
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
        """Probe, look up, search."""
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
    """The answer and the score of one probe sample."""
    return (run.answer(node), node.score or 0.0) if node.finished else (None, 0.0)


@cache
def load(path: str | None = None) -> Table:
    """The table in a file; without one, that of the embedded GPT, or a plain one.

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

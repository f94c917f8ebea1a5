"""The grid of a benchmark: its tasks, strategies and sizes, and the experiments that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from reasoner.benchmarks.store.owner import BENCH, GRID, refuse_others
from reasoner.benchmarks.store.records import Size, Spec
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import clipped, read_bytes, save_text, shown
from reasoner.naming import parse_spec
from reasoner.printable import Text
from reasoner.registry import strategies
from reasoner.schema import Frozen
from reasoner.secret_settings import hidden
from reasoner.traits import strategy_traits
from reasoner.types import Sampling

GREEDY, MAJORITY, BEST, WEIGHTED = "greedy", "majority", "best-of-n", "weighted"
COVERAGE = "pass@k"
BESTS = "majority-of-the-bests"
POOLED = (MAJORITY, BEST, WEIGHTED, BESTS)

Name = Annotated[Text, AfterValidator(hidden)]
"""A component spec without secrets."""


class Grid(Frozen):
    """Tasks × strategies × sizes and budgets, on the first problems of one split.

    `reasoner.cli.bench_options` makes one from the options of `bench`, whose defaults are those here.
    """

    tasks: Annotated[tuple[Name, ...], Field(min_length=1)] = ("countdown", "dagmath")
    strategies: tuple[Name, ...] = (GREEDY, MAJORITY, BEST, WEIGHTED, "beam", "particle", "mcts")
    ns: Annotated[tuple[Size, ...], Field(min_length=1)] = (1, 2, 4, 8, 16, 32, 64)
    search_ns: tuple[Size, ...] = (4, 8, 16)
    """Sizes of the searches that run anew for each; empty for those of the pool."""
    own_ns: dict[str, tuple[Size, ...]] = Field(default_factory=dict[str, tuple[int, ...]])
    """Sizes of single searches, where they differ from `search_ns`."""
    budgets: tuple[dict[str, float], ...] = ()
    total_budget: dict[str, float] = Field(default_factory=dict[str, float])
    """Ceilings over all problems of the run: tokens, flops, cost; none where it is empty."""
    price: dict[str, float] = Field(default_factory=dict[str, float])
    """The price of a million tokens, for a ceiling of cost."""
    problems: Size = 64
    search_problems: Size | None = None
    """Number of problems that the searches attempt, the first ones; None for all."""
    split: str = "test"
    model: Name = "embedded"
    weights: str = ""
    second: Name | None = None
    """The model that some strategies ask beside the first."""
    second_weights: str = ""
    tools: str | None = None
    """The tool that the model may use while it writes a solution."""
    sampling: dict[str, Sampling] = Field(default_factory=dict[str, Sampling])
    """The sampling of each task."""
    backend: Name = "vllm"
    verifier: Name | None = "verdict"
    seed: int = 0
    command: str = BENCH
    """The command of `reasoner` that these are the results of."""

    def specs(self) -> Iterator[Spec]:
        """Yield every experiment to run, the cheapest first within a task."""
        for task in self.tasks:
            if GREEDY in self.strategies:
                yield self.spec(task, GREEDY, 1)
            if pool := self.pool(task):
                yield pool
            yield from (self.spec(task, s, n) for s in self.searches for n in self.sizes(s))
            for budget in self.budgets:
                names = (s for s in self.strategies if s != GREEDY)
                yield from (self.spec(task, s, self.widest(s), budget) for s in names)

    def sizes(self, strategy: str) -> tuple[int, ...]:
        """Return the sizes in which a strategy runs that no pool decides."""
        if strategy == GREEDY:
            return (1,)
        own = bracketed_size(strategy)
        return self.own_ns.get(strategy, (own,) if own else self.search_ns or self.ns)

    def widest(self, strategy: str) -> int:
        """Return the size in which a strategy runs under a budget."""
        return bracketed_size(strategy) or max(self.ns)

    def attempted(self, strategy: str) -> int:
        """Return the number of problems that a strategy attempts, the first ones."""
        fewer = self.search_problems if strategy in self.searches else None
        return min(self.problems, fewer or self.problems)

    @property
    def searches(self) -> list[str]:
        """Strategies that must run anew for every size."""
        return [s for s in self.strategies if s not in (GREEDY, *POOLED)]

    @property
    def pooled(self) -> list[str]:
        """Strategies that one pool of independent samples decides."""
        return [s for s in POOLED if s in self.strategies]

    def pool(self, task: str) -> Spec | None:
        """Return the experiment whose samples decide every pooled strategy and size."""
        if not self.pooled:
            return None
        needs_scores = self.pooled != [MAJORITY]
        return self.spec(task, BEST if needs_scores else MAJORITY, max(self.ns))

    def spec(
        self, task: str, strategy: str, n: int, budget: dict[str, float] | None = None
    ) -> Spec:
        """Return one experiment of this grid."""
        return Spec(
            task=task,
            split=self.split,
            model=self.model,
            weights=self.weights,
            sampling=self.sampling.get(task),
            backend=self.backend,
            strategy=strategy,
            n=n,
            verifier=self.verifier if self._verified(strategy) else None,
            budget=budget,
            seed=self.seed,
            tools=self.tools,
            **self._second(strategy),
        )

    def _second(self, strategy: str) -> dict[str, str]:
        """Return the fields of a spec that name the second model; none for a strategy that asks none."""
        if self.second is None or strategy == COVERAGE:
            return {}
        if not strategy_traits(strategies.make(strategy)).asks_second:
            return {}
        return {"second": self.second, "second_weights": self.second_weights}

    def _verified(self, strategy: str) -> bool:
        return strategy == COVERAGE or strategy_traits(strategies.load(strategy)).uses_verifier

    def save(self, out: Path) -> None:
        """Write the grid beside its results, so that they can be read again.

        Raises:
            StoreError: it cannot be written, or `out` holds the results of another command.
        """
        refuse_others(out, self.command)
        save_text(self.model_dump_json(indent=1) + "\n", out / GRID)

    def refuse_another(self, out: Path, determining: Iterable[str]) -> None:
        """Raise if `out` holds a grid that differs from this one in a field of `determining`.

        Raises:
            StoreError: it does, or its grid cannot be read.
        """
        if not (out / GRID).exists():
            return
        before = Grid.load(out)
        for name in determining:
            if (there := getattr(before, name)) != (wanted := getattr(self, name)):
                raise StoreError(
                    f"{shown(out)} holds results with {name} {clipped(repr(there), 40)}, not"
                    f" {clipped(repr(wanted), 40)}; choose another --out"
                )

    @classmethod
    def load(cls, out: Path) -> Grid:
        """Read the grid of an earlier benchmark.

        Raises:
            StoreError: there is none, or it is corrupt.
        """
        path = out / GRID
        blob = read_bytes(path, hint="give the folder that `reasoner bench --out` wrote")
        try:
            return parse_model(cls, blob)
        except Malformed as e:
            raise StoreError(f"{shown(path)} is corrupt ({e}); run `reasoner bench` again") from e


def bracketed_size(strategy: str) -> int | None:
    """Return the size that a strategy's brackets set, as in `esc(n=77)`; None where they set none."""
    own = parse_spec(strategy)[1].get("n")
    return own if isinstance(own, int) and own > 0 else None

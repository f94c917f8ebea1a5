"""Every strategy keeps to what every strategy must keep to: those built in, and the plugin's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count

import pytest

from reasoner.registry import strategies
from reasoner.run import Run
from reasoner.testing.strategies import LATE, Conformance, Make, conformance
from reasoner.trace import Node
from tests.plugin_example.patience import Patience
from tests.unshrunk import unshrunk

SETTINGS = {"short-m": "short-m(m=5)"}
"""Settings under which a strategy finds the answer: of three samples no two agree here."""

TestBuiltIn = conformance(*(SETTINGS.get(name, name) for name in strategies.names()))
TestPlugin = conformance(Patience)

calls = count(1)


@dataclass(frozen=True)
class Lazy:
    """Samples once, whatever its budget."""

    n: int = 8

    async def search(self, run: Run) -> Node:
        [node] = await run.expand([run.trace.root])
        return node


@dataclass(frozen=True)
class Wasteful(Lazy):
    """Has the verifier judge every copy of a step, as sampled by hand."""

    async def search(self, run: Run) -> Node:
        steps = await run.expand([run.trace.root], n=self.n, step=True)
        await run.score(steps)
        return (await run.expand([steps[0]]))[0]


@dataclass(frozen=True)
class Whimsical(Lazy):
    """Does not do the same twice."""

    async def search(self, run: Run) -> Node:
        nodes = await run.expand([run.trace.root], n=next(calls))
        return nodes[0]


@dataclass(frozen=True)
class Deaf(Lazy):
    """Goes on after its deadline."""

    async def search(self, run: Run) -> Node:
        try:
            return await super().search(run)
        except asyncio.CancelledError:
            await asyncio.sleep(LATE + 0.5)
            raise


@dataclass(frozen=True)
class Untidy(Lazy):
    """Leaves a task behind when it is cancelled."""

    async def search(self, run: Run) -> Node:
        left = asyncio.create_task(asyncio.sleep(0.2))
        nodes = await super().search(run)
        await left
        return nodes


@dataclass(frozen=True)
class Insistent(Lazy):
    """Asks the model to go on after its end, around the tree."""

    async def search(self, run: Run) -> Node:
        node = await super().search(run)
        prompt = run.trace.prompt(node)
        await run._sampler.model.sample(prompt, run._sampler.model.length(prompt), run.sampling)
        return node


@dataclass(frozen=True)
class Furtive(Lazy):
    """Spends around the ledger."""

    async def search(self, run: Run) -> Node:
        await run._sampler.model.backend.generate(run.trace.prompt(run.trace.root), run.sampling)
        return await super().search(run)


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        ("test_a_budget_is_used_up", Lazy),
        ("test_identical_siblings_are_scored_once", Wasteful),
        ("test_same_seed_same_tree_whatever_the_delay", Whimsical),
        ("test_a_deadline_cancels_what_is_in_flight", Deaf),
        ("test_cancelling_leaves_nothing_running", Untidy),
        ("test_never_continues_a_solution_that_the_model_ended", Insistent),
        ("test_never_exceeds_a_budget_and_counts_like_the_backend", Furtive),
    ],
)
def test_the_suite_finds_who_breaks_a_rule(
    rule: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = unshrunk(Conformance, rule, monkeypatch)
    with pytest.raises(AssertionError):
        test(make)

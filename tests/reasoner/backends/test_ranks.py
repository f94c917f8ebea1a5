"""Data-parallel ranks: each problem stays at one, and the engine is called so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from types import SimpleNamespace as Fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.api import EMBEDDED
from reasoner.backends.ranks import REMEMBERED, Ranks
from reasoner.backends.vllm import VLLM
from reasoner.concurrency import gather
from reasoner.types import Problem, Prompt, Sampling
from tests import engines


def problem(name: object) -> Problem:
    """Return a problem that differs by its name."""
    return Problem(str(name), f"cd:{name}=1\n")


@given(st.integers(2, 9), st.lists(st.integers(0, 30), max_size=60))
def test_a_problem_stays_at_its_rank(size: int, names: list[int]) -> None:
    ranks, seen = Ranks(size), dict[int, int | None]()
    for name in names:
        with ranks.taken(problem(name), 4) as rank:
            assert rank in range(size)
            assert seen.setdefault(name, rank) == rank
    homes = [list(seen.values()).count(rank) for rank in range(size)]
    assert max(homes) - min(homes) <= 1


def test_the_rank_with_the_fewest_samples_gets_the_next_problem() -> None:
    ranks, homes = Ranks(3), list[int | None]()
    with ExitStack() as stack:
        for name, samples in (("a", 8), ("b", 2), ("c", 4), ("d", 1)):
            homes.append(stack.enter_context(ranks.taken(problem(name), samples)))
    assert homes == [0, 1, 2, 1]


def test_one_engine_has_no_ranks() -> None:
    with Ranks(1).taken(problem("a"), 8) as rank:
        assert rank is None


def test_it_forgets_problems_rather_than_fill_the_memory() -> None:
    ranks = Ranks(2)
    for name in range(REMEMBERED + 1):
        with ranks.taken(problem(name), 1):
            pass
    assert len(ranks._homes) == 1


class Calls:
    """An engine that notes how it is called, and answers with one token."""

    def __init__(self) -> None:
        self.ranks = list[tuple[str, Any]]()

    async def generate(
        self, rendered: Any, params: Any, name: str, **more: Any
    ) -> AsyncIterator[Any]:
        """Note the rank of the call."""
        self.ranks.append((repr(rendered), more.get("data_parallel_rank", "none")))
        sample = Fields(token_ids=[5], finish_reason="length", stop_reason=None, logprobs=None)
        yield Fields(outputs=[sample], num_cached_tokens=0)


@engines.VLLM
@pytest.mark.parametrize(("size", "expected"), [(1, {"none"}), (3, {0, 1, 2})])
async def test_the_engine_is_called_with_the_rank_of_the_problem(
    monkeypatch: pytest.MonkeyPatch, size: int, expected: set[Any]
) -> None:
    backend, engine = VLLM(str(EMBEDDED), data_parallel_size=size), Calls()

    async def started() -> Calls:
        return engine

    monkeypatch.setattr(backend, "start", started)
    prompts = [Prompt(problem(f"1,{i}")) for i in range(6)]
    sampling = Sampling(n=2, max_tokens=1)
    for _ in range(3):
        await gather(backend.generate(prompt, sampling) for prompt in prompts)
    await backend.watch(prompts[0], sampling, lambda _: False)
    assert len(engine.ranks) == 37
    assert {rank for _, rank in engine.ranks} == expected
    assert len(set(engine.ranks)) == len({prompt for prompt, _ in engine.ranks}) == 6

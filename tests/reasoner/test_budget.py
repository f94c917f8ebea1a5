"""Budgets are hard, and used fully."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.base import Attention, ModelInfo
from reasoner.budget import GENERATOR, Budget, Ledger, Room, clip, largest, worst_case
from reasoner.clock import Clock
from reasoner.errors import BackendError, BudgetExhausted, ConfigError
from reasoner.types import Sampling, Usage

MODEL = ModelInfo("m", parameters=1000, attention=(Attention(2, 8),))


@pytest.mark.parametrize("bad", [0, -1, 0.0, float("nan"), "5", True])
@pytest.mark.parametrize("field", ["tokens", "flops", "seconds", "requests"])
def test_refuses_what_is_no_ceiling(field: str, bad: object) -> None:
    with pytest.raises(ConfigError, match=f"budget {field}="):
        Budget(**{field: bad})  # type: ignore[arg-type]


@given(st.integers(0, 200), st.integers(0, 250))
def test_largest(high: int, limit: int) -> None:
    assert largest(high, lambda k: k <= limit) == min(high, limit)


@given(
    n=st.integers(1, 50),
    length=st.integers(1, 50),
    prompt=st.integers(0, 50),
    tokens=st.integers(0, 500),
    flops=st.floats(0, 1e7),
    final=st.booleans(),
)
def test_clip_fits_the_room(
    n: int, length: int, prompt: int, tokens: int, flops: float, final: bool
) -> None:
    room, asked = Room(tokens, flops, 1), Sampling(n=n, max_tokens=length)
    granted = clip(asked, prompt, MODEL)(room, final)
    if granted is None:
        assert not final or not room.holds(worst_case(Sampling(max_tokens=1), prompt, MODEL))
        return
    sampling, worst = granted
    assert room.holds(worst)
    assert sampling.n <= n
    assert sampling.max_tokens == length or (final and sampling.n == 1)


def test_the_worst_case_is_the_whole_prompt_and_every_sample_to_its_end() -> None:
    worst = worst_case(Sampling(n=3, max_tokens=5), 2, MODEL)
    each = 2 * 1000 * 7 + 4 * 2 * 8 * (1 + 2 + 3 + 4 + 5 + 6 + 7)
    assert worst == Usage(1, 3 * 2, 0, 3 * 5, 3 * each)


async def test_what_a_call_holds_is_nobody_elses_until_it_ends() -> None:
    ledger = Ledger(Budget(tokens=100))
    fit = clip(Sampling(max_tokens=30), 0, MODEL)
    async with ledger.reserve(GENERATOR, fit):
        async with ledger.reserve(GENERATOR, fit) as second:
            assert ledger.room.tokens == 40
            second.usage = Usage(1, 0, 0, 10)
        assert ledger.room.tokens == 60
    assert ledger.room.tokens == 90


def test_a_share_shrinks_with_what_the_whole_spends() -> None:
    ledger = Ledger(Budget(tokens=100))
    part = ledger.part(0.5, 0.5)
    assert part.room.tokens == 50
    ledger.charge(GENERATOR, Usage(1, 0, 0, 80))
    assert part.room.tokens == 20


async def test_no_call_starts_after_the_last_second() -> None:
    clock = Clock()
    ledger = Ledger(Budget(seconds=60), clock)
    clock.forward(61)
    with pytest.raises(BudgetExhausted, match=r"time budget of 60"):
        async with ledger.reserve(GENERATOR, clip(Sampling(), 0, MODEL)):
            pass


async def test_waits_for_budget_that_comes_back() -> None:
    ledger = Ledger(Budget(tokens=100))

    async def call(spend: int) -> int:
        fit = clip(Sampling(max_tokens=60), 0, MODEL)
        async with ledger.reserve(GENERATOR, fit) as hold:
            await asyncio.sleep(0)
            hold.usage = Usage(1, 0, 0, min(spend, hold.granted.max_tokens))
            return hold.granted.max_tokens

    assert await asyncio.gather(*(call(10) for _ in range(5))) == [60] * 5
    assert ledger.spent.completion_tokens == 50
    assert await call(50) == 50
    with pytest.raises(BudgetExhausted, match="tokens=100"):
        await call(1)


async def test_a_failed_call_is_charged_what_it_cost() -> None:
    ledger = Ledger(Budget(requests=2))
    fit = clip(Sampling(), 7, MODEL)
    with pytest.raises(ValueError, match="boom"):
        async with ledger.reserve(GENERATOR, fit, failed=Usage(1, 7)):
            raise ValueError("boom")
    assert ledger.by_role == {GENERATOR: Usage(1, 7)}
    assert ledger.room.requests == 1


def test_fresh_tokens_are_those_the_cache_did_not_hold() -> None:
    usage = Usage(1, 100, 70, 5) + Usage(1, 20, 0, 5)
    assert (usage.prompt_tokens, usage.cached_tokens, usage.fresh_tokens) == (120, 70, 50)


IMPOSSIBLE = [
    Usage(-1),
    Usage(1, -5),
    Usage(1, 5, -1),
    Usage(1, 5, 6),
    Usage(1, 5, 0, -100),
    Usage(1, 5, 0, 1, -1.0),
    Usage(1, 5, 0, 1, float("nan")),
    Usage(1, 5, 0, 1, float("inf")),
]


@pytest.mark.parametrize("usage", IMPOSSIBLE, ids=str)
async def test_nothing_is_ever_given_back(usage: Usage) -> None:
    ledger = Ledger(Budget(tokens=100))
    with pytest.raises(BackendError, match="cannot have spent"):
        ledger.charge(GENERATOR, usage)
    assert ledger.spent == Usage() and ledger.room.tokens == 100
    with pytest.raises(BackendError, match=r"worst case .* was charged"):
        async with ledger.reserve(GENERATOR, clip(Sampling(max_tokens=60), 7, MODEL)) as hold:
            hold.usage = usage
    assert ledger.spent == worst_case(Sampling(max_tokens=60), 7, MODEL)
    assert ledger.room.tokens == 40


@given(n=st.integers(1, 9), prompt=st.integers(0, 99), lengths=st.lists(st.integers(1, 50)))
def test_the_worst_case_holds_where_no_sample_finds_the_prompt_cached(
    n: int, prompt: int, lengths: list[int]
) -> None:
    longest = max(lengths, default=1)
    worst = worst_case(Sampling(n=n, max_tokens=longest), prompt, MODEL)
    each = [Usage(0, prompt, 0, k, MODEL.flops(0, prompt + k)) for k in lengths[:n]]
    assert Room(worst.completion_tokens, worst.flops, 1).holds(sum(each, Usage(1)))
    assert worst.prompt_tokens >= sum(u.prompt_tokens for u in each)

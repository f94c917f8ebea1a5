"""The journal of a problem: what was answered is never asked again, and everything comes as it came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from math import floor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.base import as_watching
from reasoner.benchmarks.runner.resumable import JournalledModel, journalled
from reasoner.benchmarks.store import call_log as calls_module
from reasoner.benchmarks.store.call_log import Calls, ProblemJournal
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Spec
from reasoner.budget import Budget
from reasoner.errors import BackendError, ConfigError, StoreError
from reasoner.events import Result
from reasoner.registry import strategies
from reasoner.solving import solve
from reasoner.traits import BackendTraits, VerifierTraits, strategy_traits, verifier_traits
from reasoner.types import (
    Completion,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Usage,
)
from reasoner.verifiers.genrm import GenRM
from reasoner.verifiers.verdict import Verdict

SPEC = Spec(task="sums", backend="scripted", strategy="any", n=8)
PROBLEM = Problem("p", "12+30+41+5+27")
SAMPLING = Sampling(stop=("\n",), max_tokens=60)


class Uneven(Scripted):
    """Takes its time, differently for every call; the run ends when it is asked once too often."""

    def __init__(self, seed: int = 0, lives: int = 10**9, pace: float = 0.005) -> None:
        super().__init__()
        self.rng, self.lives, self.pace, self.asked = Random(seed), lives, pace, 0

    async def _wait(self) -> None:
        self.asked += 1
        if self.asked > self.lives:
            raise StoreError("the end")
        if self.pace:  # On a grid: what does not come together comes well apart.
            loop, come = asyncio.get_running_loop(), asyncio.Event()
            slot = floor(loop.time() / self.pace) + self.rng.randint(1, 3)
            loop.call_at(slot * self.pace, come.set)
            await come.wait()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path) as made:
        yield made


async def search(
    database: Database, backend: Scripted, name: str, by: Any = None, **settings: Any
) -> Result:
    """Attempt the problem, going on from the calls in the database."""
    calls, strategy = Calls(ProblemJournal(database, SPEC, "p")), strategies.make(name, n=8)
    verifier = by or (Verdict("last") if strategy_traits(strategy).uses_verifier else None)
    return await solve(
        PROBLEM, strategy, JournalledModel(backend, calls),
        verifier and journalled(verifier, calls), clock=calls.clock, sampling=SAMPLING, **settings,
    )  # fmt: skip


def told(result: Result) -> tuple[object, ...]:
    """All that a result says, without its seconds."""
    nodes = [(n.id, n.completion, n.score, n.spent, n.visits, n.value) for n in result.trace]
    return result.answer, result.usage, result.by_role, result.stopped, result.error, nodes


KINDS = [
    "majority", "best-of-n", "beam", "mcts", "ab-mcts", "deepconf(warmup=3,window=4)",
    "adaptive-majority", "particle", "budget-forcing(wait='\\n',final='\\n#')", "tot-dfs", "revise",
]  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
async def test_a_search_is_replayed_to_the_letter(database: Database, name: str) -> None:
    first = await search(database, Uneven(seed=5), name)
    mute = Uneven(lives=0)
    again = await search(database, mute, name)
    assert told(again) == told(first)
    assert mute.asked == 0 and again.seconds >= first.seconds - 0.05


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["beam", "mcts", "deepconf(warmup=3,window=4)"]), st.data())
def test_killed_at_any_call_no_finished_one_is_asked_again(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    root, kept = tmp_path_factory.mktemp("journal"), 0
    with Database(root) as database:
        for _ in range(data.draw(st.integers(1, 4))):
            backend = Uneven(data.draw(st.integers(0, 9)), data.draw(st.integers(0, 20)), pace=0.0)
            with suppress(StoreError):
                asyncio.run(search(database, backend, name))
            [[now]] = database.execute("SELECT count(*) FROM calls")
            assert kept <= now <= kept + backend.asked
            kept = now
        last = Uneven(pace=0.0)
        whole = asyncio.run(search(database, last, name))
        [[now]] = database.execute("SELECT count(*) FROM calls")
        assert kept + last.asked >= now
        assert told(asyncio.run(search(database, Uneven(lives=0), name))) == told(whole)


async def test_equal_calls_are_told_apart(database: Database) -> None:
    model, prompt = (
        JournalledModel(Scripted(), Calls(ProblemJournal(database, SPEC, "p"))),
        Prompt(PROBLEM),
    )
    for _ in range(2):
        await model.generate(prompt, SAMPLING)
    backend = Scripted()
    again = JournalledModel(backend, Calls(ProblemJournal(database, SPEC, "p")))
    for _ in range(3):
        await again.generate(prompt, SAMPLING)
    assert backend.usage.requests == 1


async def test_what_is_answered_is_what_was_answered(database: Database) -> None:
    everything = Sampling(n=2, max_tokens=9, logprobs=True, confidences=3, seed=4)
    for sampling in (everything, Sampling(labels=("1", "nothing"))):
        prompt = Prompt(PROBLEM, "12+30=42\n", tuple(map(ord, "12+30=42\n")))
        backends = Scripted(), Uneven(lives=0)
        first, again = [
            await JournalledModel(b, Calls(ProblemJournal(database, SPEC, "p"))).generate(
                prompt, sampling
            )
            for b in backends
        ]
        assert again == first == await Scripted().generate(prompt, sampling)
        database.execute("DELETE FROM calls")


async def test_a_verifier_on_the_same_model_asks_through_the_journal(database: Database) -> None:
    first = await search(database, Scripted(), "best-of-n", GenRM())
    assert first.verifier.requests
    assert told(await search(database, Uneven(lives=0), "best-of-n", GenRM())) == told(first)


class Costly(Verdict):
    """Charges for every judgement, and tells how often it was asked."""

    traits = VerifierTraits(ceiling=0.9)
    asked = 0

    def estimate(self, problem: Problem, candidates: Any) -> Usage:
        """A token each."""
        return Usage(1, len(candidates))

    async def score(self, problem: Problem, candidates: Any) -> Judgement:
        """Return the candidate's score, at a price."""
        type(self).asked += 1
        scores = (await super().score(problem, candidates)).scores
        return Judgement(scores, Usage(1, len(candidates)), malformed=1)


async def test_a_judgement_that_cost_anything_is_kept(database: Database) -> None:
    first = await search(database, Scripted(), "beam", Costly("last"))
    asked = Costly.asked
    again = await search(database, Uneven(lives=0), "beam", Costly("last"))
    assert told(again) == told(first) and Costly.asked == asked > 0
    assert again.trace.malformed == first.trace.malformed == asked
    wrapped = journalled(Costly("last"), Calls(ProblemJournal(database, SPEC, "q")))
    assert verifier_traits(wrapped).ceiling == 0.9


async def test_the_clock_goes_on(database: Database) -> None:
    slow = Uneven(pace=0.05)
    first = await search(database, slow, "beam")
    database.execute("UPDATE calls SET seconds = seconds + 100")
    start = time.monotonic()
    resumed = await search(database, Uneven(lives=0), "beam")
    assert (
        resumed.stopped == "done"
        and 100 < resumed.seconds < 100 + first.seconds + 1
        and time.monotonic() - start < 5
    )


@pytest.mark.parametrize("left", [0.0, 0.3])
async def test_a_time_budget_is_what_is_left_of_it(database: Database, left: float) -> None:
    budget = Budget(seconds=50 + left)
    await search(database, Scripted(), "beam", budget=Budget(seconds=50))
    last = "SELECT max(number) FROM calls"
    database.execute(f"DELETE FROM calls WHERE number = ({last})")
    database.execute(f"UPDATE calls SET seconds = 50 WHERE number = ({last})")
    start = time.monotonic()
    result = await search(database, Scripted(delay=20), "beam", budget=budget)
    assert left - 0.05 < time.monotonic() - start < left + 2
    assert result.stopped == "budget" and result.candidate is not None


async def test_a_search_that_takes_another_course_is_not_held_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "PATIENCE", 0.05)
    await search(database, Uneven(seed=5), "mcts")
    database.execute(
        "UPDATE calls SET asked = asked + 1000, call = call || 'x' WHERE number % 3 = 1"
    )
    result = await asyncio.wait_for(search(database, Scripted(), "mcts"), 10)
    assert result.stopped == "done" and result.candidate is not None


class Plain:
    """A backend that can neither be watched nor spell."""

    def __init__(self) -> None:
        self.inner = Scripted()
        self.model = self.inner.model
        self.prompt_length, self.encode = self.inner.prompt_length, self.inner.encode
        self.generate, self.aclose = self.inner.generate, self.inner.aclose


def test_a_journalled_model_can_what_its_backend_can(database: Database) -> None:
    calls = Calls(ProblemJournal(database, SPEC, "p"))
    able, plain = JournalledModel(Scripted(), calls), JournalledModel(Plain(), calls)
    assert able.traits == Scripted().traits and plain.traits == BackendTraits()
    with pytest.raises(ConfigError, match="cannot watch"):
        as_watching(plain)
    assert able.decode(able.encode("12")) == "12"


async def test_a_call_that_cannot_be_kept_ends_the_search(database: Database) -> None:
    [[pages]] = database.execute("PRAGMA page_count")
    database.execute(f"PRAGMA max_page_count = {pages}")
    model = JournalledModel(Scripted(), Calls(ProblemJournal(database, SPEC, "p")))
    with pytest.raises(StoreError, match="the disk is full"):
        await model.generate(Prompt(PROBLEM), Sampling(n=200))
    assert database.execute("SELECT * FROM calls") == []


POISONS = {
    "surrogate": '{"completions": [{"text": "\\ud800", "token_ids": [1], "finish": "eos"}], "usage": {}}',
    "wrong": '{"completions": 5, "usage": {}}',
    "cut": '{"completions": [',
    "empty": "",
    "null": None,
    "blob": b"\xff",
    "deep": "[" * 100_000,
    "digits": "9" * 5000,
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
async def test_a_call_that_cannot_be_read_back_is_asked_again(
    database: Database, poison: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "PATIENCE", 0.2)
    first = await search(database, Scripted(), "beam")
    middle = "SELECT number FROM calls ORDER BY number LIMIT 1 OFFSET 1"
    database.execute(f"UPDATE calls SET answer = ? WHERE number = ({middle})", poison)
    backend = Scripted()
    assert told(await search(database, backend, "beam")) == told(first)
    assert backend.usage.requests == 1
    assert told(await search(database, Uneven(lives=0), "beam")) == told(first)


class Hostile(Scripted):
    """Answers with what no file can hold."""

    text: Any = "\ud800"

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """A text as it came from somewhere."""
        completion = Completion("", (1,), Finish.EOS)
        object.__setattr__(completion, "text", self.text)  # Past what a completion takes.
        return Generation((completion,), Usage(1))


@pytest.mark.parametrize(
    "text", ["\ud800", None, 5, object()], ids=["surrogate", "none", "number", "object"]
)
async def test_what_cannot_be_read_back_is_not_kept(database: Database, text: Any) -> None:
    hostile = Hostile()
    hostile.text = text
    model = JournalledModel(hostile, Calls(ProblemJournal(database, SPEC, "p")))
    with pytest.raises(BackendError, match="cannot be kept"):
        await model.generate(Prompt(PROBLEM), SAMPLING)
    assert database.execute("SELECT * FROM calls") == []

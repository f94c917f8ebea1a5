"""The verbs of a run beyond expanding and scoring: write, ask, watch, go on in pieces, lend a share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import GENERATOR, VERIFIER, Budget, Ledger
from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted, ConfigError
from reasoner.run import Run
from reasoner.types import Finish, Problem, Sampling
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "1+2+3")
SAMPLING = Sampling(stop=("\n",), max_tokens=60)


def started(backend: Scripted, budget: Budget = Budget(), second: Scripted | None = None) -> Run:
    return Run(PROBLEM, backend, Verdict(), Ledger(budget), sampling=SAMPLING, second=second)


def exact(**settings: object) -> Scripted:
    """Never slips: `1+2=3`, `3+3=6`, `#6`."""
    return Scripted(reply=lambda p, _: "1+2=3\n3+3=6\n#6"[len(p.text) :] + END, **settings)  # type: ignore[arg-type]


async def test_written_text_is_continued_and_costs_nothing_until_then() -> None:
    backend = exact()
    run = started(backend)
    written = run.write(run.trace.root, "1+2=3\n")
    assert (written.completion and written.completion.finish) is Finish.WRITTEN
    assert not written.terminal and not written.finished
    assert run.ledger.spent.requests == 0
    [child] = await run.expand([written])
    assert run.trace.candidate(child).text == "1+2=3\n3+3=6\n#6"
    assert run.ledger.spent.completion_tokens == len("3+3=6\n#6") + 1


async def test_writing_after_an_end_takes_its_place() -> None:
    run = started(exact())
    [ended] = await run.expand([run.trace.root])
    again = run.write(ended, "Wait")
    prompt = run.trace.prompt(again)
    assert prompt.text == "1+2=3\n3+3=6\n#6Wait"
    assert ord(END) not in prompt.token_ids
    assert len(run.trace.candidate(again).verdicts) == len(run.trace.candidate(ended).verdicts) - 1


async def test_pieces_of_limited_length_go_on_to_the_same_solution() -> None:
    run = started(exact())
    nodes = [run.trace.root]
    while not nodes[0].terminal:
        nodes = await run.expand(nodes, tokens=4)
        assert nodes[0].completion and len(nodes[0].completion.token_ids) <= 4
    assert nodes[0].finished
    assert run.trace.candidate(nodes[0]).text == "1+2=3\n3+3=6\n#6"


async def test_a_piece_that_fills_the_longest_solution_is_terminal() -> None:
    run = Run(PROBLEM, exact(), None, Ledger(), sampling=Sampling(max_tokens=8))
    [first] = await run.expand([run.trace.root], tokens=4)
    [second] = await run.expand([first], tokens=4)
    assert not first.terminal
    assert second.terminal and not second.finished


async def test_an_answer_to_a_question_is_charged_to_its_role_and_kept_out_of_the_tree() -> None:
    backend = Scripted(reply=lambda p, _: "yes" + END)
    run = started(backend)
    told = await run.ask("Is it right?", n=3, role=VERIFIER)
    assert [c.text for c in told] == ["yes"] * 3
    assert len(run.trace) == 1
    assert run.ledger.by_role == {VERIFIER: backend.usage}


async def test_the_same_question_is_answered_anew_each_time() -> None:
    run = started(Scripted(reply=lambda _, rng: str(rng.random()) + END))
    texts = [c.text for _ in range(3) for c in await run.ask("a number?", n=2)]
    assert len(set(texts)) == 6


def at(limit: int) -> Callable[[], Callable[[Sequence[float]], bool]]:
    """A judge that gives up after `limit` tokens."""

    def judge() -> Callable[[Sequence[float]], bool]:
        seen = 0

        def halt(sure: Sequence[float]) -> bool:
            nonlocal seen
            seen += len(sure)
            return seen >= limit

        return halt

    return judge


async def test_watched_samples_are_given_up_one_by_one_and_charged_for_what_they_were() -> None:
    backend = exact()
    run = started(backend)
    run.sampling = Sampling(max_tokens=60, confidences=20)
    nodes = await run.expand([run.trace.root], n=3, halt=at(5))
    for node in nodes:
        assert node.completion is not None
        assert (node.completion.finish, node.completion.text) == (Finish.ABORTED, "1+2=3")
        assert len(node.completion.confidences) == 5
        assert node.terminal and not node.finished
    assert run.ledger.spent == backend.usage
    assert backend.usage.completion_tokens == 15


async def test_a_backend_that_cannot_be_watched_is_told() -> None:
    class Deaf(Scripted):
        watch = None  # type: ignore[assignment]

    run = started(Deaf())
    with pytest.raises(
        ConfigError, match=r"cannot watch .*use vllm, openai, transformers or scripted"
    ):
        await run.expand([run.trace.root], halt=at(1))


async def test_the_second_model_goes_on_from_text() -> None:
    first, second = exact(), Scripted("other", reply=lambda *_: "#7" + END)
    run = started(first, second=second)
    [step] = await run.expand([run.trace.root], step=True)
    [other] = await run.expand([step], second=True)
    assert run.trace.candidate(other).text == "1+2=3\n#7"
    assert (first.usage.requests, second.usage.requests) == (1, 1)
    assert run.ledger.spent == first.usage + second.usage


async def spend(run: Run) -> None:
    """Sample until there is no budget left."""
    with suppress(BudgetExhausted):
        while True:
            await run.expand([run.trace.root], n=2)


async def test_a_share_is_spent_within_the_whole() -> None:
    backend = exact()
    run = started(backend, Budget(tokens=100))
    part = run.sub_run(0.5)
    await spend(part)
    assert 40 <= part.ledger.spent.completion_tokens <= 50
    assert run.ledger.spent == part.ledger.spent == backend.usage
    assert all(node.spent <= 50 for node in run.trace)
    await run.expand([run.trace.root])
    assert run.ledger.spent.completion_tokens > part.ledger.spent.completion_tokens


async def test_two_shares_at_once_never_overspend() -> None:
    run = started(exact(delay=0.001), Budget(tokens=90, requests=7))

    parts = [run.sub_run(0.5), run.sub_run(0.5)]
    await gather([spend(p) for p in parts])
    assert run.ledger.spent.completion_tokens <= 90
    assert run.ledger.spent.requests <= 7
    assert all(p.ledger.spent.completion_tokens <= 45 for p in parts)
    assert set(run.ledger.by_role) == {GENERATOR}


@pytest.mark.parametrize(
    ("tokens", "n", "clipped"), [(3, 1, True), (4, 2, True), (4, 1, False), (8, 2, False)]
)
async def test_a_reply_the_budget_cut_short_is_told(tokens: int, n: int, clipped: bool) -> None:
    run = started(Scripted(reply=lambda p, _: "yes" + END), Budget(tokens=tokens))
    await run.ask("Is it right?", n=n, max_tokens=4)
    assert run.clipped is clipped


async def test_a_question_no_budget_is_left_for_is_told() -> None:
    run = started(Scripted(reply=lambda p, _: "yes" + END), Budget(tokens=4))
    await run.ask("Is it right?", max_tokens=4)
    assert not run.clipped
    with pytest.raises(BudgetExhausted):
        await run.ask("Is it right?")
    assert run.clipped


async def test_a_reply_that_fills_its_length_or_the_context_is_no_matter_of_budget() -> None:
    run = started(Scripted(reply=lambda p, _: "yes" + END, context=14))
    await run.ask("Is it right?", max_tokens=3)
    await run.ask("Is it right?", max_tokens=2)
    assert not run.clipped


async def test_offers_in_a_share_are_its_own() -> None:
    run = started(exact())
    part = run.sub_run(1.0)
    [node] = await part.expand([part.trace.root])
    part.offer(node)
    assert run.incumbent is None
    assert run.conclude() is node  # finished solutions belong to the whole tree


@pytest.mark.parametrize(("tokens", "clipped"), [(8, True), (15, False)])
async def test_a_solution_the_budget_cut_short_is_told(tokens: int, clipped: bool) -> None:
    run = started(exact(), Budget(tokens=tokens))
    await run.expand([run.trace.root])
    assert run.clipped is clipped

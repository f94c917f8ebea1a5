"""Verdicts on numbered steps, and the number of the first error."""

from __future__ import annotations

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.search.beam import Beam
from reasoner.solving import solve
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Score,
)
from reasoner.verifiers.critic import Critic

PROBLEM = Problem("p", "1+2+3")
CANDIDATE = Candidate((Completion("1+2=3\n3+3=6\n#6", (1, 2), Finish.EOS),), complete=True)


def critic(*replies: str, **settings: object) -> Critic:
    """A critic whose model gives these replies, one after the other."""
    left = list(replies)
    model = Scripted(reply=lambda *_: left.pop(0) + END)
    return Critic(model=model, votes=len(replies), **settings)  # type: ignore[arg-type]


async def judged(verifier: Critic) -> Judgement:
    return await verifier.score(PROBLEM, [CANDIDATE])


# -- a verdict on each step -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "steps"),
    [
        ("Step 1: correct\nStep 2: correct\nStep 3: correct", [1, 1, 1]),
        ("Step 1: correct\nStep 2: incorrect\nStep 3: correct", [1, 0, 1]),
        ("**Step 1:** Correct.\n**Step 2:** Incorrect!\n**Step 3:** Correct.", [1, 0, 1]),
        ("- Step 1: right, as 1+2=3\n- Step 2: wrong\n- Step 3: right", [1, 0, 1]),
        ("### Step 1\n1+2 is 3. Correct.\n### Step 2\nThe sum is incorrect.\n", [1, 0, 0]),
        ("Step 1: The step is \\boxed{correct}\nStep 2: it is \\boxed{incorrect}", [1, 0, 0]),
        ("Step 1: correct, and step 2 is incorrect?\nStep 2: correct\nStep 3: correct", [1, 1, 1]),
        ("Step 1: incorrect, the correct sum is 5", [0, 0, 0]),
        ("Step 1: not correct", [0, 0, 0]),
        ("Step 1 is correct.\nStep 2 is correct.\nStep 3 is wrong.", [1, 1, 0]),
        ("Step 1: correct - fine\nStep 2: correct (3+3)\nStep 3: wrong because of x", [1, 1, 0]),
        (
            "Step 1: Right triangles have one. Correct.\nStep 2: Right-hand sides differ: wrong",
            [1, 0, 0],
        ),
        ("Step 2: correct\nStep 1: correct\nStep 3: correct\nStep 4: incorrect", [1, 1, 1]),
        ("Step 1: incorrect\nNo:\nStep 1: correct\nStep 2: correct\nStep 3: correct", [1, 1, 1]),
        ("<think>Step 1: incorrect?</think>Step 1: correct\nStep 2: incorrect", [1, 0, 0]),
    ],
)
async def test_verdicts_are_read(reply: str, steps: list[float]) -> None:
    told = await judged(critic(reply))
    assert told.scores == (Score(min(steps), tuple(steps)),)
    assert told.malformed == 0


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "All steps are correct.",
        "Step 1: correct\nStep 2: correct",
        "Step 1: correct\nStep 3: incorrect",
        "Step 1: correct\nStep 2: partially correct\nStep 3: correct",
        "Step one: correct\nStep two: correct\nStep three: correct",
        "Step 1: correct\nStep 2: I am not sure\nStep 3: correct",
        "Step 1: correct the sum\nStep 2: correct\nStep 3: correct",
    ],
)
async def test_a_reply_that_leaves_out_a_step_before_the_first_error_is_malformed(
    reply: str,
) -> None:
    told = await judged(critic(reply, default=0.2))
    assert told.scores == (Score(0.2),)
    assert told.malformed == 1


@pytest.mark.parametrize(("aggregate", "value"), [("min", 1 / 3), ("prod", 2 / 9)])
async def test_steps_are_averaged_over_votes_then_aggregated(aggregate: str, value: float) -> None:
    verifier = critic(
        "Step 1: incorrect",
        "Step 1: correct\nStep 2: incorrect",
        "What?",
        "Step 1: correct\nStep 2: correct\nStep 3: correct",
        aggregate=aggregate,
    )
    told = await judged(verifier)
    assert told.scores[0].steps == pytest.approx((2 / 3, 1 / 3, 1 / 3))
    assert told.scores[0].value == pytest.approx(value if aggregate == "min" else 2 / 27)
    assert told.malformed == 1


@pytest.mark.parametrize("asks", ["steps", "first-error"])
async def test_where_there_are_no_steps_no_verdict_counts(asks: str) -> None:
    empty = Candidate((Completion("\n", (1,), Finish.EOS),), complete=True)
    verifier = critic("First error: none\nStep 1: correct", asks=asks)
    assert (await verifier.score(PROBLEM, [empty])).scores == (Score(0.0),)


# -- the first error ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "steps"),
    [
        ("First error: none", [1, 1, 1]),
        ("First error: **None**.", [1, 1, 1]),
        ("First error: -1", [1, 1, 1]),
        ("I found nothing. \\boxed{-1}\n\n\\boxed{-1}", [1, 1, 1]),
        ("First error: 2", [1, 0, 0]),
        ("First error: Step 2, where 3+3 is taken for 7", [1, 0, 0]),
        ("The first error is step 1.", [0, 0, 0]),
        ("**First error:** `3`", [1, 1, 0]),
        ("First error: 1? No.\nFirst error: 3", [1, 1, 0]),
    ],
)
async def test_the_first_error_is_read(reply: str, steps: list[float]) -> None:
    told = await judged(critic(reply, asks="first-error"))
    assert told.scores == (Score(min(steps), tuple(steps)),)
    assert told.malformed == 0


@pytest.mark.parametrize(
    "reply", ["", "All is well", "First error: 0", "First error: 4", "First error: 17", "Error: 2"]
)
async def test_an_error_in_no_step_is_malformed(reply: str) -> None:
    told = await judged(critic(reply, asks="first-error"))
    assert told.scores == (Score(0.0),)
    assert told.malformed == 1


# -- questions ------------------------------------------------------------------------------------


def test_steps_are_numbered_where_they_end() -> None:
    assert "Step 1: 1+2=3\nStep 2: 3+3=6\nStep 3: #6\n" in Critic().question(PROBLEM, CANDIDATE)
    text = "First,\n1+2=3\n\n\n\nso #3\n\n"
    paragraphs = Candidate((Completion(text, (1,), Finish.EOS),), complete=True)
    assert Critic(delimiter="\n\n").steps(paragraphs) == ["First,\n1+2=3", "so #3"]


async def test_a_step_search_is_led_by_the_critic() -> None:
    """Wherever its candidates end, every step of theirs is judged."""

    def reply(prompt: Prompt, rng: object) -> str:
        if prompt.problem.prompt == PROBLEM.prompt:
            return Scripted().reply(prompt, rng) + END  # type: ignore[arg-type]
        steps = [x for x in prompt.problem.prompt.splitlines() if x.startswith("Step ")]
        right = [x.endswith(("1+2=3", "3+3=6", "#6")) for x in steps]
        return "\n".join(
            f"Step {i}: {'correct' if r else 'incorrect'}" for i, r in enumerate(right, start=1)
        )

    model = Scripted(reply=reply)
    sampling = Sampling(stop=("\n",), max_tokens=60)
    result = await solve(PROBLEM, Beam(n=8), model, Critic(), sampling=sampling)
    assert result.answer == "6"
    assert result.usage == model.usage
    scored = [node for node in result.trace if node.score is not None]
    assert scored and all(len(node.step_scores) == node.depth for node in scored)

"""Models that think first: the answer is what follows the thinking, for every strategy and grader."""

from __future__ import annotations

import random

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.base import Example
from reasoner.benchmarks.runner.bench import Job, graded
from reasoner.benchmarks.store.records import Spec
from reasoner.registry import strategies, tasks
from reasoner.run import last_line
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish, Problem, Prompt, Sampling
from reasoner.verifiers.agreement import Agreement
from reasoner.verifiers.common.llm_judge import said
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "1+2")


def thinks(prompt: Prompt, _: random.Random) -> str:
    """Think of two wrong answers, then state the right one."""
    whole = f"<think>\nfirst #5\n\nor #4\n\n</think>\n\n#3{END}"
    return whole.removeprefix(prompt.text)


def only_thinks(prompt: Prompt, _: random.Random) -> str:
    return f"<think>\nthe answer is #4\n{END}".removeprefix(prompt.text)


@pytest.mark.parametrize("name", ["greedy", "majority", "best-of-n", "beam", "mcts", "rebase"])
async def test_the_answer_follows_the_thinking(name: str) -> None:
    sampling = Sampling(max_tokens=80, stop=("\n\n",))
    result = await solve(
        PROBLEM, strategies.make(name, n=2), Scripted(reply=thinks), sampling=sampling,
        verifier=None if name in ("greedy", "majority") else Verdict(),
    )  # fmt: skip
    assert result.answer == "3"
    assert {s.answer for s in result.candidates} == {"3"}


async def test_a_search_over_steps_splits_the_thinking_into_steps() -> None:
    result = await solve(
        PROBLEM, strategies.make("beam", n=1, branch=1), Scripted(reply=thinks),
        sampling=Sampling(max_tokens=80, stop=("\n\n",)), verifier=Verdict(),
    )  # fmt: skip
    assert result.candidate is not None
    steps = [c.text for c in result.candidate.completions]
    assert steps == ["<think>\nfirst #5\n\n", "or #4\n\n", "</think>\n\n", "#3"]


async def test_an_answer_in_the_thinking_alone_is_none() -> None:
    result = await solve(
        PROBLEM, strategies.make("majority", n=3), Scripted(reply=only_thinks),
        sampling=Sampling(max_tokens=80),
    )  # fmt: skip
    assert result.candidate and result.candidate.complete
    assert result.answer is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>It may be \\boxed{7}.</think>So \\boxed{3}.", "3"),
        ("<think>It may be \\boxed{3}.</think>I do not know.", None),
        ("<think>It is \\boxed{3}.", None),
        ("It is \\boxed{3}.", "3"),
    ],
)
def test_graders_read_the_text_after_the_thinking(text: str, answer: str | None) -> None:
    task = tasks.make("jsonl(data='x', grader='numeric')")
    job = Job(
        Spec(task="jsonl", backend="b", strategy="majority", n=1), task, 0, Example(PROBLEM, "3")
    )
    sample = graded(job, Candidate((Completion(text, (1,), Finish.EOS),), complete=True), None)
    assert (sample.answer, sample.correct, sample.text) == (answer, answer == "3", text)


async def test_agreement_counts_the_answers_after_the_thinking() -> None:
    texts = ["<think>1</think>\n3", "<think>2</think>\n3", "<think>3</think>\n4"]
    candidates = [Candidate((Completion(t, (1,), Finish.EOS),), complete=True) for t in texts]
    judgement = await Agreement(extract=last_line).score(PROBLEM, candidates)
    first, second, third = (score.value for score in judgement.scores)
    assert first == second > third


def test_the_verdict_of_a_judge_follows_its_thinking() -> None:
    reply = Completion("[THINK]Grade: 9[/THINK]Grade: 2", (1,), Finish.EOS)
    assert "9" not in said(reply)

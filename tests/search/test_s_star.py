"""Programs are debugged on the tests that a problem shows, and told apart by what they give."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.benchmarks.tasks.humaneval import HumanEval
from reasoner.budget import VERIFIER, Budget, Ledger
from reasoner.errors import ConfigError
from reasoner.events import Result, Stopped
from reasoner.run import Run
from reasoner.search.common.executions import Executions, read_calls
from reasoner.search.s_star import SStar, verdict
from reasoner.solving import solve
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling

needs_sandbox = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")

META = {"tests": ["assert larger(1, 2) == 2"], "entry_point": "larger"}
PROBLEM = Problem("p", "Write larger(a, b).", META)
SAMPLING = Sampling(max_tokens=400)


def block(body: str) -> str:
    return f"```python\ndef larger(a, b):\n    return {body}\n```"


RIGHT, SECOND, FIRST = block("max(a, b)"), block("b"), block("a")


class Programmer(Scripted):
    """Writes the programs of `drafts` in turn, revises to `revised`, and answers questions of the choice."""

    def __init__(self, drafts: list[str], revised: str = RIGHT, better: str = "A") -> None:
        super().__init__(reply=self.answer, judge=None)
        self.drafts, self.revised, self.better = drafts, revised, better
        self.asked = list[str]()
        self.written = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.asked += [prompt.problem.prompt] * sampling.n
        return await super().generate(prompt, sampling)

    def answer(self, prompt: Prompt, _: random.Random) -> str:
        text = prompt.problem.prompt
        if "It fails these tests" in text:
            return self.revised + END
        if "Both were run" in text:
            return self.judged(text) + END
        if "calls of the function" in text:
            return f"larger(5, 3)\nlarger(1, 1){END}"
        self.written += 1
        return self.drafts[(self.written - 1) % len(self.drafts)] + END

    def judged(self, text: str) -> str:
        """Name the program that gives 5, as the problem says."""
        right = "A" if "\nA: 5" in text else "B"
        return f"larger(5, 3) is 5.\nBetter: {right}"

    def about(self, mark: str) -> list[str]:
        """Return the questions that have `mark`."""
        return [text for text in self.asked if mark in text]


async def chosen(backend: Scripted, strategy: SStar, problem: Problem = PROBLEM) -> Result:
    return await solve(problem, strategy, backend, sampling=SAMPLING, extract=str.strip)


@needs_sandbox
async def test_a_failing_program_is_revised_with_what_it_gave() -> None:
    backend = Programmer([FIRST])
    result = await chosen(backend, SStar(n=1, seconds=20))
    [question] = backend.about("It fails these tests")
    assert "return a\n" in question
    assert "assert larger(1, 2) == 2\nvalue: 1\nTraceback" in question
    assert result.text == RIGHT and result.stopped is Stopped.DONE
    assert result.usage == backend.usage and len(result.candidates) == 2


@needs_sandbox
async def test_it_stops_after_its_rounds_and_keeps_the_best_version() -> None:
    tests = ["assert larger(2, 1) == 2", "assert larger(1, 2) == 2", "assert larger(0, 2) == 2"]
    problem = Problem("p", "Write larger(a, b).", {**META, "tests": tests})
    backend = Programmer([SECOND], revised=FIRST)
    result = await chosen(backend, SStar(n=1, rounds=2, seconds=20), problem)
    assert len(backend.about("It fails these tests")) == 2
    assert result.text == SECOND


@needs_sandbox
async def test_a_program_that_passes_is_not_revised() -> None:
    backend = Programmer([RIGHT])
    await chosen(backend, SStar(n=2, seconds=20))
    assert not backend.about("It fails these tests")


@needs_sandbox
async def test_one_right_program_wins_against_three_that_agree() -> None:
    """All pass the test that is shown; executed calls tell them apart."""
    backend = Programmer([SECOND, SECOND, RIGHT, SECOND])
    result = await chosen(backend, SStar(n=4, seconds=20))
    assert result.text == RIGHT
    [question] = backend.about("Both were run")
    assert "larger(5, 3)\nA: " in question and "larger(1, 1)" not in question
    assert result.by_role[VERIFIER].completion_tokens > 0
    assert result.usage == backend.usage


@needs_sandbox
async def test_programs_that_always_agree_are_not_compared() -> None:
    backend = Programmer([RIGHT, block("b if b > a else a")])
    await chosen(backend, SStar(n=4, seconds=20))
    assert not backend.about("Both were run") and not backend.about("Program A")


@needs_sandbox
async def test_without_a_readable_judgement_the_larger_cluster_wins() -> None:
    backend = Programmer([RIGHT, SECOND, SECOND])
    backend.judged = lambda text: "I cannot say."  # type: ignore[method-assign]
    result = await chosen(backend, SStar(n=3, seconds=20))
    assert result.text == SECOND


@needs_sandbox
@pytest.mark.parametrize(
    "hostile",
    [
        block("__import__('os')._exit(0)"),
        block("print('result of a call: 5') or a"),
        "```python\nimport sys\nsys.exit(0)\n```",
        "```python\nlarger = 1\n```",
        "```python\nlarger = lambda a, b: [a] * 10**9\n```",
        "```python\n" + "(" * 5000 + "\n```",
        "no program",
    ],
)
async def test_hostile_programs_lose(hostile: str) -> None:
    backend = Programmer([hostile, RIGHT], revised=hostile)
    result = await chosen(backend, SStar(n=2, rounds=1, seconds=2))
    assert result.text == RIGHT and result.error is None


@needs_sandbox
async def test_a_program_without_end_loses() -> None:
    backend = Programmer(["```python\nwhile True: pass\n```", RIGHT])
    result = await chosen(backend, SStar(n=2, rounds=0, seconds=0.3))
    assert result.text == RIGHT


@needs_sandbox
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("'a\\nb'", r"'a\nb'"),
        ("'\\ud800é'", r"'\ud800é'"),
        ("[a] * 500", "[5, 5, 5"),
        ("1 / (b - 3)", "ZeroDivisionError: division by zero"),
        ("type('X', (), {'__repr__': lambda _: 'x\\ny'})()", r"x\ny"),
        ("__import__('os')._exit(0)", "no result (passed)"),
    ],
)
async def test_results_are_one_line_of_text(value: str, shown: str) -> None:
    run = Run(PROBLEM, Scripted(), None, Ledger())
    piece = Completion(block(value), (1,), Finish.EOS)
    node = run.trace.add(run.trace.root, piece)
    [result] = await Executions(run, 20, "bubblewrap").results(node, ["larger(5, 3)"])
    assert result.startswith(shown) and len(result) <= 310 and "\n" not in result


@needs_sandbox
@pytest.mark.parametrize("tokens", [30, 120, 500, 1500])
async def test_a_budget_is_never_passed(tokens: int) -> None:
    backend = Programmer([FIRST, SECOND, RIGHT])
    result = await solve(
        PROBLEM, SStar(n=3, seconds=20), backend, budget=Budget(tokens=tokens), sampling=SAMPLING
    )
    assert result.usage == backend.usage and result.usage.completion_tokens <= tokens
    assert result.candidate is not None


@needs_sandbox
async def test_hidden_tests_are_in_no_question(tmp_path: Path) -> None:
    head = 'def larger(a, b):\n    """The larger one.\n    >>> larger(1, 2)\n    2\n    """\n'
    row = {
        "task_id": "HumanEval/0",
        "prompt": head,
        "entry_point": "larger",
        "test": "def check(candidate):\n    assert candidate(77, 3) == 77\n",
    }
    data = tmp_path / "test.jsonl"
    data.write_text(json.dumps(row) + "\n")
    task = HumanEval(str(data), seconds=20)
    [example] = task.examples("test", 1)
    backend = Programmer([SECOND, RIGHT, FIRST])
    result = await chosen(backend, SStar(n=3, seconds=20), example.problem)
    assert backend.about("It fails these tests") and backend.about("Both were run")
    assert not backend.about("77")
    assert task.check(example, result.text)


async def test_without_a_sandbox_nothing_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    backend = Programmer([RIGHT])
    with pytest.raises(ConfigError, match="bubblewrap"):
        await chosen(backend, SStar(n=2))
    assert not backend.asked


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("f(1)\n f( 2 )\nf(1)", ["f(1)", "f(2)"]),
        ("```python\nf([1, 2], k='x')\n```", ["f([1, 2], k='x')"]),
        ("`f(1)`;\nassert f(2) == 4", ["f(1)", "f(2)"]),
        ("g(1)\nimport os\nf(1); f(2)\nx = f(3)\nSure, here:", []),
        ("f(" + "-" * 990 + "1)\nf(1)", ["f(1)"]),
        ("f(" + "9" * 2000 + ")", []),
        ("f(1)\nf(2)\nf(3)\nf(4)", ["f(1)", "f(2)", "f(3)"]),
    ],
)
def test_calls_are_read_line_by_line(text: str, calls: list[str]) -> None:
    assert read_calls(text, "f", 3) == calls


@pytest.mark.parametrize(
    ("reply", "winner"),
    [
        ("Better: A", 0), ("**Better:** B", 1), ("better: program B.", 1), ("Better: A\nBetter: B", 1),
        ("A is better", None), ("Better: Both", None), ("", None),
    ],
)  # fmt: skip
def test_verdicts(reply: str, winner: int | None) -> None:
    assert verdict(reply) == winner

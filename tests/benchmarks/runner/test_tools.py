"""Runs whose model uses a tool: their records, what they show, and how they go on after an interruption."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.benchmarks.reports.html_page import problems
from reasoner.benchmarks.runner.recorded_model import completed
from reasoner.benchmarks.runner.replay import Replay, replay
from reasoner.benchmarks.runner.resumable import JournalledModel, JournalledTool
from reasoner.benchmarks.store.call_log import Calls, ProblemJournal
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Sample, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from reasoner.events import Result
from reasoner.search.majority import Majority
from reasoner.solving import solve
from reasoner.types import Candidate, Problem, Prompt, Sampling, ToolOutput

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

Captured = pytest.CaptureFixture[str]
needs_sandbox = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


def add(prompt: Prompt, _: random.Random) -> str:
    """Have the sum computed, and state it."""
    shown = prompt.text.partition("```output\n")[2].partition("\n")[0]
    call = f"```python\nprint({prompt.problem.prompt})\n```\n"
    return f"#{shown}{END}" if shown else call[len(prompt.text) :]


@pytest.fixture
async def run(tmp_path: Path, bench_type: type[Bench]) -> Bench:
    bench = bench_type(
        tmp_path, Scripted(reply=add), strategies=["majority", "beam"], problems=2, ns=[2],
        search_ns=[2], tools="python(seconds=20)",
    )  # fmt: skip
    await bench.run()
    return bench


@needs_sandbox
async def test_samples_and_trees_tell_what_a_tool_wrote(run: Bench) -> None:
    folder = RunFolder(run.out)
    for spec in folder.grid.specs():
        assert spec.tools == "python(seconds=20)"
        assert all(record.correct for record in folder.records(spec))
    pool = folder.grid.pool("sums")
    assert pool is not None
    for record in folder.records(pool):
        for sample in record.samples:
            [output] = sample.outputs
            assert sample.text[output.start : output.end].startswith("```output\n")
            assert sample.correct and sample.answer == record.answer
        assert sum(s.tokens for s in record.samples) == record.spend.generated_tokens
    [beam] = [spec for spec in folder.grid.specs() if spec.strategy == "beam"]
    [tree] = folder.trees(beam, {"test-0"}).values()
    assert [len(piece.outputs) for piece in tree.pieces if piece.chosen].count(1) == 1


@needs_sandbox
@pytest.mark.parametrize("strategy", ["majority", "beam"])
async def test_inspect_and_the_page_set_outputs_apart(
    run: Bench, strategy: str, capsys: Captured
) -> None:
    assert main(["inspect", str(run.out), "0", "--strategy", strategy]) == 0
    assert "tool calls: 1" in capsys.readouterr().out
    [first, _] = problems(RunFolder(run.out), "sums", 1)
    attempts = json.loads(json.dumps(first["attempts"]))
    [attempt] = [a for a in attempts if a["strategy"] == strategy]
    pieces = attempt["samples"] if strategy == "majority" else attempt["tree"]
    parts = [part for piece in pieces for part in piece.get("parts", [])]
    outputs = [text for text, by_tool in parts if by_tool]
    assert outputs and all(text.startswith("```output\n") for text in outputs)


@needs_sandbox
async def test_a_pool_with_outputs_is_replayed_and_has_its_answers(
    run: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "replayed"
    await replay(RunFolder(run.out), Replay(("adaptive-majority",)), out)
    folder = RunFolder(out)
    [spec] = [s for s in folder.grid.specs() if s.strategy == "adaptive-majority"]
    assert all(record.correct and record.answer for record in folder.records(spec))


def test_an_output_states_no_answer_of_a_recorded_sample() -> None:
    text = "#1\n```output\n#2\n```\n"
    sample = Sample(
        answer="1", correct=True, score=None, tokens=3, text=text, outputs=(ToolOutput(3, len(text), 9),)
    )  # fmt: skip
    candidate = Candidate((completed(sample),), complete=True)
    assert candidate.answer_text == "#1\n" and candidate.tokens == 3
    assert Sample.model_validate_json(sample.model_dump_json()) == sample


class Counter:
    """Counts its runs, as its output."""

    opening, closing, calls, tokens = "```python\n", "\n```\n", 4, 20

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, code: str) -> str:
        self.runs += 1
        return str(self.runs)


async def test_outputs_of_an_earlier_attempt_are_not_computed_again(tmp_path: Path) -> None:
    spec = Spec(task="t", backend="scripted", strategy="majority", n=3, tools="counter")

    async def attempt(database: Database, backend: Scripted, tool: Counter) -> Result:
        calls = Calls(ProblemJournal(database, spec, "p"))
        return await solve(
            Problem("p", "1+2"), Majority(n=3), JournalledModel(backend, calls),
            tool=JournalledTool(tool, calls), clock=calls.clock, sampling=Sampling(max_tokens=200),
        )  # fmt: skip

    with Database(tmp_path) as database:
        tool, mute, idle = Counter(), Counter(), Scripted(reply=add)
        first = await attempt(database, Scripted(reply=add), tool)
        again = await attempt(database, idle, mute)
    assert tool.runs == 3 and sorted(s.answer or "" for s in first.candidates) == ["1", "2", "3"]
    assert mute.runs == 0 and idle.usage.requests == 0
    assert again.trace.to_json() == first.trace.to_json()

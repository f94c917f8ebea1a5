"""A benchmark against a server that does something else wrong with every problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reasoner.backends.openai import OpenAI
from reasoner.backends.scripted import Scripted
from reasoner.base import Example
from reasoner.benchmarks.runner import bench as experiment
from reasoner.benchmarks.runner import scheduler
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.scheduler import Tally
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.store import read
from reasoner.errors import AccessDenied, BackendError
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling, Usage
from tests.reasoner.backends import faults
from tests.reasoner.backends.loopback import KEY, Loopback

SAMPLING = Sampling(max_tokens=20)
BROKEN = faults.FAILED | faults.REFUSED
FAULTS = faults.ANSWERED | BROKEN


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(scheduler, "PAUSE", 0.0)


@dataclass(frozen=True)
class Named:
    """A problem for each name; all have the same answer."""

    names: Sequence[str]
    check_answer: Callable[[str], bool] = "#42".__eq__
    name: str = "named"
    sampling: Sampling = SAMPLING

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """The first names."""
        for i, name in enumerate(self.names[:count]):
            yield Example(Problem(f"{i}-{name}", f"<{name}>"), "42")

    def answer(self, solution: str) -> str | None:
        """Return the text after a `#`."""
        return solution.rpartition("#")[2]

    def check(self, example: Example, solution: str) -> bool:
        """Whatever the test asks."""
        return self.check_answer(solution)


async def bench(out: Path, backend: Any, task: Named, concurrency: int = 8) -> Tally:
    """Attempt every problem of the task."""
    grid = grid_of(task)
    solvers = Solvers(grid, {"named": task})
    try:
        return await experiment.run(grid, out, solvers, backend, concurrency=concurrency)
    finally:
        await backend.aclose()


def grid_of(task: Named) -> Grid:
    asked = {
        "tasks": ["named"], "ns": [2], "problems": len(task.names), "backend": "any",
        "strategies": ["majority"], "verifier": None,
    }  # fmt: skip
    return Grid.model_validate(asked)


def records(out: Path, task: Named) -> dict[str, Record]:
    """The record of each name."""
    [spec] = grid_of(task).specs()
    return {r.problem.partition("-")[2]: r for r in read(out, spec)}


async def test_a_fault_of_one_problem_is_no_other_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "HOPELESS", 10**9)  # The machine may be slow in the beginning.
    monkeypatch.setattr(scheduler, "TRIES", 1)
    # One of them takes all of this process's time, which is the server's, too.
    names = [fault for fault in FAULTS if fault != "flood-of-continue"]
    task = Named([*names, *(f"good{i}" for i in range(20))])
    async with Loopback(FAULTS).running() as server:
        backend = OpenAI(
            "m", base_url=server.url, api_key=KEY, retries=1, backoff=0.001, longest_pause=0.01,
            timeout=2.0, max_body=300_000, separate=False,
        )  # fmt: skip
        tally = await bench(tmp_path, backend, task, concurrency=16)
    found = records(tmp_path, task)
    assert found.keys() == set(task.names)
    broken = [name for name in names if name in BROKEN]
    assert [name for name, r in found.items() if r.error] == broken
    assert (tally.finished, tally.failed) == (len(task.names) - len(broken), len(broken))
    assert all(r.correct for name, r in found.items() if name.startswith("good"))
    assert KEY.encode()[:-1] not in b"".join(f.read_bytes() for f in tmp_path.iterdir())


@pytest.mark.parametrize("fault", faults.DENIED)
async def test_what_every_problem_would_meet_ends_the_run(tmp_path: Path, fault: str) -> None:
    task = Named(["good", fault, *["good"] * 100])
    async with Loopback(faults.DENIED).running() as server:
        backend = OpenAI("m", base_url=server.url)
        with pytest.raises(AccessDenied, match=f"{fault}.*check"):
            await bench(tmp_path, backend, task)
    assert server.times["good"] < 100


class Odd(Scripted):
    """Answers a problem as its name says."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.answers, self.asked = answers, list[str]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """A good answer for a good name."""
        name = prompt.problem.prompt.strip("<>")
        self.asked.append(name)
        answer = self.answers.get(name, "#42")
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Usage):
            return Generation((said("#42"),) * sampling.n, answer)
        return Generation((said(answer),) * sampling.n, Usage(1, 4, 0, 4))


def said(text: Any) -> Completion:
    return Completion(text, (1, 2), Finish.EOS)


ODD = {
    "nothing": None,
    "number": 42,
    "bug": ZeroDivisionError("division by zero"),
    "surrogate-in-a-bug": ValueError("\ud800"),
    "timeout": TimeoutError(),
    "no-memory": MemoryError(),
    "backend": BackendError("\ud800"),
    "negative": Usage(1, 4, 0, -400),
    "cached": Usage(1, 4, 5, 4),
    "infinite": Usage(1, 4, 0, 4, float("inf")),
    "nan": Usage(1, 4, 0, 4, float("nan")),
}


async def test_a_backend_that_breaks_its_contract_breaks_one_problem(tmp_path: Path) -> None:
    task = Named(["good", *ODD, "good as well"])
    await bench(tmp_path, Odd(ODD), task)
    found = records(tmp_path, task)
    assert {name for name, r in found.items() if r.error} == ODD.keys()
    assert "unforeseen ZeroDivisionError (test_faulty_server.py:" in (found["bug"].error or "")
    assert found["good as well"].correct


async def test_a_task_that_breaks_on_a_solution_breaks_one_problem(tmp_path: Path) -> None:
    def check(solution: str) -> bool:
        return 10 // int(solution.removeprefix("#")) >= 0

    task = Named(["good", "zero", "words", "fine"], check)
    await bench(tmp_path, Odd({"zero": "#0", "words": "#none"}), task)
    found = records(tmp_path, task)
    assert [name for name, r in found.items() if r.error] == ["zero", "words"]
    assert "unforeseen ZeroDivisionError" in (found["zero"].error or "")
    assert {r.spend.generated_tokens for r in found.values()} == {4}


async def test_what_no_table_can_hold_breaks_one_problem(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Cruel(Named):
        def answer(self, solution: str) -> Any:
            return object() if "cruel" in solution else "42"

    task = Cruel(["good", "cruel", "fine"])
    await bench(tmp_path, Odd({"cruel": "cruel"}), task)
    found = records(tmp_path, task)
    assert [name for name, r in found.items() if r.error] == ["cruel"]
    assert found["cruel"].spend.generated_tokens == 4

"""The front door, synchronous and not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

import reasoner
from reasoner import Budget, ConfigError, Done, Reasoner, StepSampled, Stopped, open_backend
from reasoner.backends.scripted import Scripted
from reasoner.errors import BackendError
from reasoner.types import Generation, Prompt, Sampling, Usage


def test_public_names_exist() -> None:
    assert all(getattr(reasoner, name) for name in reasoner.__all__)
    assert sorted(reasoner.__all__) == reasoner.__all__ == dir(reasoner)
    with pytest.raises(AttributeError, match="no attribute 'Resoner'"):
        getattr(reasoner, "Resoner")  # noqa: B009


def test_the_core_imports_no_engine() -> None:
    code = (
        "import sys, reasoner.api, reasoner.search, reasoner.verifiers.verdict\n"
        "assert not {'torch', 'vllm', 'transformers', 'networkx', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_result_is_shown_in_one_line() -> None:
    with Reasoner("scripted", strategy="best-of-n") as reasoner:
        shown = repr(reasoner.solve("1+2+3"))
    assert shown.startswith("Result(answer='6', stopped='done', solutions=16, tokens=")
    assert "\n" not in shown and len(shown) < 200


def test_solve_without_an_event_loop() -> None:
    with Reasoner("scripted") as solver:
        result = solver.solve("12+30+41", Budget(tokens=500))
        assert result.answer == "83"
        assert result.text == "12+30=42\n42+41=83\n#83"
        assert result.usage.completion_tokens <= 500
        assert [r.answer for r in solver.solve_many(["1+2", "3+4"])] == ["3", "7"]
    assert isinstance(solver.backend, Scripted) and solver.backend.closed


def test_a_task_puts_a_users_words_the_way_the_model_reads_them() -> None:
    with Reasoner("scripted", task="countdown") as solver:
        asked = [solver.solve(text).trace.problem for text in ("cd:1,2=3", " cd:1,2=3\n")]
    assert [problem.prompt for problem in asked] == ["cd:1,2=3\n"] * 2


async def test_solve_inside_an_event_loop() -> None:
    with Reasoner("scripted", strategy="majority") as solver:
        assert solver.solve("1+2").answer == "3"


async def test_governor_caps_problems_in_flight() -> None:
    backend = Scripted(delay=0.01)
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, backend.running)
            await asyncio.sleep(0.002)

    watcher = asyncio.create_task(watch())
    async with Reasoner(backend, strategy="greedy", concurrency=3) as solver:
        results = await solver.asolve_many([f"{i}+1" for i in range(12)])
    watcher.cancel()
    assert [r.answer for r in results] == [str(i + 1) for i in range(12)]
    assert most == 3


async def test_stream_ends_with_done() -> None:
    async with Reasoner("scripted", strategy="beam") as solver:
        events = [e async for e in solver.astream("1+2+3")]
        assert isinstance(events[0], StepSampled)
        assert isinstance(events[-1], Done)
        assert events[-1].result.answer == "6"


async def test_leaving_a_stream_cancels_the_search() -> None:
    backend = Scripted(delay=0.01)
    async with Reasoner(backend, strategy="beam") as solver:
        stream = solver.astream("1+2+3+4")
        async for _ in stream:
            break
        await stream.aclose()
    assert backend.running == 0


async def test_a_failed_problem_is_data() -> None:
    async with Reasoner(Scripted(fail_every=2), strategy="greedy") as solver:
        results = await solver.asolve_many(["1+2", "3+4"])
    assert [r.stopped for r in results] == [Stopped.DONE, Stopped.ERROR]


class Fragile(Scripted):
    """Fails in a way that nobody foresaw, or refuses the problem, for some problems."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        if prompt.problem.prompt == "7+7":
            self.usage += Usage(1)
            raise ZeroDivisionError("oops")
        if prompt.problem.prompt == "8+8":
            raise ConfigError("the problem is too long")
        return await super().generate(prompt, sampling)


async def test_an_unforeseen_error_is_that_problems_alone() -> None:
    async with Reasoner(Fragile(delay=0.01), strategy="greedy") as solver:
        results = await solver.asolve_many(["1+2", "7+7", "8+8", "3+4"])
        with pytest.raises(ZeroDivisionError):
            await solver.asolve("7+7")
    assert [r.answer for r in results] == ["3", None, None, "7"]
    errors = [r.error for r in results]
    assert errors == [None, "ZeroDivisionError: oops", "the problem is too long", None]
    assert [r.trace.problem.prompt for r in results] == ["1+2", "7+7", "8+8", "3+4"]


async def test_an_answer_that_cannot_be_extracted_is_that_problems_alone() -> None:
    def extract(solution: str) -> str | None:
        return str(1 // (solution != "#3"))

    async with Reasoner("scripted", strategy="greedy", extract=extract) as solver:
        results = await solver.asolve_many(["3", "4"])
    assert [r.answer for r in results] == [None, "1"]
    assert results[0].error == "ZeroDivisionError: integer division or modulo by zero"


async def test_what_the_caller_got_wrong_is_raised_before_anything_is_sampled() -> None:
    async with Reasoner(backend := Scripted(parameters=0), strategy="greedy") as solver:
        with pytest.raises(ConfigError, match="the problem is empty"):
            await solver.asolve_many(["1+2", " "])
        with pytest.raises(ConfigError, match="FLOPs budget needs the size"):
            await solver.asolve_many(["1+2"], Budget(flops=1e9))
    assert backend.usage == Usage()


async def test_a_backend_can_be_had_alone() -> None:
    backend = open_backend("scripted", delay=0.0)
    assert isinstance(backend, Scripted) and open_backend(backend) is backend
    with pytest.raises(ConfigError, match="has no setting 'dely'"):
        open_backend("scripted", dely=1)


def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="did you mean"):
        Reasoner("scripted", strategy="best-of-m")
    with pytest.raises(ConfigError, match="concurrency=0"):
        Reasoner("scripted", concurrency=0)
    with pytest.raises(ConfigError, match="gpus: a model that is a Backend"):
        Reasoner(Scripted(), gpus=1)
    with (
        Reasoner(Scripted(parameters=0)) as solver,
        pytest.raises(ConfigError, match="FLOPs budget needs the size"),
    ):
        solver.solve("1+2", Budget(flops=1e9))


def test_the_first_calls_of_many_threads_share_one_loop() -> None:
    before = {t.ident for t in threading.enumerate()}
    solver, ready = Reasoner(Scripted(delay=0.05), strategy="greedy"), threading.Barrier(16)

    def solve(i: int) -> str | None:
        ready.wait()
        return solver.solve(f"{i}+1").answer

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(solve, range(16)))
        loops = [t for t in threading.enumerate() if t.name == "reasoner"]
    assert answers == [str(i + 1) for i in range(16)]
    assert len([t for t in loops if t.ident not in before]) == 1
    solver.close()


def in_a_fork(call: Callable[[], object]) -> str:
    """Return what `call` raises in a fork of this process; nothing if it takes 10 seconds."""
    reads, writes = os.pipe()
    if (pid := os.fork()) == 0:
        signal.alarm(10)
        try:
            call()
            os.write(writes, b"no error")
        except BaseException as e:
            os.write(writes, f"{type(e).__name__}: {e}".encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        message = pipe.read()
    os.waitpid(pid, 0)
    return message


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_is_refused() -> None:
    with Reasoner("scripted", strategy="greedy") as solver:
        assert solver.solve("1+2").answer == "3"
        assert in_a_fork(lambda: solver.solve("1+2")).startswith("ConfigError: this Reasoner")
        assert in_a_fork(lambda: asyncio.run(solver.asolve("1+2"))).startswith("ConfigError")
        assert in_a_fork(solver.close) == "no error"
        fresh = Reasoner("scripted", strategy="greedy")
        assert in_a_fork(lambda: fresh.solve("1+2")) == "no error"
        assert solver.solve("1+3").answer == "4"
    fresh.close()


class Cold(Scripted):
    """Its engine takes a while to start."""

    async def start(self) -> None:
        await asyncio.sleep(0.3)


class Broken(Scripted):
    """Its engine does not start."""

    async def start(self) -> None:
        raise BackendError("the engine did not start: no memory")


async def test_the_start_of_an_engine_is_no_part_of_a_search() -> None:
    async with Reasoner(Cold(), strategy="greedy") as solver:
        result = await solver.asolve("1+2", Budget(seconds=0.2))
    assert (result.answer, result.stopped) == ("3", Stopped.DONE)
    assert result.seconds < 0.3


async def test_an_engine_that_does_not_start_is_data() -> None:
    async with Reasoner(Broken(), strategy="greedy") as solver:
        result = await solver.asolve("1+2")
    assert (result.stopped, result.error) == (Stopped.ERROR, "the engine did not start: no memory")
    assert result.usage == Usage() and result.candidate is None


class Resident(Scripted):
    """A model that, like an engine, answers only in the event loop of its first call."""

    home: asyncio.AbstractEventLoop | None = None

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        here = asyncio.get_running_loop()
        self.home = self.home or here
        assert self.home is here
        return await super().generate(prompt, sampling)


async def test_async_after_sync_and_sync_again() -> None:
    with Reasoner(Resident(), strategy="majority") as reasoner:
        first = reasoner.solve("1+2")
        assert (await reasoner.asolve("1+2")).answer == first.answer
        assert [r.answer for r in await reasoner.asolve_many(["1+2"])] == [first.answer]
        *_, last = [event async for event in reasoner.astream("1+2")]
        assert isinstance(last, Done) and last.result.answer == first.answer
        assert reasoner.solve("1+2").answer == first.answer


async def test_sync_after_async_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook runs each cell in a loop that a synchronous call cannot wait for."""
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    reasoner = Reasoner(Resident(), strategy="majority")
    first = await reasoner.asolve("1+2")
    assert reasoner.solve("1+2").answer == first.answer
    *_, last = [event async for event in reasoner.astream("1+2")]
    assert isinstance(last, Done)
    reasoner.close()

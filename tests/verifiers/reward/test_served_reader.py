"""Reward models behind a server score as they do in this process, and are charged what it reports."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from re import search
from typing import Any

import pytest

from tests.needs import need

need("torch")

from reasoner.bill import new_bill
from reasoner.errors import AccessDenied, BackendError
from reasoner.types import Problem, Usage
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.orm import ORM
from reasoner.verifiers.reward.reward_model import RewardModel
from reasoner.verifiers.reward.torch_heads import load
from tests.reasoner.backends.loopback import KEY, Asked, Loopback, http
from tests.reasoner.backends.vllm_process import serving
from tests.verifiers.reward.test_reward_formats import (
    FORMATS,
    OUTCOMES,
    PROBLEMS,
    SOLUTIONS,
    Known,
    candidate,
    judged,
    tiny,
)

Change = Callable[[dict[str, Any]], object]


class PoolingServer(Loopback):
    """Answers as `vllm serve --runner pooling` does, with outputs of a model in this process."""

    def __init__(self, verifier: RewardModel, change: Change = lambda reply: reply) -> None:
        super().__init__({})
        labels = verifier.labels(verifier.weights.tokenizer)
        self._model, self._change = load(verifier.weights, labels), change
        self.heads, self.bodies = list[bytes](), list[Asked]()

    def _sent(self, head: bytes, asked: Asked) -> AsyncIterator[bytes]:
        self.heads.append(head)
        self.bodies.append(asked)
        path = head.split()[1].decode()
        return self._reply(path, asked)

    async def _reply(self, path: str, asked: Asked) -> AsyncIterator[bytes]:
        if path not in ("/pooling", "/classify"):
            yield http({"detail": "Not Found"}, 404)
            return
        ids = tuple(asked["input"])
        last = len(ids) - 1
        reads = (last,) if path == "/classify" else tuple(range(len(ids)))
        [rows] = self._model.rows([Encoded(ids, reads)])
        data: dict[str, Any] = {
            "index": 0,
            "object": "pooling",
            "data": [[*map(float, row)] for row in rows],
        }
        if path == "/classify":
            probs = data.pop("data")[0]
            data |= {"label": None, "probs": probs, "num_classes": len(probs)}
        usage = {"prompt_tokens": len(ids), "total_tokens": len(ids), "completion_tokens": 0}
        reply = {
            "id": "pool-1",
            "object": "list",
            "model": asked["model"],
            "data": [data],
            "usage": usage,
        }
        yield http(self._change(reply))


def pair(known: Known, folder: Path, **settings: Any) -> RewardModel:
    """Return a verifier of the format, whose tiny model is in the folder."""
    if not any(folder.iterdir()):
        known.build(folder)
    return known.verifier(model=str(folder), **settings)


@pytest.mark.parametrize("known", [FORMATS[0], FORMATS[5]], ids=lambda k: k.name)
async def test_a_process_reward_model_scores_as_in_this_process(
    known: Known, tmp_path: Path
) -> None:
    here = pair(known, tmp_path, engine="transformers")
    texts = [here.separator.join(s) for s in SOLUTIONS]  # type: ignore[attr-defined]
    expected = await judged(here, texts, PROBLEMS[0])
    async with PoolingServer(here).running() as server:
        there = pair(known, tmp_path, base_url=server.url, served_name="prm", api_key=KEY)
        judgement = await there.score(Problem("p", PROBLEMS[0]), [*map(candidate, texts)])
        await there.aclose()
    steps = [v for score in judgement.scores for v in score.steps]
    assert steps == pytest.approx([v for score in expected for v in score.steps], abs=1e-5)
    assert len({round(v, 4) for v in steps}) > 1
    assert judgement.usage.prompt_tokens == sum(len(body["input"]) for body in server.bodies) > 0
    assert judgement.usage.requests == len(server.bodies) and judgement.usage.flops > 0
    assert {body["model"] for body in server.bodies} == {"prm"}
    assert all(f"Bearer {KEY}".encode() in head for head in server.heads)
    assert KEY not in repr(there)


async def test_an_outcome_reward_model_scores_as_in_this_process(tmp_path: Path) -> None:
    OUTCOMES[0].build(tmp_path)
    here, texts = ORM(model=str(tmp_path), engine="transformers"), ["\n".join(s) for s in SOLUTIONS]
    expected = [s.value for s in await judged(here, texts, PROBLEMS[0])]
    async with PoolingServer(here).running() as server:
        there = ORM(model=str(tmp_path), base_url=server.url)
        values = [s.value for s in await judged(there, texts, PROBLEMS[0])]
        await there.aclose()
    assert values == pytest.approx(expected, abs=1e-5)
    assert all(search(rb"^POST /classify ", head) for head in server.heads)


def rows(change: Callable[[list[Any]], Any]) -> Change:
    """Change the rows of a reply."""

    def changed(reply: dict[str, Any]) -> object:
        [data] = reply["data"]
        return reply | {"data": [data | {"data": change(data["data"])}]}

    return changed


FAULTS: dict[str, tuple[Change, str]] = {
    "too few rows": (rows(lambda r: r[1:]), "rows of outputs for .*--runner pooling"),
    "no row": (rows(lambda _: []), "rows of outputs"),
    "an empty row": (rows(lambda r: [[], *r[1:]]), "malformed reply: data.0.data.0"),
    "another width": (rows(lambda r: [[*x, 0.0] for x in r]), "outputs a token instead of 2"),
    "NaN": (rows(lambda r: [[float("nan")] * 2, *r[1:]]), "malformed reply"),
    "text": (rows(lambda _: "AAAA"), "malformed reply"),
    "two texts": (lambda reply: reply | {"data": reply["data"] * 2}, "malformed reply: data"),
    "no data": (lambda reply: {"usage": reply["usage"]}, "malformed reply: data"),
    "a list": (lambda reply: [reply], "malformed reply"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_reply_that_is_no_output_is_an_error_and_charged(name: str, tmp_path: Path) -> None:
    change, message = FAULTS[name]
    here = pair(FORMATS[0], tmp_path, engine="transformers")
    async with PoolingServer(here, change).running() as server:
        there = pair(FORMATS[0], tmp_path, base_url=server.url)
        with new_bill() as items, pytest.raises(BackendError, match=message):
            await there.score(Problem("p", PROBLEMS[0]), [candidate(SOLUTIONS[0][0])])
        await there.aclose()
    paid = Usage() if name == "a list" else items[0]
    assert paid.prompt_tokens == (0 if name == "a list" else len(server.bodies[0]["input"]))


async def test_usage_that_is_not_reported_is_estimated(tmp_path: Path) -> None:
    here = pair(FORMATS[0], tmp_path, engine="transformers")
    server = PoolingServer(here, lambda r: {k: v for k, v in r.items() if k != "usage"})
    async with server.running():
        there = pair(FORMATS[0], tmp_path, base_url=server.url)
        told = await there.score(Problem("p", PROBLEMS[0]), [candidate(SOLUTIONS[0][0])])
        await there.aclose()
    assert told.usage.estimated_tokens == told.usage.prompt_tokens == len(server.bodies[0]["input"])


async def test_a_server_without_pooling_is_a_clear_refusal(tmp_path: Path) -> None:
    class Other(PoolingServer):
        """A server of a generator."""

        async def _reply(self, path: str, asked: Asked) -> AsyncIterator[bytes]:
            yield http({"detail": "Not Found"}, 404)

    here = pair(FORMATS[0], tmp_path, engine="transformers")
    async with Other(here).running() as server:
        there = pair(FORMATS[0], tmp_path, base_url=server.url)
        with pytest.raises(AccessDenied, match="refused the request with 404"):
            await there.score(Problem("p", PROBLEMS[0]), [candidate(SOLUTIONS[0][0])])
        await there.aclose()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no address": (
        {"api_key": "k", "served_name": "n"},
        "served_name, api_key: no server is named",
    ),
    "an engine": ({"base_url": "http://h/v1", "engine": "vllm"}, "engine and engine_args are for"),
    "arguments": ({"base_url": "http://h", "engine_args": {"dtype": "half"}}, "leave them out"),
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_that_contradict_are_refused(name: str, tmp_path: Path) -> None:
    settings, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        pair(FORMATS[0], tmp_path, **settings)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_real_server_scores_as_in_this_process(tmp_path: Path) -> None:
    """`vllm serve --runner pooling` of the tiny token classifier, by the module behind the command."""
    need("vllm")
    tiny.token_classifier(folder := tmp_path / "model")
    here = FORMATS[5].verifier(model=str(folder), engine="transformers")
    texts = [here.separator.join(s) for s in SOLUTIONS]
    expected = await judged(here, texts, PROBLEMS[0])
    arguments = [
        "--model", str(folder), "--served-model-name", "prm", "--runner", "pooling", "--convert",
        "classify", "--dtype", "float32", "--enforce-eager", "--block-size", "32", "--max-model-len", "512",
        "--pooler-config", json.dumps({"task": "token_classify", "tok_pooling_type": "ALL"}),
    ]  # fmt: skip
    with serving(tmp_path, *arguments) as url:
        there = FORMATS[5].verifier(model=str(folder), base_url=url, served_name="prm")
        for _ in range(2):  # The second time, the prefix is in the server's cache.
            fresh = type(there)(**{**vars_of(there)})
            judgement = await fresh.score(Problem("p", PROBLEMS[0]), [*map(candidate, texts)])
            steps = [v for score in judgement.scores for v in score.steps]
            assert steps == pytest.approx([v for s in expected for v in s.steps], abs=1e-3)
            assert judgement.usage.prompt_tokens > 0 and judgement.usage.estimated_tokens == 0
        await there.aclose()


def vars_of(verifier: RewardModel) -> dict[str, Any]:
    """Return the settings that name the model and its server."""
    return {name: getattr(verifier, name) for name in ("model", "base_url", "served_name")}

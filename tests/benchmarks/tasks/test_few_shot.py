"""Worked examples from the command line to the engine and back, on every kind of backend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, ClassVar

import pytest

from reasoner.backends.openai import OpenAI
from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.tasks import game24, gsm8k, hendrycks_math
from reasoner.cli import main
from reasoner.registry import tasks
from reasoner.search.beam import Beam
from reasoner.search.majority import Majority
from reasoner.solving import solve
from reasoner.types import Problem, Prompt
from reasoner.verifiers.verdict import Verdict
from tests.benchmarks.tables import sql

SUMS = [(2, 3), (40, 2), (7, 8)]
ASKED = re.compile(r"Tom has (\d+) figs and buys (\d+)\.")
Captured = pytest.CaptureFixture[str]


class Server(BaseHTTPRequestHandler):
    """A model that adds up what the last question asks; words are its tokens."""

    seen: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        chat = self.path.endswith("/chat/completions")
        [prompt] = [m["content"] for m in body["messages"]] if chat else [body["prompt"]]
        self.seen.append(prompt)
        *_, (a, b) = ASKED.findall(prompt)
        text = f" {a} + {b} is {int(a) + int(b)}. The answer is {int(a) + int(b)}."
        told = {"message": {"content": text}} if chat else {"text": text}
        choices = [{"index": i, "finish_reason": "stop", **told} for i in range(body["n"])]
        words = len(prompt.split())
        usage = {"prompt_tokens": words, "completion_tokens": body["n"] * len(text.split())}
        self._reply({"choices": choices, "usage": usage})

    def _reply(self, told: dict[str, Any]) -> None:
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and the prompts that it received."""

    class Handler(Server):
        seen: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/v1", Handler.seen
        running.shutdown()
        thread.join()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = (
        {"question": f"Tom has {a} figs and buys {b}. How many are there?", "answer": f"#### {a + b}"}
        for a, b in SUMS
    )  # fmt: skip
    path = tmp_path / "figs_test.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def bench(data: Path, out: Path, *more: str) -> list[str]:
    task = ["--task", "gsm8k(shots=4)", "--data", str(data), "--problems", "3"]
    return [
        "bench",
        *task,
        "--strategy",
        "majority",
        "--n",
        "2",
        "--out",
        str(out),
        "--json",
        *more,
    ]


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for [row] in sql(out, "SELECT record FROM records ORDER BY place")]


def few_shot(prompt: str, question: str) -> bool:
    """Return True if exactly four published examples stand before the question."""
    shown = "".join(f"Q: {q}\nA: {a}\n\n" for q, a in gsm8k.WORKED[:4])
    return prompt == f"{shown}Q: {question}\nA:"


@pytest.mark.parametrize("chat", [False, True])
def test_on_a_server(
    chat: bool, server: tuple[str, list[str]], data: Path, tmp_path: Path, capsys: Captured
) -> None:
    url, seen = server
    served = ["--backend", f"openai(chat={chat})", "--base-url", url, "--model", "m"]
    assert main(bench(data, tmp_path / "out", *served)) == 0
    points = json.loads(capsys.readouterr().out)["summary"]
    assert {p["accuracy"] for p in points} == {1} and {p["problems"] for p in points} == {3}
    questions = [json.loads(line)["question"] for line in data.read_text().splitlines()]
    assert len(seen) == 3 and all(
        any(few_shot(prompt, question) for prompt in seen) for question in questions
    )
    spent = {r["spend"]["prompt_tokens_fresh"] for r in records(tmp_path / "out")}
    assert spent == {len(prompt.split()) for prompt in seen} and min(spent) > 150


def test_on_the_scripted_model(data: Path, tmp_path: Path) -> None:
    assert main(bench(data, tmp_path / "out", "--model", "scripted")) == 0
    found = sorted(records(tmp_path / "out"), key=lambda r: int(r["index"]))
    questions = [json.loads(line)["question"] for line in data.read_text().splitlines()]
    for record, question in zip(found, questions, strict=True):
        assert few_shot(record["question"], question)
        # Its tokens are characters.
        assert record["prompt_tokens"] == len(record["question"])
        assert record["spend"]["prompt_tokens_fresh"] == len(record["question"])


async def test_a_question_of_the_models_own_ends_a_solution() -> None:
    def rambling(prompt: Prompt, rng: Random) -> str:
        return "It is 5.\n\nThe answer is 5.\n\nQ: Tom has 2 figs.\nA: The answer is 2."[
            len(prompt.text) :
        ]

    task = tasks.make("gsm8k", shots=2)
    for strategy in (Majority(n=2), Beam(n=2)):
        backend = Scripted(reply=rambling)
        problem = Problem("p", task.prompt("Tom has 2 figs and buys 3. How many are there?"))
        result = await solve(
            problem, strategy, backend, Verdict(), sampling=task.sampling, extract=task.answer
        )
        assert (result.answer, result.text) == ("5", "It is 5.\n\nThe answer is 5.\n\n")
        assert backend.usage.completion_tokens <= 2 * (len(result.text) + 1)
    for name, end in (("gsm8k", "Q:"), ("math500", "Problem:"), ("game24", "Input:")):
        asked, bare = tasks.make(name, shots=1), tasks.make(name)
        assert asked.sampling.end == (end,) and not bare.sampling.end
        assert asked.prompt("1 2 3 4").count(end) == 2


# -- no problem is among its own examples ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "worked"), [("gsm8k", gsm8k.WORKED), ("math500", hendrycks_math.WORKED)]
)
def test_a_published_example_is_not_shown_to_itself(
    name: str, worked: tuple[tuple[str, str], ...]
) -> None:
    for question, solution in worked:
        for shots in (1, len(worked)):
            prompt = tasks.make(name, shots=shots).prompt(f"  {question}\n")
            assert prompt.count(question) == 1 and solution not in prompt
            left = [answer for _, answer in worked if answer in prompt]
            assert len(left) == min(shots, len(worked) - 1)


def test_a_puzzle_is_not_shown_to_itself() -> None:
    for puzzle, steps in game24.WORKED:
        backwards = " ".join(reversed(puzzle.split()))
        for shots, left in ((1, 1), (3, 3), (4, 3)):
            prompt = game24.Game24(shots=shots).prompt(backwards)
            assert steps not in prompt and prompt.count("Answer:") == left


def test_a_problem_of_the_train_split_is_not_shown_to_itself(tmp_path: Path) -> None:
    train = [{"question": f"What is {i} and {i}?", "answer": f"It is {2 * i}."} for i in range(9)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, train)))
    (tmp_path / "test.jsonl").write_text(json.dumps(train[1]))
    task = tasks.make("jsonl", data=str(tmp_path), shots=2)
    shown = [re.findall(r"What is (\d)", e.problem.prompt) for e in task.examples("train", 4)]
    assert shown == [["1", "2", "0"], ["0", "2", "1"], ["0", "1", "2"], ["0", "1", "3"]]
    [leaked] = task.examples("test", 9)
    assert re.findall(r"What is (\d)", leaked.problem.prompt) == ["0", "2", "1"]


def test_what_a_backend_puts_before_a_problem_bounds_its_tokens() -> None:
    problem = Problem("p", "3+4=")
    plain = OpenAI("m").prompt_length(Prompt(problem))
    shots = OpenAI("m", system="Add.", shots=[("1+1=", "2")]).prompt_length(Prompt(problem))
    assert plain == len("3+4=") and shots == len("Add.\n\n1+1=\n2\n\n3+4=")

"""Parsers of what others write, each with a text that it takes, and how to try it on another.

Each returns, or raises a `ReasonerError`; whatever else comes of it is a bug.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from reasoner.backends.openai import OpenAI
from reasoner.backends.verdict_tokens import described
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.engine_throughput import throughput
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.pool_file import read_pool, write_pool
from reasoner.benchmarks.store.records import Record, Sample, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.search_trees import Piece, Tree
from reasoner.benchmarks.store.store import Store, read
from reasoner.benchmarks.tasks import loading as dataset
from reasoner.cli.bench_options import BenchOptions
from reasoner.cli.spec_file import bench_options
from reasoner.documents import parse_json, read_yaml
from reasoner.errors import ReasonerError
from reasoner.models.folder import check_model_folder
from reasoner.naming import parse_spec, split_specs
from reasoner.search.auto import load
from reasoner.train.reward.labelled_solutions import read as read_labels
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.common.calibration import load as load_calibration

SPEC = Spec(task="sums", backend="scripted", strategy="beam", n=2)
Try = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """A parser: `whole` is what it takes."""

    whole: bytes
    attempt: Try

    def __call__(self, blob: bytes) -> bool:
        """Return True if `blob` is accepted; errors other than ours pass through."""
        try:
            self.attempt(blob)
        except ReasonerError:
            return False
        return True


def _file(name: str, use: Callable[[Path], object]) -> Try:
    """Try a parser on a file of that name."""

    def attempt(blob: bytes) -> object:
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(blob)
            return use(path)

    return attempt


def _round_trip(path: Path) -> None:
    pool = read_pool(path)
    write_pool(pool, copy := path.with_name("copy"))
    assert read_pool(copy) == pool


def _spec(path: Path) -> object:
    return bench_options(BenchOptions, {"spec": path}).text.encode()


def _brackets(blob: bytes) -> None:
    for part in split_specs(blob.decode(errors="replace")):
        parse_spec(part)


def _run(path: Path) -> None:
    """Read a database, then write to it."""
    read(path.parent, SPEC)
    RunFolder(path.parent).trees(SPEC, {"p"})
    with Database(path.parent) as database:
        Store(database, SPEC).append(Record(problem="q", index=1, correct=True))
    read(path.parent, SPEC)


def _stored(statement: str, use: Callable[[Path], object]) -> Try:
    """Try a reader on a database whose rows `statement` replaces."""

    def attempt(blob: bytes) -> object:
        with TemporaryDirectory() as name:
            folder = Path(name)
            _fill(folder)
            with closing(sqlite3.connect(folder / "run.db", isolation_level=None)) as connection:
                connection.execute(statement, (_text(blob),))
            return use(folder)

    return attempt


def _text(blob: bytes) -> str | bytes:
    """Text where it is some: a database holds anything."""
    try:
        return blob.decode()
    except UnicodeDecodeError:
        return blob


def _fill(folder: Path) -> None:
    with Database(folder) as database:
        Store(database, SPEC, {"commit": "abc"}).append(_RECORD, _TREE)


_SAMPLE = Sample(answer="7", correct=True, score=0.5, tokens=3, text="a\nb", steps=(0.25, 1.0))
_RECORD = Record(
    problem="p", index=0, correct=True, answer="7", score=0.5, samples=(_SAMPLE,), question="3+4"
)
_TREE = Tree(
    problem="p",
    reference="7",
    pieces=(Piece(parent=None, text="3+4"), Piece(parent=0, text="7", tokens=1, score=0.5)),
)


def _database() -> bytes:
    with TemporaryDirectory() as name:
        _fill(Path(name))
        return (Path(name) / "run.db").read_bytes()


def _reply(blob: bytes) -> object:
    """A server's answer to one request, and to questions about itself."""

    def handler(request: httpx.Request) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return httpx.Response(
            404 if request.method == "GET" else 200, headers=headers, content=blob
        )

    async def ask(chat: bool) -> object:
        backend = OpenAI(
            "m", base_url="http://test/v1", retries=0, backoff=0.0, chat=chat,
            transport=httpx.MockTransport(handler),
        )  # fmt: skip
        try:
            prompt = Prompt(Problem("p", "3+4\n"))
            return await backend.generate(prompt, Sampling(n=2, logprobs=True, confidences=2))
        finally:
            await backend.aclose()

    return [asyncio.run(ask(chat)) for chat in (False, True)]


_CHOICE = {
    "index": 0, "text": "7", "finish_reason": "stop", "token_ids": [5], "stop_reason": None,
    "message": {"role": "assistant", "content": "7"},
    "logprobs": {"tokens": ["7"], "token_logprobs": [-0.5], "top_logprobs": [{"7": -0.5, "8": -1.5}],
                 "content": [{"token": "7", "logprob": -0.5, "top_logprobs": [{"token": "7", "logprob": -0.5}]}]},
}  # fmt: skip
_USAGE = {
    "prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3},
}  # fmt: skip
_POOL = [
    {"id": "7", "question": "q", "answer": "18", "completions": [{"text": "A", "score": 0.9}, "B"]},
    {"id": 8, "question": "r", "answer": 1.5, "completions": ["C"]},
]
_LABELLED = {
    "id": "a/0", "task": "dagmath", "prompt": "p", "completions": ["x", "y"], "separator": "\n",
    "labels": [True, False], "values": [0.75, None], "correct": True, "method": "omega", "k": 8,
    "tokens": 512,
}  # fmt: skip
_RUN = """task: countdown
strategy: [greedy, best-of-n, "beam(branch=3)"]
n: [1, 2, 4]
search-n: {"beam(branch=3)": [4], others: [2]}
budget: [{tokens: 400}]
problems: 3
seed: 1
out: runs/x
"""
_TABLE = {
    "probe": 2,
    "feature": "mean",
    "edges": [0.5],
    "arms": [{"strategy": "beam", "n": 4}, {"strategy": "stop"}],
}
_USES = [{"tokens": 5, "seconds": 1.5, "peak": 4.0, "window": 1.0}]
_CONFIG = {"architectures": ["A"], "model_type": "qwen3", "num_hidden_layers": 2, "vocab_size": 64}
_ENDS = {"verdicts": [{"good": 3, "bad": 4, "levels": [64, 128]}], "eos": [1, 2]}


def _lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


TARGETS = {
    "pool": Target(_lines(*_POOL), _file("pool.jsonl", _round_trip)),
    "spec": Target(_RUN.encode(), _file("spec.yaml", _spec)),
    "yaml": Target(_RUN.encode(), _file("any.yaml", read_yaml)),
    "json": Target(_lines(_POOL), parse_json),
    "brackets": Target(b"beam(branch=2, n=8),mcts,code(tests='a(b)'),x(y=[1, {'z': None}])", _brackets),
    "record": Target(
        _RECORD.model_dump_json().encode(),
        _stored("UPDATE records SET record = ?", lambda folder: read(folder, SPEC)),
    ),
    "tree": Target(
        _TREE.model_dump_json().encode(),
        _stored("UPDATE trees SET tree = ?", lambda folder: RunFolder(folder).trees(SPEC, {"p"})),
    ),
    "database": Target(_database(), _file("run.db", _run)),
    "grid": Target(Grid().model_dump_json().encode(), _file("grid.json", lambda p: list(Grid.load(p.parent).specs()))),
    "jsonl": Target(_lines(*_POOL), _file("d.jsonl", dataset.read_rows)),
    "csv": Target(b'id,question\n1,"a\nb"\n2,c\n', _file("d.csv", dataset.read_rows)),
    "labels": Target(_lines(_LABELLED), _file("labels.jsonl", read_labels)),
    "engine": Target(_lines(_USES), _file("throughput.json", lambda p: throughput(p.parent))),
    "table": Target(_lines(_TABLE), _file("auto.json", lambda p: load(str(p)))),
    "calibration": Target(b'{"kind": "platt", "slope": 1, "intercept": 0}', _file("c.json", load_calibration)),
    "config": Target(_lines(_CONFIG), _file("config.json", lambda p: check_model_folder(p.parent))),
    "verdicts": Target(_lines(_ENDS), _file("reasoner.json", lambda p: described(p.parent))),
    "reply": Target(_lines({"model": "m", "choices": [_CHOICE, {**_CHOICE, "index": 1}], "usage": _USAGE}), _reply),
}  # fmt: skip

"""Problems that others wrote, read from every kind of local copy and from the hub."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reasoner.benchmarks.tasks.loading import field, rows, shuffled
from reasoner.errors import ConfigError
from reasoner.registry import tasks

ROWS = [{"q": "One, two\nor three?", "a": "3"}, {"q": "4\u2028?", "a": "4"}]
LINES = "\n\n".join(map(json.dumps, ROWS))


def parquet(path: Path) -> None:
    pyarrow, writer = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    writer.write_table(pyarrow.Table.from_pylist(ROWS), path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "p.jsonl": lambda path: path.write_text(LINES),
    "p.JSONL": lambda path: path.write_text("\ufeff" + LINES + "\n"),
    "p.jsonl.gz": lambda path: path.write_bytes(gzip.compress(LINES.encode())),
    "p.json": lambda path: path.write_text(json.dumps(ROWS)),
    "p.csv": lambda path: path.write_text('q,a\n"One, two\nor three?",3\n4\u2028?,4\n', newline=""),
    "p.parquet": parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_local_files(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    assert rows(str(tmp_path / name), "test") == ROWS
    task = tasks.make(
        "jsonl", data=str(tmp_path / name), question_field="q", answer_field="a", instruction=""
    )
    examples = list(task.examples("test", 9))
    assert [(e.problem.id, e.answer) for e in examples] == [
        ("jsonl-test-0", "3"),
        ("jsonl-test-1", "4"),
    ]
    assert examples[0].problem.prompt == "One, two\nor three?"


def test_a_folder_has_a_file_or_more_a_split(tmp_path: Path) -> None:
    for name in (
        "train-00000-of-00002.jsonl",
        "train-00001-of-00002.jsonl",
        "my_TEST.jsonl",
        "latest.csv",
    ):
        (tmp_path / name).write_text(json.dumps({"from": name}))
    assert [row["from"][:11] for row in rows(str(tmp_path), "train")] == [
        "train-00000",
        "train-00001",
    ]
    assert rows(str(tmp_path), "test") == [{"from": "my_TEST.jsonl"}]
    with pytest.raises(ConfigError, match=r"no split 'dev'; it has test, train;"):
        rows(str(tmp_path), "dev")


def test_a_lone_split_is_the_test_split(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(LINES)
    assert rows(str(tmp_path), "test") == rows(str(tmp_path / "train.jsonl"), "test") == ROWS
    with pytest.raises(ConfigError, match=r"no split 'train'; it has test;"):
        rows(str(tmp_path / "train.jsonl"), "train")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no data at 'nowhere/p.jsonl': name a file \(.jsonl, .json"
    ):
        rows("nowhere/p.jsonl", "test")
    with pytest.raises(ConfigError, match="no file of a split, such as"):
        rows(str(tmp_path), "test")
    for name, content, message in (
        ("p.txt", "", r"is none of .jsonl, .json, .csv, .parquet"),
        ("torn.jsonl", '{"q": 1}\n{"q": ', r"torn.jsonl': line 2: "),
        ("list.jsonl", "[1]", "no list of objects"),
        ("bad.json", "{", "cannot read .*bad.json"),
        ("bytes.csv", b"\xff\xfe", "cannot read .*bytes.csv"),
        ("not.jsonl.gz", "{}", "cannot read .*not.jsonl.gz"),
    ):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ConfigError, match=message):
            rows(str(tmp_path / name), "test")


def test_fields() -> None:
    row = {"Problem": "p", "answer": 27.0, "Answer": "other"}
    assert field(row, "question", "problem") == "p"
    assert field(row, "answer") == 27.0
    with pytest.raises(ConfigError, match=r"no field 'q' or 'a'; it has Problem, answer, Answer"):
        field(row, "q", "a")


def test_an_order_for_each_seed() -> None:
    items = list(range(50))
    assert shuffled(items, 3, 0) == [0, 1, 2]
    assert shuffled(items, 99, 0) == items
    assert shuffled(items, 3, 1) == shuffled(items, 50, 1)[:3] != shuffled(items, 3, 2)
    assert sorted(shuffled(items, 99, 1)) == items


# -- the hub --------------------------------------------------------------------------------------


def hub(monkeypatch: pytest.MonkeyPatch, sets: dict[tuple[str, str | None], Any]) -> None:
    """Hugging Face's `datasets`, with nothing but `sets`."""

    def load_dataset(name: str, subset: str | None = None) -> Any:
        if (name, subset) not in sets:
            raise FileNotFoundError(
                f"Dataset '{name}' doesn't exist on the Hub\nor cannot be accessed."
            )
        return sets[name, subset]

    module = ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_names_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = ({"train": [{"q": x}], "validation": [], "test": [{"q": x * 2}]} for x in "ab")
    hub(
        monkeypatch, {("me/it", "one"): one, ("me/it", "two"): two, ("lone", None): {"train": ROWS}}
    )
    assert rows("me/it:one", "test") == [{"q": "aa"}]
    assert rows("me/it:one,two", "train") == [{"q": "a"}, {"q": "b"}]
    assert rows("me/it:one", "dev") == []
    assert rows("lone", "test") == ROWS
    with pytest.raises(ConfigError, match=r"'lone' has no split 'train'; it has test"):
        rows("lone", "train")


def test_a_name_that_the_hub_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, {})
    with pytest.raises(ConfigError) as told:
        list(tasks.make("gsm8k").examples("test", 1))
    assert str(told.value) == (
        "cannot read 'openai/gsm8k' from the Hugging Face hub: Dataset 'openai/gsm8k' doesn't exist on the"
        " Hub; offline, name a local copy by data='FILE'"
    )


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        ConfigError,
        match=r"needs datasets, which is not installed: pip install 'test-time-compute\[data\]'; offline",
    ):
        rows("openai/gsm8k:main", "test")


def test_the_library_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = {s: datasets.Dataset.from_list(ROWS[i:]) for i, s in enumerate(("train", "test"))}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: datasets.DatasetDict(made))
    assert rows("openai/gsm8k:main", "train") == ROWS
    assert rows("openai/gsm8k:main", "test") == ROWS[1:]

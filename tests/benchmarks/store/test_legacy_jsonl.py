"""Results that were kept as JSON lines are taken in once, and left as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Header, Record, Spec
from reasoner.benchmarks.store.results import Store, read
from reasoner.benchmarks.store.search_trees import Piece, Tree, read_tree
from reasoner.benchmarks.store.store import read_header
from reasoner.errors import StoreError

SPEC = Spec(task="sums", backend="scripted", strategy="beam", n=4)
RECORDS = [Record(problem=f"p{i}", index=i, correct=i > 0) for i in range(3)]
TREES = [
    Tree(problem=f"p{i}", reference="7", pieces=(Piece(parent=None, text="3+4"),)) for i in range(3)
]


def written(root: Path, *, torn: str = "") -> Path:
    """What the version before SQLite left: the first record failed, and was made again."""
    path = root / f"sums-beam-{SPEC.key}.jsonl"
    failed = RECORDS[0].model_copy(update={"error": "refused"})
    header = Header(spec=SPEC, environment={"commit": "abc"})
    lines = [header, failed, *RECORDS]
    path.write_text("".join(line.model_dump_json() + "\n" for line in lines) + torn)
    trees = "".join(t.model_dump_json(exclude_defaults=True) + "\n" for t in TREES)
    path.with_suffix(".trees").write_text(trees + torn)
    return path


@pytest.mark.parametrize("torn", ["", '{"problem": "p3", "ind'])
def test_they_are_read_and_gone_on_with(tmp_path: Path, torn: str) -> None:
    path = written(tmp_path, torn=torn)
    before = path.read_bytes()
    (tmp_path / "pool.jsonl").write_text('{"question": "what else lies there"}\n')
    assert read(tmp_path, SPEC) == RECORDS
    header = read_header(tmp_path, SPEC)
    assert header and header.environment == {"commit": "abc"}
    assert read_tree(tmp_path, SPEC, "p2") == TREES[2]
    with Database(tmp_path) as database:
        Store(database, SPEC).append(Record(problem="p3", index=3, correct=True))
    assert len(read(tmp_path, SPEC)) == 4
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".jsonl", ".trees"])
def test_what_is_corrupt_is_named_and_nothing_taken_in(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path).with_suffix(suffix)
    whole = path.read_bytes()
    path.write_bytes(whole + b"nonsense\n")
    for broken in (lambda: read(tmp_path, SPEC), lambda: Database(tmp_path)):
        with pytest.raises(StoreError, match=rf"{suffix}:\d is corrupt .*delete that line"):
            broken()
    path.write_bytes(whole)
    assert read(tmp_path, SPEC) == RECORDS


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    header, *rows = path.read_text().splitlines(keepends=True)
    path.write_text(header.replace('"schema_version":1', '"schema_version":99') + "".join(rows))
    with pytest.raises(StoreError, match="schema 99"):
        read(tmp_path, SPEC)

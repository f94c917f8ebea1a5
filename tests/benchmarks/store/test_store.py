"""A run's database loses nothing that was finished, and says clearly what is wrong with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Record, Sample, Spec
from reasoner.benchmarks.store.store import Store, read, read_header
from reasoner.errors import StoreError
from reasoner.types import Sampling
from tests import ROOT
from tests.benchmarks.tables import sql

RESULTS = ROOT / "benchmarks" / "results"
SPEC = Spec(task="sums", backend="scripted", strategy="greedy", n=1)


def record(i: int, error: str | None = None) -> Record:
    sample = Sample(answer="7", correct=True, score=0.5, tokens=3)
    return Record(problem=f"p{i}", index=i, correct=not error, error=error, samples=(sample,))


def fill(root: Path, count: int) -> None:
    with Database(root) as database:
        append_all(Store(database, SPEC, {"commit": "abc"}), count)


def append_all(store: Store, count: int) -> None:
    for i in range(count):
        store.append(record(i))


def done(root: Path, spec: Spec = SPEC) -> set[str]:
    with Database(root) as database:
        return Store(database, spec).done()


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    assert read(tmp_path, SPEC) == [record(i) for i in range(3)]
    header = read_header(tmp_path, SPEC)
    assert header and header.environment == {"commit": "abc"}
    assert done(tmp_path) == {"p0", "p1", "p2"}


def test_where_nothing_was_run_there_is_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, SPEC) == [] and read_header(tmp_path, SPEC) is None
    assert not list(tmp_path.iterdir())


def test_other_weights_have_results_of_their_own(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    retrained = SPEC.model_copy(update={"weights": "b1946ac9"})
    assert read(tmp_path, retrained) == []
    assert not done(tmp_path, retrained)


def test_another_way_of_drawing_has_results_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    drawn = SPEC.model_copy(update={"sampling": Sampling(top_p=0.9, stop=("\n",))})
    assert read(tmp_path, drawn) == []
    assert Spec.model_validate_json(drawn.model_dump_json()) == drawn
    ended = drawn.model_copy(update={"sampling": Sampling(top_p=0.9, stop=("\n",), end=("Q:",))})
    assert ended.key != drawn.key


def test_what_the_docs_ask_of_the_tables_is_answered(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with Database(tmp_path) as database:
        Store(database, SPEC).append(record(3, error="refused"))
    page = (ROOT / "docs" / "runs.md").read_text()
    share, failed, _ = [sql(tmp_path, q) for q in re.findall(r'run.db "(SELECT .*?)"', page)]
    assert (share, failed) == ([("sums greedy n=1", 4, 0.75)], [("p3", "refused")])


def test_a_failed_problem_gets_another_attempt(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        store = Store(database, SPEC)
        store.append(record(0, error="refused"))
        assert store.done() == set()
        store.append(record(0))
        assert store.done() == {"p0"}
    assert read(tmp_path, SPEC) == [record(0)]


def test_results_are_read_while_they_are_written(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        store = Store(database, SPEC)
        for i in range(3):
            store.append(record(i))
            assert len(read(tmp_path, SPEC)) == i + 1
    assert {p.name for p in tmp_path.iterdir()} == {"run.db", "run.lock"}


def test_a_record_and_its_tree_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        store = Store(database, SPEC)
        database.execute(
            "CREATE TRIGGER no BEFORE INSERT ON trees BEGIN SELECT raise(FAIL, 'no'); END"
        )
        with pytest.raises(StoreError, match=r"cannot use .*run.db: no"):
            store.append(record(0), record(0))
        assert read(tmp_path, SPEC) == []
        store.append(record(1))
    assert read(tmp_path, SPEC) == [record(1)]


@pytest.mark.parametrize("row", ["nonsense", '{"problem": 1}', "{}", '"a"', ""])
def test_a_corrupt_row_is_named(tmp_path: Path, row: str) -> None:
    fill(tmp_path, 2)
    sql(tmp_path, "UPDATE records SET record = ? WHERE place = 1", row)
    for broken in (lambda: read(tmp_path, SPEC), lambda: done(tmp_path)):
        with pytest.raises(StoreError, match=r"is corrupt: .*problem p1 .*delete that row"):
            broken()


@pytest.mark.parametrize("place", ["first page", "every tenth byte", "empty"])
def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, place: str) -> None:
    fill(tmp_path, 400)
    path = tmp_path / "run.db"
    blob = bytearray(path.read_bytes())
    if place == "first page":
        blob[:100] = bytes(range(100))
    elif place == "every tenth byte":
        blob[4096::10] = bytes(len(blob[4096::10]))
    else:
        blob = bytearray(b"no database")
    path.write_bytes(blob)
    with pytest.raises(StoreError, match=r"run.db is corrupt .*recover.*move it away"):
        Database(tmp_path)
    assert path.read_bytes() == blob


def test_another_schema_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    sql(tmp_path, "UPDATE specs SET schema_version = 99")
    with pytest.raises(StoreError, match="schema 99"):
        done(tmp_path)
    sql(tmp_path, "PRAGMA user_version = 7")
    for broken in (lambda: read(tmp_path, SPEC), lambda: Database(tmp_path)):
        with pytest.raises(StoreError, match="tables of version 7"):
            broken()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Database(tmp_path), pytest.raises(StoreError, match="in use by another process; wait"):
        Database(tmp_path)
    Database(tmp_path).close()


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        Database(tmp_path / "file")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder with results that this process may not write to, whoever runs it."""
    with TemporaryDirectory(prefix="read-only") as name:
        folder = Path(name)
        fill(folder, 3)
        folder.chmod(0o555)
        for file in folder.iterdir():
            file.chmod(0o444)
        if root := os.geteuid() == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_folder_is_read_and_not_written(read_only: Path) -> None:
    assert len(read(read_only, SPEC)) == 3
    with pytest.raises(StoreError, match=r"cannot write .*Permission denied; choose another --out"):
        Database(read_only)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        store = Store(database, SPEC)
        [[pages]] = database.execute("PRAGMA page_count")
        database.execute(f"PRAGMA max_page_count = {pages + 20}")
        with pytest.raises(StoreError, match="the disk is full; free some space and run the same"):
            append_all(store, 10_000)
        had = len(read(tmp_path, SPEC))
    assert had > 20 and read(tmp_path, SPEC) == [record(i) for i in range(had)]
    with Database(tmp_path) as database:  # There is room again.
        Store(database, SPEC).append(record(had))
    assert len(read(tmp_path, SPEC)) == had + 1


def test_equal_specs_share_a_key_and_others_do_not() -> None:
    assert SPEC.key == Spec.model_validate(SPEC.model_dump()).key
    changes: list[dict[str, Any]] = [
        {"n": 2},
        {"seed": 1},
        {"budget": {"tokens": 5}},
        {"verifier": "verdict"},
    ]
    assert len({SPEC.model_copy(update=c).key for c in changes} | {SPEC.key}) == 5


WRITER = """
import sys
from pathlib import Path
from typing import Any
from reasoner.benchmarks.store.records import Record, Spec
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.store import Store
spec = Spec(task="sums", backend="scripted", strategy="greedy", n=1)
store = Store(Database(Path(sys.argv[1])), spec)
for i in range(10**6):
    store.append(Record(problem=f"p{i}", index=i, correct=True))
    print(i, flush=True)
"""


def test_kill_9_keeps_everything_reported(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        reported = [int(writer.stdout.readline()) for _ in range(50)][-1]
        os.kill(writer.pid, signal.SIGKILL)
    assert {f"p{i}" for i in range(reported + 1)} <= done(tmp_path)


@pytest.mark.parametrize("task", ["countdown", "dagmath"])
def test_the_records_in_the_repository_have_the_keys_of_their_specs(
    tmp_path: Path, task: str
) -> None:
    """A run that goes on from them looks for them by the key."""
    with tarfile.open(RESULTS / "comparison" / "records.tar.xz") as archive:
        archive.extract(f"{task}/run.db", tmp_path, filter="data")
    told = sql(tmp_path / task, "SELECT key, spec FROM specs")
    assert len(told) > 10
    for key, spec in told:
        found = Spec.model_validate_json(spec)
        assert found.key == key and len(read(tmp_path / task, found)) == 500

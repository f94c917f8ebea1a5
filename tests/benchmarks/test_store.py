"""A results file loses nothing that was finished, and says clearly what is wrong with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.benchmarks.kept import read_header
from reasoner.benchmarks.spec import Record, Sample, Spec
from reasoner.benchmarks.store import Store, read, store_path
from reasoner.errors import StoreError
from reasoner.types import Sampling

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
SPEC = Spec(task="sums", backend="scripted", strategy="greedy", n=1)


def record(i: int, error: str | None = None) -> Record:
    sample = Sample(answer="7", correct=True, score=0.5, tokens=3)
    return Record(problem=f"p{i}", index=i, correct=not error, error=error, samples=(sample,))


def fill(root: Path, count: int) -> Path:
    with Store(root, SPEC, {"commit": "abc"}) as store:
        for i in range(count):
            store.append(record(i))
    return store_path(root, SPEC)


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    path = fill(tmp_path, 3)
    assert read(tmp_path, SPEC) == [record(i) for i in range(3)]
    assert read_header(path).spec == SPEC
    assert read_header(path).environment == {"commit": "abc"}
    with Store(tmp_path, SPEC) as again:
        assert again.done() == {"p0", "p1", "p2"}


def test_other_weights_have_results_of_their_own(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    retrained = SPEC.model_copy(update={"weights": "b1946ac9"})
    assert read(tmp_path, retrained) == []
    with Store(tmp_path, retrained) as store:
        assert not store.done()


def test_another_way_of_drawing_has_results_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    drawn = SPEC.model_copy(update={"sampling": Sampling(top_p=0.9, stop=("\n",))})
    assert read(tmp_path, drawn) == []
    assert Spec.model_validate_json(drawn.model_dump_json()) == drawn


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_cut_at_any_byte_loses_only_the_torn_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("store")
    path = fill(root, 4)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    finished = max(0, whole[:cut].count(b"\n") - 1)
    assert len(read(root, SPEC)) == finished
    with Store(root, SPEC) as store:
        assert len(store) == finished
        store.append(record(9))
    assert [r.problem for r in read(root, SPEC)] == [f"p{i}" for i in range(finished)] + ["p9"]


def test_a_failed_problem_gets_another_attempt(tmp_path: Path) -> None:
    with Store(tmp_path, SPEC) as store:
        store.append(record(0, error="refused"))
        assert store.done() == set()
        store.append(record(0))
        assert store.done() == {"p0"}
    assert read(tmp_path, SPEC) == [record(0)]


@pytest.mark.parametrize("line", ["nonsense", '{"problem": 1}', "{}", '"a"', ""])
def test_a_corrupt_line_is_named(tmp_path: Path, line: str) -> None:
    path = fill(tmp_path, 1)
    with path.open("a") as file:
        file.write(line + "\n")
    for broken in (lambda: read(tmp_path, SPEC), lambda: Store(tmp_path, SPEC)):
        with pytest.raises(StoreError, match=r"jsonl:3 is corrupt .*delete that line"):
            broken()


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = fill(tmp_path, 0)
    header = json.loads(path.read_text())
    path.write_text(json.dumps({**header, "schema_version": 99}) + "\n")
    with pytest.raises(StoreError, match="schema 99"):
        Store(tmp_path, SPEC)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path, SPEC), pytest.raises(StoreError, match="in use by another process"):
        Store(tmp_path, SPEC)
    Store(tmp_path, SPEC).close()


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path / "file", SPEC)


def test_equal_specs_share_a_key_and_others_do_not() -> None:
    assert SPEC.key == Spec.model_validate(SPEC.model_dump()).key
    changes: list[dict[str, Any]] = [
        {"n": 2},
        {"seed": 1},
        {"budget": {"tokens": 5}},
        {"verifier": "verdict"},
    ]
    assert len({SPEC.model_copy(update=c).key for c in changes} | {SPEC.key}) == 5


def test_records_that_are_kept_are_found_again() -> None:
    """A run that goes on from them looks for them by the key."""
    with tarfile.open(RESULTS / "comparison" / "records.tar.xz") as archive:
        names = [n for n in archive.getnames() if n.endswith(".jsonl")]
        assert len(names) > 10
        for name in names:
            file = archive.extractfile(name)
            assert file
            spec = Spec.model_validate(json.loads(file.readline())["spec"])
            assert store_path(Path(), spec).name == Path(name).name


WRITER = """
import sys
from pathlib import Path
from typing import Any
from reasoner.benchmarks.spec import Record, Spec
from reasoner.benchmarks.store import Store
spec = Spec(task="sums", backend="scripted", strategy="greedy", n=1)
store = Store(Path(sys.argv[1]), spec)
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
    with Store(tmp_path, SPEC) as store:
        assert {f"p{i}" for i in range(reported + 1)} <= store.done()

"""No file, whatever it is, brings a command down: one line, exit code 2, little time and memory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hostile_files as hostile
from tests.forked import Ended, Server
from tests.needs import need
from tests.thinned import thinned

pytestmark = pytest.mark.timeout(600)  # By the clock: what counts here is the processor's time.
SCRIPTED = ["--model", "scripted"]
BENCH = ["bench", *SCRIPTED, "--task", "countdown", "--strategy", "best-of-n,beam", "--n", "1,2",
         "--problems", "2"]  # fmt: skip
SECONDS, MEBIBYTES, LETTERS = 5.0, 500.0, 300


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    with hostile.short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def run(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a small benchmark."""
    out = tmp_path_factory.mktemp("run") / "r"
    assert server.run(*BENCH, "--out", out).code == 0
    return out


def refused(ended: Ended) -> str:
    """The line that a refusal is."""
    assert ended.code == 2 and not ended.out, ended
    assert ended.err.startswith("reasoner: ") and ended.err.count("\n") == 1, ended.err
    assert len(ended.err) <= LETTERS + 1 and ended.err[:-1].isprintable(), ended.err
    assert ended.seconds < SECONDS and ended.mebibytes < MEBIBYTES, ended
    return ended.err


POOLS = {**hostile.SPECIAL, **hostile.NOT_JSON}


@pytest.mark.parametrize("name", thinned(POOLS))
def test_pools(name: str, server: Server, folder: Path) -> None:
    POOLS[name](pool := folder / "p.jsonl")
    refused(server.run("import-pool", pool, "--task", "countdown", "--out", folder / "out"))
    assert not (folder / "out").exists()


SPECS = {**hostile.SPECIAL, **hostile.YAML}


@pytest.mark.parametrize("name", thinned(SPECS))
def test_specs(name: str, server: Server, folder: Path) -> None:
    SPECS[name](spec := folder / "s.yaml")
    model = [] if name.endswith((" path", " out")) else [*SCRIPTED, "--out", folder / "out"]
    refused(server.run("bench", "--spec", spec, *model))
    assert not (folder / "out").exists()


DATA: dict[str, hostile.Write] = {
    **{f"{name}.jsonl": write for name, write in POOLS.items()},
    **{f"{name}.csv": hostile.SPECIAL[name] for name in ("pipe", "link to zeros")},
    **{f"{name}.csv": hostile.NOT_JSON[name] for name in ("long line", "bad UTF-8", "UTF-16")},
    **{f"{name}.parquet": POOLS[name] for name in ("pipe", "nothing", "noise", "link to zeros")},
    **{f"{name}.json": hostile.NOT_JSON[name] for name in ("long line", "many objects", "torn")},
    "bomb.jsonl.gz": hostile.gzip_bomb,
    "bomb.json.gz": hostile.gzip_bomb,
    "bomb.csv.gz": hostile.gzip_bomb,
    "rows.jsonl.gz": hostile.gzip_rows,
    "noise.jsonl.gz": hostile.NOT_JSON["noise"],
    "pipe.jsonl.gz": hostile.SPECIAL["pipe"],
    "more fields.csv": lambda path: path.write_text("id\n1,2\n"),
    "no field.csv": lambda path: path.write_text("a\n1\n"),
    "null.json": lambda path: path.write_text('[{"id": null}]'),
    "list.json": lambda path: path.write_text('[{"id": [1]}]'),
    "missing.jsonl": lambda path: path.write_text('{"id": 1}\n{"other": 1}\n'),
}


@pytest.mark.parametrize("name", thinned(DATA))
def test_data_sets(name: str, server: Server, folder: Path) -> None:
    DATA[name](data := folder / f"d.{name.partition('.')[2]}")
    fields = ["--question-field", "id", "--answer-field", "id", "--n", "1", "--strategy", "greedy"]
    out = folder / "out"
    refused(
        server.run("bench", "--task", "jsonl", "--data", data, *fields, *SCRIPTED, "--out", out)
    )
    assert not out.exists()


@pytest.mark.parametrize("name", thinned(hostile.GRIDS))
def test_grids(name: str, server: Server, run: Path, folder: Path) -> None:
    shutil.copytree(run, copy := folder / "r")
    hostile.GRIDS[name](copy / "grid.json")
    before = sorted(copy.iterdir())
    refused(server.run("inspect", copy, "0", "--strategy", "beam"))
    assert sorted(copy.iterdir()) == before


@pytest.mark.parametrize("name", thinned(hostile.DATABASES))
def test_databases(name: str, server: Server, run: Path, folder: Path) -> None:
    shutil.copytree(run, copy := folder / "r")
    hostile.DATABASES[name](copy / "run.db")
    before = hostile.contents(copy)
    refused(server.run("export-pool", copy, "--out", folder / "p.jsonl"))
    assert hostile.contents(copy) == before


@pytest.mark.parametrize(
    "name", thinned(n for n in hostile.DATABASES if not n.startswith("record "))
)
def test_databases_that_are_written_to(name: str, server: Server, run: Path, folder: Path) -> None:
    shutil.copytree(run, copy := folder / "r")
    hostile.DATABASES[name](copy / "run.db")
    before = hostile.contents(copy)
    refused(server.run(*BENCH, "--out", copy))
    assert hostile.contents(copy) == before


@pytest.mark.parametrize("name", hostile.TREES)
def test_trees(name: str, server: Server, run: Path, folder: Path) -> None:
    shutil.copytree(run, copy := folder / "r")
    hostile.TREES[name](copy / "run.db")
    before = hostile.contents(copy)
    refused(server.run("inspect", copy, "0", "--strategy", "beam"))
    assert hostile.contents(copy) == before


# -- models -------------------------------------------------------------------------------------


MODELS: dict[str, dict[str, hostile.Write | bytes]] = {
    **{f"configuration: {name}": {"config.json": write} for name, write in POOLS.items()},
    **{f"weights: {name}": {"model.safetensors": write} for name, write in hostile.SPECIAL.items()
       if name != "folder"},
    "layers": {"config.json": hostile.config(num_hidden_layers=10**9)},
    "experts": {"config.json": hostile.config(num_experts=10**9)},
    "layers of text": {"config.json": hostile.config(num_hidden_layers="many")},
    "negative layers": {"config.json": hostile.config(num_hidden_layers=-1)},
    "width": {"config.json": hostile.config(hidden_size=2**70)},
    "architectures": {"config.json": hostile.config(architectures={"a": 1})},
    "type": {"config.json": hostile.config(model_type=[1])},
    "giant header": {"model.safetensors": hostile.safetensors(b"{}", 2**40)},
    "negative header": {"model.safetensors": hostile.safetensors(b"{}", 2**64 - 1)},
    "header beyond the end": {"model.safetensors": hostile.safetensors(b"{}", 90)},
    "deep header": {"model.safetensors": hostile.safetensors(b'{"a":' * 9000)},
    "header of an array": {"model.safetensors": hostile.safetensors(b"[]")},
    "no header": {"model.safetensors": b"\1"},
    "large tokenizer": {"tokenizer.json": lambda path: os.truncate(_touched(path), 2**30)},
    "pipe as tokenizer": {"tokenizer.json": os.mkfifo},
}  # fmt: skip


def _touched(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize("name", thinned(MODELS))
def test_models(name: str, server: Server, folder: Path) -> None:
    need("vllm")
    (folder / "config.json").write_bytes(hostile.config())
    for file, content in MODELS[name].items():
        (folder / file).unlink(missing_ok=True)
        if isinstance(content, bytes):
            (folder / file).write_bytes(content)
        else:
            content(folder / file)
    before = sorted(folder.iterdir())
    refused(server.run("solve", "12+30", "--model", folder, "--backend", "vllm"))
    assert sorted(folder.iterdir()) == before


# -- outputs ------------------------------------------------------------------------------------


OUTS = {
    "export-pool": ["export-pool", "RUN", "--out", "OUT"],
    "report": ["report", "RUN", "--out", "OUT"],
    "import-pool": ["import-pool", "POOL", "--task", "countdown", "--out", "OUT"],
    "bench": [*BENCH, "--out", "OUT"],
    "rerank": ["rerank", "RUN", "--verifier", "arithmetic", *SCRIPTED, "--out", "OUT"],
    "replay": ["replay", "RUN", "--strategy", "esc(window=2)", "--n", "2", "--out", "OUT"],
    "eval-verifier": ["eval-verifier", "--verifier", "arithmetic", *SCRIPTED, "--out", "OUT"],
    "fit-auto": ["fit-auto", *SCRIPTED, "--out", "OUT"],
    "scaling": ["scaling", "RUN", "--out", "OUT"],
    "compare": ["compare", "RUN", "--n", "1,2", "--out", "OUT"],
}
IN_A_FOLDER = {
    "import-pool",
    "bench",
    "rerank",
    "replay",
    "eval-verifier",
    "fit-auto",
    "scaling",
    "compare",
}


def asked(command: str, run: Path, folder: Path, out: object) -> list[object]:
    pool = folder / "pool.jsonl"
    pool.write_text('{"id": 1, "question": "cd:1,2=3\\n", "answer": "3", "completions": ["1+2=3"]}')
    names: dict[str, object] = {"RUN": run, "POOL": pool, "OUT": out}
    return [names.get(part, part) for part in OUTS[command]]


@pytest.mark.parametrize("command", thinned(OUTS))
@pytest.mark.parametrize("kind", ["pipe", "link loop", "link to a pipe", "socket"])
def test_special_files_are_not_replaced(
    kind: str, command: str, server: Server, run: Path, folder: Path
) -> None:
    hostile.SPECIAL[kind](out := folder / "out")
    mode = out.lstat().st_mode
    refused(server.run(*asked(command, run, folder, out)))
    assert out.lstat().st_mode == mode


@pytest.mark.parametrize("command", thinned(OUTS))
def test_devices_are_not_replaced(command: str, server: Server, run: Path, folder: Path) -> None:
    (device := folder / "device").symlink_to("/dev/full")
    refused(server.run(*asked(command, run, folder, device)))
    assert device.is_symlink() and Path("/dev/full").is_char_device()


@pytest.mark.parametrize("command", ["export-pool", "report"])
def test_folders_are_not_replaced(command: str, server: Server, run: Path, folder: Path) -> None:
    (out := folder / "out").mkdir()
    refused(server.run(*asked(command, run, folder, out)))
    assert not list(out.iterdir())


# -- whose folder -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["import-pool", "rerank", "replay", "fit-auto"])
def test_a_benchmark_keeps_its_folder(
    command: str, server: Server, run: Path, folder: Path
) -> None:
    before = hostile.contents(run)
    line = refused(server.run(*asked(command, run, folder, run)))
    assert "holds results of `reasoner bench`" in line and "choose another --out" in line
    assert hostile.contents(run) == before


@pytest.mark.parametrize("command", ["bench", "rerank", "eval-verifier", "fit-auto"])
def test_an_imported_pool_keeps_its_folder(
    command: str, server: Server, run: Path, folder: Path
) -> None:
    assert server.run(*asked("import-pool", run, folder, folder / "out")).code == 0
    before = hostile.contents(folder)
    line = refused(server.run(*asked(command, run, folder, folder / "out")))
    assert "holds results of `reasoner import-pool`" in line
    assert hostile.contents(folder) == before


@pytest.mark.slow
def test_a_fit_and_a_measured_verifier_keep_their_folders(
    server: Server, run: Path, folder: Path
) -> None:
    few = ["--task", "countdown", "--problems", "4"]
    fitted, measured = folder / "fit", folder / "eval"
    arms = ["--arms", "best-of-n:4", "--probe", "2"]
    assert server.run("fit-auto", *SCRIPTED, *few, *arms, "--out", fitted).code == 0
    evaluate = ["eval-verifier", "--verifier", "arithmetic", *SCRIPTED, *few, "--n", "2"]
    assert server.run(*evaluate, "--dev-problems", "2", "--out", measured).code == 0
    before = hostile.contents(folder)
    assert "`reasoner fit-auto`" in refused(server.run(*evaluate, "--out", fitted))
    line = refused(server.run("fit-auto", *SCRIPTED, *few, *arms, "--out", measured))
    assert "`reasoner eval-verifier`" in line
    assert "`reasoner fit-auto`" in refused(server.run(*BENCH, "--out", fitted))
    assert hostile.contents(folder) == before


def test_problems_of_another_task(server: Server, folder: Path) -> None:
    pool = folder / "p.jsonl"
    pool.write_text('{"id": 1, "question": "what?", "answer": "x", "completions": ["1+2=3"]}')
    command = ["import-pool", pool, "--task", "countdown", "--out", folder / "out"]
    assert "cannot grade problem '1'" in refused(server.run(*command))


def test_surrogates_of_a_pool_become_storable(server: Server, run: Path, folder: Path) -> None:
    pool, out, again = folder / "p.jsonl", folder / "out", folder / "again.jsonl"
    text = json.dumps(
        {
            "id": "\ud800",
            "question": "q\udfff",
            "answer": "1",
            "completions": ["\ud83d\ude00 \ud83d"],
        }
    )
    pool.write_text("\ufeff" + text + "\r\n\r\n")
    assert server.run("import-pool", pool, "--task", "gsm8k", "--out", out).code == 0
    assert server.run("export-pool", out, "--out", again).code == 0
    [row] = map(json.loads, again.read_bytes().decode().splitlines())
    assert (row["id"], row["question"]) == ("\ufffd", "q\ufffd")
    assert row["completions"] == [{"text": "\U0001f600 \ufffd"}]

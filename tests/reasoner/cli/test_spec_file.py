"""A run as a file: it says what flags say, what it gets wrong is told, and results keep it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from reasoner.benchmarks.store.grid import Grid
from reasoner.cli import main
from reasoner.cli.bench_options import BenchOptions
from reasoner.cli.flags import default_text
from reasoner.cli.spec_file import FIELDS, bench_options
from reasoner.errors import ConfigError
from reasoner.registry import strategies, tasks
from tests import ROOT

EXAMPLE = ROOT / "docs" / "run.yaml"
SCRIPTED = ["--model", "scripted"]
Captured = pytest.CaptureFixture[str]


def ran(capsys: Captured, *flags: str) -> list[dict[str, Any]]:
    """The points of a run, but for how long it took."""
    capsys.readouterr()
    assert main(["bench", *flags, "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["summary"]
    return [{k: v for k, v in p.items() if not k.startswith("seconds")} for p in points]


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "asked.yaml"
    path.write_text(text)
    return str(path)


def test_the_example_runs_and_what_it_left_runs_again(tmp_path: Path, capsys: Captured) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    cut = [*SCRIPTED, "--problems", "3", "--out", str(out)]
    points = ran(capsys, "--spec", str(EXAMPLE), *cut)
    assert {p["strategy"] for p in points} >= {"greedy", "beam", "mcts(branch=3)"}
    assert {p["n"] for p in points if p["strategy"] == "mcts(branch=3)"} == {4, 8, 16}
    assert {p["problems"] for p in points} == {3}
    assert ran(capsys, "--spec", str(out / "spec.yaml"), "--out", str(again)) == points
    assert (again / "spec.yaml").read_text() == (out / "spec.yaml").read_text()
    assert (again / "grid.json").read_text() == (out / "grid.json").read_text()
    about = json.loads((again / "environment.json").read_text())
    assert about["spec"] == sha256((out / "spec.yaml").read_bytes()).hexdigest()[:12]
    assert about["model"] == {"name": "scripted", "parameters": 1000}
    assert {"commit", "hardware", "packages"} <= about.keys()


def test_a_file_says_what_flags_say(tmp_path: Path, capsys: Captured) -> None:
    file = written(
        tmp_path,
        "task: countdown\nstrategy: best-of-n,beam(branch=4)\nn: 1,2\nsearch-n: 2\n"
        "budget: tokens=300\nproblems: 2\nsearch-problems: 1\nmodel: scripted\nseed: 3\n",
    )
    flags = ["--task", "countdown", "--strategy", "best-of-n,beam(branch=4)", "--n", "1,2",
             "--search-n", "2", "--budget", "tokens=300", "--problems", "2",
             "--search-problems", "1", "--seed", "3"]  # fmt: skip
    of_file = ran(capsys, "--spec", file, "--out", str(tmp_path / "file"))
    assert of_file == ran(capsys, *flags, *SCRIPTED, "--out", str(tmp_path / "flags"))
    assert {p["problems"] for p in of_file if p["strategy"] == "beam(branch=4)"} == {1}
    grids = [(tmp_path / run / "grid.json").read_text() for run in ("file", "flags")]
    assert grids[0] == grids[1]


def test_flags_win(tmp_path: Path, capsys: Captured) -> None:
    file = written(
        tmp_path,
        f"task: dagmath\nstrategy: [greedy, majority]\nn: [1, 8]\nmodel: scripted\nout: {tmp_path}/no\n",
    )
    beside = ["--task", "countdown", "--strategy", "beam", "--n", "2", "--problems", "1"]
    [point] = ran(capsys, "--spec", file, *beside, "--out", str(tmp_path / "out"))
    assert (point["task"], point["strategy"], point["n"]) == ("countdown", "beam", 2)
    assert not (tmp_path / "no").exists()


def test_a_flag_for_strategies_leaves_out_the_sizes_of_others(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("strategy: [beam, dvts]\nsearch-n: {beam: [2], dvts: [3], others: [5]}\n")

    def sizes(**flags: object) -> object:
        return bench_options(BenchOptions, {"spec": path, **flags}).grid().own_ns

    assert sizes() == {"beam": (2,), "dvts": (3,)}
    assert sizes(strategy="dvts,majority") == {"dvts": (3,)}
    with pytest.raises(ConfigError, match="--search-n is for beam"):
        sizes(strategy="majority", search_n={"beam": [2]})


def test_data_and_its_fields(tmp_path: Path, capsys: Captured) -> None:
    data = tmp_path / "sums.jsonl"
    data.write_text('{"q": "1+2", "a": "3"}\n{"q": "4+5", "a": "9"}\n')
    file = written(
        tmp_path,
        f"task: jsonl(grader='exact')\ndata: {data}\nquestion-field: q\nanswer-field: a\n"
        "strategy: greedy\nmodel: scripted\nn: 1\n",
    )
    [point] = ran(capsys, "--spec", file, "--out", str(tmp_path / "out"))
    assert point["problems"] == 2
    kept = yaml.safe_load((tmp_path / "out/spec.yaml").read_text())
    [task] = kept["task"]
    assert "data" not in kept and repr(str(data)) in task and "question_field='q'" in task
    assert ran(capsys, "--spec", str(tmp_path / "out/spec.yaml"), "--out", str(tmp_path / "2")) == [
        point
    ]


BAD = {
    "field": ("stratgy: beam", "unknown field 'stratgy' in "),
    "far field": ("colour: red", "; known: task, data, question-field,"),
    "name": ("strategy: [greedy, beem]", "asked.yaml, strategy: no strategy named 'beem'; did you mean beam?"),
    "setting": ("strategy: beam(brnch=2)", "asked.yaml, strategy: strategy 'beam' has no setting 'brnch'; did you mean branch?"),
    "task": ("task: countdwn", "asked.yaml, task: no task named 'countdwn'; did you mean countdown?"),
    "verifier": ("verifier: verdikt", "asked.yaml, verifier: no verifier named 'verdikt'"),
    "backend": ("backend: vlm", "asked.yaml, backend: no backend named 'vlm'"),
    "size": ("n: [1, 0]", "asked.yaml, n: '0' is not a positive whole number"),
    "sizes": ("search-n: {beam: few}", "asked.yaml, search-n: 'few' is not a positive whole number"),
    "search": ("search-n: {mtcs: 3}", "--search-n is for mtcs, and the searches are beam"),
    "budget": ("budget: [{tokns: 3}]", "asked.yaml, budget: no budget named 'tokns'; did you mean tokens?"),
    "ceiling": ("budget: {tokens: -3}", "asked.yaml, budget: 'tokens=-3': a budget is a positive number"),
    "problems": ("problems: 0", "asked.yaml, problems: 0: Input should be greater than or equal to 1"),
    "seed": ("seed: one", "asked.yaml, seed: 'one': Input should be a valid integer"),
    "weights": ("weights: 0a1b", "with weights 0a1b, and those of scripted are not at hand"),
    "yaml": ("task: [a", "asked.yaml is not YAML: "),
    "text": ("countdown", "asked.yaml has no fields with values, such as `task: countdown`"),
    "code": ("task: !!python/object/apply:os.getcwd []", "asked.yaml is not YAML: could not determine"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_is_one_clear_line(name: str, tmp_path: Path, capsys: Captured) -> None:
    text, told = BAD[name]
    file = written(tmp_path, f"{text}\n" + "model: scripted\n" * (": " in text))
    assert main(["bench", "--spec", file, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("reasoner: ") and error.count("\n") == 1 and told in error
    assert not (tmp_path / "out").exists()


def test_a_wrong_flag_is_told_as_a_flag(tmp_path: Path, capsys: Captured) -> None:
    file = written(tmp_path, "strategy: beam\n")
    assert main(["bench", "--spec", file, *SCRIPTED, "--strategy", "beem"]) == 2
    assert "--strategy: no strategy named 'beem'" in capsys.readouterr().err
    assert main(["bench", "--spec", str(tmp_path / "no.yaml")]) == 2
    assert re.search(r"cannot read \S+/no.yaml: No such file", capsys.readouterr().err)


def test_weights_are_told_and_held_to(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reasoner.backends.checkpoint.fingerprint", lambda _: "0a1b")
    out = tmp_path / "out"
    asked = [
        "--backend",
        "scripted",
        "--task",
        "countdown",
        "--strategy",
        "greedy",
        "--problems",
        "2",
    ]
    ran(capsys, *asked, "--out", str(out))
    kept = str(out / "spec.yaml")
    assert yaml.safe_load(Path(kept).read_text())["weights"] == "0a1b"
    about = json.loads((out / "environment.json").read_text())
    assert about["model"] == {"name": "embedded", "weights": "0a1b"}
    monkeypatch.setattr("reasoner.backends.checkpoint.fingerprint", lambda _: "2c3d")
    assert main(["bench", "--spec", kept, "--out", str(tmp_path / "2")]) == 2
    assert "weights 0a1b, and those of the embedded GPT are 2c3d" in capsys.readouterr().err
    # Whoever names a model means that one.
    assert ran(capsys, "--spec", kept, *SCRIPTED, "--out", str(tmp_path / "3"))


def test_the_page_has_every_field_with_its_default() -> None:
    page = (EXAMPLE.parent / "runs.md").read_text()
    table = page.partition("| field | value | default |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \| (.+) \|$", table, re.MULTILINE)
    assert [field for field, _ in rows] == list(FIELDS)
    for field, default in rows:
        expected = default_text(BenchOptions.model_fields[FIELDS[field]])
        assert default.strip("`") == expected or not expected, field
    assert "\n".join(EXAMPLE.read_text().splitlines()[1:9]) in page


def test_every_option_of_a_file_is_a_flag(capsys: Captured) -> None:
    assert main(["bench", "--help"]) == 0
    usage = capsys.readouterr().out
    assert all(f"--{field} " in usage for field in FIELDS)


def test_the_defaults_are_those_of_the_grid() -> None:
    options = BenchOptions(model="scripted")
    grid = options.grid()
    assert grid == Grid(model="scripted", backend="scripted", sampling=grid.sampling)


def test_every_name_can_stand_in_a_file() -> None:
    told = {"task": tasks.names(), "strategy": strategies.names(), "verifier": "oracle"}
    assert set(BenchOptions.model_validate(told).strategy) == set(strategies.names())

"""Trackers: what a run logs, how it is resumed, and that a tracker that fails stops nothing."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from reasoner.benchmarks.analysis.curves import Point
from reasoner.benchmarks.runner.progress_bar import Counts
from reasoner.benchmarks.store.records import Record, Spec, Spend
from reasoner.benchmarks.tracking import tracker, tracking
from reasoner.benchmarks.tracking.tracking import FILE, LONGEST, Tracking, measured
from reasoner.cli import main
from tests.needs import need

BENCH = ["bench", "--model", "scripted", "--task", "countdown", "--strategy", "best-of-n"]


class Diary:
    """A tracker that writes down what it is given."""

    entries: list[tuple[object, ...]]
    failing = ""
    thread: int | None = None

    def check(self) -> None:
        """Start anew."""
        type(self).entries = []

    def open(self, name: str, identity: str | None, parameters: Mapping[str, str]) -> str:
        """Write down the opening."""
        self._enter("open", name, identity, dict(parameters))
        return identity or "run-1"

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write down metrics."""
        self._enter("log", dict(metrics), step)

    def attach(self, files: Sequence[Path]) -> None:
        """Write down files."""
        self._enter("attach", sorted(f.name for f in files))

    def close(self, *, finished: bool) -> None:
        """Write down the end."""
        self._enter("close", finished)

    def _enter(self, kind: str, *rest: object) -> None:
        if self.failing == kind:
            raise ConnectionError("the server at http://me:sk-very-secret@host is gone")
        assert threading.current_thread() is not threading.main_thread()
        self.entries.append((kind, *rest))


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> type[Diary]:
    monkeypatch.setattr(tracking, "tracker", lambda name: tracker.known(name) and _checked())
    monkeypatch.setattr(Diary, "failing", "")
    return Diary


def _checked() -> Diary:
    diary = Diary()
    diary.check()
    return diary


def run(out: Path, *more: str, problems: int = 3) -> int:
    return main(
        [*BENCH, "--n", "1,2", "--problems", str(problems), "--out", str(out), "--json", *more]
    )


def logged(diary: type[Diary]) -> list[tuple[dict[str, float], int]]:
    return [(e[1], e[2]) for e in diary.entries if e[0] == "log"]  # type: ignore[misc]


def test_a_run_logs_its_progress_and_its_points(
    diary: type[Diary], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "r", "--track", "mlflow") == 0
    points = json.loads(capsys.readouterr().out)["summary"]
    kinds = [entry[0] for entry in diary.entries]
    assert kinds == ["open", *["log"] * (len(kinds) - 3), "attach", "close"]
    _, name, identity, parameters = diary.entries[0]
    assert (name, identity) == ("r", None)
    assert isinstance(parameters, dict) and parameters["task"] == "['countdown']"
    (progress, done), *rest = logged(diary)
    assert done == progress["progress/problems"] == 3
    assert [(m["accuracy/countdown/best-of-n/verdict"], n) for m, n in rest[:2]] == [
        (p["accuracy"], p["n"]) for p in points[:2]
    ]
    assert {"summary.json", "curve.png"} <= set(diary.entries[-2][1])  # type: ignore[call-overload]


def test_a_resumed_run_goes_on_and_says_nothing_twice(diary: type[Diary], tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert run(out, "--track", "mlflow") == run(out, "--track", "mlflow") == 0
    assert [entry[0] for entry in diary.entries] == ["open", "close"]
    assert diary.entries[0][2] == "run-1"
    assert run(out, "--track", "mlflow", problems=5) == 0
    assert logged(diary)[0][1] == 5 and len(logged(diary)) > 2


def test_a_point_that_was_logged_is_not_logged_again(diary: type[Diary], tmp_path: Path) -> None:
    out, beam = tmp_path / "r", ["--track", "mlflow", "--strategy", "beam"]
    assert run(out, "--track", "mlflow") == run(out, *beam) == 0
    names = {name.split("/")[2] for metrics, _ in logged(diary)[1:] for name in metrics}
    assert names == {"beam"}


def test_parameters_hold_no_secret_and_the_commit(diary: type[Diary], tmp_path: Path) -> None:
    assert (
        run(
            tmp_path / "r",
            "--track",
            "mlflow",
            "--verifier",
            "regex(pattern='http://me:pw1234@host')",
        )
        == 0
    )
    parameters = diary.entries[0][3]
    assert isinstance(parameters, dict) and "commit" in parameters and "track" not in parameters
    assert "pw1234" not in str(parameters) and "@host" in parameters["verifier"]


def test_a_run_that_is_refused_leaves_the_earlier_one_as_it_is(
    diary: type[Diary], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = '{"done": 3, "runs": {"mlflow": {"identity": "run-1"}}}'
    (tmp_path / FILE).write_text(before)
    with pytest.raises(ValueError, match="refused"), Tracking(["mlflow"], tmp_path):
        raise ValueError("refused")
    assert diary.entries == [] and not caplog.records
    assert (tmp_path / FILE).read_text() == before


def test_results_are_the_same_with_and_without(diary: type[Diary], tmp_path: Path) -> None:
    assert run(tmp_path / "with", "--track", "mlflow") == run(tmp_path / "without") == 0
    assert not (tmp_path / "without" / FILE).exists()
    one, other = (
        [
            {key: value for key, value in point.items() if not key.startswith("seconds")}
            for point in json.loads((tmp_path / name / "summary.json").read_text())
        ]
        for name in ("with", "without")
    )
    assert one == other


@pytest.mark.parametrize("failing", ["open", "log", "attach", "close"])
def test_a_tracker_that_fails_stops_nothing(
    failing: str, diary: type[Diary], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(Diary, "failing", failing)
    assert run(tmp_path / "r", "--track", "mlflow") == 0
    captured = capsys.readouterr()
    [line] = [each for each in captured.err.splitlines() if "tracks no more" in each]
    assert "mlflow tracks no more, the run goes on" in line and "secret" not in captured.err
    assert json.loads(captured.out)["summary"]


def test_progress_is_logged_now_and_then(diary: type[Diary], tmp_path: Path) -> None:
    now = 0.0
    counts = Counts(lambda: now)
    record = Record(problem="p", index=0, correct=True, spend=Spend(generated_tokens=10))
    with Tracking(["wandb"], tmp_path, every=10, clock=lambda: now) as tracked:
        tracked.start()
        counts.start(100, 100)
        for _ in range(60):
            now += 1
            counts.add(
                Spec(task="t", strategy="s", verifier=None, n=1, split="test", seed=0, backend="b"),
                record,
            )
            tracked.progress(counts)
    assert [step for _, step in logged(diary)] == [10, 20, 30, 40, 50, 60]
    assert logged(diary)[0][0]["progress/tokens_per_second"] == 10


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"done": -1}', '{"runs": {"mlflow": 3}}', "[]", "[" * 100_000,
     '{"runs": {"mlflow": {"identity": "../../x"}}}', '{"runs": {"mlflow": {"identity": "\\u001b[2J"}}}'],
)  # fmt: skip
def test_a_corrupt_file_counts_for_nothing(text: str, diary: type[Diary], tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with Tracking(["mlflow"], tmp_path) as tracked:
        tracked.start()
    assert diary.entries[0][2] is None
    assert json.loads((tmp_path / FILE).read_text())["runs"]["mlflow"]["identity"] == "run-1"


def test_mlflow_has_what_was_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    assert run(tmp_path / "r", "--track", "mlflow") == 0
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("reasoner")
    assert experiment
    [kept] = client.search_runs([experiment.experiment_id])
    assert kept.info.status == "FINISHED" and kept.data.params["n"] == "[1, 2]"
    history = client.get_metric_history(
        kept.info.run_id, "generated_tokens/countdown/best-of-n/verdict"
    )
    points = json.loads((tmp_path / "r" / "summary.json").read_text())
    expected = [(p["n"], p["generated_tokens"]) for p in points if p["strategy"] == "best-of-n"]
    assert [(m.step, m.value) for m in history] == expected
    assert "summary.json" in {a.path for a in client.list_artifacts(kept.info.run_id)}
    assert run(tmp_path / "r", "--track", "mlflow", problems=5) == 0
    steps = [m.step for m in client.get_metric_history(kept.info.run_id, "progress/problems")]
    assert steps == [3, 5]
    shutil.rmtree(tmp_path / "mlruns" / experiment.experiment_id / kept.info.run_id)
    assert run(tmp_path / "r", "--track", "mlflow", problems=6) == 0
    [anew] = client.search_runs([experiment.experiment_id])
    assert anew.info.run_id != kept.info.run_id


@pytest.mark.slow
def test_weights_and_biases_has_what_was_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert run(tmp_path / "r", "--track", "wandb") == 0
    [file] = tmp_path.glob("wandb/offline-run-*/*.wandb")
    content = file.read_bytes()
    for name in (b"accuracy/countdown/best-of-n/verdict", b"progress/problems", b"summary.json"):
        assert name in content


@pytest.mark.parametrize(
    ("name", "advice"), [("mlflow", "set MLFLOW_TRACKING_URI"), ("wandb", "wandb login")]
)
def test_a_tracker_that_nothing_is_set_up_for_is_refused(
    name: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    need(name)
    for variable in (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_ALLOW_FILE_STORE",
        "WANDB_MODE",
        "WANDB_API_KEY",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path / "r", "--track", name) == 2
    assert advice in capsys.readouterr().err and not (tmp_path / "r").exists()


def test_a_pipe_instead_of_the_file_counts_for_nothing(diary: type[Diary], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    with Tracking(["mlflow"], tmp_path) as tracked:
        tracked.start()
    assert diary.entries[0][2] is None


def test_long_names_stay_apart() -> None:
    blank = dict.fromkeys(Point.model_fields, 0) | {
        "task": "t" * 300,
        "split": "test",
        "budget": None,
    }
    names = [
        {
            name
            for name, _ in measured(Point.model_validate(blank | {"strategy": s, "verifier": "v"}))
        }
        for s in ("beam", "mcts")
    ]
    assert not names[0] & names[1] and all(len(name) <= LONGEST for name in names[0] | names[1])

"""Logs of lm-eval and inspect as pools, in the shapes that these harnesses write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from reasoner.benchmarks.store.pool_file import Recorded
from reasoner.benchmarks.store.pool_formats import read_recorded, recognised
from reasoner.cli import main
from reasoner.errors import ConfigError, StoreError
from tests.hostile_files import NOT_JSON, SPECIAL

Row = dict[str, Any]


def sampled(doc: int, name: str, metric: float, *texts: str) -> Row:
    """A line of lm-eval: a problem under one of its filters."""
    return {
        "doc_id": doc,
        "doc": {"question": f"{doc} + 1?", "answer": f"#### {doc + 1}"},
        "target": f"#### {doc + 1}",
        "arguments": {"gen_args_0": {"arg_0": f"Q: {doc} + 1?\nA:", "arg_1": {"until": ["Q:"]}}},
        "resps": [list(texts)],
        "filtered_resps": [texts[0][-1:]],
        "filter": name,
        "metrics": ["exact_match"],
        "doc_hash": "0",
        "prompt_hash": "0",
        "target_hash": "0",
        "exact_match": metric,
    }


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sample(number: int | str, epoch: int, text: object, **changes: object) -> Row:
    """A sample of inspect, with fields of no interest here."""
    message = {"id": "a", "role": "assistant", "content": text, "source": "generate"}
    return {
        "id": number,
        "epoch": epoch,
        "input": "1 + 1?",
        "target": "2",
        "messages": [{"role": "user", "content": "1 + 1?"}],
        "output": {
            "model": "m",
            "choices": [{"message": message, "stop_reason": "stop"}],
            "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13},
        },
        "scores": {"match": {"value": "C", "answer": "2"}, "graded": {"value": 0.5}},
        "metadata": {},
        "store": {},
        "events": [{"event": "sample_init"}],
        "attachments": {},
        **changes,
    }


def archived(path: Path, *samples: Row) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", "{}")
        for each in samples:
            name = f"samples/{each['id']}_epoch_{each['epoch']}.json"
            archive.writestr(name, json.dumps(each))
        archive.writestr("header.json", json.dumps({"version": 2, "status": "success", "eval": {}}))
    return path


def as_json(path: Path, *samples: Row) -> Path:
    log = {"version": 2, "status": "success", "eval": {"task": "t"}, "samples": list(samples)}
    path.write_text(json.dumps(log, indent=2))
    return path


def texts(problem: Recorded) -> list[str]:
    return [c.text for c in problem.completions]


def test_lm_eval_repeats_are_solutions_and_filters_are_not(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "samples_gsm8k.jsonl",
        *(
            sampled(d, f, 1.0, f"{d + 1}", "7")
            for f in ("strict-match", "flexible")
            for d in (3, 4)
        ),
    )
    assert recognised(path) == "lm-eval"
    three, four = read_recorded(path, "auto")
    assert (three.id, three.question, three.answer) == ("3", "Q: 3 + 1?\nA:", "#### 4")
    assert texts(three) == ["4", "7"] and texts(four) == ["5", "7"]
    assert [c.correct for c in three.completions] == [None, None], "a metric of both"


def test_lm_eval_grades_by_metric_and_filter(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "s.jsonl", sampled(3, "strict-match", 0.0, "4"), sampled(3, "flexible", 1.0, "4")
    )
    for score, grade in (("", False), ("exact_match,flexible", True), ("bleu", None)):
        [problem] = read_recorded(path, "auto", score=score)
        assert [c.correct for c in problem.completions] == [grade]


def test_lm_eval_log_likelihoods_are_no_solutions(tmp_path: Path) -> None:
    row = {**sampled(1, "none", 1.0, ""), "resps": [[["-3.1", "False"]], [["-2.0", "True"]]]}
    with pytest.raises(ConfigError, match=r"s.jsonl:1 has log-likelihoods .* that generates"):
        read_recorded(lines(tmp_path / "s.jsonl", row), "auto")


@pytest.mark.parametrize("write", [archived, as_json])
def test_inspect_epochs_are_solutions(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(
        tmp_path / "log",
        sample(7, 2, "two: 2"),
        sample(7, 1, "2"),
        sample("b", 1, "3", target=["3", "three"], scores={"match": {"value": "I"}}),
    )
    assert recognised(path) == "inspect"
    seven, b = read_recorded(path, "auto")
    assert (seven.id, seven.question, seven.answer, b.answer) == ("7", "1 + 1?", "2", "3")
    assert texts(seven) == ["2", "two: 2"], "in the order of epochs"
    assert [(c.tokens, c.correct) for c in (*seven.completions, *b.completions)] == [
        (4, True), (4, True), (4, False),
    ]  # fmt: skip


def test_inspect_conversations_options_reasoning_and_attachments(tmp_path: Path) -> None:
    parts = [{"type": "reasoning", "reasoning": "attachment://r"}, {"type": "text", "text": "B"}]
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "attachment://q"}]},
    ]
    attachments = {"r": "It is 5.", "q": "2 + 3?"}
    row = sample(1, 1, parts, input=turns, choices=["4", "5"], attachments=attachments)
    [problem] = read_recorded(archived(tmp_path / "a.eval", row), "auto")
    assert problem.question == "2 + 3?\nA) 4\nB) 5"
    assert texts(problem) == ["<think>\nIt is 5.\n</think>\n\nB"]


def test_inspect_failures_and_cuts(tmp_path: Path) -> None:
    failed = sample(1, 1, "", output={"model": "m", "choices": []}, scores=None)
    long = sample(1, 2, "and so")
    long["output"]["choices"][0]["stop_reason"] = "max_tokens"
    [problem] = read_recorded(archived(tmp_path / "a.eval", failed, long), "auto")
    assert texts(problem) == ["", "and so"]
    assert {c.finish_reason for c in problem.completions} == {"length"}


@pytest.mark.parametrize(
    ("value", "grade"),
    [("C", True), ("P", False), ("N", False), (1, True), (0.5, False), (True, True), ("x", None),
     ({"a": 1}, None), ([1], None), (None, None)],
)  # fmt: skip
def test_inspect_grades(value: object, grade: bool | None, tmp_path: Path) -> None:
    row = sample(1, 1, "2", scores={"first": {"value": "C"}, "mine": {"value": value}})
    [problem] = read_recorded(archived(tmp_path / "a.eval", row), "auto", score="mine")
    assert [c.correct for c in problem.completions] == [grade]


def test_a_log_is_graded_by_the_task_or_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"match": {"value": "I"}}
    path = archived(
        tmp_path / "a.eval",
        sample(1, 1, "The answer is 2.", scores=wrong),
        sample(1, 2, "The answer is 2.", scores=wrong),
        sample(2, 1, "The answer is 5.", target="5"),
        sample(2, 2, "The answer is 6.", target="5"),
    )
    found = dict[str, float]()
    for grades in ("task", "log"):
        out = str(tmp_path / grades)
        command = ["import-pool", str(path), "--task", "gsm8k", "--grades", grades, "--out", out]
        assert main([*command, "--json"]) == 0
        found[grades] = json.loads(capsys.readouterr().out)["accuracy"]
    assert found == {"task": 0.75, "log": 0.5}
    command = ["import-pool", str(path), "--task", "gsm8k", "--grades", "log", "--score", "judge"]
    assert main([*command, "--out", str(tmp_path / "c")]) == 2
    assert "has no grade by 'judge' of each solution" in capsys.readouterr().err


def test_a_format_may_be_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", {"question": "?", "answer": "2", "completions": ["2"]})
    assert recognised(path) == "pool"
    for kind in ("lm-eval", "inspect"):
        with pytest.raises(ConfigError, match=r"p\.jsonl"):
            read_recorded(path, kind)


def _bomb(path: Path) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("samples/1_epoch_1.json", b'{"id": "' + b"x" * (40 * 2**20) + b'"}')


def _directory(path: Path) -> None:
    """An archive that says that its directory has four gigabytes."""
    archived(path, sample(1, 1, "2"))
    blob = bytearray(path.read_bytes())
    end = blob.rfind(b"PK\x05\x06") + 12
    blob[end : end + 4] = b"\xff" * 4
    path.write_bytes(bytes(blob))


def _torn(path: Path) -> None:
    archived(path, *(sample(i, 1, "2") for i in range(9)))
    path.write_bytes(path.read_bytes()[:900])


def _flipped(path: Path) -> None:
    blob = bytearray(archived(path, sample(1, 1, "2" * 5000)).read_bytes())
    blob[200:260] = bytes(60)
    path.write_bytes(bytes(blob))


def _zstd(path: Path) -> None:
    blob = archived(path, sample(1, 1, "2")).read_bytes()
    path.write_bytes(blob.replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x5d\0"))


ARCHIVES: dict[str, tuple[Callable[[Path], object], str]] = {
    "bomb": (_bomb, "unpacks to more than 32 MiB a sample"),
    "directory": (_directory, "directory is larger than"),
    "torn": (_torn, "damaged"),
    "flipped": (_flipped, "damaged"),
    "zstd": (_zstd, "inspect log convert --to json"),
    "no samples": (archived, "archive without samples/"),
    "twice": (
        lambda p: as_json(p, sample(1, 1, "2"), sample(1, 1, "3")), "epoch 1 of sample 1 twice",
    ),
    "deep": (
        lambda p: p.write_text('{"version": 2, "status": "success", "samples": ' + "[" * 99_999),
        "no log of inspect",
    ),
    "type": (lambda p: archived(p, sample(1, 1, 7)), "no log of inspect"),
    "no number": (lambda p: archived(p, {**sample(1, 1, "2"), "epoch": "first"}), "no log of inspect"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archives_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    write, why = ARCHIVES[name]
    write(tmp_path / "a.eval")
    with pytest.raises(ConfigError, match=why) as caught:
        read_recorded(tmp_path / "a.eval", "auto")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("kind", ["lm-eval", "inspect"])
@pytest.mark.parametrize("name", [*SPECIAL, *(n for n in NOT_JSON if "many" not in n)])
def test_hostile_files_are_no_logs(name: str, kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    (SPECIAL | NOT_JSON)[name](path)
    with pytest.raises((ConfigError, StoreError)) as caught:
        read_recorded(path, kind)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400

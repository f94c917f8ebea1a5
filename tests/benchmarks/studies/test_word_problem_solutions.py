"""The training data of `smollm2-math`: a mixture of solved word problems."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from reasoner.benchmarks.studies import word_problem_solutions as study

LONG, SHORT = "x" * 400 + "\n#### 1", "2+3=<<2+3=5>>5\n#### 5"


@pytest.fixture
def gsm8k(tmp_path: Path) -> Path:
    file = tmp_path / "train.jsonl"
    rows = [{"question": f" {i}? ", "answer": LONG if i % 2 else SHORT} for i in range(4)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_long_solutions_and_marks_of_calculators_are_left_out(gsm8k: Path) -> None:
    assert study.short(gsm8k) == [
        {"prompt": f"{i}?", "completion": "2+3=5\n#### 5"} for i in (0, 2)
    ]


@pytest.mark.skipif(not find_spec("reasoning_gym"), reason="reasoning-gym is not installed")
def test_solutions_end_in_their_answers(gsm8k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PARTS", (("leg_counting", 3, {"max_animals": 3}),))
    monkeypatch.setattr(study, "GSM8K", 1)
    rows = study.mixed(gsm8k)
    assert len(rows) == 4 and rows == study.mixed(gsm8k)
    assert all(row["completion"].rpartition("\n")[2].startswith("#### ") for row in rows)

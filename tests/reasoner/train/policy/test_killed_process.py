"""A training process that `kill -9` ends again and again finishes with the weights of one that was left alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from safetensors.torch import load_file

from tests import models

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PROGRAM = """
import sys
from reasoner.cli import main
from reasoner.train.policy import optimisation
optimisation.SAVE_EVERY = 0.0
sys.exit(main(sys.argv[1:]))
"""
KILLS = 4


def command(model: Path, data: Path, out: Path) -> list[str]:
    options = ["--epochs", "6", "--batch", "4", "--rate", "3e-3", "--precision", "float32"]
    places = ["--model", str(model), "--data", str(data), "--out", str(out)]
    return [sys.executable, "-c", PROGRAM, "train", "policy", *places, *options]


def killed(program: list[str], out: Path, moment: Random) -> bool:
    """Run the program, and kill it a moment after it saved its first checkpoint; return if it still ran."""
    checkpoint = out / "checkpoint.pt"
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
                time.sleep(moment.random() * 0.3)
                process.kill()
                break
            time.sleep(0.002)
    return process.returncode == -9


def test_killed_again_and_again(tmp_path: Path) -> None:
    model, data = models.qwen3(tmp_path / "base"), tmp_path / "data.jsonl"
    rows = [{"prompt": f"cd:{i}\n", "completion": f"{i}+1\nb{i}"} for i in range(240)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole, cut, moment = tmp_path / "whole", tmp_path / "cut", Random(3)
    subprocess.run(command(model, data, whole), check=True, capture_output=True)
    assert sum(killed(command(model, data, cut), cut, moment) for _ in range(KILLS)) >= 2
    subprocess.run(command(model, data, cut), check=True, capture_output=True)
    ours, theirs = (load_file(out / "model.safetensors") for out in (cut, whole))
    assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)
    documents = [json.loads((out / "training.json").read_text()) for out in (cut, whole)]
    assert documents[0]["steps"] == documents[1]["steps"] == 360
    assert documents[0]["train_flops"] == pytest.approx(documents[1]["train_flops"])
    assert not (cut / "checkpoint.pt").exists()

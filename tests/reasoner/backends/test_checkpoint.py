"""Facts in a model's files: the tokens that end a step and a solution."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoner.backends.checkpoint import Checkpoint, fingerprint
from reasoner.errors import ConfigError
from reasoner.train.gpt.vocabulary import ENDINGS
from tests import models
from tests.needs import need

need("transformers")


def test_a_newline_stops_as_a_token_where_it_only_stands_alone(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(models.qwen3(tmp_path)))
    steps, ends = ENDINGS[0].levels, ENDINGS[1].levels
    assert checkpoint.stops(("\n",)) == ([1, 2, 3, 4, *steps, *ends], [])
    assert checkpoint.stops(("\n\n",)) == ([1, 2, *ends], ["\n\n"])


def test_every_level_reads_as_the_end_it_tells_of(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(models.qwen3(tmp_path)))
    steps, ends = ENDINGS[0].levels, ENDINGS[1].levels
    assert checkpoint.decode([steps[0], 5, steps[-1], ends[7]]) == "\n0\n"
    assert list(checkpoint.verdicts) == [*steps, *ends]
    assert checkpoint.verdicts[steps[0]] < 0.001
    assert checkpoint.verdicts[ends[-1]] > 0.999


def test_a_newline_inside_other_tokens_is_looked_for_in_the_text(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = models.gpt2(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([".\n"])
    tokenizer.save_pretrained(folder)
    assert Checkpoint(str(folder)).stops(("\n",)) == ([1], ["\n"])


def test_every_end_the_model_declares_is_an_end(tmp_path: Path) -> None:
    folder = models.gpt2(tmp_path)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 7]}))
    assert Checkpoint(str(folder)).ends == {1, 7}


def test_a_fingerprint_tells_weights_apart(tmp_path: Path) -> None:
    assert fingerprint(tmp_path) == ""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    one = fingerprint(tmp_path)
    (tmp_path / "config.json").write_text('{"other": 1}')
    assert fingerprint(tmp_path) == one != ""
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert fingerprint(tmp_path) != one


def test_text_without_tokens_is_refused_not_garbled(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(models.qwen3(tmp_path)))
    assert len(checkpoint.encode("a=12\n")) == 5
    with pytest.raises(ConfigError, match="no tokens for all of 'Wait'"):
        checkpoint.encode("Wait")

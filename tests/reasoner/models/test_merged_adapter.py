"""An adapter's folder as a model: merged once into the base that it names."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import ConfigError
from reasoner.models.local import local_model
from tests import gguf_file, models

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("torch", "transformers", "peft"))), reason="peft is not installed"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model trained by adapters, and with these in `adapter`; tests read it."""
    from reasoner.train.policy import sft
    from reasoner.train.policy.recipe import TrainingRecipe
    from reasoner.train.policy.solutions import Pair

    root = tmp_path_factory.mktemp("adapter")
    base = models.qwen3(root / "base")
    pairs = [Pair(prompt=f"cd:{i}\n", solution=f"{i}+1\nb{i}") for i in range(6)]
    recipe = TrainingRecipe(rate=3e-3, epochs=2, batch=3, lora=2, precision="float32")
    sft.train(str(base), pairs, recipe, root / "whole", {}, report=lambda _: None)
    return root / "whole"


def copied(trained: Path, folder: Path, base: str | None) -> Path:
    """Copy the adapter, with another base."""
    shutil.copytree(trained / "adapter", folder)
    file = folder / "adapter_config.json"
    config = {**json.loads(file.read_text()), "base_model_name_or_path": base}
    file.write_text(json.dumps(config))
    return folder


def test_an_adapter_names_its_base_and_is_merged_as_training_merged_it(
    trained: Path, cache: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    config = json.loads((trained / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(trained.parent / "base")
    folder = Path(local_model(str(trained / "adapter")))
    assert folder.is_relative_to(cache) and folder.name == "adapter"
    ours, theirs = (load_file(f / "model.safetensors") for f in (folder, trained))
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert torch.equal(weight, ours[name]), name
    assert local_model(str(trained / "adapter")) == str(folder)
    assert (folder / "tokenizer.json").exists() and (folder / "reasoner.json").exists()


def test_it_is_a_model_like_any_other(trained: Path) -> None:
    from reasoner.models.files import ModelFiles

    whole, merged = ModelFiles(str(trained)), ModelFiles(str(trained / "adapter"))
    assert merged.info.parameters == whole.info.parameters and merged.info.name == "adapter"


def test_a_change_of_base_or_adapter_is_another_model(trained: Path, tmp_path: Path) -> None:
    base = shutil.copytree(trained.parent / "base", tmp_path / "base")
    adapter = copied(trained, tmp_path / "copy", str(base))
    first = local_model(str(adapter))
    (base / "config.json").touch()
    assert local_model(str(adapter)) != first


def test_a_value_head_in_the_folder_becomes_two_tokens(trained: Path, tmp_path: Path) -> None:
    import numpy as np
    from transformers import AutoTokenizer

    from reasoner.models.value_head import Head
    from reasoner.models.value_tokens import HEAD, VALUE

    adapter = copied(trained, tmp_path / "copy", str(trained.parent / "base"))
    before = local_model(str(adapter))
    weight = np.linspace(-1, 1, 64, dtype=np.float32)
    Head(weight).save(adapter / HEAD)
    folder = local_model(str(adapter))
    assert folder != before
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    rows = load_rows(folder, tokenizer.convert_tokens_to_ids([*VALUE]))
    assert np.allclose(rows[0] - rows[1], weight, atol=0.01)


def load_rows(folder: str, tokens: list[int]) -> Any:
    """Return the output layer's rows of some tokens."""
    from safetensors.torch import load_file

    return load_file(f"{folder}/model.safetensors")["lm_head.weight"][tokens].float().numpy()


def test_a_head_of_another_width(trained: Path, tmp_path: Path) -> None:
    import numpy as np

    from reasoner.models.value_head import Head
    from reasoner.models.value_tokens import HEAD

    adapter = copied(trained, tmp_path / "copy", str(trained.parent / "base"))
    Head(np.ones(5, np.float32)).save(adapter / HEAD)
    with pytest.raises(ConfigError, match="head is of width 5, and the model of 64"):
        local_model(str(adapter))


@pytest.mark.parametrize(
    "content", [b"", b"not a head", {"weight": [1.0]}, {"weight": [[1.0]], "bias": [0.0]}]
)
def test_a_file_that_is_no_head(content: Any, trained: Path, tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save

    from reasoner.models.value_tokens import HEAD

    adapter = copied(trained, tmp_path / "copy", str(trained.parent / "base"))
    arrays = (
        {k: np.array(v, np.float32) for k, v in content.items()}
        if isinstance(content, dict)
        else {}
    )
    (adapter / HEAD).write_bytes(save(arrays) if arrays else content)
    with pytest.raises(ConfigError, match="is no value head"):
        local_model(str(adapter))


@pytest.mark.skipif(not find_spec("gguf"), reason="gguf is not installed")
def test_the_base_may_be_a_gguf_file_that_does_not_fit(trained: Path, tmp_path: Path) -> None:
    file = gguf_file.write(tmp_path / "tiny.gguf")
    with pytest.raises(ConfigError) as error:
        local_model(str(copied(trained, tmp_path / "copy", str(file))))
    assert len(str(error.value).splitlines()) == 1 and "copy" in str(error.value)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (None, "names no base; give a model"),
        ("", "names no base"),
        ("{adapter}", "is an adapter itself"),
        ("/nowhere/at/all", "cannot convert"),
        ("nowhere.gguf", "no GGUF file 'nowhere.gguf'"),
        ("package:nowhere-at-all", "package nowhere-at-all is not installed"),
    ],
)
def test_a_wrong_base_is_one_line(
    trained: Path, tmp_path: Path, base: str | None, message: str
) -> None:
    folder = tmp_path / "copy"
    copied(trained, folder, base and base.format(adapter=folder))
    with pytest.raises(ConfigError, match=message) as error:
        local_model(str(folder))
    assert len(str(error.value).splitlines()) == 1


ENDLESS = r"(([a-z_.0-9])+)+X"
"""A regular expression that takes for ever on the names of modules."""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_modules": ENDLESS}, "target_modules"),
        ({"target_modules": [ENDLESS]}, "target_modules"),
        ({"exclude_modules": ENDLESS}, "exclude_modules"),
        ({"rank_pattern": {ENDLESS: 4}}, "rank_pattern"),
        ({"alpha_pattern": {ENDLESS: 4}}, "alpha_pattern"),
        ({"layers_to_transform": [0], "layers_pattern": ENDLESS}, "layers_pattern"),
        ({"lora_alpha": float("inf")}, "lora_alpha"),
        ({"lora_alpha": "x"}, "lora_alpha"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"megatron_config": {"a": 1}, "megatron_core": "os"}, "megatron_config"),
        ({"target_modules": ["nowhere"]}, "nowhere"),
        ({"modules_to_save": ["embed_tokens"]}, "cannot convert"),
        ({"r": 3}, "cannot convert"),
    ],
)
def test_hostile_settings_are_one_line(
    trained: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    folder = copied(trained, tmp_path / "copy", str(trained.parent / "base"))
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(ConfigError, match=message) as error:
        local_model(str(folder))
    assert len(str(error.value).splitlines()) == 1


def test_damaged_weights_are_one_line(trained: Path, tmp_path: Path, cache: Path) -> None:
    adapter = copied(trained, tmp_path / "copy", str(trained.parent / "base"))
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(ConfigError) as error:
        local_model(str(adapter))
    assert len(str(error.value).splitlines()) == 1
    left = [p.name for p in cache.glob("reasoner/models/*") if p.suffix != ".lock"]
    assert left == []

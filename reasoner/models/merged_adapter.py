"""A LoRA adapter merged into the weights that it was trained on, in a folder that engines serve."""

from __future__ import annotations

import shutil
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, PositiveInt

from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError
from reasoner.extras import require
from reasoner.files import clipped, opened, read_bytes, shown
from reasoner.models.folder import check_model_folder
from reasoner.models.lora import CONFIG, WEIGHTS, Adapter
from reasoner.models.model_cache import built
from reasoner.models.train_compute import RECORD
from reasoner.models.value_tokens import HEAD

MERGING = b"1"
"""The version of the merge; another one makes other folders in the cache."""
TOKENIZER, VERDICTS = "tokenizer_config.json", "reasoner.json"


Name = Annotated[str, Field(pattern=r"^[\w.-]{1,200}$")]
Names = Annotated[tuple[Name, ...], Field(max_length=1000)]
Scale = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class _Merged(BaseModel, extra="ignore"):
    """The settings that decide where and how weights are added.

    PEFT reads some of them as regular expressions, which a hostile one can keep busy for ever, and some
    ways to begin an adapter change the base, so that its weights are not what is to be added.
    """

    target_modules: Names | Literal["all-linear"] | None = None
    exclude_modules: Names | None = None
    layers_pattern: Name | Names | None = None
    rank_pattern: dict[Name, PositiveInt] = {}
    alpha_pattern: dict[Name, Scale] = {}
    lora_alpha: Scale = 8
    init_lora_weights: bool | Literal["gaussian", "orthogonal"] = True
    megatron_config: None = None


def merged(adapter: Adapter, base: str) -> Path:
    """Return the folder of `base`, a folder or a Hugging Face name, with the adapter added to its weights.

    A value head in the adapter's folder (`value_tokens.HEAD`) is added too.

    The first call computes it, for the cache; the weights have the type of the base.

    Raises:
        ConfigError: the adapter does not fit the base.
        StoreError: the cache cannot be written.
    """
    try:
        parse_model(_Merged, read_bytes(adapter.path / CONFIG))
    except Malformed as e:
        raise ConfigError(
            f"the LoRA adapter in {shown(adapter.path)} cannot be merged: {e}; name its base with --model and"
            " let vLLM add it, as in --backend 'vllm(lora=DIR)'"
        ) from e
    name = adapter.path.resolve().name
    return built(adapter.path, _key(adapter, base), name, lambda out: _write(adapter, base, out))


def _key(adapter: Adapter, base: str) -> str:
    """Return a digest of the adapter's content, and of the name, sizes and times of the base's files."""
    digest = blake2b(MERGING, digest_size=8)
    digest.update(read_bytes(adapter.path / CONFIG))
    for name in (WEIGHTS, HEAD) if (adapter.path / HEAD).exists() else (WEIGHTS,):
        with opened(adapter.path / name) as file:
            while part := file.read(2**20):
                digest.update(part)
    digest.update(base.encode())
    if (folder := Path(base)).is_dir():
        stats = {file.name: file.stat() for file in sorted(folder.iterdir())}
        digest.update(repr([(n, s.st_size, s.st_mtime_ns) for n, s in stats.items()]).encode())
    return digest.hexdigest()


def _write(adapter: Adapter, base: str, out: Path) -> None:
    """Write model, tokenizer and record of training."""
    require("torch", "transformers", "peft", user="a model that is an adapter")
    import peft
    import torch
    import transformers

    if Path(base).is_dir():
        check_model_folder(Path(base))
    folder, auto = str(adapter.path), cast("Any", transformers)
    model = auto.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    dtype = auto.AutoConfig.from_pretrained(base).dtype or torch.float32
    adapted: Any = peft.PeftModel.from_pretrained(model, folder)
    if unplaced := adapted.load_adapter(folder, "default").unexpected_keys:
        raise ConfigError(
            f"the LoRA adapter in {shown(adapter.path)} has {len(unplaced)} weights that its base"
            f" {clipped(base)!r} has no place for, such as {unplaced[0]}; name the model that it was trained on"
        )
    source = folder if (adapter.path / TOKENIZER).exists() else base
    tokenizer, whole = auto.AutoTokenizer.from_pretrained(source), adapted.merge_and_unload()
    if (head := adapter.path / HEAD).exists():
        from reasoner.models.value_head import Head, extend

        extend(whole, tokenizer, Head.read(head))
    whole.to(dtype).save_pretrained(out)
    tokenizer.save_pretrained(out)
    for file in (adapter.path / RECORD, Path(base) / VERDICTS):
        if file.exists():
            shutil.copy(file, out)

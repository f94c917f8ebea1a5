"""LoRA adapters (Hu et al., 2021): a folder as PEFT writes it, checked before an engine loads it."""

from __future__ import annotations

import json
import os
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, PositiveInt

from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError, StoreError
from reasoner.files import clipped, opened, read_bytes, shown
from reasoner.models.folder import check_weights_header

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The largest ranks that vLLM can be started for."""


class _Config(BaseModel, extra="ignore"):
    """The settings of an adapter that decide if vLLM can serve it."""

    peft_type: Literal["LORA"]
    r: PositiveInt
    base_model_name_or_path: str | None = None


class Adapter:
    """The adapter in a folder.

    Raises:
        ConfigError: there is no such folder, or it holds no LoRA adapter of a rank that vLLM can serve.
    """

    def __init__(self, folder: str) -> None:
        self.path = Path(os.path.expanduser(folder))
        if missing := [name for name in (CONFIG, WEIGHTS) if not (self.path / name).exists()]:
            raise ConfigError(f"no LoRA adapter in {clipped(folder)!r}: it has no {missing[0]}")
        try:
            check_weights_header(self.path / WEIGHTS)
            config = parse_model(_Config, read_bytes(self.path / CONFIG))
        except Malformed as e:
            raise ConfigError(f"{shown(self.path / CONFIG)} describes no LoRA adapter: {e}") from e
        except StoreError as e:
            raise ConfigError(str(e)) from e
        self.rank, self.base = config.r, config.base_model_name_or_path or ""
        if self.rank > RANKS[-1]:
            raise ConfigError(
                f"LoRA adapter {clipped(folder)!r} has rank {self.rank}; vLLM serves up to {RANKS[-1]}"
            )

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of an engine that serves it."""
        rank = next(rank for rank in RANKS if rank >= self.rank)
        return {"enable_lora": True, "max_lora_rank": rank, "max_loras": 1}

    @cached_property
    def parameters(self) -> int:
        """The number of weights that each token is multiplied with, besides the model's."""
        with opened(self.path / WEIGHTS) as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        shapes = [each["shape"] for name, each in header.items() if name != "__metadata__"]
        return sum(prod(shape) for shape in shapes if len(shape) > 1)

    def request(self) -> Any:
        """Return what a request to vLLM carries to be answered with this adapter."""
        from vllm.lora.request import LoRARequest

        return LoRARequest(self.path.name or "adapter", 1, str(self.path.absolute()))

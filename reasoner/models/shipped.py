"""Models that this package ships under names of their own, as LoRA adapters on the weights of others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
SHIPPED: Mapping[str, Path] = {"smollm2-math": _PACKAGE / "smollm2-math"}
"""The folders of the adapters by model name; a folder of the same name elsewhere is `./NAME`."""

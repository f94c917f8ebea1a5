"""Number formats that processors compute in."""

from __future__ import annotations

import platform


def cpu_has_bfloat16() -> bool:
    """Return True if this machine's processor multiplies matrices in bfloat16, which others imitate slowly."""
    import torch

    if platform.machine() in {"x86_64", "AMD64"}:
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_tile"))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())

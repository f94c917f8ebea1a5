"""vLLM on CPU cores: an executor in the scheduler's process, with fused norms."""

from __future__ import annotations

import torch
from vllm import ir
from vllm.v1.executor.uniproc_executor import UniProcExecutor

FUSED = "fused_cpu"


def _plain(
    x: torch.Tensor, weight: torch.Tensor | None, epsilon: float, variance_size: int | None = None
) -> bool:
    return variance_size is None and weight is not None and weight.dtype == x.dtype


def _plain_add(
    x: torch.Tensor,
    x_residual: torch.Tensor,
    weight: torch.Tensor | None,
    epsilon: float,
    variance_size: int | None = None,
) -> bool:
    return _plain(x, weight, epsilon, variance_size)


@ir.ops.rms_norm.register_impl(FUSED, supports_args=_plain)
def rms_norm(
    x: torch.Tensor, weight: torch.Tensor | None, epsilon: float, variance_size: int | None = None
) -> torch.Tensor:
    """Normalise in one pass over memory; vLLM's default on CPUs takes six."""
    x = x.contiguous()
    out = torch.empty_like(x)
    torch.ops._C.rms_norm(out, x, weight, epsilon)
    return out


@ir.ops.fused_add_rms_norm.register_impl(FUSED, supports_args=_plain_add, inplace=True)
def fused_add_rms_norm(
    x: torch.Tensor,
    x_residual: torch.Tensor,
    weight: torch.Tensor | None,
    epsilon: float,
    variance_size: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add a residual, then normalise, in one pass over memory."""
    torch.ops._C.fused_add_rms_norm(x, x_residual, weight, epsilon)
    return x, x_residual


class InSchedulerProcess(UniProcExecutor):
    """An executor in the process of the engine's scheduler.

    With a separate process, vLLM's default on CPUs, the scheduler keeps a core busy waiting.
    """

    def _init_executor(self) -> None:
        super()._init_executor()
        for op in (ir.ops.rms_norm, ir.ops.fused_add_rms_norm):
            op.set_default([FUSED, "native"])

"""Muon for the hidden matrices, AdamW for the rest, and one schedule for both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised updates (Jordan et al., 2024), as in `torch.optim.Muon`.

    PyTorch's version computes in bfloat16, which took 60 % of a training step on a CPU without bfloat16
    instructions. This one computes in float32 and batches matrices of equal shape.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        with torch.no_grad():
            for group in self.param_groups:
                shapes = defaultdict[torch.Size, list[nn.Parameter]](list)
                for p in group["params"]:
                    if p.grad is not None:
                        shapes[p.shape].append(p)
                for params in shapes.values():
                    self._move(params, group["lr"], group["momentum"])

    def _move(self, params: list[nn.Parameter], lr: float, momentum: float) -> None:
        rows, columns = params[0].shape
        momenta = torch.stack([self._momentum(p, momentum) for p in params])
        for p, update in zip(params, orthogonal(momenta), strict=True):
            p.add_(update, alpha=-lr * max(1.0, rows / columns) ** 0.5)

    def _momentum(self, p: nn.Parameter, momentum: float) -> torch.Tensor:
        """Return Nesterov's momentum: the gradient, averaged with its updated running mean."""
        assert p.grad is not None
        state = self.state[p]
        mean = state.setdefault("momentum", torch.zeros_like(p))
        mean.lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(mean, momentum)


def orthogonal(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Return matrices (n, rows, columns) with singular values near 1, by Newton-Schulz iteration."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x: torch.Tensor = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: torch.Tensor = x.mT if tall else x
    return result


def optimizers(model: nn.Module, muon: float, adam: float) -> list[torch.optim.Optimizer]:
    """Return Muon for matrices inside the blocks, and AdamW for embeddings, head and norms."""
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and ".layers." in n]
    hidden_ids = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in hidden_ids]
    both: list[torch.optim.Optimizer] = [
        Muon(hidden, lr=muon),
        torch.optim.AdamW(rest, lr=adam, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for optimizer in both:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return both


def schedule(parts: list[torch.optim.Optimizer], progress: float, warmup: float = 0.03) -> None:
    """Set the rates: linear warm-up, a plateau, then linear decay to zero over the last 60 %."""
    factor = min(1.0, progress / warmup, (1.0 - progress) / 0.6)
    for optimizer in parts:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * max(factor, 0.0)

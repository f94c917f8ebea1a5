"""Muon for the hidden matrices, AdamW for the rest, one schedule for both."""

from __future__ import annotations

import torch
from torch import nn


def optimizers(model: nn.Module, muon: float, adam: float) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al., 2024) on matrices inside the blocks, AdamW on embeddings, head, norms."""
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and ".layers." in n]
    chosen = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    made: list[torch.optim.Optimizer] = [
        torch.optim.Muon(hidden, lr=muon, momentum=0.95, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=adam, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for optimizer in made:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return made


def schedule(made: list[torch.optim.Optimizer], progress: float, warmup: float = 0.03) -> None:
    """Linear warm-up, a plateau, then linear decay to zero over the last 60 %."""
    factor = min(1.0, progress / warmup, (1.0 - progress) / 0.6)
    for optimizer in made:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * max(factor, 0.0)

"""The optimiser for hidden matrices does what the library's does."""

from __future__ import annotations

from tests.needs import need

need("torch")

import torch

from reasoner.train.gpt.muon import Muon, orthogonal


def test_it_agrees_with_torchs_own_up_to_its_half_precision() -> None:
    torch.manual_seed(0)
    start = [torch.randn(s) for s in ((8, 8), (24, 8), (8, 24), (8, 8))]
    ours, theirs = ([torch.nn.Parameter(t.clone()) for t in start] for _ in range(2))
    mine = Muon(ours, lr=0.1)
    reference = torch.optim.Muon(theirs, lr=0.1, momentum=0.95, weight_decay=0.0)
    for _ in range(3):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        mine.step()
        reference.step()  # type: ignore[no-untyped-call]
    for p, q, before in zip(ours, theirs, start, strict=True):
        assert (p - q).norm() < 0.02 * (p - before).norm()


def test_updates_are_nearly_orthogonal_and_a_zero_gradient_moves_nothing() -> None:
    singular = torch.linalg.svdvals(orthogonal(torch.randn(2, 16, 8)))
    assert singular.min() > 0.5
    assert singular.max() < 1.3
    assert not orthogonal(torch.zeros(1, 4, 4)).any()

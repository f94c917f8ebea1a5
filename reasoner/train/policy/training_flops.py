"""FLOPs of training (docs/flops.md): a backward pass costs two forward passes."""

from __future__ import annotations

from collections.abc import Iterable

from reasoner.base import ModelInfo


def training_flops(
    info: ModelInfo, lengths: Iterable[int], adapters: int = 0, recompute: bool = False
) -> float:
    """Return the FLOPs of one forward and backward pass over sequences of `lengths` tokens.

    The backward pass computes the gradient of the activations and that of the weights, each as costly
    as the forward pass (Kaplan et al., 2020, section 2.1). Where only `adapters` are trained, their number
    of weights, the other matrices need no gradient of their own: two passes in place of three.
    Attention has two factors of which both get gradients: three passes always. `recompute` adds a
    forward pass.
    """
    return sum(_of_sequence(info, length, adapters, recompute) for length in lengths)


def _of_sequence(info: ModelInfo, length: int, adapters: int, recompute: bool) -> float:
    forward, matrices = info.flops(0, length), 2.0 * info.parameters * length
    own = 2.0 * adapters * length
    saved = matrices if adapters else 0.0
    return 3 * (forward + own) - saved + recompute * (forward + own)

"""Packing: solutions of several problems in one row of tokens, without padding.

Positions begin anew with each problem, and attention does not cross from one to the next: Transformers
reads this from the positions. A packed row therefore has the loss of its problems one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROW = 512
"""Tokens of a row; a longer problem has a row of its own."""


@dataclass(frozen=True, slots=True)
class TokenisedSolution:
    """The tokens of a problem and of its solution, which begins at `start`.

    `weight` multiplies the loss of each of its tokens: 1 to imitate it, or its advantage.
    """

    ids: tuple[int, ...]
    start: int
    weight: float = 1.0

    @property
    def trained(self) -> int:
        """The number of tokens that the loss is taken on."""
        return len(self.ids) - self.start


@dataclass(frozen=True, slots=True)
class PackedRow:
    """A row as tensors.

    `ids` and `positions` are of shape (1, tokens). `reads` are the positions in the row whose next token is
    a solution's, `targets` those tokens, and `weights` their weights, each of shape (solution tokens).
    """

    ids: Tensor
    positions: Tensor
    reads: Tensor
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(cls, solutions: Sequence[TokenisedSolution], device: str = "cpu") -> PackedRow:
        """Return `solutions` one after the other."""
        reads, offset = list[int](), 0
        for solution in solutions:
            reads += range(offset + solution.start - 1, offset + len(solution.ids) - 1)
            offset += len(solution.ids)
        ids = torch.tensor([i for s in solutions for i in s.ids], device=device)
        places = torch.tensor(reads, device=device)
        weights = [s.weight for s in solutions for _ in range(s.trained)]
        return cls(
            ids=ids[None],
            positions=torch.cat([torch.arange(len(s.ids)) for s in solutions])[None].to(device),
            reads=places,
            targets=ids[places + 1],
            weights=torch.tensor(weights, device=device),
        )


def pack(solutions: Sequence[TokenisedSolution], room: int = ROW) -> list[list[TokenisedSolution]]:
    """Distribute solutions over rows of at most `room` tokens: each into the first row with space.

    The longest come first, which leaves the fewest rows (first-fit decreasing).
    """
    rows, space = list[list[TokenisedSolution]](), list[int]()
    for solution in sorted(solutions, key=lambda s: -len(s.ids)):
        size = len(solution.ids)
        place = next((i for i, free in enumerate(space) if free >= size), None)
        if place is None:
            rows.append([solution])
            space.append(max(0, room - size))
        else:
            rows[place].append(solution)
            space[place] -= size
    return rows

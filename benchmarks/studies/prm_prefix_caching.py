"""Measure the tokens that a process reward model computes to score every child of a beam search.

    python -m reasoner.benchmarks.studies.prm_prefix_caching [--model FOLDER] [--steps 10,20,40,80,160] [--json]

Each new step is sampled once. The verifier computes it once, together with the earlier text that the
engine's prefix cache lacks: the part of a block that was not full. The cost therefore depends on the
length of a step relative to a block. Steps here have one length, in random letters. The default model
has the embedded GPT's size and a random head; this does not change the number of computed tokens, as
long as the search keeps some beams and drops others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reasoner.api import EMBEDDED
from reasoner.backends.scripted import END, Reply, Scripted
from reasoner.benchmarks.store.environment import describe
from reasoner.search.beam import Beam
from reasoner.solving import solve
from reasoner.types import Candidate, Judgement, Problem, Prompt, Sampling, Usage
from reasoner.verifiers.reward.prm import PRM
from reasoner.verifiers.reward.token_classifier import TokenClassifier

DEPTH = 6
"""Steps per solution."""
CONTEXT = 2048
"""Context of the untrained model, in tokens."""


@dataclass(frozen=True, slots=True)
class ScoringCost:
    """Tokens of one search: sampled (`new`), computed by the verifier, and computed without any cache (`anew`).

    `step` is the length of a step.
    """

    step: int
    new: int
    computed: int
    anew: int

    @property
    def factor(self) -> float:
        """Return the computed tokens per new token."""
        return self.computed / self.new

    @property
    def saved(self) -> float:
        """Return the tokens computed without a cache, relative to those computed with it."""
        return self.anew / self.computed


class Reread:
    """Wraps `inner` and counts the tokens that it would compute without any cache."""

    def __init__(self, inner: PRM) -> None:
        self.inner, self.tokens = inner, 0

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the estimate of `inner`."""
        return self.inner.estimate(problem, candidates)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score, and count every token of every candidate."""
        tokenizer = self.inner.weights.tokenizer
        encoded = (self.inner.encode(tokenizer, problem.prompt, c.text) for c in candidates)
        self.tokens += sum(len(e.ids) for e in encoded)
        return await self.inner.score(problem, candidates)


def lines(size: int) -> Reply:
    """Return a script for solutions of `DEPTH` steps of `size` tokens, the newline or end token included."""

    def reply(prompt: Prompt, rng: random.Random) -> str:
        left = DEPTH - prompt.text.count("\n")
        steps = ("".join(rng.choices("abcdefgh", k=size - 1)) for _ in range(left))
        return "\n".join(steps) + END

    return reply


async def search(verifier: PRM, size: int, problems: int, n: int) -> ScoringCost:
    """Measure beam search on `problems`, with steps of `size` tokens."""
    read, new, computed = Reread(verifier), 0, 0
    for number in range(problems):
        problem = Problem(str(number), f"dg:{size}+{number}+b=a+5,a=7,c=a*b?c\n")
        result = await solve(
            problem, Beam(n=n), Scripted(reply=lines(size)), read, seed=number,
            sampling=Sampling(stop=("\n",), max_tokens=DEPTH * size + 1),
        )  # fmt: skip
        new += result.generator.completion_tokens
        computed += result.verifier.fresh_tokens
    return ScoringCost(size, new, computed, read.tokens)


async def measure(model: str, sizes: Sequence[int], problems: int, n: int) -> list[ScoringCost]:
    """Measure the cost at each length of steps."""
    verifier = TokenClassifier(model)
    try:
        return [await search(verifier, size, problems, n) for size in sizes]
    finally:
        await verifier.aclose()


def untrained(folder: Path) -> str:
    """Save a process reward model of the embedded GPT's size, with a random head, and return its folder."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    kind: Any = AutoModelForTokenClassification
    model = kind.from_pretrained(EMBEDDED, num_labels=2, max_position_embeddings=CONTEXT)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(EMBEDDED).save_pretrained(folder)
    return str(folder)


def main() -> None:
    """Print the cost at each length of steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", help="a token classifier (default: the embedded GPT's size)")
    parser.add_argument("--steps", default="10,20,40,80,160", help="tokens per step")
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--n", type=int, default=16, help="beams")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    sizes = [int(size) for size in args.steps.split(",")]
    with TemporaryDirectory() as folder:
        model = args.model or untrained(Path(folder))
        costs = asyncio.run(measure(model, sizes, args.problems, args.n))
    if args.json:
        rows = [asdict(c) | {"factor": c.factor, "saved": c.saved} for c in costs]
        about = {
            **describe(sys.argv[1:], "python -m reasoner.benchmarks.studies.prm_prefix_caching"),
            **vars(args),
            "seed": "each problem's number",
        }
        print(json.dumps({**about, "costs": rows}, indent=1))
        return
    print("tokens per step   computed per new token   without cache: factor")
    for c in costs:
        print(f"{c.step:15} {c.factor:24.2f} {c.saved:23.1f}")


if __name__ == "__main__":
    main()

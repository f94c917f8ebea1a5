"""What scoring every child of a beam search costs a process reward model, in tokens it computes.

    python -m reasoner.benchmarks.studies.prm_prefix_caching [--model FOLDER] [--steps 10,20,40,80,160] [--json]

Each new step is sampled once; the verifier computes it once, and whatever of the text before it the
engine's prefix cache does not hold: the part of a block that was not full. So what counts is the
length of a step beside that of a block. Steps here are of one length, in random letters, and the
model, if none is given, has the embedded GPT's size and a random head: nothing of this changes what
is computed, as long as the search keeps some beams and leaves others.
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
"""Steps of a solution."""
CONTEXT = 2048
"""Tokens that the untrained model takes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens of one search: sampled, computed by the verifier, and had it read all it scored anew."""

    step: int
    new: int
    computed: int
    anew: int

    @property
    def factor(self) -> float:
        """Computed per new token."""
        return self.computed / self.new

    @property
    def saved(self) -> float:
        """How many times as much scoring anew computes."""
        return self.anew / self.computed


class Reread:
    """`inner`, with an account of what it would compute without a bank and without a cache."""

    def __init__(self, inner: PRM) -> None:
        self.inner, self.tokens = inner, 0

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """That of `inner`."""
        return self.inner.estimate(problem, candidates)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score, and count every token of every candidate."""
        tokenizer = self.inner.weights.tokenizer
        encoded = (self.inner.encode(tokenizer, problem.prompt, c.text) for c in candidates)
        self.tokens += sum(len(e.ids) for e in encoded)
        return await self.inner.score(problem, candidates)


def lines(size: int) -> Reply:
    """Solutions of `DEPTH` steps of `size` tokens, with the newline or the end that ends each."""

    def reply(prompt: Prompt, rng: random.Random) -> str:
        left = DEPTH - prompt.text.count("\n")
        steps = ("".join(rng.choices("abcdefgh", k=size - 1)) for _ in range(left))
        return "\n".join(steps) + END

    return reply


async def search(verifier: PRM, size: int, problems: int, n: int) -> Cost:
    """What beam search costs on `problems`, with steps of `size` tokens."""
    read, new, computed = Reread(verifier), 0, 0
    for number in range(problems):
        problem = Problem(str(number), f"dg:{size}+{number}+b=a+5,a=7,c=a*b?c\n")
        result = await solve(
            problem, Beam(n=n), Scripted(reply=lines(size)), read, seed=number,
            sampling=Sampling(stop=("\n",), max_tokens=DEPTH * size + 1),
        )  # fmt: skip
        new += result.generator.completion_tokens
        computed += result.verifier.fresh_tokens
    return Cost(size, new, computed, read.tokens)


async def measure(model: str, sizes: Sequence[int], problems: int, n: int) -> list[Cost]:
    """The cost at each length of steps."""
    verifier = TokenClassifier(model)
    try:
        return [await search(verifier, size, problems, n) for size in sizes]
    finally:
        await verifier.aclose()


def untrained(folder: Path) -> str:
    """A process reward model of the embedded GPT's size, with a random head."""
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
    parser.add_argument("--steps", default="10,20,40,80,160", help="tokens a step")
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--n", type=int, default=16, help="beams")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    sizes = [int(size) for size in args.steps.split(",")]
    with TemporaryDirectory() as folder:
        model = args.model or untrained(Path(folder))
        costs = asyncio.run(measure(model, sizes, args.problems, args.n))
    if args.json:
        told = [asdict(c) | {"factor": c.factor, "saved": c.saved} for c in costs]
        about = {
            **describe(sys.argv[1:], "python -m reasoner.benchmarks.studies.prm_prefix_caching"),
            **vars(args),
            "seed": "each problem's number",
        }
        print(json.dumps({**about, "costs": told}, indent=1))
        return
    print("tokens a step   computed per new token   anew: times as many")
    for c in costs:
        print(f"{c.step:13} {c.factor:24.2f} {c.saved:21.1f}")


if __name__ == "__main__":
    main()

"""`dagmath`: derive a letter's value through a chain of shuffled definitions, one line each.

    dg:d=c-b,b=1840,c=a+b,a=7025?d        a is 5207, b is 481: least significant digit first
    a7025+b1840=c8865
    c8865-b1840=d7025

Arithmetic is modulo 10,000 on four digits, so 64 uniform guesses succeed in 0.6 % of problems, and
an answer cannot be checked without deriving it. Digits run from the least significant to the most,
because every digit of a sum is then local (Lee et al., 2023, arXiv 2307.03381): a small model
learns the arithmetic to perfection, and its errors are those of its demonstrators, not ignorance.

Demonstrators misread operators in the two ways that people do. A *slip* is noise: it differs from
one solution to the next, so a vote, or temperature 0, removes it. A *habit* is systematic: after two
additions in a row they mostly add once more where they should subtract (the Einstellung effect,
Luchins 1942), always with the same result, so a vote confirms it. With slips alone, greedy decoding
would gain nothing from search; with habits alone, majority voting would be pointless. Only a
verifier that reads the lines helps against both.

All errors are in the operators, not in the arithmetic, since a verifier cannot detect what leaves no
trace in the policy. In earlier versions its verdicts hardly distinguished lost carries, which show in
one digit, and misread operands, which a small model forgets within a few layers, from right lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from string import ascii_lowercase

from reasoner.base import Example
from reasoner.benchmarks.tasks.generated import Demonstration, distinct_problems, split_of
from reasoner.errors import ConfigError
from reasoner.types import Problem, Sampling

MODULUS = 10_000
TIERS = {"easy": (3, 4), "default": (5, 6), "hard": (7, 9)}
TAUGHT = (3, 6)
LEAVES = 3
SLIP = 0.13
HABIT = 0.65
TOP_P = 0.95
"""The nucleus keeps slips, but cuts off copying errors rarer than one in twenty: they are the policy's
own, not demonstrated, and so rare in its rollouts that the verdict learns little about them."""
PROMPT = re.compile(r"dg:[a-z]=(\d{4}|[a-z][-+][a-z])(,[a-z]=(\d{4}|[a-z][-+][a-z]))*\?[a-z]")
LINE = re.compile(r"([a-z])(\d{4})([+-])([a-z])(\d{4})=([a-z])(\d{4})")


def digits(value: int) -> str:
    """Return four digits, least significant first."""
    return f"{value % MODULUS:04d}"[::-1]


def parse_digits(text: str) -> int:
    """Return the value of four digits, least significant first."""
    return int(text[::-1])


@dataclass(frozen=True, slots=True)
class Definition:
    """`name = left operator right`."""

    name: str
    left: str
    operator: str
    right: str

    def __str__(self) -> str:
        return f"{self.name}={self.left}{self.operator}{self.right}"

    def apply(self, left: int, right: int) -> int:
        return (left + right if self.operator == "+" else left - right) % MODULUS


@dataclass(frozen=True, slots=True)
class DagProblem:
    """A problem: known leaves, and definitions in the order in which the last one is derived."""

    leaves: dict[str, int]
    chain: tuple[Definition, ...]
    prompt: str

    def values(self) -> dict[str, int]:
        values = dict(self.leaves)
        for d in self.chain:
            values[d.name] = d.apply(values[d.left], values[d.right])
        return values


def draw(rng: Random, low: int, high: int) -> DagProblem:
    """Return a random chain of `low` to `high` definitions over three leaves, in shuffled order.

    Each definition starts from the one before it, so the order of derivation is unique; its second
    operand is any leaf or any earlier value, so values are reused. Every line matters: where an error
    could cancel out (`c=a+b`, `d=c+a`, `e=d-c`), a right answer would not imply right lines, so such
    chains are drawn again.
    """
    depth = rng.randint(low, high)
    names = rng.sample(ascii_lowercase, LEAVES + depth)
    leaves = {name: rng.randrange(MODULUS) for name in names[:LEAVES]}
    chain = _chain(rng, names)
    while not every_line_matters(chain):
        chain = _chain(rng, names)
    written = [str(d) for d in chain] + [f"{k}={digits(v)}" for k, v in leaves.items()]
    rng.shuffle(written)
    return DagProblem(leaves, tuple(chain), f"dg:{','.join(written)}?{chain[-1].name}\n")


def _chain(rng: Random, names: list[str]) -> list[Definition]:
    known, chain, last = list(names[:LEAVES]), list[Definition](), names[0]
    for name in names[LEAVES:]:
        right = rng.choice([k for k in known if k != last])
        chain.append(Definition(name, last, rng.choice("+-"), right))
        known.append(name)
        last = name
    return chain


def every_line_matters(chain: list[Definition]) -> bool:
    """Return whether an error of 1 in any line would change the answer."""
    for i, wrong in enumerate(chain):
        errors = {wrong.name: 1}
        for d in chain[i + 1 :]:
            errors[d.name] = d.apply(errors.get(d.left, 0), errors.get(d.right, 0))
        if not errors[chain[-1].name]:
            return False
    return True


def parse(prompt: str) -> DagProblem:
    """Return the problem that a prompt states."""
    body, _, query = prompt.removeprefix("dg:").rstrip("\n").partition("?")
    leaves, by_left = dict[str, int](), dict[str, Definition]()
    for item in body.split(","):
        name, _, value = item.partition("=")
        if value.isdigit():
            leaves[name] = parse_digits(value)
        else:
            by_left[value[0]] = Definition(name, value[0], value[1], value[2])
    start = next(leaf for leaf in leaves if leaf in by_left)
    chain, at = list[Definition](), start
    while at != query:
        chain.append(by_left[at])
        at = by_left[at].name
    return DagProblem(leaves, tuple(chain), prompt)


@dataclass(frozen=True, slots=True)
class DagMath:
    """Chains of 5 or 6 additions and subtractions (`tier`: easy 3-4, hard 7-9, never taught)."""

    tier: str = "default"

    def __post_init__(self) -> None:
        if self.tier not in TIERS:
            raise ConfigError(f"dagmath has no tier {self.tier!r}; known: {', '.join(TIERS)}")

    @property
    def name(self) -> str:
        return "dagmath"

    @property
    def sampling(self) -> Sampling:
        """One line per step, and at most as many tokens as the longest solution has."""
        return Sampling(top_p=TOP_P, max_tokens=18 * TIERS[self.tier][1] + 2, stop=("\n",))

    def prompt(self, text: str) -> str:
        """Return the problem on a line of its own.

        Raises:
            ConfigError: `text` is no problem of this task.
        """
        if not PROMPT.fullmatch(text.strip()):
            raise ConfigError(
                f"no dagmath problem: {text.strip()!r}; write it like dg:c=a+b,a=7025,b=1840?c"
            )
        return text.strip() + "\n"

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Yield problems of a split, the same ones for the same seed and tier."""
        for i, item in enumerate(self._problems(split, count, seed)):
            answer = str(item.values()[item.chain[-1].name])
            yield Example(Problem(f"dagmath-{self.tier}-{split}-{seed}-{i}", item.prompt), answer)

    def demonstrations(self, split: str, count: int, seed: int = 0) -> Iterator[Demonstration]:
        """Yield the same problems with their solutions, every line right."""
        for item in self._problems(split, count, seed):
            values = item.values()
            yield Demonstration(item.prompt, "\n".join(_line(d, values) for d in item.chain))

    def _problems(self, split: str, count: int, seed: int) -> Iterator[DagProblem]:
        family, depths = f"dagmath/{self.tier}", TIERS[self.tier]
        return distinct_problems(lambda r: draw(r, *depths), identity, split, count, family, seed)

    def answer(self, solution: str) -> str | None:
        """Return the last line's value as an ordinary number."""
        lines = solution.strip().splitlines()
        match = LINE.fullmatch(lines[-1]) if lines else None
        return str(parse_digits(match[7])) if match else None

    def check(self, example: Example, solution: str) -> bool:
        """Return whether the last line derives the queried letter and its value is right."""
        lines = solution.strip().splitlines()
        match = LINE.fullmatch(lines[-1]) if lines else None
        query = example.problem.prompt.rstrip("\n")[-1]
        return (
            match is not None
            and match[6] == query
            and str(parse_digits(match[7])) == example.answer
        )

    def step_labels(self, problem: Problem, solution: str) -> list[bool]:
        """Return for each line whether it and every line before it are exactly right."""
        item = parse(problem.prompt)
        values, right, labels = item.values(), True, list[bool]()
        for i, line in enumerate(solution.strip().splitlines()):
            right = right and i < len(item.chain)
            right = right and line == _line(item.chain[i], values)
            labels.append(right)
        return labels

    def sound(self, problem: Problem, solution: str) -> bool:
        """Return whether every line is right."""
        return all(self.step_labels(problem, solution))

    def exact(self, example: Example, solution: str) -> bool:
        """Return whether every line is right and the last one answers."""
        return self.check(example, solution) and self.sound(example.problem, solution)


def identity(item: DagProblem) -> str:
    """Return the canonical text of a problem, the same for any order of its definitions."""
    return f"{sorted(item.leaves.items())}{item.chain}"


def _line(d: Definition, values: dict[str, int]) -> str:
    left, right, result = digits(values[d.left]), digits(values[d.right]), digits(values[d.name])
    return f"{d.left}{left}{d.operator}{d.right}{right}={d.name}{result}"


def demonstrate(rng: Random) -> Demonstration | None:
    """Return a problem solved by a fallible demonstrator; None for one that is not in split train.

    An operator is misread with probability `HABIT` where the habit applies, else with `SLIP`. The lines
    after an error follow from it, as a person's would.
    """
    item = draw(rng, *TAUGHT)
    if split_of(identity(item)) != "train":
        return None
    values, lines, read = dict(item.leaves), list[str](), list[str]()
    for meant in item.chain:
        misread = rng.random() < (HABIT if tempts(read, meant) else SLIP)
        d = replace(meant, operator="-" if meant.operator == "+" else "+") if misread else meant
        values[d.name] = d.apply(values[d.left], values[d.right])
        lines.append(_line(d, values))
        read.append(d.operator)
    return Demonstration(item.prompt, "\n".join(lines))


def tempts(read: list[str], meant: Definition) -> bool:
    """Return whether the operators read so far form a habit that `meant` breaks."""
    return read[-2:] == ["+", "+"] and meant.operator == "-"

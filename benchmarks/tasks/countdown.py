"""`countdown`: combine five numbers into a target, one operation a line.

    cd:12,3,25,7,4=306
    12*25=300:3,7,4,300?+6
    300+3=303:7,4,303?+3
    303+7=310:4,310?-4
    310-4=306:306?+0

A line ends with the numbers left and with how far the target is from its result, so that a small
model need not plan that subtraction in its head; which product to begin with, it has to guess.

A problem is made by multiplying two of the numbers and adding or subtracting the others, so one
product out of ten pairs and one choice of signs is the intended way; any legal derivation counts.
64 uniform guesses (a pair in order and an operator, line by line) succeed in about 3 % of problems.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from reasoner.base import Example
from reasoner.benchmarks.tasks.demonstration import Demonstration
from reasoner.benchmarks.tasks.generated import distinct, split_of
from reasoner.errors import ConfigError
from reasoner.types import Problem, Sampling
from reasoner.verifiers.arithmetic import MOVE

TIERS = {"easy": 4, "default": 5, "hard": 6}
HIGHEST = 25
TARGETS = range(100, 401)
EXERCISES = 1 / 3
TOP_P = 0.98
"""A wider nucleus than that of `dagmath`: the right first product is often an unlikely one."""
PROMPT = re.compile(r"cd:\d+(,\d+)+=\d+")
ACCOUNT = re.compile(r"[^:]*:(\d{1,6}(?:,\d{1,6})*)\?([+-]\d{1,6})")

State = tuple[int, ...]


def apply(left: int, operator: str, right: int) -> int | None:
    """The result of one operation, or None where the game forbids it (fractions, zero, negatives)."""
    match operator:
        case "+":
            return left + right
        case "*":
            return left * right
        case "-":
            return left - right if left > right else None
        case _:
            return left // right if right and left % right == 0 else None


def move(state: State, line: str) -> State | None:
    """The numbers left after a line's operation, its result last; None where it is illegal or false."""
    match = MOVE.fullmatch(line)
    if match is None:
        return None
    left, right, result = int(match[1]), int(match[3]), int(match[4])
    have = Counter(state)
    have.subtract((left, right))
    if min(have.values()) < 0 or apply(left, match[2], right) != result:
        return None
    return (*sorted(have.elements()), result)


def play(state: State, line: str, target: int) -> State | None:
    """The numbers left after `line`, or None where its move is illegal or its account is wrong."""
    rest, match = move(state, line), ACCOUNT.fullmatch(line)
    if rest is None or match is None:
        return None
    noted = sorted(map(int, match[1].split(",")))
    return rest if noted == sorted(rest) and match[2] == f"{target - rest[-1]:+d}" else None


def moves(state: State) -> Iterator[State]:
    """Every state one legal operation away, sorted."""
    for i in range(len(state)):
        for j in range(len(state)):
            if i != j:
                rest = tuple(x for k, x in enumerate(state) if k not in (i, j))
                for operator in "+*-/" if i < j else "-/":
                    result = apply(state[i], operator, state[j])
                    if result is not None:
                        yield tuple(sorted((*rest, result)))


@lru_cache(maxsize=200_000)
def solvable(state: State, target: int) -> bool:
    """Whether some legal sequence of operations turns the sorted `state` into `target`."""
    if len(state) == 1:
        return state[0] == target
    return any(solvable(s, target) for s in set(moves(state)))


@dataclass(frozen=True, slots=True)
class Puzzle:
    """Numbers, a target, and the intended solution: the product first, sums, then differences."""

    numbers: State
    target: int
    solution: str

    @property
    def prompt(self) -> str:
        return f"cd:{','.join(map(str, self.numbers))}={self.target}\n"


def draw(rng: Random, size: int) -> Puzzle:
    """A random puzzle of `size` numbers that has a solution."""
    while True:
        numbers = [rng.randint(1, HIGHEST) for _ in range(size)]
        if min(numbers[:2]) == 1:
            continue
        signs = [rng.random() < 0.5 for _ in numbers[2:]]
        target = numbers[0] * numbers[1]
        target += sum(x if s else -x for s, x in zip(signs, numbers[2:], strict=True))
        if target in TARGETS:
            shown = rng.sample(numbers, size)
            return Puzzle(tuple(shown), target, _intended(shown, numbers, signs, target))


def _intended(shown: list[int], numbers: list[int], signs: list[bool], target: int) -> str:
    a, b = sorted(numbers[:2], key=shown.index)
    left = list(shown)
    left.remove(a)
    left.remove(b)
    total = a * b
    lines = [_line(a, "*", b, [*left, total], target)]
    plus = Counter(x for s, x in zip(signs, numbers[2:], strict=True) if s)
    added = [x for x in left if plus[x] and not plus.subtract([x])]
    rest = Counter(left)
    rest.subtract(added)
    for operator, group in (
        ("+", added),
        ("-", [x for x in left if rest[x] > 0 and not rest.subtract([x])]),
    ):
        for x in group:
            left.remove(x)
            result = total + x if operator == "+" else total - x
            lines.append(_line(total, operator, x, [*left, result], target))
            total = result
    return "\n".join(lines)


def _line(left: int, operator: str, right: int, rest: list[int], target: int) -> str:
    result = rest[-1]
    return f"{left}{operator}{right}={result}:{','.join(map(str, rest))}?{target - result:+d}"


@dataclass(frozen=True, slots=True)
class Term:
    """An expression, what it comes to (None where it breaks a rule), and the numbers it uses."""

    expression: str
    value: int | None
    numbers: list[int]

    def joined(self, operator: str, other: Term) -> Term:
        """`self operator other`; its numbers are sorted."""
        left, right = self.expression, other.expression
        if operator in "+*":
            left, right = sorted((left, right))
        value = None
        if self.value is not None and other.value is not None:
            value = apply(self.value, operator, other.value)
        return Term(f"({left}{operator}{right})", value, sorted(self.numbers + other.numbers))


@dataclass(frozen=True, slots=True)
class Countdown:
    """Five numbers up to 25, a target of 100 to 400 (`tier`: easy 4, default 5, hard 6 numbers)."""

    tier: str = "default"

    def __post_init__(self) -> None:
        if self.tier not in TIERS:
            raise ConfigError(f"countdown has no tier {self.tier!r}; known: {', '.join(TIERS)}")

    @property
    def name(self) -> str:
        return "countdown"

    @property
    def sampling(self) -> Sampling:
        """A line a step, at most as many tokens as the longest solution has."""
        return Sampling(top_p=TOP_P, max_tokens=28 * (TIERS[self.tier] - 1), stop=("\n",))

    def prompt(self, text: str) -> str:
        """A problem on a line of its own.

        Raises:
            ConfigError: it is no problem of this task.
        """
        if not PROMPT.fullmatch(text.strip()):
            raise ConfigError(
                f"no countdown problem: {text.strip()!r}; write it like cd:12,3,25,7,4=306"
            )
        return text.strip() + "\n"

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Problems of a split, the same for the same seed and tier."""
        family, size = f"countdown/{self.tier}", TIERS[self.tier]
        puzzles = distinct(lambda r: draw(r, size), identity, split, count, family, seed)
        for i, puzzle in enumerate(puzzles):
            problem = Problem(f"countdown-{self.tier}-{split}-{seed}-{i}", puzzle.prompt)
            yield Example(problem, str(puzzle.target))

    def answer(self, solution: str) -> str | None:
        """The whole derivation as one expression, operands of sums and products in order."""
        term = derive(solution)
        return term.expression if term else None

    def check(self, example: Example, solution: str) -> bool:
        """Whether the answer uses every number once and comes to the target, by the rules."""
        numbers, target = read(example.problem.prompt)
        term = derive(solution)
        return term is not None and term.value == target and term.numbers == sorted(numbers)

    def step_labels(self, problem: Problem, solution: str) -> list[bool]:
        """For each line, whether every line so far is legal and the target is still reachable."""
        numbers, target = read(problem.prompt)
        state: State | None = numbers
        labels = list[bool]()
        for line in solution.strip().splitlines():
            state = play(state, line, target) if state else None
            labels.append(state is not None and solvable(tuple(sorted(state)), target))
        return labels

    def sound(self, problem: Problem, solution: str) -> bool:
        """Check that every line's operation is legal and its result right, whatever its account."""
        state: State | None = read(problem.prompt)[0]
        for line in solution.strip().splitlines():
            state = move(state, line) if state else None
        return state is not None

    def exact(self, example: Example, solution: str) -> bool:
        """Whether every line is right, its account included, and the last one answers."""
        return self.check(example, solution) and all(self.step_labels(example.problem, solution))


def demonstrate(rng: Random) -> Demonstration | None:
    """A puzzle solved, or an exercise; None for a puzzle of another split than train.

    Solutions alone would only ever end on the target, and a model taught so forces a false last
    line where it has gone astray. In an exercise the moves are random and are not taught, what they
    lead to is.
    """
    puzzle = draw(rng, TIERS["default"])
    if split_of(identity(puzzle)) != "train":
        return None
    if rng.random() >= EXERCISES:
        return Demonstration(puzzle.prompt, puzzle.solution)
    solution = _astray(rng, puzzle)
    return Demonstration(puzzle.prompt, solution, tuple(_consequences(solution)))


def _astray(rng: Random, puzzle: Puzzle) -> str:
    """A legal derivation with a random first product and random signs."""
    numbers = rng.sample(puzzle.numbers, len(puzzle.numbers))
    signs = [rng.random() < 0.5 for _ in numbers[2:]]
    falls = sum(x for s, x in zip(signs, numbers[2:], strict=True) if not s)
    if numbers[0] * numbers[1] <= falls:
        signs = [True] * len(signs)
    return _intended(list(puzzle.numbers), numbers, signs, puzzle.target)


def _consequences(solution: str) -> Iterator[bool]:
    """For each character, whether it follows from the move that its line begins with."""
    for line in solution.splitlines(keepends=True):
        move = line.index("=") + 1
        yield from (i >= move for i in range(len(line)))


def identity(puzzle: Puzzle) -> str:
    """What makes two puzzles the same, whatever the order of their numbers."""
    return f"{sorted(puzzle.numbers)}={puzzle.target}"


def read(prompt: str) -> tuple[State, int]:
    """The numbers and the target that a prompt states."""
    numbers, _, target = prompt.removeprefix("cd:").strip().partition("=")
    return tuple(int(x) for x in numbers.split(",")), int(target)


def derive(solution: str) -> Term | None:
    """What the last line's result is made of, or None where a line is none.

    A line's result only names what it makes: the value is computed. Its account decides nothing, and
    may be cut short.
    """
    made, term = dict[int, list[Term]](), None
    for line in solution.strip().splitlines():
        match = MOVE.fullmatch(line)
        if match is None:
            return None
        left, right = (_take(made, int(match[i])) for i in (1, 3))
        term = left.joined(match[2], right)
        made.setdefault(int(match[4]), []).append(term)
    return term


def _take(made: dict[int, list[Term]], named: int) -> Term:
    terms = made.get(named)
    return terms.pop() if terms else Term(str(named), named, [named])

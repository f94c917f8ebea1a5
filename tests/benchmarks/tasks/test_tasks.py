"""The generated tasks: splits that cannot meet, checkers that cannot be fooled, exact labels."""

from __future__ import annotations

from random import Random

import pytest

from reasoner.base import Example
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.benchmarks.studies.false_lines import Count, count
from reasoner.benchmarks.tasks import countdown, dagmath
from reasoner.benchmarks.tasks.countdown import Countdown
from reasoner.benchmarks.tasks.dagmath import DagMath
from reasoner.benchmarks.tasks.generated import SPLITS, split_of
from reasoner.errors import ConfigError
from reasoner.types import Problem
from reasoner.verifiers.arithmetic import Arithmetic

TASKS = [Countdown(), DagMath()]
each = pytest.mark.parametrize("task", TASKS, ids=lambda t: t.name)
DAG = Example(Problem("d", "dg:d=c-b,b=1840,c=a+b,a=7025,e=3333?d\n"), "5207")
DAG_SOLUTION = "a7025+b1840=c8865\nc8865-b1840=d7025"
GAME = Example(Problem("g", "cd:12,3,25,7,4=306\n"), "306")
GAME_SOLUTION = """12*25=300:3,7,4,300?+6
300+3=303:7,4,303?+3
303+7=310:4,310?-4
310-4=306:306?+0"""


@each
def test_splits_are_disjoint_and_the_same_every_time(task: Countdown | DagMath) -> None:
    drawn = {s: {e.problem.prompt for e in task.examples(s, 400)} for s in SPLITS}
    assert all(len(prompts) == 400 for prompts in drawn.values())
    assert not drawn["train"] & drawn["test"]
    assert not drawn["dev"] & (drawn["train"] | drawn["test"])
    assert drawn["test"] == {e.problem.prompt for e in task.examples("test", 400)}


@pytest.mark.parametrize("size", [4, 5, 6])
def test_a_puzzle_keeps_its_split_however_its_numbers_are_ordered(size: int) -> None:
    rng = Random(0)
    puzzle = countdown.draw(rng, size)
    shuffled = countdown.Puzzle(tuple(sorted(puzzle.numbers)), puzzle.target, "")
    names = {countdown.identity(p) for p in (puzzle, shuffled)}
    assert len(names) == 1
    assert split_of(names.pop()) in SPLITS


def test_demonstrations_come_from_the_train_split_only() -> None:
    rng = Random(1)
    held = {e.problem.prompt for s in SPLITS[1:] for e in Countdown().examples(s, 2000)}
    taught = [d.prompt for _ in range(2000) if (d := countdown.demonstrate(rng))]
    assert not held & set(taught)
    derivations = [dagmath.parse(d.prompt) for _ in range(300) if (d := dagmath.demonstrate(rng))]
    assert {split_of(dagmath.identity(d)) for d in derivations} == {"train"}


def test_countdown_demonstrations_are_right_or_teach_what_moves_lead_to() -> None:
    rng, task, exercises = Random(2), Countdown(), 0
    shown = [d for _ in range(400) if (d := countdown.demonstrate(rng))]
    for d in shown:
        example = Example(Problem("", d.prompt), d.prompt.strip().partition("=")[2])
        assert len(d.solution) + 1 == len(d.mask) <= task.sampling.max_tokens
        if d.taught is None:
            assert task.exact(example, d.solution)
            continue
        exercises += 1
        state, target = countdown.read(d.prompt)
        for line in d.solution.splitlines():
            state = countdown.play(state, line, target) or ()
        assert len(state) == 1
        imitated = "".join(c for c, yes in zip(d.solution, d.taught, strict=True) if yes)
        assert "=" not in imitated and imitated.count("?") == 4
    assert 0.25 < exercises / len(shown) < 0.42


def test_demonstrators_err_by_chance_and_by_habit() -> None:
    rng, slips, habits = Random(3), list[bool](), list[bool]()
    for _ in range(600):
        if shown := dagmath.demonstrate(rng):
            chain, read = dagmath.parse(shown.prompt).chain, list[str]()
            for meant, line in zip(chain, shown.solution.splitlines(), strict=True):
                seen = habits if dagmath.tempts(read, meant) else slips
                read.append(line[5])
                seen.append(read[-1] != meant.operator)
    assert 0.11 <= sum(slips) / len(slips) <= 0.15
    assert 0.05 <= len(habits) / (len(slips) + len(habits)) <= 0.12
    assert 0.55 <= sum(habits) / len(habits) <= 0.75


def test_a_demonstrators_arithmetic_is_right() -> None:
    rng = Random(4)
    for _ in range(200):
        if shown := dagmath.demonstrate(rng):
            for line in shown.solution.splitlines():
                left, right = dagmath.parse_digits(line[1:5]), dagmath.parse_digits(line[7:11])
                d = dagmath.Definition(line[12], line[0], line[5], line[6])
                assert dagmath.parse_digits(line[13:]) == d.apply(left, right)


def test_dagmath_accepts_the_right_derivation_and_nothing_else() -> None:
    task = DagMath()
    assert task.exact(DAG, DAG_SOLUTION)
    assert task.answer(DAG_SOLUTION) == "5207"
    wrong = DAG_SOLUTION.replace("=d7025", "=d7026")
    assert not task.check(DAG, wrong)
    assert task.step_labels(DAG.problem, wrong) == [True, False]
    assert not task.check(DAG, "c8865-b1840=e7025")
    assert not task.check(DAG, "")
    assert task.answer("nonsense") is None


def test_every_line_of_a_problem_matters() -> None:
    cancels = [dagmath.Definition(*d) for d in ("ca+b", "dc+a", "ed-c")]
    assert not dagmath.every_line_matters(cancels)
    assert dagmath.every_line_matters(cancels[:2])
    assert all(
        dagmath.every_line_matters(list(dagmath.draw(Random(i), 5, 6).chain)) for i in range(50)
    )


def test_a_right_answer_by_a_wrong_line_is_not_exact() -> None:
    lucky = "a7025+b1840=c8866\nc8866-b1841=d7025"
    assert DagMath().check(DAG, lucky)
    assert not DagMath().exact(DAG, lucky)
    assert DagMath().step_labels(DAG.problem, lucky) == [False, False]


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("12*25=300:3,7,4,300?+6", [True]),
        ("12*25=301:3,7,4,301?+5", [False]),
        ("12*12=144:3,25,7,4,144?+162", [False]),
        ("12*25=300:3,7,300?+6", [False]),
        ("12*25=300:3,7,4,300?-6", [False]),
        ("12*25=300:3,7,4,300", [False]),
        ("12*25=300:x:3,7,4,300?+6", [False]),
        ("3-12=9:25,7,4,9?+297", [False]),
        ("25/3=8:12,7,4,8?+298", [False]),
        ("3*4=12:12,25,7?+294", [False]),
        ("", []),
        ("not a line", [False]),
    ],
)
def test_countdown_labels_legal_moves_that_leave_the_target_reachable(
    line: str, labels: list[bool]
) -> None:
    assert Countdown().step_labels(GAME.problem, line) == labels


def test_countdown_grades_whole_derivations() -> None:
    task = Countdown()
    assert task.exact(GAME, GAME_SOLUTION)
    assert task.answer(GAME_SOLUTION) == "((((12*25)+3)+7)-4)"
    unfinished = GAME_SOLUTION.rpartition("\n")[0]
    assert not task.check(GAME, unfinished)
    assert task.step_labels(GAME.problem, unfinished) == [True] * 3
    assert not task.check(GAME, GAME_SOLUTION + "\n306+0=306:306?+0")


def test_a_false_line_on_the_way_to_a_right_answer_is_counted() -> None:
    false = GAME_SOLUTION.replace("=303:", "=313:").replace("\n303+7", "\n313+7")
    cut = GAME_SOLUTION.replace("?-4", "?-")
    texts = {GAME_SOLUTION: True, false: True, cut: False, "12*25=300:3,7,4,300?+6": True}
    samples = tuple(
        Sample(answer=None, correct=recorded, score=None, tokens=1, text=text)
        for text, recorded in texts.items()
    )
    cut_off = samples[0].model_copy(update={"complete": False})
    record = Record(
        problem="g", index=0, correct=True, samples=(*samples, cut_off),
        question=GAME.problem.prompt, reference=GAME.answer,
    )  # fmt: skip
    assert count(Countdown(), [record]) == Count(
        task="countdown", solutions=4, right=3, lucky=1, missed=1, withdrawn=1
    )
    lucky = "a7025+b1840=c8866\nc8866-b1841=d7025"
    assert not DagMath().sound(DAG.problem, lucky) and DagMath().sound(DAG.problem, DAG_SOLUTION)


def test_countdown_checks_the_answer_and_not_its_account() -> None:
    task = Countdown()
    misnoted = GAME_SOLUTION.replace(":7,4,303?+3", ":7,5,303?+9")
    assert task.check(GAME, misnoted)
    assert not task.exact(GAME, misnoted)
    assert not task.check(GAME, GAME_SOLUTION.replace("310-4=306", "310-3=306"))
    for account in (":7,4,303?+", ":7,4,303?", ":", ""):  # Cut short, or left out.
        short = GAME_SOLUTION.replace(":7,4,303?+3", account)
        assert task.check(GAME, short) and Arithmetic().holds(GAME.problem, short)
        assert not task.exact(GAME, short)
    assert not task.check(GAME, GAME_SOLUTION.replace("=303:7,4,303?+3", "=303.5"))
    assert not task.check(GAME, "12*25=306:306?+0")
    assert not task.check(GAME, "not a line")


@pytest.mark.parametrize(
    ("lines", "worth"),
    [
        ("12*25=300:0?+0\n300-4=296:0?+0", 296),
        ("12*25=299:0?+0\n299-4=296:0?+0", 296),  # what a line says of its result only names it
        ("7/2=3:0?+0", None),
        ("3-3=0:0?+0\n1+0=1:0?+0", None),
    ],
)
def test_an_answer_comes_to_what_the_rules_allow(lines: str, worth: int | None) -> None:
    term = countdown.final_term(lines)
    assert term and term.value == worth


def test_solvable_agrees_with_trying_everything() -> None:
    assert countdown.solvable((2, 3), 6)
    assert countdown.solvable((2, 6), 3)
    assert not countdown.solvable((2, 3), 7)


def test_uniform_guesses_rarely_succeed() -> None:
    assert 64 / dagmath.MODULUS < 0.05
    rng, hits = Random(4), 0
    puzzles = [countdown.draw(rng, 5) for _ in range(60)]
    for puzzle in puzzles:
        hits += any(_guess(rng, puzzle) for _ in range(64))
    assert hits / len(puzzles) <= 0.15


def _guess(rng: Random, puzzle: countdown.Puzzle) -> bool:
    state = list(puzzle.numbers)
    while len(state) > 1:
        left, right = (state.pop(rng.randrange(len(state))) for _ in range(2))
        result = countdown.apply(left, rng.choice("+-*/"), right)
        if result is None:
            return False
        state.append(result)
    return state[0] == puzzle.target


@pytest.mark.parametrize("kind", [Countdown, DagMath])
def test_unknown_tiers_and_splits_are_told(kind: type[Countdown] | type[DagMath]) -> None:
    with pytest.raises(ConfigError, match=r"known: .*default"):
        kind(tier="impossible")
    with pytest.raises(ConfigError, match="known: train, dev, test"):
        list(kind().examples("tset", 1))


@pytest.mark.parametrize("task", [Countdown(), DagMath()], ids=["countdown", "dagmath"])
def test_what_is_no_problem_is_told(task: Countdown | DagMath) -> None:
    for example in task.examples("dev", 20):
        assert task.prompt(example.problem.prompt) == example.problem.prompt
    for text in ("hello", "", "cd:1", "dg:a=b?c"):
        with pytest.raises(ConfigError, match=f"no {task.name} problem.*write it like"):
            task.prompt(text)

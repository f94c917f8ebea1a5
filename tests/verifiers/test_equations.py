"""Stated arithmetic: what is read as an equation, and which equations hold."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.verifiers.common.equations import stated_equations
from reasoner.verifiers.equations import Equations
from tests.verifiers.test_confidence import PROBLEM, patient, said, values

WHOLE = st.integers(1, 999)


@pytest.mark.parametrize(
    "line",
    [
        "Ann has 3 * 12 = 36 pencils.",
        "It costs £71/hour * 13 hours = £923",
        "So 25-minute * 3 = 75 minutes",
        "He ran 3 x 4 = 12 km, or 3 × 4 = 12",
        "Warm water: 5+2(10)=25.0 minutes",
        "12÷2 = 6, and (3+4)*2 = 7*2 = 14",
        "75% of 28 = 21",
        "1/2 of 30 = 15",
        "350 / 1402 * 100% = 25%",
        "100% - 25% = 75%",
        "1,250 + 50 = 1,300 steps",
        "16 / 3 = 5.33, so 16 / 3 = 5 and 16 / 3 = 6",
        "1.1 * 3 = 3.3000000000000003",
        "13/65 = 1/5 km",
        "-3 + 5 = 2, and 3 - 5 = -2",
        "3. 4 + 4 = 8",
        "$5 - $2 = $3 = 3 * 1",
    ],
)
def test_true(line: str) -> None:
    equations = stated_equations(line)
    assert equations
    assert all(equation.holds for equation in equations)


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        ("golf balls: 48 * 0.75=34", "48 * 0.75"),
        ("£71/hour * 13 hours = £853", "71 * 13"),
        ("107 - 12 = 93 minutes left", "107 - 12"),
        ("850 + 100 = 1,050 seats", "850 + 100"),
        ("16 / 3 = 5.5", "16 / 3"),
        ("3 - 5 = 2", "3 - 5"),
        ("20% * 50 = 11", "20 * 50"),
    ],
)
def test_false(line: str, expression: str) -> None:
    [equation] = stated_equations(line)
    assert (equation.expression, equation.holds) == (expression, False)


@pytest.mark.parametrize(
    "line",
    [
        "", "=", "= =", "#### 36", "x = 91", "2x + 170 = 232", "12 + y = 15", "There are 36 = 3 dozen",
        "Let W be 5", "hours + 5 * 2 = 14", "5 / 0 = 3", "3 * 4 =", "3 * 4 = ?", "* 3 = 3", "2 ** 3 = 8",
    ],
)  # fmt: skip
def test_no_equation(line: str) -> None:
    assert stated_equations(line) == ()


@patient
@given(WHOLE, st.sampled_from("+-*/"), WHOLE, st.integers(-3, 3))
def test_a_stated_result_holds_if_it_is_the_value(
    left: int, operator: str, right: int, error: int
) -> None:
    value = {
        "+": Fraction(left + right),
        "-": Fraction(left - right),
        "*": Fraction(left * right),
        "/": Fraction(left, right),
    }[operator]
    stated = round(value) + error
    [equation] = stated_equations(f"Then {left} {operator} {right} = {stated} are left.")
    assert equation.holds is (abs(value - stated) < 1)


@patient
@given(st.text(alphabet="0123456789+-*/().,=%$x aof\n", max_size=60) | st.text(max_size=60))
def test_any_text_has_a_score(text: str) -> None:
    [score] = asyncio.run(Equations().score(PROBLEM, [said(text)])).scores
    assert 0 <= score.value <= 1
    assert all(0 <= step <= 1 for step in score.steps)


@pytest.mark.parametrize(
    "text", ["9" * 100_000, "1+" * 50_000, "=" * 100_000, "(" * 100_000, "a " * 50_000]
)
def test_a_long_text_takes_no_time(text: str) -> None:
    start = time.process_time()
    values(Equations(), said(f"{text} = {text}"))
    assert time.process_time() - start < 2


def test_every_false_equation_lowers_the_score() -> None:
    right, wrong = "3 * 4 = 12\n", "3 * 4 = 13\n"
    verifier = Equations(doubt=0.2)
    texts = right, right + wrong, wrong + right + wrong, "no equation"
    assert values(verifier, *map(said, texts)) == pytest.approx([1, 0.2, 0.04, 0.5])
    [score] = asyncio.run(verifier.score(PROBLEM, [said(f"{right}{wrong}so 5\n")])).scores
    assert score.steps == pytest.approx((1, 0.2, 0.5))


def test_a_line_under_way_is_not_judged() -> None:
    under_way = said("3 * 4 = 12\n12 * 9 = 1", complete=False)
    [score] = asyncio.run(Equations().score(PROBLEM, [under_way])).scores
    assert (score.value, score.steps) == (1.0, (1.0,))
    assert values(Equations(), said("12 * 9 = 1", complete=False), said("12 * 9 = 1")) == [0.5, 0.1]


def test_a_step_may_have_several_lines() -> None:
    text = "3 * 4 = 12\n1 + 1 = 3\n\n2 + 2 = 4"
    [score] = asyncio.run(Equations(separator="\n\n").score(PROBLEM, [said(text)])).scores
    assert score.steps == (0.1, 1.0)

"""Grading by numeric match."""

import re
from dataclasses import dataclass
from fractions import Fraction

from reasoner.benchmarks.tasks.grading.exact import plain

_BRACKETS = re.compile(r"^\(([^(),]*)\)$")
_FRACTION = re.compile(r"\\frac(?:\{([+-]?\d+)\}\{(\d+)\}|(\d)(\d))", re.ASCII)
_MIXED = re.compile(r"([+-]?) ?(?:(\d+) )?(\d+/\d+)", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_LIST = re.compile(r"\d, +\d")
_UNIT = re.compile(
    r"(?<=[\d}]) ?[A-Za-z]{2,}(?:[. /]+(?:a +)?[A-Za-z]{2,})*[. ]*(?:\^[23]|\^\{[23]\})?$", re.ASCII
)
_NO_UNIT = re.compile(
    r"(?<![A-Za-z])(?:hundred|thousand|[mbtr]+illion|dozen|half|halve|percent|pi|and|or)s?(?![A-Za-z])"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number, and whether it is written as a decimal or as a percentage."""

    value: Fraction
    decimal: bool = False
    percent: bool = False

    def equals(self, other: "Number", tolerance: float = 0.0) -> bool:
        """Return whether both are equal, up to a relative `tolerance` of `other`.

        A decimal is compared to six places, as in math-verify; 25% equals both 25 and 0.25.
        """
        pairs = [(self.value, other.value)]
        if self.percent != other.percent:
            pairs.append(
                (self.value / 100, other.value) if self.percent else (self.value, other.value / 100)
            )
        places = Fraction(1, 2_000_000) if self.decimal or other.decimal else Fraction(0)
        return any(abs(a - b) <= max(places, Fraction(tolerance) * abs(b)) for a, b in pairs)


def numeric(answer: str, reference: str, tolerance: float = 0.0) -> bool:
    """Return whether both are one number in any spelling and unit: `$1,800` is `1800.00 dollars`.

    `tolerance` is relative to the reference; zero requires six decimal places of a decimal, and equality
    of anything else.
    """
    stated, wanted = (number(text, unit=True) for text in (answer, reference))
    return stated is not None and wanted is not None and stated.equals(wanted, tolerance)


def number(text: str, unit: bool = False) -> Number | None:
    """Return the number that `text` spells: an integer, a decimal, a fraction or a mixed number.

    With `unit`, a unit may follow it, and `x =` precede it.
    """
    if _LIST.search(text):
        return None
    text = _BRACKETS.sub(r"\1", _bare(plain(text)) if unit else plain(text))
    text = text.replace("$", "").removesuffix("^\\circ")
    spelled = _FRACTION.sub(lambda m: f" {m[1] or m[3]}/{m[2] or m[4]}", text.removesuffix("%"))
    try:
        value = _value(spelled.strip())
    except (ValueError, ZeroDivisionError):
        return None
    return None if value is None else Number(value, "." in text, text.endswith("%"))


def canonical(answer: str) -> str:
    """Return one spelling for equal numbers, and `plain` for other answers, so that equal answers vote alike."""
    value = number(answer)
    return plain(answer) if value is None or value.percent else str(value.value)


def _value(text: str) -> Fraction | None:
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if _DECIMAL.fullmatch(text):
        return Fraction(text)
    if mixed := _MIXED.fullmatch(text):
        sign, whole, part = mixed.groups()
        return (int(whole or 0) + Fraction(part)) * (-1 if sign == "-" else 1)
    return None


def _bare(text: str) -> str:
    """Return the right-hand side of an equation, without the unit after it."""
    text = text.rpartition("=")[2]
    return text if _NO_UNIT.search(text) else _UNIT.sub("", text)

"""Verdict tokens: the token that ends a step encodes the model's verdict on the step.

A model folder may hold `reasoner.json`:

    {"verdicts": [{"good": 3, "bad": 4, "levels": [64, 128]}, ...], "eos": [1, 2, ...]}

`good` and `bad` both end a step (or a solution); the log-odds of one against the other are the
verdict. A server with the logits processor `verdict_logits.Levels` writes the verdict itself into the
sampled token: one of the tokens in `range(*levels)`, evenly spaced in log-odds. So a verdict costs no
token, no request and no log-probability, and is read back by one table look-up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError
from reasoner.files import read_bytes, shown

LOG_ODDS = 8.0
"""The log-odds of the highest level, and minus those of the lowest: probabilities .9997 and .0003."""
MOST_LEVELS = 65_536


@dataclass(frozen=True, slots=True)
class Ending:
    """One kind of end: the two tokens whose odds are the verdict, and the level tokens that encode it."""

    good: int
    bad: int
    levels: range

    def verdicts(self) -> dict[int, float]:
        """Return the probability that each level stands for."""
        step = 2 * LOG_ODDS / (len(self.levels) - 1)
        return {t: 1 / (1 + exp(LOG_ODDS - i * step)) for i, t in enumerate(self.levels)}


def table(folder: Path) -> dict[int, float]:
    """Return all verdict tokens of a model folder, with the probability each stands for."""
    return {token: value for e in endings(folder) for token, value in e.verdicts().items()}


def verdicts_of(ids: Sequence[int], verdicts: Mapping[int, float]) -> tuple[float, ...]:
    """Return the verdicts among sampled tokens, in order."""
    return tuple(verdicts[i] for i in ids if i in verdicts)


Token = Annotated[int, Field(ge=0, lt=2**31)]


class _Ending(BaseModel):
    """An ending in `reasoner.json`."""

    good: Token
    bad: Token
    levels: tuple[Token, Token]

    @model_validator(mode="after")
    def _level_count(self) -> Self:
        first, end = self.levels
        if not 2 <= end - first <= MOST_LEVELS:
            raise ValueError(f"there must be 2 to {MOST_LEVELS} levels")
        return self


class Description(BaseModel):
    """The content of `reasoner.json`."""

    verdicts: tuple[_Ending, ...] = ()
    eos: tuple[Token, ...] = ()


def described(folder: Path) -> Description:
    """Read `reasoner.json` in `folder`; an empty description if there is none.

    Raises:
        ConfigError: the file is invalid.
    """
    file = folder / "reasoner.json"
    if not os.path.lexists(file):
        return Description()
    try:
        return parse_model(Description, read_bytes(file))
    except Malformed as e:
        raise ConfigError(f"{shown(file)} describes no verdict tokens: {e}") from e


def endings(folder: Path) -> list[Ending]:
    """Return the kinds of end with verdicts of the model in `folder`."""
    return [Ending(e.good, e.bad, range(*e.levels)) for e in described(folder).verdicts]

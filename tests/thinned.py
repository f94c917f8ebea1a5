"""Long lists of cases, of which each run of the tests tries a part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

QUICK = 3
"""Of so many cases, one is tried in every run; the others are marked `slow`, for `make check-slow`."""


def thinned(cases: Iterable[Any]) -> list[Any]:
    """Return the cases as parameters of a test, most of them marked `slow`."""
    return [
        pytest.param(case, marks=pytest.mark.slow if i % QUICK else ())
        for i, case in enumerate(cases)
    ]

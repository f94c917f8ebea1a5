"""Properties that are meant to fail, without the search for the smallest example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings

SETTINGS = "_hypothesis_internal_use_settings"


def unshrunk(suite: type, rule: str, patch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return the test of a suite, which ends with the first example that fails."""
    test = getattr(suite, rule)
    if own := getattr(test, SETTINGS, None):
        patch.setattr(test, SETTINGS, settings(own, phases=[Phase.generate]))
    found: Callable[..., Any] = getattr(suite(), rule)
    return found

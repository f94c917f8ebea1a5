"""Packages that tests need, looked up and not imported."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def need(*packages: str) -> None:
    """Skip the test, or the whole module where it is called at the top, unless these are installed."""
    for package in packages:
        if not installed(package):
            pytest.skip(f"{package} is not installed", allow_module_level=True)


def installed(package: str) -> bool:
    """Return True if a package, or a module in one, can be imported."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False

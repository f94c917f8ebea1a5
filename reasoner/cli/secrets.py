"""Secrets on the command line: replaced by references before anything is stored."""

from __future__ import annotations

from typing import Any

from reasoner.secret_settings import hidden
from reasoner.terminal import complain

COMPONENTS = ("backend", "base_url", "verifier", "strategy", "task", "arms", "model", "data")
"""Options whose settings or address may hold a secret."""


def without_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Replace the secrets among typed options by references, and warn that others could see them."""
    components = {name: values[name] for name in COMPONENTS if name in values}
    replaced = hidden(components)
    if replaced is not components:
        complain(
            "warning: other users of this machine see a secret on the command line; put it in an"
            " environment variable, OPENAI_API_KEY or one that you name: api_key='env:MY_KEY'"
        )
    return {**values, **replaced}

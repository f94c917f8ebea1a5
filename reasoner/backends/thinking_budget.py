"""vLLM's limit of the tokens of thinking, as a field of a request."""

from __future__ import annotations

from reasoner.errors import ConfigError
from reasoner.types import Sampling


def thinking_budget(sampling: Sampling, vllm: bool) -> dict[str, int]:
    """Return the field that limits thinking; none where it is not limited.

    Raises:
        ConfigError: the server is no vLLM, and would ignore the field.
    """
    if sampling.thinking_budget is None:
        return {}
    if not vllm:
        raise ConfigError(
            "the server is no vLLM and does not limit thinking; use budget-forcing(native=False),"
            " which cuts the text"
        )
    return {"thinking_token_budget": sampling.thinking_budget}

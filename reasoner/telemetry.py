"""OpenTelemetry spans: one per search, and in it one per call on the ledger.

They hold settings and numbers, never a prompt, a sample, an answer or an error's message. Without a tracer
provider nothing is imported: an application that sets one has imported OpenTelemetry itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from reasoner.types import Sampling, Usage

Attributes = Mapping[str, str | int | float | bool | None]
"""Attributes of a span; those that are None are left out."""
TRACE = "opentelemetry.trace"


@contextmanager
def span(name: str) -> Generator[None]:
    """Record the block as a span within the current one; an error is recorded by its type alone."""
    if not sys.modules.get(TRACE):
        yield
        return
    from opentelemetry import trace

    with trace.get_tracer("reasoner").start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as e:
            current.set_attribute("error.type", type(e).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise


def annotate(attributes: Callable[[], Attributes]) -> None:
    """Add attributes to the current span; they are computed only where a span is recorded."""
    if not sys.modules.get(TRACE):
        return
    from opentelemetry import trace

    if (current := trace.get_current_span()).is_recording():
        current.set_attributes({k: v for k, v in attributes().items() if v is not None})


def request_attributes(model: str, sampling: Sampling) -> Attributes:
    """Return the attributes of a request to a model, by the conventions for generative AI."""
    return {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.request.model": model,
        "gen_ai.request.choice.count": sampling.n,
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.seed": sampling.seed,
    }


def usage_attributes(usage: Usage) -> Attributes:
    """Return the cost in the ledger's numbers, with the conventions' names where they have one."""
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "reasoner.usage.thinking_tokens": usage.thinking_tokens,
        "reasoner.usage.estimated_tokens": usage.estimated_tokens,
        "reasoner.usage.requests": usage.requests,
        "reasoner.usage.flops": usage.flops,
    }

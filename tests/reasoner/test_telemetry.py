"""Spans tell the cost of searches and calls, and nothing of their texts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from reasoner import BackendError, Budget, Reasoner, Result
from reasoner.backends.scripted import Scripted
from tests.needs import need

need("opentelemetry.sdk")
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

QUESTION = "1+2+3"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Yield the spans of the test; the provider of the process stays as it is."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with patch.object(trace, "get_tracer", provider.get_tracer):
        yield memory
    provider.shutdown()


def solved() -> Result:
    with Reasoner("scripted", strategy="best-of-n(n=4)", verifier="verdict") as solver:
        return solver.solve(QUESTION, budget=Budget(tokens=5000))


def named(spans: tuple[ReadableSpan, ...], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def test_calls_are_children_of_the_search_and_add_up(exporter: InMemorySpanExporter) -> None:
    result = solved()
    spans = exporter.get_finished_spans()
    (search,) = named(spans, "search")
    calls = [span for span in spans if span is not search]
    assert {span.name for span in calls} == {"generator", "verifier"}
    assert all(span.parent and span.parent.span_id == search.context.span_id for span in calls)
    assert search.attributes
    for name, spent in [
        ("gen_ai.usage.input_tokens", result.usage.prompt_tokens),
        ("gen_ai.usage.output_tokens", result.usage.completion_tokens),
        ("gen_ai.usage.cache_read.input_tokens", result.usage.cached_tokens),
        ("reasoner.usage.flops", pytest.approx(result.usage.flops)),
    ]:
        assert search.attributes[name] == spent
        assert sum((span.attributes or {})[name] for span in calls) == spent  # type: ignore[misc]


def test_a_search_tells_its_settings_and_its_end(exporter: InMemorySpanExporter) -> None:
    solved()
    (search,) = named(exporter.get_finished_spans(), "search")
    assert search.attributes and search.attributes.items() >= {
        ("reasoner.strategy", "best-of-n"),
        ("reasoner.strategy.n", 4),
        ("reasoner.verifier", "verdict"),
        ("reasoner.budget.tokens", 5000),
        ("reasoner.stopped", "done"),
        ("reasoner.answered", True),
    }
    (request,) = named(exporter.get_finished_spans(), "generator")
    assert (request.attributes or {})["gen_ai.request.choice.count"] == 4


def test_no_span_holds_a_text(exporter: InMemorySpanExporter) -> None:
    result = solved()
    exported = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert result.text and QUESTION not in exported
    assert not any(solution.candidate.text in exported for solution in result.candidates)


def test_a_failure_is_its_type_and_its_cost(exporter: InMemorySpanExporter) -> None:
    with patch.object(Scripted, "generate", side_effect=BackendError("the text of a sample")):
        result = solved()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["generator", "search"]
    for span in spans:
        assert span.attributes and span.attributes["error.type"] == "BackendError"
        assert span.attributes["gen_ai.usage.input_tokens"] == result.usage.prompt_tokens > 0
        assert "the text of a sample" not in span.to_json()


def test_opentelemetry_is_not_imported_for_a_search() -> None:
    code = (
        "import sys\nfrom reasoner import Reasoner\n"
        f"with Reasoner('scripted', strategy='majority') as solver: solver.solve({QUESTION!r})\n"
        "assert 'opentelemetry' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Counters and histograms of the server, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.registry import Collector

from reasoner.budget import GENERATOR
from reasoner.events import Result
from reasoner.types import Usage

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class EngineMetrics(Collector):
    """The metrics of a vLLM engine in this process, which vLLM registers for the process as a whole."""

    def collect(self) -> Iterator[Metric]:
        """Yield those that there are now."""
        return (metric for metric in REGISTRY.collect() if metric.name.startswith("vllm:"))


class Metrics:
    """The content of `/metrics`; labels are names from the registry, never a client's text."""

    def __init__(self, running: Callable[[], float], waiting: Callable[[], float]) -> None:
        own = self.registry = CollectorRegistry()
        own.register(EngineMetrics())
        self._requests = Counter(
            "reasoner_requests",
            "Requests by endpoint and status",
            ("endpoint", "code"),
            registry=own,
        )
        self._tokens = Counter(
            "reasoner_tokens", "Tokens by role and kind", ("role", "kind"), registry=own
        )
        self._flops = Counter("reasoner_flops", "FLOPs of all models", registry=own)
        self._stopped = Counter(
            "reasoner_stopped", "Searches by strategy and end", ("strategy", "why"), registry=own
        )
        self._seconds = Histogram(
            "reasoner_search_seconds", "Seconds of a search", ("strategy",),
            buckets=SECONDS, registry=own,
        )  # fmt: skip
        self._first = Histogram(
            "reasoner_first_token_seconds", "Seconds until the first sample", ("strategy",),
            buckets=SECONDS, registry=own,
        )  # fmt: skip
        for name, read in (("searches_running", running), ("queue", waiting)):
            gauge = Gauge(f"reasoner_{name}", f"Searches: {name.replace('_', ' ')}", registry=own)
            gauge.set_function(read)

    def answered(self, endpoint: str, code: int) -> None:
        """Count a request and its status code."""
        self._requests.labels(endpoint, str(code)).inc()

    def first(self, strategy: str, seconds: float) -> None:
        """Record the time until the first sample of a search."""
        self._first.labels(strategy).observe(seconds)

    def searched(self, strategy: str, result: Result) -> None:
        """Count a search that ended, and what it spent."""
        self._stopped.labels(strategy, str(result.stopped)).inc()
        self._seconds.labels(strategy).observe(result.seconds)
        self.spent(result.by_role)

    def cancelled(self, strategy: str, decoded: int) -> None:
        """Count a search whose client went away, and the tokens that were sampled for it."""
        self._stopped.labels(strategy, "cancelled").inc()
        self._tokens.labels(GENERATOR, "decoded").inc(decoded)

    def spent(self, by_role: dict[str, Usage]) -> None:
        """Count tokens and FLOPs of each role."""
        for role, usage in by_role.items():
            for kind, count in (
                ("fresh", usage.fresh_tokens),
                ("cached", usage.cached_tokens),
                ("decoded", usage.completion_tokens),
            ):
                self._tokens.labels(role, kind).inc(count)
            self._flops.inc(usage.flops)

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self.registry)

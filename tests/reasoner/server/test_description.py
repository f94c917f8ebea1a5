"""The description of the API, and requests that schemathesis makes from it: no 5xx, no other error."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from reasoner.backends.scripted import Scripted
from reasoner.server.description import BODIES, READ
from tests.reasoner.server.conftest import Running, serving

schemathesis = pytest.importorskip("schemathesis")


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    """A server whose searches are small, whatever is asked for."""
    with serving(Scripted(), budget={"tokens": 200, "requests": 20}, size=4) as started:
        yield started


def test_it_has_every_endpoint(small: Running) -> None:
    document = httpx.get(f"{small.url}/openapi.json").json()
    assert set(document["paths"]) == {*BODIES, *READ}
    assert {"ChatRequest", "SearchOptions", "Error"} <= set(document["components"]["schemas"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", BODIES)
def test_requests_from_the_description_are_served_or_refused(small: Running, path: str) -> None:
    schema = schemathesis.openapi.from_url(f"{small.url}/openapi.json")
    operation = schema[path]["POST"]

    @settings(
        max_examples=40, phases=[Phase.generate], derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def check(case: object) -> None:
        body = getattr(case, "body", None)
        reply = httpx.post(f"{small.url}{path}", json=_named(body), timeout=60)
        assert reply.status_code < 500, (body, reply.text)
        if reply.status_code >= 400:
            assert set(reply.json()["error"]) == {"message", "type", "param", "code"}

    check()


def _named(body: object) -> object:
    """Return a body with a model that exists in place of a random name."""
    return {**body, "model": "toy:majority"} if isinstance(body, dict) and "model" in body else body

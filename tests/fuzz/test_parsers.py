"""Parsers under random damage: a value or our own error comes of it, and nothing else.

The long form: REASONER_FUZZ_SECONDS=600 python -m pytest -m slow tests/fuzz
"""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

SECONDS = float(os.environ.get("REASONER_FUZZ_SECONDS", "60"))
BATCH = 100
PARTS = [
    b"NaN", b"Infinity", b"1e999", b"-1", b"9" * 30, b"9" * 5000, b"null", b"[]", b"{}", b"true",
    b'"\\ud800"', b"\\udfff", b"\xff", b"\xed\xa0\x80", b"\0", b'"', b",", b"[" * 300, b'{"a":' * 300,
    b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"0.5", b"&a [*a]", b"*a", b": ", b"- ", b"!!binary ",
    b"!!python/name:os.system ", b"<<: ", b"? ", b"0x" + b"f" * 5000, b"2001-99-99", b"(" * 300, b"=",
    b"'", b"x=", b"\xe2\x80\xa8", b"\x1b[2J", b"a" * 5000, b"1" + b"0" * 400, b'"text":', b'"usage":',
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A text with some parts cut out, doubled, or replaced; seldom something else altogether."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    blob = whole
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(blob)))
        end = min(len(blob), start + draw(st.sampled_from((0, 0, 1, 2, 5, 20, 200))))
        kind = draw(st.integers(0, 3))
        part = (
            draw(st.sampled_from(PARTS)) if kind < 2
            else draw(st.binary(max_size=8)) if kind == 2
            else blob[start:end] * 2
        )  # fmt: skip
        blob = blob[:start] + part + blob[end:]
    return blob


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_whole_is_taken(name: str) -> None:
    assert TARGETS[name](TARGETS[name].whole)


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_told(name: str) -> None:
    accepted = _fuzz(name, examples=25, start=0)
    assert len(accepted) >= 25 and False in accepted


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_told_for_long(name: str) -> None:
    end, batch = time.monotonic() + SECONDS / len(TARGETS), time.time_ns() >> 20
    accepted = list[bool]()
    while time.monotonic() < end:
        batch += 1
        accepted += _fuzz(name, examples=BATCH, start=batch)
    assert len(accepted) >= BATCH and False in accepted


def _fuzz(name: str, examples: int, start: int) -> list[bool]:
    """Try damaged texts, and return for each True if the parser accepts it.

    Anything but a value or an error of ours fails, and so does a text that takes five seconds.
    """
    target, accepted = TARGETS[name], list[bool]()

    @seed(start)
    @settings(
        max_examples=examples, database=None, derandomize=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(damaged(target.whole))
    def attempt(blob: bytes) -> None:
        began = time.process_time()
        accepted.append(target(blob))
        assert time.process_time() - began < 5

    attempt()
    return accepted

"""The channel between a test and a program: plain values, whatever is sent."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.sandbox.harness import (
    DEPTH,
    LONGEST,
    Channel,
    MalformedValue,
    NotPlain,
    decode,
    encode,
)

KINDS = {type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict}
ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.binary(),
    st.complex_numbers(allow_nan=False), st.text(st.characters()),
)  # fmt: skip
HASHABLE = ATOMS | st.tuples(ATOMS, ATOMS) | st.frozensets(ATOMS, max_size=3)
VALUES = st.recursive(
    HASHABLE | st.sets(HASHABLE, max_size=3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner),
        st.lists(st.tuples(ATOMS, inner), max_size=3).map(dict),
    ),
    max_leaves=10,
)  # fmt: skip
HEADERS = st.builds(
    lambda kind, size, rest: b"%s %d\n" % (kind.__name__.encode(), size) + rest,
    st.sampled_from(sorted(KINDS, key=str)), st.integers(-2, 9), st.binary(),
)  # fmt: skip


def kinds(value: Any) -> set[type]:
    """The types in a value."""
    inner = value.items() if isinstance(value, dict) else value
    nested = inner if isinstance(value, (list, tuple, set, frozenset, dict)) else ()
    return {type(value)}.union(*map(kinds, nested))


@given(VALUES)
def test_a_value_comes_as_it_went(value: Any) -> None:
    copy = decode(encode(value))
    assert copy == value and kinds(copy) == kinds(value)


@given(st.one_of(st.binary(), HEADERS, st.lists(HEADERS).map(b"".join)))
def test_whatever_is_sent_is_plain_or_refused(data: bytes) -> None:
    with suppress(MalformedValue):
        assert kinds(decode(data)) <= KINDS


@given(VALUES, st.data())
def test_a_value_with_a_byte_changed_is_plain_or_refused(value: Any, data: st.DataObject) -> None:
    changed = bytearray(encode(value))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] = data.draw(st.integers(0, 255))
    with suppress(MalformedValue):
        assert kinds(decode(bytes(changed))) <= KINDS


@pytest.mark.parametrize("value", [object(), print, range(3), iter([]), [bytearray()], {"a": os}])
def test_what_is_not_plain_does_not_go(value: object) -> None:
    with pytest.raises(NotPlain):
        encode(value)


def test_a_class_does_not_go() -> None:
    class Number(float):
        def __repr__(self) -> str:
            return "0"

    class Numbers(list[int]):
        def __iter__(self) -> Any:
            return iter(())

    copy = decode(encode([Number(1.5), Numbers([1])]))
    assert copy == [1.5, [1]] and kinds(copy) == {list, float, int}


def test_bounds() -> None:
    deep: list[Any] = []
    for _ in range(DEPTH - 1):
        deep = [deep]
    assert decode(encode(deep)) == deep
    for value in ([deep], "x" * LONGEST):
        with pytest.raises(MalformedValue):
            encode(value)
    with pytest.raises(MalformedValue):
        decode(b"list 1\n" * DEPTH + encode([]))


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", EOFError),
        (b"\0\0\0", EOFError),
        (b"\0\0\0\x09int 1\n", EOFError),
        (b"\xff\xff\xff\xff", MalformedValue),
        (b"\0\0\0\x08int 1\nff", MalformedValue),
    ],
)
def test_a_message_is_whole_or_refused(sent: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        Channel(BytesIO(sent), BytesIO()).receive()


@given(VALUES)
def test_messages_follow_one_another(value: Any) -> None:
    pipe = BytesIO()
    channel = Channel(pipe, pipe)
    channel.send(value)
    channel.send("next")
    pipe.seek(0)
    assert [channel.receive(), channel.receive()] == [value, "next"]

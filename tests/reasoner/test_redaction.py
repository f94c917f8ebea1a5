"""Masking of secrets: what is masked in an address, and that no text takes long."""

from __future__ import annotations

import time

import pytest

from reasoner.redaction import redacted

LETTERS = 40_000
SECONDS = 1.0
"""A hundred times what such a text takes; one that is read anew at each place takes a minute."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:pw@host/v1", "http://***@host/v1"),
        ("http://me:p@w@host/v1 more", "http://***@host/v1 more"),
        ("http://a/?next=http://me:pw@host", "http://***@host"),
        ("http://env:LOGIN@host/v1", "http://env:LOGIN@host/v1"),
        ("http://env:LOGIN@host/?next=http://me:pw@b", "http://env:LOGIN@host/?next=http://***@b"),
        ("http://***@host", "http://***@host"),
        ("http://host/v1 and me@host", "http://host/v1 and me@host"),
        ("'http://me:pw@host' 'http://you:pw@host'", "'http://***@host' 'http://***@host'"),
        ("http://@host", "http://@host"),
        ("--api-key abc --n 4", "--api-key *** --n 4"),
        ("(--token abc)", "(--token *** "[:-1]),
        (r"{\"api_key\": \"abc\", \"n\": 4}", r"{\"api_key\": ***, \"n\": 4}"),
    ],
)
def test_what_is_masked(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "piece",
    ["-", "_-", "://", "http://", "://env:a@", "://***@", "--token ", "token= ", "token='", "headers={",
     "authorization: ", "Bearer ", "&key=", "sk-", "\\", "token=\\'\\\\", '"', " ", "a"],
)  # fmt: skip
@pytest.mark.parametrize("start", ["", "token=\\'", "headers={"])
def test_no_text_takes_long(piece: str, start: str) -> None:
    text = start + piece * (LETTERS // len(piece))
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < SECONDS

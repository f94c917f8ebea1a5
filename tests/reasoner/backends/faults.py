"""Faults of servers, by name."""

from __future__ import annotations

import gzip
import json
from email.utils import formatdate
from time import time
from typing import Any

from tests.reasoner.backends.loopback import (
    END,
    KEY,
    SPENT,
    STREAM,
    Send,
    changed,
    choice,
    event,
    flood,
    http,
    never,
    piece,
    samples,
    slowly,
    spent,
    stream,
    text,
    then_good,
    usage,
    whole,
)

DEEP = "[" * 100_000
BOMB = gzip.compress(b" " * 10_000_000)
CHUNKED: dict[str, Any] = {"Content_Length": None, "Transfer_Encoding": "chunked"}
LOGPROBS = {
    "tokens": ["#", "42"],
    "token_logprobs": [-0.1, -0.2],
    "top_logprobs": [{"#": -0.1}, {"42": -0.2}],
}


def logprobs(**changes: Any) -> Send:
    """Samples with these log-probabilities."""
    return samples(logprobs=LOGPROBS | changes)


ANSWERED: dict[str, Send] = {
    "usage-null": changed(usage=None),
    "usage-empty": changed(usage={}),
    "usage-without-details": spent(prompt_tokens_details=None),
    "usage-completion-null": spent(completion_tokens=None),
    "usage-more-than-asked": spent(completion_tokens=1000),
    "finish-missing": samples(finish_reason=None),
    "finish-unknown": samples(finish_reason="tired"),
    "finish-filtered": samples(finish_reason="content_filter"),
    "logprobs-null": samples(logprobs=None),
    "logprobs-minus-infinity": text('"#42"', '"#42", "logprobs": {"token_logprobs": [-Infinity]}'),
    "logprobs-plain": logprobs(),
    "unknown-fields": samples(reasoning=[[]], matched_stop={}),
    "choices-too-few": changed(choices=[choice()]),
    "prompt-ids": samples(prompt_token_ids=[1, 2]),
    "text-lone-surrogate": text("#42", "#4\\ud8002"),
    "text-invalid-utf8": text("#42", b"#4\xff\xfe2"),
    "text-nul": text("#42", "#4\\u00002"),
    "text-pair": text("#42", "#\\ud83d\\ude00"),
    "byte-order-mark": text('{"choices"', b'\xef\xbb\xbf{"choices"'),
    "500-then-good": then_good(http("oops", 500)),
    "429-then-good": then_good(http("", 429, Retry_After="0")),
    "closed-then-good": then_good(b""),
    "cut-then-good": then_good(http("{}", Content_Length=100)),
    "429-later": then_good(http("", 429, Retry_After="1e400")),
    "429-at-a-date": then_good(http("", 429, Retry_After=formatdate(time() + 9e7, usegmt=True))),
    "429-at-no-date": then_good(http("", 429, Retry_After="Mon, 99 Foo 99999")),
    "429-minus": then_good(http("", 429, Retry_After="-5")),
    "429-nan": then_good(http("", 429, Retry_After="nan")),
}
"""Names and faults that a call survives."""

FAILED: dict[str, Send] = {
    "usage-completion-negative": spent(completion_tokens=-5000),
    "usage-prompt-negative": spent(prompt_tokens=-1),
    "usage-cached-negative": spent(prompt_tokens_details={"cached_tokens": -1}),
    "usage-cached-beyond-prompt": spent(prompt_tokens_details={"cached_tokens": 10}),
    "usage-enormous": spent(completion_tokens=10**18),
    "usage-beyond-floats": spent(completion_tokens=10**400),
    "usage-5000-digits": text(": 4}", ": " + "9" * 5000 + "}"),
    "usage-nan": text(": 4}", ": NaN}"),
    "usage-infinite": text(": 4}", ": Infinity}"),
    "usage-string": spent(completion_tokens="4"),
    "usage-float": spent(completion_tokens=4.5),
    "usage-bool": spent(completion_tokens=True),
    "usage-list": changed(usage=[9, 4]),
    "usage-details-text": spent(prompt_tokens_details="none"),
    "choices-null": changed(choices=None),
    "choices-missing": whole(http({"usage": SPENT})),
    "choices-empty": changed(choices=[]),
    "choices-text": changed(choices="#42"),
    "choices-too-many": changed(choices=[choice(i) for i in range(9)]),
    "choices-of-nulls": changed(choices=[None, None]),
    "choices-of-numbers": changed(choices=[1, 2]),
    "index-elsewhere": changed(choices=[choice(5), choice(7)]),
    "index-twice": changed(choices=[choice(0), choice(0)]),
    "index-text": changed(choices=[choice(0), choice(index="1")]),
    "index-negative": changed(choices=[choice(-1), choice(0)]),
    "text-missing": changed(choices=[{"index": 0}, {"index": 1}]),
    "text-null": samples(text=None),
    "text-number": samples(text=42),
    "text-list": samples(text=["#42"]),
    "message-text": samples(text=None, message="#42"),
    "message-list": samples(message={"content": [{"text": "#42"}]}),
    "finish-number": samples(finish_reason=3),
    "stop-reason-list": samples(stop_reason=[]),
    "ids-negative": samples(token_ids=[-1]),
    "ids-huge": samples(token_ids=[2**40]),
    "ids-text": samples(token_ids=["1"]),
    "ids-float": samples(token_ids=[1.5]),
    "ids-object": samples(token_ids={"0": 1}),
    "prompt-ids-text": samples(prompt_token_ids="12"),
    "logprobs-nan": text('"#42"', '"#42", "logprobs": {"token_logprobs": [NaN]}'),
    "logprobs-infinite": text('"#42"', '"#42", "logprobs": {"token_logprobs": [Infinity]}'),
    "logprobs-positive": logprobs(token_logprobs=[-0.1, 0.2]),
    "logprobs-null-token": logprobs(token_logprobs=[None, -0.2]),
    "logprobs-text": logprobs(token_logprobs=["-0.1", "-0.2"]),
    "logprobs-too-few": logprobs(token_logprobs=[-0.1]),
    "logprobs-not-of-the-ids": samples(logprobs=LOGPROBS, token_ids=[1, 2, 3]),
    "logprobs-tops-of-text": logprobs(top_logprobs=["#", "42"]),
    "logprobs-list": samples(logprobs=[-0.1]),
    "logprobs-chat-text": samples(logprobs={"content": ["#"]}),
    "json-deep": whole(http(DEEP)),
    "json-deep-inside": text("#42", '", "x": ' + DEEP),
    "json-deep-error": whole(http('{"error": ' + "[" * 800 + "]" * 800 + "}")),
    "json-cut": whole(http('{"choices": [{"in')),
    "json-list": whole(http([])),
    "json-null": whole(http("null")),
    "json-number": whole(http("42")),
    "json-text": whole(http('"#42"')),
    "json-nan": whole(http("NaN")),
    "utf-16": whole(http(json.dumps({"choices": [choice()]}).encode("utf-16"))),
    "nothing": whole(http("")),
    "html": whole(http("<html><body>Welcome</body></html>", Content_Type="text/html")),
    "error-in-200": whole(http({"error": {"message": f"bad key {KEY}", "code": None}})),
    "error-text-in-200": whole(http({"error": "overloaded"})),
    "closed": whole(b""),
    "silent": never(),
    "silent-after-head": never(http("", Content_Length=100)),
    "drip-body": slowly(http("", Content_Length=10**6), b" ", ever=True),
    "drip-head": slowly(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n", ever=True),
    "continue-for-ever": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001, ever=True),
    "flood-of-continue": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "flood-of-head": flood(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 8000 + b"\r\n"),
    "flood-of-body": flood(http("", Content_Length=10**12), b" " * 65536),
    "flood-of-chunks": flood(http("", **CHUNKED), b"1000\r\n" + b" " * 4096 + b"\r\n"),
    "chunk-bad-size": whole(http("", **CHUNKED) + b"zz\r\n{}\r\n"),
    "chunk-cut": whole(http("", **CHUNKED) + b"ff\r\n{"),
    "length-too-long": whole(http("{}", Content_Length=100)),
    "length-too-short": whole(http({"choices": []}, Content_Length=5)),
    "length-negative": whole(http("{}", Content_Length=-2)),
    "length-text": whole(http("{}", Content_Length="many")),
    "not-http": whole(b"220 mail.example ESMTP\r\n"),
    "status-garbage": whole(b"HTTP/1.1 " + KEY.encode() + b"\r\n\r\n"),
    "binary": whole(bytes(range(256)) * 20),
    "gzip-bad": whole(http("{}", Content_Encoding="gzip")),
    "gzip-bomb": whole(http(BOMB, Content_Encoding="gzip")),
    "gzip-bomb-refusal": whole(http(BOMB, 500, Content_Encoding="gzip")),
    "br-unknown": whole(http("{}", Content_Encoding="br")),
    "switching": whole(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    ),
    "no-content": whole(http("", 204, Content_Length=None)),
    "partial": whole(http("{}", 206)),
    "moved-in-a-loop": whole(http("", 301, Location="/v1/completions")),
    "moved-elsewhere": whole(http("", 307, Location="http://10.1.2.3/v1/completions")),
    "moved-nowhere": whole(http("", 302)),
    "moved-to-garbage": whole(http("", 302, Location="http://[::1:99999999/")),
    "not-modified": whole(http("", 304, Content_Length=None)),
    "status-999": whole(http("", 999)),
    "429-for-ever": whole(http("", 429, Retry_After="1000000")),
    "500-for-ever": whole(http({"error": KEY * 9000}, 500)),
    "503-html": whole(http("<html>" * 99, 503, Content_Type="text/html")),
    "503-never-whole": never(http("", 503, Content_Length=9)),
    "529": whole(http("overloaded", 529)),
}
"""Names and faults that end a call in a `BackendError`."""

REFUSED: dict[str, Send] = {
    "400": whole(http({"error": {"message": "prompt too long"}}, 400)),
    "400-html": whole(http("<html>", 400)),
    "400-deep": whole(http(DEEP, 400)),
    "400-nothing": whole(http("", 400)),
    "400-binary": whole(http(bytes(range(256)), 400)),
    "400-flood": flood(http("", 400, Content_Length=10**12), b"x" * 65536),
    "413": whole(http("too large", 413)),
    "418": whole(http({"error": None}, 418)),
    "422": whole(http({"detail": [{"loc": ["body", "n"], "msg": "no such field"}]}, 422)),
}
"""Names and faults that end a call in a `ConfigError`: they are about one request."""

DENIED: dict[str, Send] = {
    "401": whole(http({"error": {"message": f"no such key: Bearer {KEY}"}}, 401)),
    "403": whole(http(f"Authorization: Bearer {KEY}", 403)),
    "404": whole(http({"error": {"message": "no model 'm'"}}, 404)),
}
"""Names and faults that end a run: every other request would meet them."""

STREAMS_ANSWERED: dict[str, Send] = {
    "without-done": stream(piece("#4"), END, usage(), end=""),
    "without-usage": stream(piece("#4"), END),
    "without-last-newline": stream(piece("#4"), END.rstrip(), end=""),
    "usage-falls": stream(
        event(
            {
                "choices": [choice(text="#42", finish_reason=None)],
                "usage": SPENT | {"completion_tokens": 15},
            }
        ),
        END,
        usage(completion_tokens=1),
    ),
    "stalls-after-the-end": never(STREAM + piece("#4").encode() + END.encode()),
    "cut-after-the-end": whole(
        http("", **CHUNKED)
        + b"%x\r\n" % len(piece("#4") + END)
        + (piece("#4") + END).encode()
        + b"\r\n9"
    ),
    "line-ends-of-windows": stream((piece("#4") + END).replace("\n", "\r\n")),
    "pings": stream(
        ": ping\n\n", "event: x\nid: 1\nretry: 5\n", piece("#4"), ": ping\n\n", END, usage()
    ),
    "separators-in-text": stream(
        event({"choices": [choice(text="S", finish_reason=None)]}).replace("S", "#\u20284\x85"), END
    ),
    "lone-surrogate": stream(piece("S").replace('"S"', '"#4\\ud800"'), END),
    "invalid-utf8": stream(piece("S").encode().replace(b"S", b"#4\xff"), END),
    "role-first": stream(
        event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]}), piece("#4"), END
    ),
    "usage-null": stream(
        event({"choices": [choice(text="#4", finish_reason=None)], "usage": None}), END
    ),
}
"""Streams from which the sample can be taken."""

STREAMS_FAILED: dict[str, Send] = {
    "nothing": stream(end=""),
    "done-at-once": stream(),
    "no-end": stream(piece("#4"), usage()),
    "html": whole(http("<html>hello</html>")),
    "not-json": stream(piece("#4"), "data: {oops}\n\n"),
    "list": stream("data: []\n\n"),
    "number": stream("data: 1\n\n"),
    "null": stream("data: null\n\n"),
    "deep": stream(f"data: {DEEP}\n\n"),
    "error": stream(piece("#4"), event({"error": {"message": f"out of memory {KEY}"}})),
    "error-text": stream("event: error\n", event({"error": "oops"})),
    "choices-number": stream(event({"choices": 1})),
    "choices-null": stream(event({"choices": None})),
    "two-samples": stream(event({"choices": [choice(0), choice(1)]})),
    "another-sample": stream(piece("#4", index=1)),
    "text-number": stream(piece("S").replace('"S"', "4")),
    "delta-text": stream(event({"choices": [{"index": 0, "delta": "#4"}]})),
    "usage-negative": stream(
        piece("#4"), event({"choices": [], "usage": SPENT | {"completion_tokens": -9}}), END
    ),
    "usage-enormous": stream(piece("#4"), usage(completion_tokens=10**20), END),
    "logprobs-nan": stream(piece("S").replace('"S"', '"#", "logprobs": {"token_logprobs": [NaN]}')),
    "ids-negative": stream(piece("#4", token_ids=[-3])),
    "endless": flood(STREAM, piece("la ").encode() * 100),
    "endless-line": flood(STREAM, b"data: " + b"x" * 65536),
    "endless-pings": flood(STREAM, b": ping\n\n" * 1000),
    "drip": slowly(STREAM, piece("#4").encode(), ever=True),
    "stalls": never(STREAM + piece("#4").encode()),
    "cut": whole(http("", **CHUNKED) + b"ff\r\ndata: {"),
    "packed": whole(http(BOMB, Content_Encoding="gzip")),
    "no-stream": whole(http(json.dumps({"choices": [choice()], "usage": SPENT}))),
}
"""Streams that end a call in a `BackendError`."""

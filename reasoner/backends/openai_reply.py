"""From the replies of an OpenAI-compatible server to completions and their usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reasoner.backends.replies import Choice, ReportedUsage, ServedSample, logprobs
from reasoner.backends.stop_strings import begin
from reasoner.backends.token_confidence import confidences, entropies
from reasoner.backends.verdict_tokens import verdicts_of
from reasoner.base import ModelInfo
from reasoner.types import Completion, Finish, Generation, Sampling, Usage

UNKNOWN = -1
"""A placeholder for a token whose id the server does not report."""

CUT_OFF = frozenset({None, "abort", "cancelled", "content_filter", "error"})
"""Finish reasons of a sample that did not end by itself."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """Stand-ins for counts that a server does not report: the prompt's tokens, and those decoded."""

    prompt: int
    decoded: int


def usage_of(
    spent: ReportedUsage, unreported: StandIns, samples: Sequence[ServedSample], model: ModelInfo
) -> Usage:
    """Return the usage of a request: the server's counts, but at least the tokens it sent.

    A count that it does not report is taken from `unreported`, and marked as estimated. With the
    model's size, FLOPs are those of fresh tokens, without attention, whose sizes no server reports.
    """
    length, decoded, estimated = spent.prompt_tokens, spent.completion_tokens, 0
    if length is None:
        length = unreported.prompt
        estimated += length
    if decoded is None:
        decoded = unreported.decoded
        estimated += decoded
    decoded = max(decoded, sum(len(sample.token_ids) for sample in samples))
    flops = model.flops(0, length - spent.cached_tokens + decoded)
    thinking = spent.thinking_tokens
    return Usage(1, length, spent.cached_tokens, decoded, flops, estimated, thinking)


def joined(parts: Sequence[Generation]) -> Generation:
    """Join the requests of one call."""
    usage = replace(sum((g.usage for g in parts), Usage()), requests=1)
    return Generation(tuple(c for g in parts for c in g.completions), usage)


def completion_of(
    sample: ServedSample, sampling: Sampling, decoded: int, verdicts: Mapping[int, float]
) -> Completion:
    """Return a served sample as a completion; `decoded` is the tokens charged for it, at most."""
    text, ids, last = sample.text, sample.token_ids, sample.last
    # Each token but the end has at least one byte; the charged usage may be a much higher bound.
    bound = min(sampling.max_tokens, len(text.encode()) + 1)
    ids = ids or [UNKNOWN] * min(decoded, bound)
    values, finish = verdicts_of(ids, verdicts), _finish(last, text, sampling)
    if (at := begin(sampling.end, text)) is not None:
        # Token boundaries are unknown, so a continuation starts from the text.
        text, ids, finish = text[:at], [UNKNOWN] * len(ids), Finish.EOS
    if finish is Finish.STOP and not text.endswith(sampling.stop):
        text += sampling.stop[0]
    likely = [] if sampling.labels else logprobs(sample.likeliest)
    return Completion(
        text,
        tuple(ids),
        finish,
        logprob=None if sample.sampled is None else sum(sample.sampled),
        verdicts=values,
        confidences=confidences(likely),
        entropies=entropies(likely),
        logprobs=tuple(sample.sampled or ()),
        labels=_labels(sample, sampling),
    )


def _labels(sample: ServedSample, sampling: Sampling) -> tuple[float, ...]:
    """Return the labels' log-probabilities if all are among the likeliest tokens, else none."""
    known = dict(sample.likeliest[0]) if sample.likeliest else {}
    if any(label not in known for label in sampling.labels):
        return ()
    return tuple(known[label] for label in sampling.labels)


def _finish(last: Choice, text: str, sampling: Sampling) -> Finish:
    """Return the finish; only vLLM tells an end from a stop, elsewhere empty text means the end."""
    if last.finish_reason in CUT_OFF:
        return Finish.ABORTED
    if last.finish_reason == "length":
        return Finish.LENGTH
    if not sampling.stop:
        return Finish.EOS
    if "stop_reason" in last.model_fields_set:
        return Finish.STOP if last.stop_reason in sampling.stop else Finish.EOS
    return Finish.STOP if text else Finish.EOS

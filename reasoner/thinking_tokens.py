"""The tokens of thinking among those that a model generated."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from reasoner.base import Backend, Spelling
from reasoner.thinking import Parts, split
from reasoner.traits import backend_traits
from reasoner.types import Completion, Generation, Prompt


def count_thinking(generation: Generation, prompt: Prompt, backend: Backend) -> Generation:
    """Return `generation` with the tokens of thinking in its usage, the marks around it included.

    A server's own count stands. Otherwise they are counted from the token ids where the backend knows the
    text of its tokens; elsewhere they are estimated from the share of the text, and marked in
    `Usage.thinking_estimated`.
    """
    if generation.usage.thinking_tokens:
        return generation
    counts = [_count(backend, piece, prompt.text) for piece in generation.completions]
    total, estimated = sum(count for count, _ in counts), sum(estimate for _, estimate in counts)
    if not total:
        return generation
    total = min(total, generation.usage.completion_tokens)
    return replace(
        generation,
        usage=replace(
            generation.usage, thinking_tokens=total, thinking_estimated=min(total, estimated)
        ),
    )


def _count(backend: Backend, piece: Completion, before: str) -> tuple[int, int]:
    """Return the tokens of thinking in a piece that follows the text `before`, and the estimated ones."""
    start, stop, size = len(before), len(before) + len(piece.text), len(piece.token_ids)
    parts = split(before + piece.text)
    thought = parts.thought(start, stop)
    if not thought or thought == stop - start:
        return (size if thought else 0), 0
    if backend_traits(backend).spells and isinstance(backend, Spelling):
        count = _counted(backend, piece, parts, start)
        if count is not None:
            return count, 0
    estimate = round(size * thought / (stop - start))
    return estimate, estimate


def _counted(spelling: Spelling, piece: Completion, parts: Parts, start: int) -> int | None:
    """Return the tokens of thinking by their ids; None where the ids do not spell the piece."""
    ids = piece.token_ids
    if min(ids, default=-1) < 0 or not piece.text.endswith(spelled := spelling.decode(ids)):
        return None
    start += len(piece.text) - len(spelled)  # A mark that the prompt ends in is shown, not sampled.
    ended = _covering(spelling, ids, parts.end - start)
    resumed = _covering(spelling, ids, parts.resumed - start) if parts.unfinished else len(ids)
    return ended + len(ids) - resumed


def _covering(spelling: Spelling, ids: Sequence[int], size: int) -> int:
    """Return the number of first tokens whose text has at least `size` characters."""
    counts = range(len(ids) + 1)
    return min(bisect_left(counts, size, key=lambda n: len(spelling.decode(ids[:n]))), len(ids))

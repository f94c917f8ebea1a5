"""The ends of a solution's steps among the tokens that were sampled."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

from reasoner.base import Backend, Spelling, as_spelling
from reasoner.traits import backend_traits
from reasoner.types import Candidate, Completion, Finish
from reasoner.verifiers.reward.encoding import Encoded, cut


class Characters:
    """A tokenizer with one token per character, for models whose tokenizer is unknown."""

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


def spelling(model: Backend) -> Spelling:
    """Return the tokenizer of a model, or one of characters where it has none."""
    return as_spelling(model) if backend_traits(model).spells else Characters()


def stepped(spelling: Spelling, candidate: Candidate, separator: str) -> Encoded:
    """Return the tokens of `candidate`, read at the last token of each step.

    The text is split at `separator`, however it was sampled. A step that ends within a token is read at
    the token before.
    """
    ids, reads, start = list[int](), list[int](), 0
    marks = ends(candidate.text, separator)
    for piece in candidate.completions:
        written, stop = tokens(spelling, piece), start + len(piece.text)
        inside = [mark - start for mark in marks if start < mark <= stop]
        reads += [len(ids) + count - 1 for count in counts(spelling, written, inside)]
        ids += written
        start = stop
    return Encoded(tuple(ids), tuple(r for r in reads if r >= 0))


def ends(text: str, separator: str) -> list[int]:
    """Return the length of `text` up to the end of each step, including its separator."""
    sizes = accumulate(len(step) + len(separator) for step in cut(text, separator))
    return [min(size, len(text)) for size in sizes]


def tokens(spelling: Spelling, piece: Completion) -> tuple[int, ...]:
    """Return the sampled tokens without an end token; re-encode the text where they are another model's."""
    ids = piece.token_ids[:-1] if piece.finish is Finish.EOS else piece.token_ids
    own = min(ids, default=0) >= 0 and spelling.decode(ids) == piece.text
    return ids if own else spelling.encode(piece.text)


def counts(spelling: Spelling, ids: Sequence[int], sizes: Sequence[int]) -> Iterator[int]:
    """Yield the number of `ids` whose text fits in each of `sizes` characters, which must increase."""
    start = covered = 0
    for size in sizes:
        length, most = partial(text_length, spelling, ids, start), 1
        while start + most < len(ids) and covered + length(most) <= size:
            most *= 2
        few = bisect_right(range(min(most, len(ids) - start) + 1), size - covered, key=length) - 1
        start, covered = start + few, covered + length(few)
        yield start


def text_length(spelling: Spelling, ids: Sequence[int], start: int, count: int) -> int:
    """Return the number of characters of `count` tokens from `start` on, in their context."""
    before = max(0, start - 1)  # A decoder may drop a space before the first of its tokens.
    prefix = spelling.decode(ids[before:start])
    return len(spelling.decode(ids[before : start + count])) - len(prefix)

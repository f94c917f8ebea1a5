"""Where the steps of a solution end, among the very tokens that were sampled."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

from reasoner.base import Backend, Spelling, as_spelling
from reasoner.traits import backend_traits
from reasoner.types import Candidate, Completion, Finish
from reasoner.verifiers.reward.encoding import Encoded, cut


class Characters:
    """Stands in for the tokens of a model that does not tell what they say: one a character."""

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


def spelling(model: Backend) -> Spelling:
    """What tells the text of a model's tokens."""
    return as_spelling(model) if backend_traits(model).spells else Characters()


def stepped(spelling: Spelling, candidate: Candidate, separator: str) -> Encoded:
    """The tokens of `candidate`, and which of them is the last of each step.

    The text is cut at `separator`, however it was sampled. A step that ends within a token is read at
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
    """The length of `text` up to the end of each step, its separator included."""
    sizes = accumulate(len(step) + len(separator) for step in cut(text, separator))
    return [min(size, len(text)) for size in sizes]


def tokens(spelling: Spelling, piece: Completion) -> tuple[int, ...]:
    """What was sampled, without an end; where these are another model's ids, the text's own."""
    ids = piece.token_ids[:-1] if piece.finish is Finish.EOS else piece.token_ids
    own = min(ids, default=0) >= 0 and spelling.decode(ids) == piece.text
    return ids if own else spelling.encode(piece.text)


def counts(spelling: Spelling, ids: Sequence[int], sizes: Sequence[int]) -> Iterator[int]:
    """How many of `ids` say no more than each of `sizes` characters, which increase."""
    start = told = 0
    for size in sizes:
        length, most = partial(said, spelling, ids, start), 1
        while start + most < len(ids) and told + length(most) <= size:
            most *= 2
        few = bisect_right(range(min(most, len(ids) - start) + 1), size - told, key=length) - 1
        start, told = start + few, told + length(few)
        yield start


def said(spelling: Spelling, ids: Sequence[int], start: int, count: int) -> int:
    """How many characters `count` tokens from `start` on say, where they stand."""
    known = max(0, start - 1)  # A decoder may drop a space before the first token it is given.
    return len(spelling.decode(ids[known : start + count])) - len(spelling.decode(ids[known:start]))

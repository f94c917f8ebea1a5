"""Solutions cut between two tokens, to be continued in another way."""

from dataclasses import replace

from reasoner.run import Run
from reasoner.trace import Node
from reasoner.types import Completion, Finish

HALF = "\ufffd"
"""The end of a text that stops within a character, as tokenizers write it."""


def cut(run: Run, node: Node, size: int) -> Node | None:
    """Return a node that holds exactly the first `size` tokens of the solution at `node`.

    None where they end within a character, whatever follows them.
    """
    if size and run.decode(run.trace.prompt(node).token_ids[:size]).endswith(HALF):
        return None
    start = run.trace.root
    for piece in run.trace.path(node)[1:]:
        if piece.length > size and piece.completion:
            kept = size - start.length
            return run.trace.add(start, head(run, piece.completion, kept)) if kept else start
        start = piece
    return start


def head(run: Run, piece: Completion, size: int) -> Completion:
    """Return the first `size` tokens of a piece, as text that was written."""
    ids = piece.token_ids
    decoded = run.decode(ids[:-1] if piece.finish is Finish.EOS else ids)
    # A chat template may open the thinking; the mark is in the text, not in the tokens.
    opening = piece.text[: max(0, len(piece.text) - len(decoded))]
    return replace(
        piece,
        text=opening + run.decode(ids[:size]),
        token_ids=ids[:size],
        finish=Finish.WRITTEN,
        logprob=None,
        verdicts=(),
        confidences=piece.confidences[:size],
        entropies=piece.entropies[:size],
        logprobs=piece.logprobs[:size],
        labels=(),
    )

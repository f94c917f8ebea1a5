"""Samples that use a tool: stopped after each call, and continued after its output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from reasoner.base import Halt
from reasoner.errors import BudgetExhausted
from reasoner.metered import Metered
from reasoner.tool_calls import Called, Tool, called_code, framed
from reasoner.types import Completion, Finish, Prompt, Sampling, ToolOutput

ARRAYS = ("token_ids", "verdicts", "confidences", "entropies", "logprobs")
"""The fields of a completion that hold something for each part of it, in order."""


@dataclass(frozen=True, slots=True)
class ToolSampling:
    """The sampling of pieces that follow a prompt and may use a tool.

    Attributes:
        tool: the tool.
        model: the model that samples.
        prompt: the problem and the solution so far.
        called: the calls in the solution so far.
        sampling: that of a piece; its `max_tokens` bounds samples and outputs together.
        room: the tokens that may follow the prompt in the solution's length and the model's context.
        halt: watches the sample.
    """

    tool: Tool
    model: Metered
    prompt: Prompt
    called: Called
    sampling: Sampling
    room: int
    halt: Halt | None = None

    def wanted(self, calls: int = 0) -> Sampling:
        """Return the sampling that stops at the end of a call too, unless there were all calls after `calls` more."""
        if self.called.calls + calls >= self.tool.calls:
            return self.sampling
        return replace(self.sampling, stop=(*self.sampling.stop, self.tool.closing))

    async def grow(self, piece: Completion, seed: Callable[[int], int]) -> tuple[Completion, bool]:
        """Run the calls of a sampled piece and continue it after each, to its end.

        `seed` makes the seed of a continuation from its number. Returns the piece, and True if the budget cut
        it short.

        Raises:
            BackendError: a continuation failed.
            ConfigError: the tool is not available.
        """
        number, short = 0, cut_short(piece, self.sampling.max_tokens)
        while self._stopped_by_tool(piece):
            over = piece.text.endswith(self.sampling.stop) if self.sampling.stop else False
            piece = await self._with_output(piece)
            left = self.sampling.max_tokens - len(piece.token_ids)
            if over or piece.finish is Finish.LENGTH:
                return piece, False
            if left <= 0:
                return replace(piece, finish=Finish.LENGTH), False
            number += 1
            more = await self._continued(piece, left, seed(number))
            if more is None:
                return replace(piece, finish=Finish.LENGTH), True
            piece, short = joined(piece, more), cut_short(more, left)
        return piece, short

    def _stopped_by_tool(self, piece: Completion) -> bool:
        """Return True if a piece ends where a call may."""
        calls = self.called.calls + len(piece.outputs)
        fresh = not piece.outputs or piece.outputs[-1].end < len(piece.text)
        text = (self.prompt.text + piece.text).endswith(self.tool.closing)
        return piece.finish is Finish.STOP and fresh and text and calls < self.tool.calls

    async def _with_output(self, piece: Completion) -> Completion:
        """Return a piece with the output of the call in which it ends, if it ends in one and the output fits."""
        since = self.called.end
        if piece.outputs:
            since = len(self.prompt.text) + piece.outputs[-1].end
        code = called_code(self.tool, (self.prompt.text + piece.text)[since:])
        if code is None:
            return piece
        output = await self.tool.run(code)
        text, ids = framed(output, self.tool.tokens, self.model.backend.encode)
        if len(piece.token_ids) + len(ids) >= self.room:
            return replace(piece, finish=Finish.LENGTH)
        start = len(piece.text)
        written = ToolOutput(start, start + len(text), len(ids))
        return replace(
            piece,
            text=piece.text + text,
            token_ids=(*piece.token_ids, *ids),
            outputs=(*piece.outputs, written),
        )

    async def _continued(self, piece: Completion, left: int, seed: int) -> Completion | None:
        """Sample what follows a piece; None where the budget is spent."""
        prompt = self.prompt.extend(piece)
        if self.prompt.text and not self.prompt.token_ids:  # Its tokens are another model's.
            prompt = replace(prompt, token_ids=())
        wanted = replace(self.wanted(len(piece.outputs)), n=1, max_tokens=left, seed=seed)
        try:
            generation = await self.model.sample(
                prompt, self.model.length(prompt), wanted, halt=self.halt
            )
        except BudgetExhausted:
            return None
        return generation.completions[0]


def joined(piece: Completion, more: Completion) -> Completion:
    """Return a piece and what was sampled after it as one."""
    known = piece.logprob is not None and more.logprob is not None
    both = {name: getattr(piece, name) + getattr(more, name) for name in ARRAYS}
    return replace(
        piece,
        text=piece.text + more.text,
        finish=more.finish,
        logprob=(piece.logprob or 0.0) + (more.logprob or 0.0) if known else None,
        **both,
    )


def cut_short(piece: Completion, limit: int) -> bool:
    """Return True if a sampled piece ended before `limit` tokens, for want of budget."""
    return piece.finish is Finish.LENGTH and len(piece.token_ids) < limit

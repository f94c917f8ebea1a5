"""Sampling for one run: requests, their seeds and their limits, metered by the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Self

from reasoner.base import Backend, Halt
from reasoner.budget import GENERATOR, SECOND, Ledger, largest, worst_case
from reasoner.concurrency import gather
from reasoner.errors import BackendError, BudgetExhausted
from reasoner.events import Listener, StepSampled
from reasoner.metered import Metered
from reasoner.tool_calls import Called, Tool
from reasoner.tool_use import ToolSampling, cut_short
from reasoner.trace import Node, Trace
from reasoner.types import Completion, Finish, NodeId, Problem, Prompt, Sampling


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """A request for the children of a node.

    Attributes:
        sampling: how they are sampled; `max_tokens` is the longest solution.
        tokens: the longest piece, where a solution is sampled in pieces.
        halt: makes the judge that watches one sample.
        second: ask the second model.
    """

    sampling: Sampling
    tokens: int | None = None
    halt: Callable[[], Halt] | None = None
    second: bool = False


@dataclass(frozen=True, slots=True)
class Draw:
    """A request at one node: the prompt there, its length, and the tokens that may follow it.

    `limit` is for the piece that is sampled, `room` for the whole solution.
    """

    node: Node
    request: DrawRequest
    model: Metered
    prompt: Prompt
    length: int
    limit: int
    room: int


class Sampler:
    """Two models on one ledger, and the trace that their samples become part of."""

    def __init__(
        self,
        trace: Trace,
        backend: Backend,
        second: Backend,
        ledger: Ledger,
        seed: int,
        listen: Listener,
        tool: Tool | None = None,
    ) -> None:
        self.trace, self.ledger = trace, ledger
        self.clipped = False
        """The budget cut a sample short, or off."""
        self.model = Metered(backend, ledger)
        self._second = Metered(second, ledger, GENERATOR if second is backend else SECOND)
        self._foreign = set[NodeId]()
        """The pieces whose token ids are those of a second model of its own."""
        self._seed, self._listen, self._tool = seed, listen, tool
        self._drawn = Counter[int | str]()
        """The samples requested so far, by node and by prompt."""

    def on(self, ledger: Ledger) -> Self:
        """Return a sampler of the same trace and seeds on another ledger."""
        other = copy(self)
        other.ledger, other.clipped = ledger, False
        other.model, other._second = self.model.on(ledger), self._second.on(ledger)
        return other

    async def draw(self, node: Node, request: DrawRequest, n: int) -> list[Node]:
        """Sample `n` children of `node`; where a request was clipped to the budget, further ones follow.

        Returns fewer where the budget closes, and none where nothing may follow the node.
        """
        draw, children = self._draw(node, request), list[Node]()
        try:
            while len(children) < n and draw.limit > 0:
                children += await self._request(draw, n - len(children))
        except BudgetExhausted:
            self.clipped = True
        return children

    async def reply(self, text: str, sampling: Sampling, role: str) -> list[Completion]:
        """Sample replies to a prompt outside the trace, charged to `role`; fewer where the budget closes.

        Raises:
            BudgetExhausted: there was budget for none.
        """
        number = self._count(text, sampling.n)
        prompt = Prompt(Problem(self.trace.problem.id, text))
        seeded = replace(sampling, seed=self._seeded(text, number))
        length = self.model.length(prompt)
        try:
            generation = await self.model.sample(prompt, length, seeded, role=role)
        except BudgetExhausted:
            self.clipped = True
            raise
        replies = list(generation.completions)
        limit = _reply_limit(sampling.max_tokens, self.model, length)
        self.clipped |= len(replies) < sampling.n or any(cut_short(r, limit) for r in replies)
        return replies

    def add(self, node: Node, completion: Completion, *, terminal: bool) -> Node:
        """Add a sampled child to the trace."""
        spent = self.ledger.total.completion_tokens
        child = self.trace.add(node, completion, spent=spent, terminal=terminal)
        self._listen(StepSampled(child, node.id))
        return child

    def affordable(self, n: int, sampling: Sampling) -> int:
        """Return how many whole solutions, up to `n`, the rest of the budget holds."""
        model, prompt = self.model.info, self.model.length(Prompt(self.trace.problem))

        def holds(k: int) -> bool:
            return self.ledger.room.holds(worst_case(replace(sampling, n=k), prompt, model))

        return largest(n, holds)

    def _draw(self, node: Node, request: DrawRequest) -> Draw:
        model = self._second if request.second else self.model
        prompt = self.trace.prompt(node)
        # Token ids mean something to their own model only.
        foreign = self._foreign and any(n.id in self._foreign for n in self.trace.path(node))
        if foreign or model.role == SECOND:
            prompt = replace(prompt, token_ids=())
        length = model.length(prompt)
        room = _room(node, request, model, length)
        limit = room if request.tokens is None else min(room, request.tokens)
        return Draw(node, request, model, prompt, length, limit, room)

    async def _request(self, draw: Draw, n: int) -> list[Node]:
        sampling = replace(draw.request.sampling, n=n, max_tokens=draw.limit)
        seed = self._next_seed(draw.node, n)
        halt = draw.request.halt() if draw.request.halt else None
        tools = self._tools(draw, sampling, halt)
        seeded = replace(tools.wanted() if tools else sampling, seed=seed)
        generation = await draw.model.sample(draw.prompt, draw.length, seeded, halt=halt)
        if tools:
            return await self._grow(draw, tools, generation.completions, seed)
        self.clipped |= any(cut_short(piece, draw.limit) for piece in generation.completions)
        return [self._add(draw, completion) for completion in generation.completions]

    def _tools(self, draw: Draw, sampling: Sampling, halt: Halt | None) -> ToolSampling | None:
        if self._tool is None:
            return None
        called = Called.of(self.trace.completions(draw.node))
        return ToolSampling(self._tool, draw.model, draw.prompt, called, sampling, draw.room, halt)

    async def _grow(
        self, draw: Draw, tools: ToolSampling, pieces: Sequence[Completion], seed: int
    ) -> list[Node]:
        """Continue pieces after the calls of tools in them; those that could be continued stay in the trace.

        Raises:
            BackendError: a continuation failed.
        """

        async def grown(index: int) -> tuple[Completion, bool] | BackendError:
            try:
                return await tools.grow(pieces[index], partial(self._seeded, (seed, index)))
            except BackendError as error:
                return error

        ends = await gather(grown(index) for index in range(len(pieces)))
        whole = [end for end in ends if not isinstance(end, BackendError)]
        self.clipped |= any(short for _, short in whole)
        children = [self._add(draw, piece) for piece, _ in whole]
        for end in ends:
            if isinstance(end, BackendError):
                raise end
        return children

    def _add(self, draw: Draw, completion: Completion) -> Node:
        size, cut = len(completion.token_ids), completion.finish is Finish.LENGTH
        full = draw.node.length + size >= draw.request.sampling.max_tokens
        piece = cut and draw.request.tokens is not None and size >= draw.request.tokens
        goes_on = (completion.finish is Finish.STOP or piece) and not full
        child = self.add(draw.node, completion, terminal=not goes_on)
        if draw.model.role == SECOND:
            self._foreign.add(child.id)
        return child

    def _next_seed(self, node: Node, n: int) -> int:
        """Return a seed that depends on the node's place in the tree only, never on timing."""
        number = self._count(node.id, n)
        return self._seeded([n.rank for n in self.trace.path(node)], number)

    def _count(self, place: int | str, n: int) -> int:
        """Count `n` more samples; return how many there were before."""
        number = self._drawn[place]
        self._drawn[place] += n
        return number

    def _seeded(self, place: object, number: int) -> int:
        text = f"{self._seed}:{self.trace.problem.id}:{place}:{number}"
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) >> 1


def _room(node: Node, request: DrawRequest, model: Metered, prompt: int) -> int:
    """Return the tokens that may follow `node` in the solution's length and the model's context."""
    left = 0 if node.terminal else request.sampling.max_tokens - node.length
    space = model.info.context - prompt
    # A problem that does not fit at all is the backend's to refuse.
    fits = not model.info.context or (node.depth == 0 and space <= 0)
    return left if fits else min(left, space)


def _reply_limit(most: int, model: Metered, prompt: int) -> int:
    """Return the tokens that may follow a prompt, of at most so many and in the model's context."""
    space = model.info.context - prompt
    return min(most, space) if space > 0 else most

"""Power sampling: a solution drawn from the model's own distribution, sharpened as a whole."""

from dataclasses import dataclass as plain
from math import exp, log
from typing import Literal

from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.run import Run
from reasoner.search.common.cutting import cut
from reasoner.search.common.running_vote import Poll
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Power:
    """Draw a solution from p^alpha by Markov chain Monte Carlo (Karan & Du, 2025, arXiv 2510.14901).

    p is the model's distribution of whole solutions, at temperature 1 and without a nucleus. Each of `n`
    proposals cuts the solution before a random token and samples the rest anew from p; Metropolis and
    Hastings' rule accepts it or not, so that the chain's stationary distribution is p^alpha. The answer is the
    chain's last solution, or by choose="vote" the one that most of its states give. With `block`, solutions of
    so many tokens come first, then of twice as many and so on, with `n` proposals each; where they end does
    not matter to the stationary distribution of the last `n`, which are of whole solutions.
    """

    n: PositiveInt = 10
    alpha: PositiveFloat = 4.0
    block: PositiveInt | None = None
    choose: Literal["last", "vote"] = "last"
    traits = StrategyTraits(verifier="unneeded", continues=True, logprobs=True, spells=True)

    async def search(self, run: Run) -> Node:
        """Sample longer and longer beginnings until one is a solution, then whole solutions."""
        run.read_logprobs()
        state, longest = run.trace.root, run.sampling.max_tokens
        for length in range(self.block or longest, longest, self.block or longest):
            state = await self.sample(run, state, length)
            if state.finished:
                break
        state = await self.sample(run, state, longest)
        return run.incumbent or state

    async def sample(self, run: Run, state: Node, length: int) -> Node:
        """Grow `state` to `length` tokens or its end, walk `n` proposals on, and return the last state."""
        chain, poll = Chain(run, self.alpha, length, state), Poll(run)
        await chain.grow()
        self.offer(run, chain.state, poll)
        for _ in range(self.n):
            if not run.incumbent and length < run.sampling.max_tokens and run.affordable(2) < 2:
                break  # The rest of the budget is for a first solution.
            await chain.propose()
            self.offer(run, chain.state, poll)
        return chain.state

    def offer(self, run: Run, state: Node, poll: Poll) -> None:
        """Offer the chain's answer after one more of its states, if it is a finished solution."""
        if self.choose == "vote":
            poll.add(state)
            state = poll.chosen()
        if state.finished:
            run.offer(state)


@plain(slots=True)
class Chain:
    """A Markov chain over solutions of at most `length` tokens: ended by the model, or of just that length."""

    run: Run
    alpha: float
    length: int
    state: Node

    async def grow(self) -> None:
        """Sample the state's rest from p."""
        if not self.state.terminal:
            self.state = await self.rest(self.state)

    async def propose(self) -> None:
        """Sample the rest after a random token anew, and move there if it is accepted."""
        run, state = self.run, self.state
        kept = run.rng.randrange(state.length)
        # Within a character no cut is made, from whatever solution: neither way of a move has it.
        if start := cut(run, state, kept):
            new = await self.rest(start)
            whole = new.finished or new.length == self.length  # Not clipped by the budget.
            gain = sum(logprobs(run, new)[kept:]) - sum(logprobs(run, state)[kept:])
            if whole and run.rng.random() < acceptance(self.alpha, gain, state.length, new.length):
                self.state = new
        self.state.visits += 1

    async def rest(self, start: Node) -> Node:
        """Sample a solution that begins with `start`."""
        [new] = await self.run.expand([start], tokens=self.length - start.length)
        return new


def acceptance(alpha: float, gain: float, length: int, proposed: int) -> float:
    """Return the probability of accepting a proposal: min(1, p(x')^alpha q(x|x') / (p(x)^alpha q(x'|x))).

    The solution x of `length` tokens is cut before each of them alike, and the rest sampled from p, so that
    q(x'|x) = p(rest of x') / length; `proposed` is the length of x'. The tokens before the cut have the same
    probability in both: with `gain` the log-probability of the rest of x' less that of x, the ratio is
    exp((alpha - 1) gain) length / proposed.
    """
    return exp(min(0.0, (alpha - 1) * gain + log(length / proposed)))


def logprobs(run: Run, node: Node) -> tuple[float, ...]:
    """Return the log-probability of each token of a solution.

    Raises:
        ConfigError: the backend did not return them.
    """
    values = run.trace.candidate(node).logprobs
    if len(values) != node.length:
        raise ConfigError(
            "strategy 'power' weighs solutions by the log-probabilities of their tokens, and the backend"
            " returned none; use backend vllm or transformers, or strategy 'majority', which needs none"
        )
    return values

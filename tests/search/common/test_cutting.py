"""A cut holds exactly the sampled tokens, and their text."""

from __future__ import annotations

from collections.abc import Sequence

from reasoner.backends.scripted import Scripted
from reasoner.run import Run
from reasoner.search.common.cutting import cut
from reasoner.solving import solve
from reasoner.trace import Node
from reasoner.traits import StrategyTraits
from reasoner.types import Completion, Finish, Problem

OPENING = "<think>"
END = 0


class Bytes(Scripted):
    """A model whose tokens are bytes of UTF-8; 0 is the end."""

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(i for i in ids if i != END).decode(errors="replace")


class Cuts:
    """Cuts one solution of two pieces before each of its tokens."""

    traits = StrategyTraits(verifier="unneeded", spells=True)

    def __init__(self, first: str, second: str) -> None:
        self.pieces = first.encode(), second.encode()
        self.cuts = list[Node | None]()

    async def search(self, run: Run) -> Node:
        one, two = map(tuple, self.pieces)
        text = OPENING + self.pieces[0].decode()
        logprobs = tuple(-float(i) for i in one)
        start = run.trace.add(run.trace.root, Completion(text, one, Finish.STOP, logprobs=logprobs))
        text = self.pieces[1].decode()
        end = run.trace.add(start, Completion(text, (*two, END), Finish.EOS))
        self.cuts = [cut(run, end, size) for size in range(end.length)]
        for size, node in enumerate(self.cuts):
            assert node is None or run.trace.prompt(node).token_ids == (*one, *two)[:size]
        self.texts = [node and run.trace.prompt(node).text for node in self.cuts]
        return end


async def cuts(first: str, second: str) -> Cuts:
    strategy = Cuts(first, second)
    result = await solve(Problem("p", "?"), strategy, Bytes())
    assert result.error is None
    return strategy


async def test_a_cut_has_the_text_of_its_tokens() -> None:
    strategy = await cuts("ab\n", "c")
    assert strategy.texts == ["", "<think>a", "<think>ab", "<think>ab\n", "<think>ab\nc"]
    root, one, _, start, last = strategy.cuts
    assert root and not root.completion
    assert one and one.completion and one.completion.logprobs == (-97.0,)
    assert start and start.completion and start.completion.finish is Finish.STOP
    assert last and last.completion and last.completion.finish is Finish.WRITTEN
    assert not any(node.terminal for node in strategy.cuts if node)


async def test_there_is_no_cut_within_a_character() -> None:
    strategy = await cuts("é", "a€b")
    assert strategy.texts == [
        "", None, "<think>é", "<think>éa", None, None, "<think>éa€", "<think>éa€b",
    ]  # fmt: skip

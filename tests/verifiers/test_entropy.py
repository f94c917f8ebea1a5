"""Entropies, by hand, from the backends, and through a search."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.backends.token_confidence import FLOOR, entropy
from reasoner.base import Verifier
from reasoner.errors import ConfigError
from reasoner.search import BestOfN
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish
from reasoner.verifiers.confidence import Confidence
from reasoner.verifiers.entropy import Entropy
from reasoner.verifiers.self_certainty import LIKELIEST, SelfCertainty
from reasoner.verifiers.tail_confidence import TailConfidence
from tests.verifiers.test_confidence import PROBLEM, WRITTEN, patient, values


def unsure(*entropies: float) -> Candidate:
    ids = tuple(range(len(entropies)))
    return Candidate((Completion("a", ids, Finish.EOS, entropies=entropies),), True)


def test_from_no_choice_to_all_equally_likely() -> None:
    highest = log(LIKELIEST)
    batch = [unsure(0.0, 0.0), unsure(0.0, highest), unsure(highest)]
    assert values(Entropy(), *batch) == pytest.approx([1, 0.5, 0])


@patient
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=LIKELIEST), st.floats(0.01, 1))
def test_entropy_of_a_distribution(shares: list[float], told: float) -> None:
    """Whatever part of the probability the likeliest have, it is scaled away."""
    chances = [s / sum(shares) for s in shares]
    expected = -sum(p * log(p) for p in chances)
    assert entropy([log(p * told) for p in chances]) == pytest.approx(expected, abs=1e-9)
    assert 0 <= entropy([log(p) for p in chances]) <= log(len(chances)) + 1e-9


def test_tokens_cut_off_have_no_share() -> None:
    assert entropy([0.0, float("-inf")]) == 0.0
    assert entropy([0.0] + [FLOOR] * 19) < 1e-6
    assert entropy([float("-inf")] * 2) == 0.0


def test_what_a_strategy_wrote_says_nothing_of_the_model() -> None:
    [piece] = unsure(0.3, 0.5).completions
    assert values(Entropy(), Candidate((piece, WRITTEN), False)) == values(Entropy(), unsure(0.4))
    assert values(Entropy(), Candidate((WRITTEN,), False)) == [0.0]


def test_a_piece_without_entropies_is_refused() -> None:
    with pytest.raises(ConfigError, match="backend"):
        values(Entropy(), Candidate((Completion("ab", (1, 2), Finish.EOS),), True))


def test_the_tail_of_the_log_probabilities() -> None:
    first = Completion("ab", (1, 2), Finish.STOP, -5.0, logprobs=(-1.0, -4.0))
    last = Completion("cd", (3, 4), Finish.EOS, -1.0, logprobs=(-0.5, -0.5))
    candidate = Candidate((first, WRITTEN, last), True)
    assert values(Confidence(), candidate) == [pytest.approx(exp(-6 / 4))]
    assert values(Confidence(tail=2), candidate) == [pytest.approx(exp(-0.5))]
    assert values(Confidence(tail=3), candidate) == [pytest.approx(exp(-5 / 3))]
    assert values(Confidence(tail=99), candidate) == values(Confidence(), candidate)


@pytest.mark.parametrize(
    "verifier", [Entropy(), SelfCertainty(), TailConfidence(window=4), Confidence(tail=4)]
)
async def test_a_run_asks_the_model_for_what_its_verifier_reads(verifier: Verifier) -> None:
    result = await solve(PROBLEM, BestOfN(n=8), Scripted(), verifier)
    assert result.error is None
    assert max(s.score or 0.0 for s in result.candidates) > 0
